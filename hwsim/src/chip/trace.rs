//! What happened to this frame, step by step? The recorder that the pipeline talks to while it decides.
//!
//! `receive` runs the pipeline with `Silent`, which costs nothing; `trace` with `Steps`. It is the same code.

use serde::Serialize;

use super::port::LocalPort;

/// One step: a table was asked, or a check made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Where in the pipeline, e.g. `vlan` or `router`.
    pub stage: &'static str,
    /// The table, as its register is called, or the check.
    pub table: &'static str,
    /// What it was asked.
    pub key: String,
    /// What it said.
    pub result: String,
}

/// A frame that would leave by a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TracedEgress {
    /// The port.
    pub port: LocalPort,
    /// The tag with which it would leave; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vid: Option<u16>,
    /// The router would forward it (other addresses, one hop less), not the bridge.
    pub routed: bool,
}

/// The answer to `trace`: every step, and what would come of it. Nothing was changed by asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// The port on which the frame would come in.
    pub port: LocalPort,
    /// The steps in order.
    pub steps: Vec<Step>,
    /// What would come of it.
    pub verdict: TraceVerdict,
}

/// What would come of a traced frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraceVerdict {
    /// `cpu`, `policed`, `wire`, `cpu+wire` or `dropped`.
    pub outcome: &'static str,
    /// How it would reach the CPU, policed or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub punt: Option<super::Punt>,
    /// Copies that would leave.
    pub wire: Vec<TracedEgress>,
    /// Reasons why it, or one of its copies, would be dropped.
    pub discards: Vec<&'static str>,
}

/// Who listens while the pipeline decides.
pub(crate) trait Recorder {
    /// A step; the texts are made only for a recorder that wants them.
    fn step(
        &mut self,
        stage: &'static str,
        table: &'static str,
        key: impl FnOnce() -> String,
        result: impl FnOnce() -> String,
    );
}

/// Nobody listens.
#[derive(Debug)]
pub(crate) struct Silent;

impl Recorder for Silent {
    fn step(
        &mut self,
        _: &'static str,
        _: &'static str,
        _: impl FnOnce() -> String,
        _: impl FnOnce() -> String,
    ) {
    }
}

/// Keeps every step.
#[derive(Debug, Default)]
pub(crate) struct Steps(pub(crate) Vec<Step>);

impl Recorder for Steps {
    fn step(
        &mut self,
        stage: &'static str,
        table: &'static str,
        key: impl FnOnce() -> String,
        result: impl FnOnce() -> String,
    ) {
        self.0.push(Step { stage, table, key: key(), result: result() });
    }
}
