//! Which MAC has a neighbour on a router interface? The host table (RAUHT, RAUHTD).

use std::collections::BTreeMap;
use std::net::IpAddr;

use emad::Mac;

use super::route::{Family, RouteTrap};

/// One neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Neighbour {
    /// Its MAC.
    pub(crate) mac: Mac,
    /// What its packets do besides being forwarded.
    pub(crate) trap: RouteTrap,
    /// A packet was routed to it since the flag was last cleared.
    pub(crate) activity: bool,
}

/// The table, by router interface and address.
#[derive(Debug, Clone, Default)]
pub(crate) struct Neighbours(BTreeMap<(u16, IpAddr), Neighbour>);

impl Neighbours {
    /// How many there are.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The neighbour.
    #[must_use]
    pub(crate) fn get(&self, rif: u16, address: IpAddr) -> Option<&Neighbour> {
        self.0.get(&(rif, address))
    }

    /// The neighbour, to change it.
    pub(crate) fn get_mut(&mut self, rif: u16, address: IpAddr) -> Option<&mut Neighbour> {
        self.0.get_mut(&(rif, address))
    }

    /// Adds or replaces one.
    pub(crate) fn write(&mut self, rif: u16, address: IpAddr, neighbour: Neighbour) {
        self.0.insert((rif, address), neighbour);
    }

    /// Removes one.
    pub(crate) fn remove(&mut self, rif: u16, address: IpAddr) {
        self.0.remove(&(rif, address));
    }

    /// Removes all of one router interface and family.
    pub(crate) fn remove_all(&mut self, rif: u16, family: Family) {
        self.0.retain(|(of, address), _| *of != rif || Family::from(*address) != family);
    }

    /// Keys and neighbours, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, IpAddr, &Neighbour)> {
        self.0.iter().map(|((rif, address), neighbour)| (*rif, *address, neighbour))
    }

    /// The same, to change them.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u16, IpAddr, &mut Neighbour)> {
        self.0.iter_mut().map(|((rif, address), neighbour)| (*rif, *address, neighbour))
    }
}
