//! Which router interfaces and groups of next hops are in use: what may not go before its users.

use std::collections::BTreeMap;

use crate::chip::{AdjacencyIndex, Entry, RifIndex, RouteAction};

/// How many rows lead to each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct References {
    rifs: BTreeMap<RifIndex, u32>,
    groups: BTreeMap<AdjacencyIndex, u32>,
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
        self.rifs.contains_key(&rif)
    }

    pub(crate) fn to_group(&self, first: AdjacencyIndex) -> bool {
        self.groups.contains_key(&first)
    }

    pub(crate) fn add(&mut self, entry: &Entry) {
        let (rif, group) = targets(entry);
        if let Some(rif) = rif {
            *self.rifs.entry(rif).or_default() += 1;
        }
        if let Some(group) = group {
            *self.groups.entry(group).or_default() += 1;
        }
    }

    pub(crate) fn remove(&mut self, entry: &Entry) {
        let (rif, group) = targets(entry);
        if let Some(rif) = rif {
            uncount(&mut self.rifs, &rif);
        }
        if let Some(group) = group {
            uncount(&mut self.groups, &group);
        }
    }
}

fn uncount<K: Ord>(counts: &mut BTreeMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
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
