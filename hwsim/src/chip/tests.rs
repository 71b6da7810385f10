//! The chip from outside: EMAD frames and wire frames in, answers and outputs out.

mod access;
mod admission;
mod ageing;
mod bridge;
mod capacity;
mod frames;
mod groups;
mod lab;
mod lag;
mod nexthop;
mod policing;
mod properties;
mod routing;
mod traps;
