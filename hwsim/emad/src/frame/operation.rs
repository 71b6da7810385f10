//! What is asked or answered: which register, which method, which transaction, with which status?

use crate::layout::codes;

codes! {
    /// What is done with the register.
    pub enum Method {
        /// Read it.
        Query = 1 "query",
        /// Write it.
        Write = 2 "write",
        /// Written by the chip to the CPU.
        Send = 3 "send",
        /// An event of the chip.
        Event = 5 "event",
    }
}

codes! {
    /// How a request ended.
    pub enum Status {
        /// It was done.
        Ok = 0 "ok",
        /// The chip is busy; try again.
        Busy = 1 "busy",
        /// Protocol version not supported.
        VersionNotSupported = 2 "version_not_supported",
        /// A TLV is not known.
        UnknownTlv = 3 "unknown_tlv",
        /// The register is not known.
        RegisterNotSupported = 4 "register_not_supported",
        /// The operation class is not 1.
        ClassNotSupported = 5 "class_not_supported",
        /// The register has no such method.
        MethodNotSupported = 6 "method_not_supported",
        /// A value is out of range or contradicts the chip's state.
        BadParameter = 7 "bad_parameter",
        /// A table is full.
        ResourceNotAvailable = 8 "resource_not_available",
        /// The chip has the message and has not done it yet; try again.
        MessageReceiptAck = 9 "message_receipt_ack",
        /// The firmware failed.
        InternalError = 0x70 "internal_error",
    }
}

impl Status {
    /// The same request may succeed a little later: the driver retries on these (`mlxsw_emad_process_status`).
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Busy | Self::MessageReceiptAck)
    }
}

/// The operation TLV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// A direct-route TLV follows. Not supported, and not set.
    pub direct_route: bool,
    /// How the request ended; [`Status::Ok`] in requests. Seven bits.
    pub status: Status,
    /// Which register.
    pub register_id: u16,
    /// This is an answer.
    pub response: bool,
    /// What is done with the register. Seven bits.
    pub method: Method,
    /// Operation class; 1 is register access.
    pub class: u8,
    /// Transaction id: an answer has that of its request.
    pub tid: u64,
}

impl Operation {
    /// The class of register access.
    pub const CLASS_REGISTER: u8 = 1;

    /// A request.
    #[must_use]
    pub const fn request(register_id: u16, method: Method, tid: u64) -> Self {
        Self {
            direct_route: false,
            status: Status::Ok,
            register_id,
            response: false,
            method,
            class: Self::CLASS_REGISTER,
            tid,
        }
    }

    /// The answer to this request.
    #[must_use]
    pub const fn answer(self, status: Status) -> Self {
        Self { status, response: true, ..self }
    }
}
