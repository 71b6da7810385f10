//! What the chip acknowledged. This is the **Applied** column: nothing is booked before the acknowledgement.
//!
//! A row whose write has an unknown outcome is in neither state: it is *unknown*, and nothing is planned on it
//! until it was read back. Of a row that can't be read back the last content that was sent is *presumed*: the chip has it, or
//! nothing. It is written again where it is wanted, and removed where it is not.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::chip::{Change, Entry, Key, Rif, Tables};

/// Acknowledged rows, and rows of unknown content.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Applied {
    tables: Tables,
    unknown: BTreeSet<Key>,
    /// Rows of `tables` that may as well be empty.
    #[serde(default)]
    presumed: BTreeSet<Key>,
}

impl Applied {
    /// What a read-back found.
    pub const fn from_tables(tables: Tables) -> Self {
        Self { tables, unknown: BTreeSet::new(), presumed: BTreeSet::new() }
    }

    /// The acknowledged rows, and the presumed ones.
    pub const fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The acknowledged content of a row.
    pub fn get(&self, key: &Key) -> Option<&Entry> {
        self.tables.get(key)
    }

    /// The acknowledged rows between two.
    pub fn range(&self, keys: RangeInclusive<Key>) -> impl Iterator<Item = (&Key, &Entry)> {
        self.tables.range(keys)
    }

    /// Exactly this content was acknowledged.
    pub fn holds(&self, entry: &Entry) -> bool {
        let key = entry.key();
        self.tables.get(&key) == Some(entry) && !self.is_presumed(&key)
    }

    /// The row holds what [`Self::get`] says, or nothing.
    pub fn is_presumed(&self, key: &Key) -> bool {
        self.presumed.contains(key)
    }

    /// The outcome of the last write to this row is not known.
    pub fn is_unknown(&self, key: &Key) -> bool {
        self.unknown.contains(key)
    }

    /// Rows that have to be read back.
    pub fn unknown(&self) -> impl Iterator<Item = &Key> {
        self.unknown.iter()
    }

    /// The router interfaces by index.
    pub fn rifs(&self) -> impl Iterator<Item = &Rif> {
        self.tables.values().filter_map(|entry| match entry {
            Entry::Rif(rif) => Some(rif),
            _ => None,
        })
    }

    /// The chip acknowledged a change.
    pub fn acknowledge(&mut self, change: &Change) {
        let key = change.key();
        self.unknown.remove(&key);
        self.presumed.remove(&key);
        match change.after() {
            Some(entry) => self.tables.insert(key, entry.clone()),
            None => self.tables.remove(&key),
        };
    }

    /// Nobody knows what this row holds.
    pub fn doubt(&mut self, key: &Key) {
        self.tables.remove(key);
        self.presumed.remove(key);
        self.unknown.insert(key.clone());
    }

    /// A read-back settled what a row holds.
    pub fn settle(&mut self, key: &Key, found: Option<Entry>) {
        self.unknown.remove(key);
        self.presumed.remove(key);
        match found {
            Some(entry) => self.tables.insert(key.clone(), entry),
            None => self.tables.remove(key),
        };
    }

    /// Nobody can tell whether the row holds this or nothing.
    pub fn presume(&mut self, entry: Entry) {
        let key = entry.key();
        self.unknown.remove(&key);
        self.presumed.insert(key.clone());
        self.tables.insert(key, entry);
    }
}
