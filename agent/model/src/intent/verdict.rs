//! What became of a netdev, and each condition that led there.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Reason;

/// The state of a router interface or virtual MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not ours to offload.
    NotOffloaded,
    /// Rightly not programmed.
    Held,
    /// Should be in the chip, waits for a resource or a change.
    Refused,
    /// Should be in the chip, and the chip refused.
    Failed,
    /// On its way into the chip.
    Pending,
    /// In the chip, acknowledged.
    Offload,
}

impl State {
    /// The word in JSON and text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotOffloaded => "not_offloaded",
            Self::Held => "held",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Pending => "pending",
            Self::Offload => "offload",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What holds or does not, with the values that decided.
    pub text: Cow<'static, str>,
    /// The reason code if it does not hold.
    pub unmet: Option<Reason>,
}

/// The intended fate of one netdev, before the chip was asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// In the order in which they are asked; the first unmet one decides.
    pub conditions: Vec<Condition>,
}

impl Verdict {
    /// Asks one more question.
    pub(crate) fn ask(&mut self, holds: bool, reason: Reason, text: impl Into<Cow<'static, str>>) {
        self.conditions.push(Condition { text: text.into(), unmet: (!holds).then_some(reason) });
    }

    /// The first reason against; None: it belongs into the chip.
    pub fn reason(&self) -> Option<Reason> {
        self.conditions.iter().find_map(|condition| condition.unmet)
    }

    /// It belongs into the chip.
    pub fn admits(&self) -> bool {
        self.reason().is_none()
    }
}
