//! Who wants which row. Rows such as routes are wanted by several objects; a row goes when the last of them lets go.
//!
//! ```text
//!   row ─▶ object ─▶ Some(content): wanted
//!                    None:          in the object's care until it is gone from the chip
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::chip::{Entry, Key};
use crate::plan::Object;

/// Wanted rows by key and by object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Book {
    wants: BTreeMap<Key, BTreeMap<Object, Option<Entry>>>,
    rows: BTreeMap<Object, BTreeSet<Key>>,
}

impl Book {
    /// Replaces what an object wants. Rows that it wanted stay in its care while `in_chip` says so, unless another object has
    /// them in its care as well. Returns the rows that it leaves to others, who may want them with another content.
    pub(super) fn put(
        &mut self,
        object: Object,
        entries: Vec<Entry>,
        in_chip: impl Fn(&Key) -> bool,
    ) -> Vec<Key> {
        let mut left = Vec::new();
        for key in self.rows.remove(&object).unwrap_or_default() {
            let Some(wants) = self.wants.get_mut(&key) else { continue };
            wants.remove(&object);
            if !wants.is_empty() {
                left.push(key);
                continue;
            }
            self.wants.remove(&key);
            if in_chip(&key) {
                self.book(object, key, None);
            }
        }
        for entry in entries {
            self.book(object, entry.key(), Some(entry));
        }
        let kept = self.rows.get(&object);
        left.retain(|key| kept.is_none_or(|kept| !kept.contains(key)));
        left
    }

    /// Puts a row that nobody wants into an object's care.
    pub(super) fn take_care(&mut self, object: Object, key: Key) {
        self.book(object, key, None);
    }

    /// Whoever had the row in its care only to see it go, need not any more when somebody wants it.
    fn book(&mut self, object: Object, key: Key, entry: Option<Entry>) {
        let wants = self.wants.entry(key.clone()).or_default();
        if entry.is_some() {
            let relieved: Vec<Object> =
                wants.iter().filter(|(_, entry)| entry.is_none()).map(|(o, _)| *o).collect();
            for other in relieved {
                wants.remove(&other);
                if let Some(rows) = self.rows.get_mut(&other) {
                    rows.remove(&key);
                    if rows.is_empty() {
                        self.rows.remove(&other);
                    }
                }
            }
        }
        wants.insert(object, entry);
        self.rows.entry(object).or_default().insert(key);
    }

    /// The part of the objects that are not very many. Of a row that one of the many wants as well, that stays known.
    pub(super) fn without_bulk(&self) -> Self {
        let rows = self.rows.iter().filter(|(object, _)| !object.is_bulk());
        let rows: BTreeMap<Object, BTreeSet<Key>> =
            rows.map(|(object, keys)| (*object, keys.clone())).collect();
        let keys: BTreeSet<&Key> = rows.values().flatten().collect();
        let of = |key: &Key| Some((key.clone(), self.wants.get(key)?.clone()));
        let wants = keys.into_iter().filter_map(of).collect();
        Self { wants, rows }
    }

    /// Some object has the row in its care.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.wants.contains_key(key)
    }

    /// The content that a row should have; None: it should be empty.
    pub(super) fn wanted(&self, key: &Key) -> Option<&Entry> {
        self.wants.get(key)?.values().find_map(Option::as_ref)
    }

    /// The objects that have a row in their care.
    pub(super) fn owners(&self, key: &Key) -> impl Iterator<Item = Object> {
        self.wants.get(key).into_iter().flat_map(|wants| wants.keys().copied())
    }

    /// All rows in anybody's care.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.wants.keys()
    }

    /// The objects that have rows in their care.
    pub(super) fn objects(&self) -> impl Iterator<Item = Object> {
        self.rows.keys().copied()
    }

    /// Some of these objects has rows in its care.
    pub(super) fn has_any(&self, objects: RangeInclusive<Object>) -> bool {
        self.rows.range(objects).next().is_some()
    }

    /// The rows in an object's care that nobody else wants with another content, with that content. Of the others it may not even say
    /// what they should hold: whoever wants them may have found since that it can't be.
    pub(super) fn wants(&self, object: Object) -> impl Iterator<Item = (&Key, Option<&Entry>)> {
        self.rows(object).filter_map(move |key| {
            let wanted = self.wanted(key);
            let own = self.wants.get(key)?.get(&object)?.as_ref();
            (own == wanted).then_some((key, wanted))
        })
    }

    /// The rows in an object's care.
    pub(super) fn rows(&self, object: Object) -> impl Iterator<Item = &Key> {
        self.rows.get(&object).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Broken if an object wrote what another one wanted a while ago, or compared the row with that.
    #[test]
    fn nobody_writes_anothers_content() {
        let row = |seconds| vec![Entry::AgeingTime { seconds }];
        let (route, router) = (Object::Traps, Object::Bridging);
        let mut book = Book::default();
        book.put(router, row(20), |_| true);
        assert_eq!(book.wants(router).count(), 1);
        book.put(route, row(10), |_| true);
        assert_eq!(book.wanted(&Key::AgeingTime), row(10).first());
        assert_eq!((book.wants(route).count(), book.wants(router).count()), (1, 0));
        book.put(router, row(10), |_| true);
        assert_eq!(book.wants(router).count(), 1, "the same content");
    }

    // Broken if an object whose last row another one wants again counted as still there: what stands below it never went.
    #[test]
    fn a_row_that_is_wanted_again_is_nobody_elses() {
        let mut book = Book::default();
        let row = || Entry::AgeingTime { seconds: 300 };
        book.put(Object::Bridging, vec![row()], |_| true);
        book.put(Object::Bridging, Vec::new(), |_| true);
        assert!(book.objects().eq([Object::Bridging]), "in its care until it is gone");
        book.put(Object::Leftover, vec![row()], |_| true);
        assert!(book.objects().eq([Object::Leftover]));
        assert_eq!(book.wanted(&Key::AgeingTime), Some(&row()));
    }

    // Broken if nobody heard that a row is left to an object that wants it with another content: the former one would stay.
    #[test]
    fn a_row_left_to_others_is_told() {
        let mut book = Book::default();
        let row = |seconds| vec![Entry::AgeingTime { seconds }];
        assert!(book.put(Object::Bridging, row(300), |_| true).is_empty());
        assert!(book.put(Object::Leftover, row(20), |_| true).is_empty());
        assert!(book.put(Object::Bridging, row(300), |_| true).is_empty(), "it keeps it");
        assert_eq!(book.put(Object::Bridging, Vec::new(), |_| true), [Key::AgeingTime]);
        assert_eq!(book.wanted(&Key::AgeingTime), row(20).first());
    }
}
