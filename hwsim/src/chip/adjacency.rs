//! Which next hop does an adjacency index stand for? The adjacency table (RATR, RATRAD).
//!
//! ```text
//!   remote route ─▶ group: first index, size ──hash of the packet──▶ index ─▶ router interface, MAC
//! ```
//!
//! A group is nothing but indices one after the other: a next hop with more weight has more of them.

use emad::Mac;

use super::keyed::Sparse;
use super::route::RouteTrap;

/// One next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Adjacency {
    /// The router interface by which it is reached.
    pub(crate) erif: u16,
    /// Its MAC.
    pub(crate) mac: Mac,
    /// What its packets do besides being forwarded.
    pub(crate) trap: RouteTrap,
    /// Set anew, or a packet took it, since the flag was last cleared.
    pub(crate) activity: bool,
}

/// The table, by index.
#[derive(Debug, Clone)]
pub(crate) struct Adjacencies {
    entries: Sparse<Adjacency>,
    size: u32,
}

impl Adjacencies {
    /// An empty table with indices below `size`.
    #[must_use]
    pub(crate) fn new(size: u32) -> Self {
        Self { entries: Sparse::default(), size }
    }

    /// Indices are below this.
    #[must_use]
    pub(crate) const fn size(&self) -> u32 {
        self.size
    }

    /// How many are valid.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.entries.count()
    }

    /// The next hop of an index.
    #[must_use]
    pub(crate) fn get(&self, index: u32) -> Option<&Adjacency> {
        self.entries.get(place(index))
    }

    /// The next hop of an index, to change it.
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut Adjacency> {
        self.entries.get_mut(place(index))
    }

    /// Are all of a group valid?
    #[must_use]
    pub(crate) fn has_group(&self, first: u32, size: u16) -> bool {
        let end = first.saturating_add(size.into());
        end <= self.size && (first..end).all(|index| self.get(index).is_some())
    }

    /// Adds or replaces one. The caller has checked the index.
    pub(crate) fn write(&mut self, index: u32, adjacency: Adjacency) {
        self.entries.insert(place(index), adjacency);
    }

    /// Makes an index invalid.
    pub(crate) fn remove(&mut self, index: u32) {
        self.entries.remove(place(index));
    }

    /// Indices and next hops, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Adjacency)> {
        let number = |index| u32::try_from(index).expect("made from a u32");
        self.entries.iter().map(move |(index, adjacency)| (number(index), adjacency))
    }
}

fn place(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
