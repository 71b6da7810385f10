//! What does a message say? Raw rtnetlink messages go in, model events come out.
//!
//! ```text
//!  RTM_NEWLINK  AF_UNSPEC ─▶ Event::Link          RTM_NEWADDR ─▶ Event::Address
//!  RTM_DELLINK  AF_UNSPEC ─▶ Event::LinkGone      RTM_DELADDR ─▶ Event::AddressGone
//!  link messages of other families, NEWLINK with IFLA_WIRELESS, everything else ─▶ Ignored
//!  an attribute that matters is short, long or missing, or lengths lie          ─▶ Undecodable
//! ```
//!
//! Tolerant: attributes that do not matter are never looked into, whatever later kernels put there. Strict about the
//! dozen that do: a message that is wrong about one of these is reported as undecodable and never half believed.
//! No input leads to a panic.

mod address;
mod attributes;
mod link;
#[cfg(test)]
mod tests;

use std::fmt;

use firsthop_model::IfIndex;
use firsthop_model::topology::Event;
use thiserror::Error;

use crate::message::{Message, RTM_DELADDR, RTM_DELLINK, RTM_NEWADDR, RTM_NEWLINK};

/// What became of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// It says something about a device or an address.
    Event(Event),
    /// It says nothing about devices or addresses, or only a part that must not be taken for the whole.
    Ignored,
    /// It should say something, but cannot be believed.
    Undecodable(Undecodable),
}

/// A message that cannot be decoded; the others of its datagram are not affected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("Undecodable rtnetlink message of type {kind}, interface index {ifindex}: {fault}")]
pub struct Undecodable {
    /// `nlmsg_type`; 0 where the datagram ended before.
    pub kind: u16,
    /// `ifi_index` or `ifa_index`; 0 where it is not known.
    pub ifindex: u32,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with an undecodable message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A header needs more octets than there are.
    Cut {
        /// Octets needed or announced.
        need: usize,
        /// Octets there.
        have: usize,
    },
    /// An attribute's length field is below its header or beyond the end.
    Overrun {
        /// Attribute number.
        attribute: u16,
        /// Octets announced.
        need: usize,
        /// Octets left.
        have: usize,
    },
    /// An attribute has the wrong size.
    Length {
        /// Attribute number, in its own nest.
        attribute: u16,
        /// Octets that belong there (at least).
        need: usize,
        /// Octets there.
        have: usize,
    },
    /// An attribute that every kernel sends is not there.
    Missing {
        /// Attribute number, in its own nest.
        attribute: u16,
    },
    /// A field of the fixed header is out of range.
    Value {
        /// The field's name in the kernel's header file.
        field: &'static str,
        /// What it holds.
        value: i64,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut { need, have } => write!(f, "needs {need} octets, has {have}"),
            Self::Overrun { attribute, need, have } => {
                write!(f, "attribute {attribute} announces {need} octets where {have} are left")
            }
            Self::Length { attribute, need, have } => {
                write!(f, "attribute {attribute} has {have} octets instead of {need}")
            }
            Self::Missing { attribute } => write!(f, "attribute {attribute} is missing"),
            Self::Value { field, value } => write!(f, "{field} is {value}"),
        }
    }
}

/// Decodes one message.
pub fn decode(message: &Message<'_>) -> Decoded {
    let decoded = match message.kind {
        RTM_NEWLINK => {
            link::decode(message.payload).map(|link| link.map(|link| Event::Link(link.into())))
        }
        RTM_DELLINK => link::decode_gone(message.payload).map(|gone| gone.map(Event::LinkGone)),
        RTM_NEWADDR => address::decode(message.payload).map(|address| address.map(Event::Address)),
        RTM_DELADDR => {
            address::decode(message.payload).map(|address| address.map(Event::AddressGone))
        }
        _ => Ok(None),
    };
    match decoded {
        Ok(Some(event)) => Decoded::Event(event),
        Ok(None) => Decoded::Ignored,
        // Both fixed headers hold the index in their second word.
        Err(fault) => Decoded::Undecodable(Undecodable {
            kind: message.kind,
            ifindex: word(message.payload, 4).unwrap_or(0),
            fault,
        }),
    }
}

/// The 32-bit word at an offset of a fixed header.
fn word(payload: &[u8], at: usize) -> Option<u32> {
    payload.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

/// `ifi_index` and `ifa_index` are positive C ints.
fn checked_ifindex(field: &'static str, value: u32) -> Result<IfIndex, Fault> {
    if i32::try_from(value).is_ok_and(i32::is_positive) {
        Ok(IfIndex(value))
    } else {
        Err(Fault::Value { field, value: value.into() })
    }
}
