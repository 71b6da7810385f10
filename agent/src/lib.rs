//! The agent `firsthopd` and its client `firsthop`.
//!
//! ```text
//!   kernel ──netlink──▶ daemon ──Change──▶ chip
//!                         │ one owner of all state, on one thread
//!                         ▼ views: values for people and scripts
//!                        api ──varlink, a unix socket──▶ client ──text, JSON──▶ terminal
//!                                                     └▶ exporter ──HTTP──▶ collector
//! ```

#![forbid(unsafe_code)]

pub mod api;
pub mod client;
mod clock;
pub mod config;
pub mod daemon;
pub mod engine;
pub mod exporter;
pub mod intent_log;
pub mod metrics;
pub mod paths;
pub mod recording;
pub mod service_manager;
pub mod telemetry;
pub mod views;

/// An error with everything that led to it, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
