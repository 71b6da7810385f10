//! The chip from outside: EMAD frames and wire frames in, answers and outputs out.

mod access;
mod admission;
mod bridge;
mod frames;
mod lab;
mod policing;
mod properties;
mod routing;
mod traps;
