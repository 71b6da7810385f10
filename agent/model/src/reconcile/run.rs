//! One plan on its way into the chip: stage by stage, with a journal to go back by.
//!
//! ```text
//!   Forward ──all stages acknowledged──▶ done
//!      │ a change failed
//!      ▼
//!   Back: the journal's inverses, last first, one at a time ──▶ done, with the failure
//!
//!   outcome unknown, or a step back failed ──▶ done at once; the row is in doubt until it is read back
//!   a step that takes down failed          ──▶ done at once: what was withdrawn never comes back
//! ```

use std::collections::VecDeque;

use crate::chip::{Change, Entry, Key, Rif};
use crate::plan::Plan;
use crate::retry::{Failure, FailureClass};

/// A plan that is being carried out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Run {
    /// All of its changes.
    changes: Vec<Change>,
    stages: VecDeque<Vec<Change>>,
    outstanding: usize,
    journal: Vec<Change>,
    back: bool,
    failure: Option<(Change, Failure)>,
}

/// What an answer means for the row that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Acknowledged.
    Done,
    /// This row alone stays as it was; the plan goes on.
    Skipped,
    /// The row stays as it was; the plan is taken back.
    Failed,
    /// The row's content is not known.
    Doubtful,
}

impl Run {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            changes: plan.changes().cloned().collect(),
            stages: plan.stages.into(),
            outstanding: 0,
            journal: Vec::new(),
            back: false,
            failure: None,
        }
    }

    /// The changes to submit now: the next stage, once the one before is answered in full.
    pub(super) fn submit(&mut self) -> Vec<Change> {
        if self.outstanding > 0 {
            return Vec::new();
        }
        let stage = self.stages.pop_front().unwrap_or_default();
        self.outstanding = stage.len();
        stage
    }

    /// The stage before is answered, and there is another one.
    pub(super) fn may_go_on(&self) -> bool {
        self.outstanding == 0 && !self.stages.is_empty()
    }

    /// Nothing to submit and nothing to wait for.
    pub(super) fn is_done(&self) -> bool {
        self.outstanding == 0 && self.stages.is_empty()
    }

    /// It is being taken back.
    pub(super) const fn goes_back(&self) -> bool {
        self.back
    }

    /// The rows that it writes.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key> {
        self.changes.iter().map(Change::key)
    }

    /// What its rows hold before and after, and so perhaps meanwhile.
    pub(super) fn contents(&self) -> impl Iterator<Item = &Entry> {
        self.changes.iter().flat_map(|change| {
            match change {
                Change::Add(entry) | Change::Remove(entry) => [Some(entry), None],
                Change::Edit { from, to } => [Some(from), Some(to)],
            }
            .into_iter()
            .flatten()
        })
    }

    /// Why it was taken back, if it was.
    pub(super) fn into_failure(self) -> Option<(Change, Failure)> {
        self.failure
    }

    /// An answer to one of the submitted changes.
    pub(super) fn answer(&mut self, change: &Change, result: Result<(), &Failure>) -> Outcome {
        self.outstanding = self.outstanding.saturating_sub(1);
        let outcome = match result {
            Ok(()) => {
                if !self.back {
                    self.journal.push(change.clone());
                }
                Outcome::Done
            }
            Err(failure) if self.back || failure.class == FailureClass::Unknown => {
                self.failure.get_or_insert_with(|| (change.clone(), failure.clone()));
                self.stages.clear();
                self.back = true;
                return Outcome::Doubtful;
            }
            Err(_) if stands_alone(&change.key()) => Outcome::Skipped,
            Err(failure) => {
                self.failure.get_or_insert_with(|| (change.clone(), failure.clone()));
                self.stages.clear();
                self.back |= takes_down(change);
                Outcome::Failed
            }
        };
        if self.failure.is_some() && self.outstanding == 0 && !self.back {
            self.back = true;
            let steps = self.journal.drain(..).rev();
            self.stages = steps.map(|step| vec![step.inverse()]).collect();
        }
        outcome
    }
}

/// A step on the way out of the chip.
const fn takes_down(change: &Change) -> bool {
    matches!(
        change,
        Change::Remove(_) | Change::Edit { to: Entry::Rif(Rif { enabled: false, .. }), .. }
    )
}

/// Rows whose failure concerns nobody else: the plan goes on without them.
const fn stands_alone(key: &Key) -> bool {
    matches!(
        key,
        Key::RouterMac(..)
            | Key::LagCollector(_)
            | Key::Route(..)
            | Key::Neighbour(..)
            | Key::MulticastDefault(..)
            | Key::Trap(_)
            | Key::TrapGroup(_)
            | Key::Policer(_)
    )
}
