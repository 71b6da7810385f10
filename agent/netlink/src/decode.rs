//! What does a message say? Raw rtnetlink messages go in, model events come out.
//!
//! ```text
//!  RTM_NEWLINK  AF_UNSPEC ─▶ Event::Link          RTM_NEWADDR            ─▶ Event::Address
//!  RTM_NEWLINK  AF_BRIDGE ─▶ Event::Slave
//!  RTM_DELLINK  AF_UNSPEC ─▶ Event::LinkGone      RTM_DELADDR            ─▶ Event::AddressGone
//!  RTM_NEWVLAN            ─▶ Event::Vlans each    RTM_NEWNEIGH AF_BRIDGE ─▶ Event::Receives
//!  RTM_DELVLAN            ─▶ Event::VlansGone     RTM_DELNEIGH AF_BRIDGE ─▶ Event::ReceivesNoMore
//!  other families, what `vlan` and `neighbour` leave out, NEWLINK with IFLA_WIRELESS, everything else ─▶ Ignored
//!  an attribute that matters is short, long or missing, or lengths lie                                ─▶ Undecodable
//! ```
//!
//! Tolerant: attributes that do not matter are never looked into, whatever later kernels put there. Strict about the
//! few dozen that do: a message that is wrong about one of these is reported as undecodable and never half believed.
//! No input leads to a panic.

mod address;
mod attributes;
mod link;
pub(crate) mod neighbour;
#[cfg(test)]
mod tests;
mod vlan;

use std::fmt;

use firsthop_model::IfIndex;
use firsthop_model::topology::Event;
use thiserror::Error;

use crate::message::{
    Message, RTM_DELADDR, RTM_DELLINK, RTM_DELNEIGH, RTM_DELVLAN, RTM_NEWADDR, RTM_NEWLINK,
    RTM_NEWNEIGH, RTM_NEWVLAN,
};

/// What became of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// It says something: at least one event, in the kernel's order.
    Events(Vec<Event>),
    /// It says nothing that matters here, or only a part that must not be taken for the whole.
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
    /// The fixed header's interface index; 0 where it is not known.
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
    match events(message) {
        Ok(events) if events.is_empty() => Decoded::Ignored,
        Ok(events) => Decoded::Events(events),
        // All fixed headers hold the index in their second word.
        Err(fault) => Decoded::Undecodable(Undecodable {
            kind: message.kind,
            ifindex: word(message.payload, 4).unwrap_or(0),
            fault,
        }),
    }
}

fn events(message: &Message<'_>) -> Result<Vec<Event>, Fault> {
    let payload = message.payload;
    let one = match message.kind {
        RTM_NEWLINK => link::decode(payload)?,
        RTM_DELLINK => link::decode_gone(payload)?.map(Event::LinkGone),
        RTM_NEWADDR => address::decode(payload)?.map(Event::Address),
        RTM_DELADDR => address::decode(payload)?.map(Event::AddressGone),
        RTM_NEWNEIGH => neighbour::decode(payload)?.map(|(at, mac)| Event::Receives(at, mac)),
        RTM_DELNEIGH => neighbour::decode(payload)?.map(|(at, mac)| Event::ReceivesNoMore(at, mac)),
        RTM_NEWVLAN => {
            return Ok(vlan::decode(payload)?.into_iter().map(Event::Vlans).collect());
        }
        RTM_DELVLAN => {
            return Ok(vlan::decode(payload)?.into_iter().map(Event::VlansGone).collect());
        }
        _ => None,
    };
    Ok(one.into_iter().collect())
}

/// The 32-bit word at an offset of a fixed header.
fn word(payload: &[u8], at: usize) -> Option<u32> {
    payload.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

/// Interface indices are positive C ints.
fn checked_ifindex(field: &'static str, value: u32) -> Result<IfIndex, Fault> {
    if i32::try_from(value).is_ok_and(i32::is_positive) {
        Ok(IfIndex(value))
    } else {
        Err(Fault::Value { field, value: value.into() })
    }
}
