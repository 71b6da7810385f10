//! Tables that every frame asks: by a key of a few bytes, or by a number.
//!
//! ```text
//!   Keyed    key ──hash──▶ value                    MACs, neighbours: many keys are possible, few exist
//!   Sparse   index ─▶ page of 64 ─▶ value           FIDs, next hops: numbers in clusters; iterates in their order
//! ```

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A hash table whose hash costs a multiplication a word.
pub(crate) type Keyed<K, V> = HashMap<K, V, BuildHasherDefault<Folded>>;

/// Multiplies, and folds the halves of the product: each bit of the key counts in every bit. It has no secret: who
/// chooses keys that collide makes the simulator slow.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Folded(u64);

/// The golden ratio: an odd number without pattern.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u16(&mut self, word: u16) {
        self.write_u64(word.into());
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(word.into());
    }

    fn write_u64(&mut self, word: u64) {
        let (low, high) = halves(u128::from(self.0 ^ word ^ MULTIPLIER) * u128::from(MULTIPLIER));
        self.0 = low ^ high;
    }

    fn write_u128(&mut self, word: u128) {
        let (low, high) = halves(word);
        self.write_u64(low);
        self.write_u64(high);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
const fn halves(word: u128) -> (u64, u64) {
    (word as u64, (word >> 64) as u64)
}

/// Values of a page.
const PAGE: usize = 64;

/// A page, made when it gets its first value.
type Page<T> = Option<Box<[Option<T>; PAGE]>>;

/// An array with gaps.
#[derive(Debug, Clone)]
pub(crate) struct Sparse<T> {
    pages: Vec<Page<T>>,
    count: usize,
}

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Self { pages: Vec::new(), count: 0 }
    }
}

impl<T> Sparse<T> {
    /// How many values there are.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The value at an index.
    #[must_use]
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.pages.get(index / PAGE)?.as_ref()?[index % PAGE].as_ref()
    }

    /// The value at an index, to change it.
    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.pages.get_mut(index / PAGE)?.as_mut()?[index % PAGE].as_mut()
    }

    /// Puts a value there; answers the one before.
    pub(crate) fn insert(&mut self, index: usize, value: T) -> Option<T> {
        if self.pages.len() <= index / PAGE {
            self.pages.resize_with(index / PAGE + 1, || None);
        }
        let page = self.pages[index / PAGE].get_or_insert_with(|| Box::new([const { None }; PAGE]));
        let old = page[index % PAGE].replace(value);
        self.count += usize::from(old.is_none());
        old
    }

    /// Takes the value out.
    pub(crate) fn remove(&mut self, index: usize) -> Option<T> {
        let old = self.pages.get_mut(index / PAGE)?.as_mut()?[index % PAGE].take();
        self.count -= usize::from(old.is_some());
        old
    }

    /// Indices and values, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        let pages = self.pages.iter().enumerate();
        let pages = pages.filter_map(|(number, page)| Some((number, page.as_ref()?)));
        pages.flat_map(|(number, page)| {
            let places = page.iter().enumerate();
            places.filter_map(move |(place, value)| Some((number * PAGE + place, value.as_ref()?)))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::hash::{BuildHasher, BuildHasherDefault};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        // Would break: a FID or next hop is lost, or found under another number than it was written to.
        #[test]
        fn a_sparse_array_agrees_with_a_map(steps in prop::collection::vec((any::<bool>(), 0..300_usize), 0..200)) {
            let mut sparse = Sparse::default();
            let mut map = BTreeMap::new();
            for (value, (add, index)) in steps.into_iter().enumerate() {
                if add {
                    prop_assert_eq!(sparse.insert(index, value), map.insert(index, value));
                } else {
                    prop_assert_eq!(sparse.remove(index), map.remove(&index));
                }
                prop_assert_eq!(sparse.count(), map.len());
                prop_assert_eq!(sparse.get(index), map.get(&index));
            }
            prop_assert!(sparse.iter().map(|(index, value)| (index, *value)).eq(map));
        }
    }

    // Would break: neighbouring MACs or addresses share places of the table, and each look-up walks over many.
    #[test]
    fn neighbouring_keys_spread() {
        let hasher = BuildHasherDefault::<Folded>::default();
        for shift in [0, 8, 16, 32, 48] {
            let places: BTreeSet<u64> =
                (0..1024_u64).map(|key| hasher.hash_one(key << shift) % 8192).collect();
            assert!(places.len() > 900, "{} places of keys << {shift}", places.len());
        }
    }
}
