//! Which frames must a router take and a bridge forward, in a given kernel state? Somebody else's answer to the question that
//! the agent is judged by.
//!
//! Written naively from the rule tables of the book (what becomes a router interface, state and reason, admission, qualifying
//! addresses, bridging) and from nothing else: it shares no code and no shape with `firsthop-model`. It keeps no state, plans
//! nothing and is slow.
//!
//! ```text
//!   Kernel (devices, addresses, ─┬▶ shape:             router interface of a device, or the reason against
//!           VLANs, filters)      ├▶ router_interfaces: table, MACs answered, fast-path VRIDs, own addresses
//!                                ├▶ verdict:           state and reason of one macvlan or ipvlan
//!                                ├▶ member_refusal:    reason why a bridge's member is not bridged by the chip
//!                                └▶ Switch:            what becomes of a frame that enters a port
//! ```

#![forbid(unsafe_code)]

mod accept;
mod address;
mod bridging;
mod frame;
mod kernel;
mod place;
mod rif;
mod router;
#[cfg(test)]
mod tests;
mod verdict;

pub use accept::accept_set;
pub use bridging::{Member, bridge_refusal, member_refusal, members};
pub use frame::{Bridged, Copy, Fate, Switch};
pub use kernel::{
    Address, Admission, Device, Filters, Kernel, Kind, Mac, Oper, Policy, Proto, Protocol, Rule,
    Stp, Vlan, mac_text,
};
pub use rif::{MAIN_TABLE, Shape, shape};
pub use router::{RouterInterface, router_interfaces, served_addresses};
pub use verdict::{Verdict, verdict};
