//! What is to be compared: those for which somebody waits, and the many. Those that are parked are due as well, but wait for a row that
//! another one writes: whoever ends with that makes them due anew.

use std::collections::BTreeSet;
use std::ops::Bound;

use crate::plan::Object;

/// Objects that are due.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Due {
    urgent: BTreeSet<Object>,
    bulk: BTreeSet<Object>,
    parked: BTreeSet<Object>,
}

impl Due {
    pub(super) fn insert(&mut self, object: Object) -> bool {
        let parked = self.parked.remove(&object);
        self.of(object).insert(object) && !parked
    }

    pub(super) fn remove(&mut self, object: Object) -> bool {
        let parked = self.parked.remove(&object);
        self.of(object).remove(&object) || parked
    }

    /// Nobody has to look at it until it is inserted again.
    pub(super) fn park(&mut self, object: Object) {
        self.of(object).remove(&object);
        self.parked.insert(object);
    }

    pub(super) fn is_parked(&self, object: Object) -> bool {
        self.parked.contains(&object)
    }

    pub(super) fn contains(&self, object: Object) -> bool {
        let set = if object.is_bulk() { &self.bulk } else { &self.urgent };
        set.contains(&object) || self.is_parked(object)
    }

    pub(super) fn len(&self) -> usize {
        self.urgent.len() + self.bulk.len() + self.parked.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.bulk.is_empty() && self.parked.is_empty()
    }

    /// In the order in which they are built.
    pub(super) const fn urgent(&self) -> &BTreeSet<Object> {
        &self.urgent
    }

    /// The first of the many, or the first after another one.
    pub(super) fn bulk_after(&self, object: Option<Object>) -> Option<Object> {
        let from = object.map_or(Bound::Unbounded, Bound::Excluded);
        self.bulk.range((from, Bound::Unbounded)).next().copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Object> {
        self.urgent.iter().chain(&self.bulk).chain(&self.parked).copied()
    }

    fn of(&mut self, object: Object) -> &mut BTreeSet<Object> {
        if object.is_bulk() { &mut self.bulk } else { &mut self.urgent }
    }
}

impl Extend<Object> for Due {
    fn extend<T: IntoIterator<Item = Object>>(&mut self, objects: T) {
        for object in objects {
            self.insert(object);
        }
    }
}

impl<'a> Extend<&'a Object> for Due {
    fn extend<T: IntoIterator<Item = &'a Object>>(&mut self, objects: T) {
        self.extend(objects.into_iter().copied());
    }
}

impl FromIterator<Object> for Due {
    fn from_iter<T: IntoIterator<Item = Object>>(objects: T) -> Self {
        let mut due = Self::default();
        due.extend(objects);
        due
    }
}
