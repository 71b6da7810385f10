//! Devices that have a driver in the kernel: what devlink says of their traps and tables, and what can be set on them
//! beside what the driver does by itself.

mod device;
pub mod flower;
pub mod policing;
mod reader;

pub use device::{Device, Group, Policer, Resource, Rx, Trap};
pub use reader::{Reader, Refusal};
