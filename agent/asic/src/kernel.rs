//! Devices that have a driver in the kernel: what can be set on them beside what the driver does by itself.

pub mod flower;
