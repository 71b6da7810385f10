//! What went wrong in a run, in numbers.

use std::fmt;

/// What happened.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// Writes while things went wrong.
    pub(super) transactions: u64,
    /// All writes.
    pub(super) executed: u64,
    pub(super) wrong: u64,
    pub(super) failures: u64,
    pub(super) unknown: u64,
    pub(super) losses: u64,
    pub(super) crashes: u64,
    pub(super) resets: u64,
    pub(super) resyncs: u64,
    pub(super) comparisons: u64,
}

impl Tally {
    pub(super) fn note(&mut self, wrong: bool) {
        self.wrong += u64::from(wrong);
    }

    /// Everything that can go wrong did.
    pub(super) const fn is_colourful(&self) -> bool {
        self.transactions > 1000
            && self.failures > 50
            && self.unknown > 5
            && self.losses > 5
            && self.crashes > 5
            && self.resets > 5
            && self.resyncs > 20
            && self.comparisons > 20
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.transactions += other.transactions;
        self.executed += other.executed;
        self.wrong += other.wrong;
        self.failures += other.failures;
        self.unknown += other.unknown;
        self.losses += other.losses;
        self.crashes += other.crashes;
        self.resets += other.resets;
        self.resyncs += other.resyncs;
        self.comparisons += other.comparisons;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transactions, wrong, failures, unknown, losses, crashes, resets, .. } = self;
        write!(
            f,
            "{transactions} writes under fire; {wrong} transactions went wrong, {failures} changes failed, {unknown} with unknown outcome; \
             {losses} losses of events, {crashes} kills, {resets} resets; {} snapshots; Applied compared with the chip {} times",
            self.resyncs, self.comparisons
        )
    }
}
