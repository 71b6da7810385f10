//! Devices that have a driver in the kernel: what devlink says of their traps and tables, and what may be set of it.

mod device;
pub mod policing;
mod reader;

pub use device::{Device, Group, Policer, Resource, Rx, Trap};
pub use reader::{Reader, Refusal};
