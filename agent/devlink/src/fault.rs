//! Why could a message not be decoded?

use netlink_packet_core::DecodeError;
use thiserror::Error;

/// What is wrong with a message. It concerns that message alone: the next one in the datagram is not affected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// The value of an attribute does not have the length of its type.
    #[error("{attribute} has {have} octets, not {need}")]
    Length {
        /// Its name in `linux/devlink.h`.
        attribute: &'static str,
        /// Octets that the type has.
        need: &'static str,
        /// Octets that are there.
        have: usize,
    },
    /// An attribute is longer than the message or the nest it is in, or shorter than its own header.
    #[error("Attribute {number} claims {need} octets of {have}")]
    Overrun {
        /// Its number, which counts in its own nest.
        number: u16,
        /// `nla_len`.
        need: usize,
        /// Octets that are left.
        have: usize,
    },
    /// Nests in nests without end.
    #[error("{attribute} is more than {deepest} nests deep")]
    TooDeep {
        /// Its name in `linux/devlink.h`.
        attribute: &'static str,
        /// The limit.
        deepest: usize,
    },
}

impl From<Fault> for DecodeError {
    fn from(fault: Fault) -> Self {
        fault.to_string().into()
    }
}
