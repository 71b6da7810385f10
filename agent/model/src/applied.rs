//! What the chip acknowledged. This is the **Applied** column: nothing is booked before the acknowledgement.
//!
//! A row whose write has an unknown outcome is in neither state: it is *unknown*, and nothing is planned on it
//! until it was read back. Of a row that can't be read back the last content that was sent is *presumed*: the chip has it, or
//! nothing. It is written again where it is wanted, and removed where it is not.

pub(crate) mod references;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use references::References;
use serde::{Deserialize, Serialize};

use crate::chip::{AdjacencyIndex, Change, Entry, Key, Rif, RifIndex, Tables};

/// Acknowledged rows, and rows of unknown content.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Rows")]
pub struct Applied {
    tables: Tables,
    unknown: BTreeSet<Key>,
    /// Rows of `tables` that may as well be empty.
    presumed: BTreeSet<Key>,
    /// Which of `tables` lead to which.
    #[serde(skip)]
    references: References,
}

/// [`Applied`] as it is written down.
#[derive(Deserialize)]
struct Rows {
    tables: Tables,
    unknown: BTreeSet<Key>,
    #[serde(default)]
    presumed: BTreeSet<Key>,
}

impl From<Rows> for Applied {
    fn from(rows: Rows) -> Self {
        let Rows { tables, unknown, presumed } = rows;
        Self { unknown, presumed, ..Self::from_tables(tables) }
    }
}

impl Applied {
    /// What a read-back found.
    pub fn from_tables(tables: Tables) -> Self {
        let references = References::of(tables.values());
        Self { tables, references, ..Self::default() }
    }

    /// These rows alone, and those of no route, next hop or neighbour; what is used by others still counts as used.
    pub(crate) fn without_bulk<'a>(&self, but: impl Iterator<Item = &'a Key>) -> Self {
        let tables = self.tables.iter().filter(|(key, _)| !key.is_bulk());
        let kept = but.filter_map(|key| self.tables.get_key_value(key));
        let tables = tables.chain(kept).map(|(key, entry)| (key.clone(), entry.clone())).collect();
        let (unknown, presumed) = (self.unknown.clone(), self.presumed.clone());
        Self { tables, unknown, presumed, references: self.references.clone() }
    }

    /// Some route, next hop or neighbour uses the router interface, or nobody knows.
    pub fn uses_rif(&self, rif: RifIndex) -> bool {
        let may_use = |key: &Key| match key {
            Key::Route(..) | Key::Adjacency(_) => true,
            Key::Neighbour(on, _) => *on == rif,
            _ => false,
        };
        self.references.to_rif(rif) || self.unknown.iter().any(may_use)
    }

    /// Some route, next hop or neighbour leads to the router interface, be it there or not.
    pub(crate) fn leads_to(&self, rif: RifIndex) -> bool {
        self.references.to_rif(rif)
    }

    /// Some route uses the group of next hops that begins here, or nobody knows.
    pub fn uses_group(&self, first: AdjacencyIndex) -> bool {
        let may_use = |key: &Key| matches!(key, Key::Route(..));
        self.references.to_group(first) || self.unknown.iter().any(may_use)
    }

    fn put(&mut self, entry: Entry) {
        self.references.add(&entry);
        if let Some(former) = self.tables.insert(entry.key(), entry) {
            self.references.remove(&former);
        }
    }

    fn empty(&mut self, key: &Key) {
        if let Some(former) = self.tables.remove(key) {
            self.references.remove(&former);
        }
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
        let all = Key::Rif(RifIndex(0))..=Key::Rif(RifIndex(u16::MAX));
        self.tables.range(all).filter_map(|(_, entry)| match entry {
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
            Some(entry) => self.put(entry.clone()),
            None => self.empty(&key),
        }
    }

    /// Nobody knows what this row holds.
    pub fn doubt(&mut self, key: &Key) {
        self.empty(key);
        self.presumed.remove(key);
        self.unknown.insert(key.clone());
    }

    /// A read-back settled what a row holds.
    pub fn settle(&mut self, key: &Key, found: Option<Entry>) {
        self.unknown.remove(key);
        self.presumed.remove(key);
        match found {
            Some(entry) => self.put(entry),
            None => self.empty(key),
        }
    }

    /// Nobody can tell whether the row holds this or nothing.
    pub fn presume(&mut self, entry: Entry) {
        let key = entry.key();
        self.unknown.remove(&key);
        self.presumed.insert(key);
        self.put(entry);
    }
}
