//! Which of a table's numbers are taken, by whom, and which is the lowest that is not?

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Numbers of one table by kernel key, never one twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Indices<K> {
    of: BTreeMap<K, u16>,
    used: BTreeSet<u16>,
    /// All below are used.
    low: u16,
}

impl<K> Default for Indices<K> {
    fn default() -> Self {
        Self { of: BTreeMap::new(), used: BTreeSet::new(), low: 0 }
    }
}

impl<K: Copy + Ord> Indices<K> {
    pub(super) fn get(&self, key: &K) -> Option<u16> {
        self.of.get(key).copied()
    }

    pub(super) fn is_used(&self, number: u16) -> bool {
        self.used.contains(&number)
    }

    pub(super) fn len(&self) -> usize {
        self.of.len()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = K> {
        self.of.keys().copied()
    }

    /// Gives a number to a key, unless either has got another.
    pub(super) fn claim(&mut self, key: K, number: u16) {
        if self.of.contains_key(&key) || !self.used.insert(number) {
            return;
        }
        self.of.insert(key, number);
        while self.low < u16::MAX && self.used.contains(&self.low) {
            self.low += 1;
        }
    }

    pub(super) fn release(&mut self, key: &K) {
        if let Some(number) = self.of.remove(key) {
            self.used.remove(&number);
            self.low = self.low.min(number);
        }
    }

    /// Those of a range that nobody has, lowest first.
    pub(super) fn free(&self, range: Range<u16>) -> impl Iterator<Item = u16> {
        (range.start.max(self.low)..range.end).filter(|number| !self.used.contains(number))
    }
}
