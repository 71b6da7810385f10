//! Which router interfaces and groups of next hops are in use: what may not go before its users.

use crate::chip::{AdjacencyIndex, Entry, RifIndex, RouteAction};
use crate::index::Counts;

/// How many rows lead to each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct References {
    rifs: Counts<RifIndex>,
    groups: Counts<AdjacencyIndex>,
}

impl References {
    pub(crate) fn of<'a>(entries: impl Iterator<Item = &'a Entry>) -> Self {
        let mut references = Self::default();
        for entry in entries {
            references.add(entry);
        }
        references
    }

    pub(crate) fn to_rif(&self, rif: RifIndex) -> bool {
        self.rifs.contains(&rif)
    }

    pub(crate) fn to_group(&self, first: AdjacencyIndex) -> bool {
        self.groups.contains(&first)
    }

    pub(crate) fn add(&mut self, entry: &Entry) {
        let (rif, group) = targets(entry);
        self.rifs.add(rif);
        self.groups.add(group);
    }

    pub(crate) fn remove(&mut self, entry: &Entry) {
        let (rif, group) = targets(entry);
        self.rifs.remove(rif);
        self.groups.remove(group);
    }
}

/// What a row leads to.
const fn targets(entry: &Entry) -> (Option<RifIndex>, Option<AdjacencyIndex>) {
    match entry {
        Entry::Route { action: RouteAction::Local(rif), .. }
        | Entry::Adjacency { rif, .. }
        | Entry::Neighbour { rif, .. } => (Some(*rif), None),
        Entry::Route { action: RouteAction::Remote { first, .. }, .. } => (None, Some(*first)),
        _ => (None, None),
    }
}
