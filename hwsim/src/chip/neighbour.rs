//! Which MAC has a neighbour on a router interface? The host table (RAUHT, RAUHTD).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use emad::Mac;

use super::keyed::Keyed;
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
pub(crate) struct Neighbours {
    /// By router interface and address.
    ipv4: Keyed<u64, Neighbour>,
    ipv6: Keyed<(u16, u128), Neighbour>,
    /// The keys in the order of dumps.
    order: BTreeSet<(u16, IpAddr)>,
}

/// Router interface and IPv4 address in one word.
fn key(rif: u16, address: Ipv4Addr) -> u64 {
    u64::from(rif) << 32 | u64::from(address.to_bits())
}

impl Neighbours {
    /// How many there are.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.order.len()
    }

    /// The neighbour.
    #[must_use]
    pub(crate) fn get(&self, rif: u16, address: IpAddr) -> Option<&Neighbour> {
        match address {
            IpAddr::V4(address) => self.ipv4.get(&key(rif, address)),
            IpAddr::V6(address) => self.ipv6.get(&(rif, address.to_bits())),
        }
    }

    /// The neighbour, to change it.
    pub(crate) fn get_mut(&mut self, rif: u16, address: IpAddr) -> Option<&mut Neighbour> {
        match address {
            IpAddr::V4(address) => self.ipv4.get_mut(&key(rif, address)),
            IpAddr::V6(address) => self.ipv6.get_mut(&(rif, address.to_bits())),
        }
    }

    /// Adds or replaces one.
    pub(crate) fn write(&mut self, rif: u16, address: IpAddr, neighbour: Neighbour) {
        match address {
            IpAddr::V4(address) => self.ipv4.insert(key(rif, address), neighbour),
            IpAddr::V6(address) => self.ipv6.insert((rif, address.to_bits()), neighbour),
        };
        self.order.insert((rif, address));
    }

    /// Removes one.
    pub(crate) fn remove(&mut self, rif: u16, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.ipv4.remove(&key(rif, address)),
            IpAddr::V6(address) => self.ipv6.remove(&(rif, address.to_bits())),
        };
        self.order.remove(&(rif, address));
    }

    /// Removes all of one router interface and family.
    pub(crate) fn remove_all(&mut self, rif: u16, family: Family) {
        let of = |(of, address): &&(u16, IpAddr)| *of == rif && Family::from(*address) == family;
        let doomed: Vec<_> = self.order.iter().filter(of).copied().collect();
        for (rif, address) in doomed {
            self.remove(rif, address);
        }
    }

    /// Keys and neighbours, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, IpAddr, &Neighbour)> {
        let keys = self.order.iter();
        keys.filter_map(|(rif, address)| Some((*rif, *address, self.get(*rif, *address)?)))
    }
}
