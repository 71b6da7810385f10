//! What exists, what the chip should hold, and how to get there: pure values and decisions.
//!
//! ```text
//!  netlink ──Event──▶ Topology ──▶ intent ──▶ Intended + Verdicts ──▶ plan ──▶ Change… ──▶ asic
//!                     (Observed)   (kernel keys only)                (chip indices)   │
//!                                                          Applied ◀──acknowledged────┘
//! ```
//!
//! No I/O, no clock, no threads: time is an argument, and the same inputs give the same outputs in the same order.

#![forbid(unsafe_code)]

pub mod applied;
pub mod chip;
pub mod driver;
pub mod fib;
mod index;
pub mod intent;
pub mod liveness;
pub mod plan;
pub mod policer;
pub mod reconcile;
pub mod retry;
#[cfg(test)]
mod testbed;
pub mod topology;
pub mod types;

pub use types::{IfIndex, LocalPort, Mac, Vrid};
