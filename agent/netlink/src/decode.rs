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
//!
//!  decode_fib, of AF_INET and AF_INET6:
//!  RTM_NEWROUTE           ─▶ FibEvent::Route      RTM_NEWNEIGH           ─▶ FibEvent::Neighbour
//!  RTM_DELROUTE           ─▶ FibEvent::RouteGone  RTM_DELNEIGH           ─▶ FibEvent::NeighbourGone
//!  RTM_NEWNEXTHOP         ─▶ FibEvent::NextHop    RTM_DELNEXTHOP         ─▶ FibEvent::NextHopGone
//! ```
//!
//! Tolerant: attributes that do not matter are never looked into, whatever later kernels put there. Strict about the
//! few dozen that do: a message that is wrong about one of these is reported as undecodable and never half believed.
//! No input leads to a panic.

mod address;
mod attributes;
mod host;
mod link;
pub(crate) mod neighbour;
mod next_hop;
mod route;
#[cfg(test)]
mod tests;
mod vlan;

use std::fmt;

pub(crate) use link::{kind_of, promiscuity_of};

use firsthop_model::IfIndex;
use firsthop_model::fib::FibEvent;
use firsthop_model::topology::Event;
use thiserror::Error;

use crate::message::{
    Message, RTM_DELADDR, RTM_DELLINK, RTM_DELNEIGH, RTM_DELNEXTHOP, RTM_DELROUTE, RTM_DELVLAN,
    RTM_NEWADDR, RTM_NEWLINK, RTM_NEWNEIGH, RTM_NEWNEXTHOP, RTM_NEWROUTE, RTM_NEWVLAN,
};

/// What became of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded<E = Event> {
    /// It says something: at least one event, in the kernel's order.
    Events(Vec<E>),
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
    /// A field is out of range.
    Value {
        /// Its name in the kernel's header file.
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

/// Decodes one message about what exists.
pub fn decode(message: &Message<'_>) -> Decoded {
    decoded(message, events(message))
}

/// Decodes one message about what the kernel forwards by.
pub fn decode_fib(message: &Message<'_>) -> Decoded<FibEvent> {
    decoded(message, fib_event(message).map(|event| event.into_iter().collect()))
}

fn decoded<E>(message: &Message<'_>, events: Result<Vec<E>, Fault>) -> Decoded<E> {
    let ifindex = match message.kind {
        RTM_NEWROUTE | RTM_DELROUTE | RTM_NEWNEXTHOP | RTM_DELNEXTHOP => None,
        // All other fixed headers hold the index in their second word.
        _ => word(message.payload, 4),
    };
    match events {
        Ok(events) if events.is_empty() => Decoded::Ignored,
        Ok(events) => Decoded::Events(events),
        Err(fault) => Decoded::Undecodable(Undecodable {
            kind: message.kind,
            ifindex: ifindex.unwrap_or(0),
            fault,
        }),
    }
}

fn fib_event(message: &Message<'_>) -> Result<Option<FibEvent>, Fault> {
    let payload = message.payload;
    Ok(match message.kind {
        RTM_NEWROUTE => {
            let placement = route::placement(message.flags);
            route::decode(payload)?.map(|route| FibEvent::Route(route, placement))
        }
        RTM_DELROUTE => route::decode(payload)?.map(FibEvent::RouteGone),
        RTM_NEWNEXTHOP => next_hop::decode(payload)?.map(FibEvent::NextHop),
        RTM_DELNEXTHOP => next_hop::decode(payload)?.map(|gone| FibEvent::NextHopGone(gone.id)),
        RTM_NEWNEIGH => host::decode(payload)?.map(FibEvent::Neighbour),
        RTM_DELNEIGH => {
            host::decode(payload)?.map(|gone| FibEvent::NeighbourGone(gone.ifindex, gone.ip))
        }
        _ => None,
    })
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

/// 0: no device.
fn device(field: &'static str, value: u32) -> Result<Option<IfIndex>, Fault> {
    if value == 0 { Ok(None) } else { checked_ifindex(field, value).map(Some) }
}

/// Interface indices are positive C ints.
fn checked_ifindex(field: &'static str, value: u32) -> Result<IfIndex, Fault> {
    if i32::try_from(value).is_ok_and(i32::is_positive) {
        Ok(IfIndex(value))
    } else {
        Err(Fault::Value { field, value: value.into() })
    }
}
