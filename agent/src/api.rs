//! What may a person or a script ask? The varlink interface `org.firsthop.Agent` on a unix stream socket.
//!
//! ```text
//!   client ──{"method":"org.firsthop.Agent.ListRif","parameters":{…}}␀──▶ listener ─▶ codec ─▶ interface ─▶ Request ─▶ daemon
//!          ◀──{"parameters":{…}}␀ or {"error":"…","parameters":{…}}␀──── listener ◀───────────────────────── Reply ◀──
//! ```
//!
//! `org.firsthop.Agent.varlink` is the interface for other programs; everybody may ask, and nothing here changes anything.

pub mod codec;
#[cfg(test)]
pub(crate) mod description;
pub mod interface;
pub mod listener;
pub mod message;
pub mod socket;

pub use interface::{
    Failure, Filter, MonitorFilter, NeighbourFilter, Request, RouteFilter, Told, TrapFilter, Wanted,
};
pub use message::{Call, Reply};
