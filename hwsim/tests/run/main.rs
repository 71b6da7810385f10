//! `hwsim run` from outside: a real process, real netdevs, real sockets. Each test has network
//! namespaces of its own; where none can be made, it says so and passes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod docs;
mod frames;
mod isolation;
mod lifecycle;
mod ports;
mod reports;
mod router;
mod socket;
mod support;
