//! What did the kernel say about a request, beside the answer?
//!
//! ```text
//!  NLMSG_ERROR  | error, 0 for success | nlmsghdr of the request [its payload, unless NLM_F_CAPPED] | attributes …
//!  NLMSG_DONE   | error                | attributes …                   if NLM_F_ACK_TLVS: 1 is the text
//! ```

use std::io;

use netlink_packet_core::{DoneMessage, ErrorMessage};
use thiserror::Error;

use super::raw::Raw;
use crate::attribute::Attributes;
use crate::message::Message;
use crate::value::Value as _;

const NLM_F_CAPPED: u16 = 0x100;
const NLM_F_ACK_TLVS: u16 = 0x200;
const NLMSGERR_ATTR_MSG: u16 = 1;
const NETLINK_HEADER: usize = 16;

/// What came back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The answers, in the kernel's order.
    pub messages: Vec<Message>,
    /// The text that the kernel gave with a success (`NL_SET_ERR_MSG` with 0): what was asked may not have happened.
    pub warning: Option<String>,
    /// Objects came or went while they were dumped (`NLM_F_DUMP_INTR`): some may be missing. Ask again.
    pub interrupted: bool,
    /// Why messages could not be decoded, one text each; the others are not affected.
    pub undecodable: Vec<String>,
}

impl Answer {
    /// Takes messages in, or why they cannot be decoded.
    pub(super) fn take(&mut self, messages: Vec<Raw>) {
        for raw in messages {
            match raw.decode() {
                Ok(message) => self.messages.push(message),
                Err(fault) => self.undecodable.push(fault.to_string()),
            }
        }
    }
}

/// There is no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// No socket.
    #[error("Cannot open a netlink socket")]
    Open(#[source] io::Error),
    /// The kernel refused the request, or ended a dump with an error.
    #[error("The kernel refused{}", .text.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Refused {
        /// The error; `raw_os_error` is the kernel's number: ENOENT, EOPNOTSUPP, EPERM.
        source: io::Error,
        /// The kernel's explanation, if it gave one.
        text: Option<String>,
    },
    /// The kernel said something that is no answer.
    #[error("The kernel's answer cannot be understood: {reason}")]
    Undecodable {
        /// Why.
        reason: String,
    },
    /// The answer did not fit into the socket's buffer.
    #[error("The answer was longer than the socket's buffer")]
    Overrun,
    /// The runtime that serves the socket has ended, or the socket failed.
    #[error("The netlink socket is closed")]
    Closed,
}

pub(super) fn undecodable(reason: impl Into<String>) -> ClientError {
    ClientError::Undecodable { reason: reason.into() }
}

/// The warning of an acknowledgement, or the error.
pub(super) fn acknowledged(
    flags: u16,
    error: &ErrorMessage,
) -> Result<Option<String>, ClientError> {
    let request = &error.header;
    let length = match request.first_chunk() {
        Some(length) if flags & NLM_F_CAPPED == 0 => {
            usize::try_from(u32::from_ne_bytes(*length)).unwrap_or(usize::MAX)
        }
        _ => NETLINK_HEADER,
    };
    let attributes = length.checked_next_multiple_of(4).and_then(|start| request.get(start..));
    let text = text(flags, attributes.unwrap_or_default());
    match error.code {
        None => Ok(text),
        Some(code) => Err(refused(code.get(), text)),
    }
}

/// Nothing, or the error that a dump ended with.
pub(super) fn dump_ended(flags: u16, done: &DoneMessage) -> Result<(), ClientError> {
    if done.code < 0 {
        return Err(refused(done.code, text(flags, &done.extended_ack)));
    }
    Ok(())
}

fn refused(code: i32, text: Option<String>) -> ClientError {
    ClientError::Refused { source: io::Error::from_raw_os_error(code.saturating_abs()), text }
}

fn text(flags: u16, attributes: &[u8]) -> Option<String> {
    if flags & NLM_F_ACK_TLVS == 0 {
        return None;
    }
    let message = Attributes::new(attributes)
        .map_while(Result::ok)
        .find(|attribute| attribute.number() == NLMSGERR_ATTR_MSG)?;
    String::parse(&message, "NLMSGERR_ATTR_MSG").ok()
}
