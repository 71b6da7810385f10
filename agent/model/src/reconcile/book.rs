//! Who wants which row. Rows such as routes are wanted by several objects; a row goes when the last of them lets go.
//!
//! ```text
//!   row ─▶ object ─▶ Some(content): wanted
//!                    None:          in the object's care until it is gone from the chip
//! ```

use std::collections::{BTreeMap, BTreeSet};

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
    /// them in its care as well.
    pub(super) fn put(
        &mut self,
        object: Object,
        entries: Vec<Entry>,
        in_chip: impl Fn(&Key) -> bool,
    ) {
        for key in self.rows.remove(&object).unwrap_or_default() {
            let Some(wants) = self.wants.get_mut(&key) else { continue };
            wants.remove(&object);
            if wants.is_empty() {
                self.wants.remove(&key);
                if in_chip(&key) {
                    self.book(object, key, None);
                }
            }
        }
        for entry in entries {
            self.book(object, entry.key(), Some(entry));
        }
    }

    /// Puts a row that nobody wants into an object's care.
    pub(super) fn take_care(&mut self, object: Object, key: Key) {
        self.book(object, key, None);
    }

    fn book(&mut self, object: Object, key: Key, entry: Option<Entry>) {
        self.rows.entry(object).or_default().insert(key.clone());
        self.wants.entry(key).or_default().insert(object, entry);
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

    /// The rows in an object's care.
    pub(super) fn rows(&self, object: Object) -> impl Iterator<Item = &Key> {
        self.rows.get(&object).into_iter().flatten()
    }
}
