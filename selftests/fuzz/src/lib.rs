//! Can bytes from somewhere else do harm? One function for each place that reads such bytes: it takes any bytes, and panics only if
//! something is wrong.
//!
//! ```text
//!   corpus/TARGET/* ─▶ tests/corpus.rs ──┐
//!                                        ├─▶ TARGET::run(bytes) ─▶ decoders, codecs, chip, session
//!   libFuzzer ─▶ bins/TARGET.rs ─────────┘
//! ```
//!
//! No dependency on a fuzzer: every file of the corpora, and with them every crash that was ever found, is a test of the workspace.
//! `selftests/fuzz.sh` builds the same functions with libFuzzer (feature `libfuzzer`).

pub mod chip;
pub mod config;
pub mod control;
pub mod devlink;
mod entry;
mod input;
mod lab;
pub mod pipeline;
pub mod recording;
pub mod rtnetlink;
pub mod session;
pub mod state;
pub mod varlink;
pub mod vrrp;

/// A target: it takes any bytes, and panics only if something is wrong.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("rtnetlink", rtnetlink::run),
    ("devlink", devlink::run),
    ("chip", chip::run),
    ("session", session::run),
    ("pipeline", pipeline::run),
    ("vrrp", vrrp::run),
    ("varlink", varlink::run),
    ("config", config::run),
    ("state", state::run),
    ("control", control::run),
    ("recording", recording::run),
];
