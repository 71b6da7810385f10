//! The longest prefix that holds an address: a hash table for each length that occurs, asked from the longest on.
//!
//! ```text
//!   10.1.2.3 ─▶ /32 │ 10.1.2.3 ? ─▶ /24 │ 10.1.2.0 ? ─▶ /16 │ 10.1.0.0 ✓
//! ```
//!
//! The cost grows with the lengths in use, of which real tables have few, not with the prefixes. A table that does not have the
//! prefix costs little: it says so by a byte a place, and the processor asks the next before it has the answer.

use std::hash::Hash;

use super::keyed::Keyed;

/// The bits of an address.
pub(crate) trait Address: Copy + Ord + Hash {
    /// Its first bits, the others cleared.
    fn first(self, bits: u8) -> Self;
}

impl Address for u32 {
    fn first(self, bits: u8) -> Self {
        self & Self::MAX.checked_shl(Self::BITS - u32::from(bits)).unwrap_or(0)
    }
}

impl Address for u128 {
    fn first(self, bits: u8) -> Self {
        self & Self::MAX.checked_shl(Self::BITS - u32::from(bits)).unwrap_or(0)
    }
}

/// Prefixes of one length.
#[derive(Debug, Clone)]
struct Level<A, T> {
    length: u8,
    prefixes: Keyed<A, T>,
}

/// Values by prefix.
#[derive(Debug, Clone)]
pub(crate) struct Lpm<A, T> {
    /// None is empty; the longest length is the first.
    levels: Vec<Level<A, T>>,
}

impl<A, T> Default for Lpm<A, T> {
    fn default() -> Self {
        Self { levels: Vec::new() }
    }
}

impl<A: Address, T> Lpm<A, T> {
    /// Is there no prefix?
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    fn level(&self, length: u8) -> Result<usize, usize> {
        self.levels.binary_search_by(|level| length.cmp(&level.length))
    }

    /// The value of exactly this prefix, whose other bits are clear.
    #[must_use]
    pub(crate) fn get(&self, prefix: A, length: u8) -> Option<&T> {
        self.levels[self.level(length).ok()?].prefixes.get(&prefix)
    }

    /// Sets it; answers the one before.
    pub(crate) fn insert(&mut self, prefix: A, length: u8, value: T) -> Option<T> {
        let at = self.level(length).unwrap_or_else(|at| {
            self.levels.insert(at, Level { length, prefixes: Keyed::default() });
            at
        });
        self.levels[at].prefixes.insert(prefix, value)
    }

    /// Takes it out.
    pub(crate) fn remove(&mut self, prefix: A, length: u8) -> Option<T> {
        let at = self.level(length).ok()?;
        let old = self.levels[at].prefixes.remove(&prefix);
        if self.levels[at].prefixes.is_empty() {
            self.levels.remove(at);
        }
        old
    }

    /// The length of the longest prefix that holds the address, and its value.
    #[must_use]
    pub(crate) fn lookup(&self, address: A) -> Option<(u8, &T)> {
        self.levels.iter().find_map(|level| {
            let value = level.prefixes.get(&address.first(level.length))?;
            Some((level.length, value))
        })
    }

    /// All values, to change them, in no order.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.levels.iter_mut().flat_map(|level| level.prefixes.values_mut())
    }

    /// All prefixes with lengths and values, in order. Sorts them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (A, u8, &T)> {
        let all = self.levels.iter().flat_map(|level| {
            level.prefixes.iter().map(|(prefix, value)| (*prefix, level.length, value))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_unstable_by_key(|(prefix, length, _)| (*prefix, *length));
        all.into_iter()
    }
}
