//! Linux devlink messages: typed, for requests, answers and notifications, on `netlink-packet-generic`.
//!
//! ```text
//!   nlmsghdr │ genlmsghdr { cmd, version } │ attributes …
//!            └────── netlink_packet_generic::GenlMessage<Message> ──────┘
//!                          cmd decides which type the attributes are: Message::TrapNew(Trap { name, action, … })
//! ```
//!
//! Every struct has one field for each attribute, each field names its constant in `linux/devlink.h`, and everything is
//! optional, as in the kernel: a request is an answer with fewer fields. Attributes without a field are kept in `other`,
//! commands without a type in [`Message::Other`], numbers without a name in `Other` of their enum, so that a newer kernel
//! is never an error and nothing is lost by decoding and encoding.
//!
//! What the decoder expects of kernels, from 4.6 to 7.3: attributes of number 0 in statistics and metadata;
//! `DEVLINK_ATTR_PAD` before any 64-bit number; nests with and without `NLA_F_NESTED`; text with and without its NUL;
//! `DEVLINK_ATTR_INDEX` of four or eight octets. A value that does not have the length of its type is a [`Fault`] that
//! names the attribute, of that message alone. No input panics.
//!
//! The feature `tokio` (on by default) adds the module `client`, on `netlink-proto`; without it there is no I/O here.

mod attribute;
#[cfg(feature = "tokio")]
pub mod client;
pub mod device;
pub mod dpipe;
mod fault;
mod handle;
pub mod health;
mod message;
pub mod port;
pub mod resource;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
pub mod trap;
mod value;

pub use attribute::OtherAttribute;
pub use fault::Fault;
pub use handle::{Handle, NestedDevice};
pub use message::{Message, NotifyFilter};
pub use value::{Bitfield32, Octets, Uint};

#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// `DEVLINK_GENL_NAME`: the name by which `nlctrl` knows the family.
pub const FAMILY: &str = "devlink";
/// `DEVLINK_GENL_VERSION`
pub const VERSION: u8 = 1;
/// `DEVLINK_GENL_MCGRP_CONFIG_NAME`: the multicast group of all notifications.
pub const CONFIG_GROUP: &str = "config";
