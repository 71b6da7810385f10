//! Which frames must a router port take, in a given kernel state? Somebody else's answer to the question that the agent is judged by.
//!
//! Written naively from the rule tables of the book (state and reason, admission, qualifying addresses) and from nothing
//! else: it shares no code and no shape with `firsthop-model`. It keeps no state, plans nothing and is slow.
//!
//! ```text
//!   Kernel (devices, addresses) ──▶ router_ports: RIF, MACs answered, fast-path VRIDs, own addresses, by port
//!                               └─▶ verdict:      state and reason of one macvlan or ipvlan
//! ```

#![forbid(unsafe_code)]

mod kernel;
mod router;
#[cfg(test)]
mod tests;
mod verdict;

pub use kernel::{Address, Device, Kernel, Kind, Mac, Oper, Proto, mac_text};
pub use router::{RouterPort, router_ports, served_addresses};
pub use verdict::{Verdict, verdict};
