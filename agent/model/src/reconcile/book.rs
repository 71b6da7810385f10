//! Who wants which row. Rows such as routes are wanted by several objects; a row goes when the last of them lets go.
//!
//! ```text
//!   object ─▶ row ─▶ Some(content): wanted
//!                    None:          in the object's care until it is gone from the chip
//!   row ─▶ object, or several
//! ```
//!
//! A row that somebody wants is in nobody's care only to see it go.

use std::collections::btree_map::Entry::{Occupied, Vacant};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use crate::chip::{Entry, Key};
use crate::plan::Object;

/// Wanted rows by object and by key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Book {
    rows: BTreeMap<Object, Rows>,
    /// The first of those that have a row in their care.
    carers: BTreeMap<Key, Object>,
    /// All of them, where there are several.
    shared: BTreeMap<Key, BTreeSet<Object>>,
}

/// What one object has in its care.
type Rows = BTreeMap<Key, Option<Entry>>;

impl Book {
    /// Replaces what an object wants. Rows that it wanted stay in its care while `in_chip` says so, unless another object has
    /// them in its care as well. Returns the rows that it leaves to others, who may want them with another content.
    pub(super) fn put(
        &mut self,
        object: Object,
        entries: Vec<Entry>,
        in_chip: impl Fn(&Key) -> bool,
    ) -> Vec<Key> {
        let wanted: BTreeMap<Key, Entry> =
            entries.into_iter().map(|entry| (entry.key(), entry)).collect();
        let (gone, fresh) = differences(self.rows.get(&object), wanted);
        let mut left = Vec::new();
        for key in gone {
            if self.shared.contains_key(&key) {
                self.let_go(object, &key);
                left.push(key);
            } else if in_chip(&key) {
                self.book(object, key, None);
            } else {
                self.let_go(object, &key);
            }
        }
        for (key, entry) in fresh {
            self.relieve(object, &key);
            self.book(object, key, Some(entry));
        }
        left
    }

    /// Puts a row that nobody wants into an object's care.
    pub(super) fn take_care(&mut self, object: Object, key: Key) {
        self.book(object, key, None);
    }

    fn book(&mut self, object: Object, key: Key, entry: Option<Entry>) {
        match self.carers.entry(key.clone()) {
            Vacant(place) => {
                place.insert(object);
            }
            Occupied(mut first) if *first.get() != object => {
                let all = self.shared.entry(key.clone()).or_default();
                all.extend([*first.get(), object]);
                first.insert(object.min(*first.get()));
            }
            Occupied(_) => {}
        }
        self.rows.entry(object).or_default().insert(key, entry);
    }

    /// Whoever else had the row in its care only to see it go, need not any more.
    fn relieve(&mut self, object: Object, key: &Key) {
        let idle = |other: &Object| *other != object && self.own(*other, key) == Some(None);
        // if one of them wants it, all do
        let first = self.carers.get(key).filter(|first| idle(first) || **first == object);
        if first.is_none() {
            return;
        }
        for other in self.owners(key).filter(idle).collect::<Vec<_>>() {
            self.let_go(other, key);
        }
    }

    fn let_go(&mut self, object: Object, key: &Key) {
        if let Occupied(mut rows) = self.rows.entry(object) {
            rows.get_mut().remove(key);
            if rows.get().is_empty() {
                rows.remove();
            }
        }
        let Some(all) = self.shared.get_mut(key) else {
            self.carers.remove(key);
            return;
        };
        all.remove(&object);
        if let Some(first) = all.first() {
            self.carers.insert(key.clone(), *first);
        }
        if all.len() < 2 {
            self.shared.remove(key);
        }
    }

    /// The part of the objects that are not very many. Of a row that one of the many wants as well, that stays known.
    pub(super) fn without_bulk(&self) -> Self {
        let few = self.rows.iter().filter(|(object, _)| !object.is_bulk());
        let mut part = Self::default();
        for key in few.flat_map(|(_, rows)| rows.keys()) {
            for owner in self.owners(key) {
                part.book(owner, key.clone(), self.own(owner, key).flatten().cloned());
            }
        }
        part
    }

    /// Some object has the row in its care.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.carers.contains_key(key)
    }

    /// The content that a row should have; None: it should be empty.
    pub(super) fn wanted(&self, key: &Key) -> Option<&Entry> {
        self.owners(key).find_map(|owner| self.own(owner, key)?)
    }

    /// What an object wants of a row that is in its care.
    fn own(&self, object: Object, key: &Key) -> Option<Option<&Entry>> {
        self.rows.get(&object)?.get(key).map(Option::as_ref)
    }

    /// The objects that have a row in their care.
    pub(super) fn owners(&self, key: &Key) -> impl Iterator<Item = Object> {
        let all = self.shared.get(key);
        let one = if all.is_none() { self.carers.get(key) } else { None };
        all.into_iter().flatten().chain(one).copied()
    }

    /// All rows in anybody's care.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.carers.keys()
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
        let rows = self.rows.get(&object).into_iter().flatten();
        rows.map(|(key, own)| (key, own.as_ref()))
            .filter(|(key, own)| !self.shared.contains_key(*key) || self.wanted(key) == *own)
    }

    /// The rows in an object's care.
    pub(super) fn rows(&self, object: Object) -> impl Iterator<Item = &Key> {
        self.rows.get(&object).into_iter().flat_map(BTreeMap::keys)
    }
}

/// The rows that are not wanted any more, and those that are wanted now, or otherwise than before. Both go through their rows once: most
/// often nothing differs.
fn differences(rows: Option<&Rows>, wanted: BTreeMap<Key, Entry>) -> (Vec<Key>, Vec<(Key, Entry)>) {
    let (mut gone, mut fresh) = (Vec::new(), Vec::new());
    let mut rows = rows.into_iter().flatten().peekable();
    for (key, entry) in wanted {
        while let Some((former, _)) = rows.next_if(|(former, _)| **former < key) {
            gone.push(former.clone());
        }
        let same = rows.next_if(|(former, _)| **former == key);
        if same.is_none_or(|(_, former)| former.as_ref() != Some(&entry)) {
            fresh.push((key, entry));
        }
    }
    gone.extend(rows.map(|(former, _)| former.clone()));
    (gone, fresh)
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
