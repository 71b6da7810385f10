//! What can be wrong with a frame, and what does a chip answer then?

use super::Status;

/// Why bytes are no EMAD frame. Offsets are those of the TLV in the frame, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Shorter than an Ethernet header with protocol and version.
    #[error("Frame ends in its header: {actual} of 16 bytes")]
    HeaderTruncated {
        /// Bytes there are.
        actual: usize,
    },
    /// Not EMAD.
    #[error("EtherType is 0x{ethertype:04x}, not 0x8932")]
    WrongEtherType {
        /// The EtherType.
        ethertype: u32,
    },
    /// Protocol and version have to be 0.
    #[error("Protocol {protocol} version {version} is not supported")]
    UnsupportedVersion {
        /// Protocol.
        protocol: u32,
        /// Its version.
        version: u32,
    },
    /// The frame ends before the length of a TLV.
    #[error("Frame ends in the first dword of the TLV at byte {offset}: {actual} of 4 bytes")]
    TlvTruncated {
        /// Where.
        offset: usize,
        /// Bytes there are.
        actual: usize,
    },
    /// A TLV that would not even hold its own length.
    #[error("TLV type {kind} at byte {offset} has length zero")]
    TlvLengthZero {
        /// TLV type.
        kind: u8,
        /// Where.
        offset: usize,
    },
    /// The frame ends before the TLV does.
    #[error("TLV type {kind} at byte {offset} has {len} bytes, the frame only {left} more")]
    TlvPastEnd {
        /// TLV type.
        kind: u8,
        /// Where.
        offset: usize,
        /// Its length in bytes.
        len: usize,
        /// Bytes there are.
        left: usize,
    },
    /// A TLV of fixed length has another.
    #[error("TLV type {kind} at byte {offset} has {actual} dwords instead of {expected}")]
    TlvLength {
        /// TLV type.
        kind: u8,
        /// Where.
        offset: usize,
        /// The length it has to have.
        expected: usize,
        /// The length it has.
        actual: usize,
    },
    /// A TLV that may come once came again.
    #[error("TLV type {kind} comes again at byte {offset}")]
    DuplicateTlv {
        /// TLV type.
        kind: u8,
        /// Where.
        offset: usize,
    },
    /// No such TLV is known.
    #[error("TLV type {kind} at byte {offset} is not known")]
    UnknownTlv {
        /// TLV type.
        kind: u8,
        /// Where.
        offset: usize,
    },
    /// The first TLV is not the operation.
    #[error("Operation TLV is missing")]
    OperationMissing,
    /// There is no register.
    #[error("Register TLV is missing")]
    RegisterMissing,
    /// The frame ends without an END TLV.
    #[error("END TLV is missing")]
    EndMissing,
    /// A payload that fits no frame.
    #[error("Payload of {actual} bytes: not a multiple of four, or more than {max}")]
    PayloadLength {
        /// Its length in bytes.
        actual: usize,
        /// The most that fit.
        max: usize,
    },
}

impl FrameError {
    /// What a chip answers to such a request, if the operation can be read ([`super::Operation::peek`]).
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::UnsupportedVersion { .. } => Status::VersionNotSupported,
            Self::UnknownTlv { .. } => Status::UnknownTlv,
            _ => Status::BadParameter,
        }
    }
}
