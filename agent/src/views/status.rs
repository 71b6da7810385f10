//! The agent itself: is it in step with the kernel and with the chip?

use std::collections::BTreeMap;

use firsthop_model::intent::State;
use serde::{Deserialize, Serialize};

use super::{Census, VrrpPolicer, Watch};
use crate::engine::Finding;

/// The agent itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Not stale, nothing pending, Applied is Intended but for what was refused or failed.
    pub synced: bool,
    /// Events may have been missed, and no complete snapshot was taken since.
    pub stale: bool,
    /// Events and snapshots since the start.
    pub generation: u64,
    /// The event socket
    pub netlink: Netlink,
    /// Snapshots by cause
    pub resyncs: BTreeMap<String, u64>,
    /// What looking again has found
    #[serde(default)]
    pub audit: Audit,
    /// The chip's side
    pub hw: Hardware,
    /// Router interfaces by state; states without any are missing.
    pub rifs: BTreeMap<String, u64>,
    /// Virtual MACs by state; states without any are missing.
    pub vmacs: BTreeMap<String, u64>,
    /// Routes by state; empty where the kernel routes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub routes: BTreeMap<String, u64>,
    /// Neighbours by state; empty where the kernel routes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub neighbours: BTreeMap<String, u64>,
    /// `cpu`: packets between networks are routed by the kernel. `hardware (N routes)`: by the chip, which forwards or drops by that many.
    pub transit: String,
    /// Who watches advertisements, and what for.
    pub liveness: Watch,
    /// The switch chip
    pub device: Device,
    /// The policers of VRRP's traps, by device.
    #[serde(default)]
    pub policers: Vec<VrrpPolicer>,
}

/// What audits of the kernel's view and of the chip have found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Audit {
    /// Audits since the start
    pub rounds: u64,
    /// Findings since the start, by class
    pub findings: BTreeMap<String, u64>,
    /// The last findings, at most 100
    pub last: Vec<Finding>,
}

/// What the event socket has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Netlink {
    /// Messages from the kernel
    pub messages: u64,
    /// Messages that the kernel dropped
    pub dropped: u64,
    /// Times that the kernel said so
    pub overruns: u64,
    /// Octets that the kernel may queue, as it counts: twice what was asked for, where nothing limits it
    pub receive_buffer: u64,
}

/// What went to the chip.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hardware {
    /// Acknowledged changes
    pub writes: u64,
    /// Failed changes
    pub failures: u64,
    /// Objects that are not done
    pub pending: u64,
    /// Rows of which nobody knows what they hold, as [`super::Difference::object`] names them: an answer did not come, and they
    /// could not be read since. Nothing is written there.
    #[serde(default)]
    pub unknown: Vec<String>,
}

/// Who writes to the chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// This agent
    Manage,
    /// Somebody else, or nobody
    Observe,
}

/// The switch chip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// None until it was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// Path of its socket
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<String>,
    /// It answers.
    pub connected: bool,
    /// Who writes to it
    pub mode: Mode,
}

/// Who routes packets between networks.
pub fn transit(census: Option<&Census>) -> String {
    census
        .map_or_else(|| "cpu".to_owned(), |census| format!("hardware ({} routes)", census.in_chip))
}

/// How many objects are in which state.
pub fn count_states(states: impl IntoIterator<Item = State>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::<State, u64>::new();
    for state in states {
        *counts.entry(state).or_default() += 1;
    }
    named(&counts)
}

/// Counts by the states' names.
pub(super) fn named(counts: &BTreeMap<State, u64>) -> BTreeMap<String, u64> {
    counts.iter().map(|(state, count)| (state.name().to_owned(), *count)).collect()
}
