//! What to do after a failed write: when to try again, and what to call it meanwhile.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::chip::{Change, FidFamily, FloodTo, Key};
use crate::intent::Reason;

/// What kind of failure a back end reports; the back end knows its chip's status codes, this stage decides what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// May work when tried again.
    Transient,
    /// A table is full: waits for a freed row.
    Capacity,
    /// The chip says that the write is wrong.
    Rejected,
    /// Nobody knows whether the chip made the write.
    Unknown,
}

/// A failed write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What follows from it.
    pub class: FailureClass,
    /// Register, status and what was written, for people.
    pub text: String,
}

/// Why something that belongs into the chip is not there, and when it is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Stable reason
    pub reason: Reason,
    /// What the chip said; empty where the planner found a table full by itself.
    pub text: String,
    /// Failed attempts, at least 1.
    pub attempts: u32,
    /// When it is tried again.
    pub retry: Retry,
    /// What failed is a row of a router interface, not of the bridging beneath it.
    pub of_router: bool,
}

/// When something is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// With the next plan.
    Now,
    /// At this time.
    At(Duration),
    /// When a resource is freed. Where it was the chip that found a table full, a long time is the last resort: others
    /// use the table as well, and what they free is not announced.
    OnRelease {
        /// The last resort.
        or_at: Option<Duration>,
    },
}

impl Retry {
    /// When a clock alone brings it back.
    pub const fn time(self) -> Option<Duration> {
        match self {
            Self::Now => None,
            Self::At(at) => Some(at),
            Self::OnRelease { or_at } => or_at,
        }
    }
}

/// First delay between attempts.
const BASE: Duration = Duration::from_millis(100);
/// Longest delay between attempts.
const MOST: Duration = Duration::from_secs(60);

impl Trouble {
    /// Waits for a freed resource.
    pub const fn waiting(reason: Reason) -> Self {
        let retry = Retry::OnRelease { or_at: None };
        Self { reason, text: String::new(), attempts: 1, retry, of_router: false }
    }

    /// After a failed write to a row; `before` is the trouble that the last attempt ended in.
    pub fn after(change: &Change, failure: &Failure, before: Option<&Self>, now: Duration) -> Self {
        let attempts = before.map_or(0, |before| before.attempts).saturating_add(1);
        // Only what is new can find a table full; only that is helped by a freed row.
        let full = failure.class == FailureClass::Capacity && matches!(change, Change::Add(_));
        let capacity = match change.key() {
            Key::RouterMac(..) => Some(Reason::FdbFull),
            Key::Rif(_) => Some(Reason::RifTableFull),
            Key::Fid(fid) if fid.family() == FidFamily::Router => Some(Reason::RifTableFull),
            Key::Fid(_) => Some(Reason::FidTableFull),
            Key::Lag(_) | Key::LagPort(..) | Key::LagCollector(_) => Some(Reason::LagTableFull),
            Key::VrTree(..) => Some(Reason::VrTableFull),
            Key::Route(..) => Some(Reason::RouteTableFull),
            Key::Neighbour(..) => Some(Reason::NeighbourTableFull),
            Key::Adjacency(_) => Some(Reason::AdjacencyTableFull),
            _ => None,
        };
        let (reason, retry) = match capacity.filter(|_| full) {
            Some(reason) => (reason, Retry::OnRelease { or_at: Some(now + MOST) }),
            None => (Reason::HwError, Retry::At(now + backoff(attempts))),
        };
        let of_router = matches!(
            change.key(),
            Key::Rif(_)
                | Key::FidRif(_)
                | Key::EgressVid(..)
                | Key::FloodPort(_, _, FloodTo::Router)
        );
        Self { reason, text: failure.text.clone(), attempts, retry, of_router }
    }
}

/// Doubles from 100 ms to 60 s, less up to a quarter so that objects which failed together do not return together.
fn backoff(attempts: u32) -> Duration {
    let full = BASE.saturating_mul(1 << attempts.saturating_sub(1).min(20)).min(MOST);
    let spread = attempts.wrapping_mul(2_654_435_761) >> 24;
    full - full * spread / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    // Broken if retries hammered the chip or stopped.
    #[test]
    fn backoff_grows_and_stays_bounded() {
        assert!(backoff(1) <= BASE && backoff(1) > BASE / 2);
        assert!((1..30).all(|n| backoff(n + 1) > backoff(n) / 2 && backoff(n) <= MOST));
        assert!(backoff(40) > MOST / 2);
    }
}
