//! Routes and neighbours page by page: each page is made of what there is then, and goes on behind the last row of the one before.

use std::net::IpAddr;

use firsthop_model::IfIndex;
use firsthop_model::fib;
use firsthop_model::intent::{TABLE_MAIN, Way, deciding_route, table_of};
use firsthop_model::reconcile::Reconciler;
use ipnet::IpNet;

use super::neighbour::{is_host, neighbour};
use super::{Neighbour, Route, Teller, hops, is_in_hardware};

/// Rows that are looked at for one page: well below a millisecond.
const PAGE: usize = 128;

/// Which routes, and how far they have been told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routes {
    /// Those that leave by this device
    dev: Option<IfIndex>,
    /// Those of this table of the kernel's
    table: Option<u32>,
    /// The one with this prefix, in each table
    prefix: Option<IpNet>,
    /// The one that packets to this address take
    address: Option<IpAddr>,
    after: Option<(u32, IpNet)>,
}

/// The most specific prefix with an address, that a virtual router has a route for.
pub(super) fn longest_match(
    reconciler: &Reconciler,
    table: u32,
    address: IpAddr,
) -> Option<(IpNet, Way)> {
    let mut prefix = Some(IpNet::from(address));
    while let Some(candidate) = prefix {
        if let Some(way) = reconciler.way_of(table, &candidate) {
            return Some((candidate, way.clone()));
        }
        prefix = candidate.supernet().map(|wider| wider.trunc());
    }
    None
}

impl Routes {
    /// From the first one on.
    pub fn of(
        dev: Option<IfIndex>,
        table: Option<u32>,
        prefix: Option<IpNet>,
        address: Option<IpAddr>,
    ) -> Self {
        Self { dev, table, prefix, address, after: None }
    }

    /// The next rows; false: these were the last ones.
    pub fn page(&mut self, reconciler: &Reconciler) -> (Vec<Route>, bool) {
        let teller = Teller::new(reconciler);
        if let Some(address) = self.address {
            let table = self.table.map_or(TABLE_MAIN, table_of);
            let found = longest_match(reconciler, table, address);
            let row = found.and_then(|(prefix, way)| teller.route(table, prefix, &way));
            return (row.into_iter().collect(), false);
        }
        if let Some(prefix) = self.prefix {
            let tables = reconciler.allocation().tables();
            let found = tables.filter_map(|table| {
                let way = reconciler.way_of(table, &prefix)?;
                self.told(&teller, table, prefix, way)
            });
            return (found.collect(), false);
        }
        let mut rows = Vec::new();
        let mut rest = reconciler.ways_after(self.after);
        let mut last = None;
        for (table, prefix, way) in rest.by_ref().take(PAGE) {
            rows.extend(self.told(&teller, table, prefix, way));
            last = Some((table, prefix));
        }
        let more = rest.next().is_some();
        self.after = last;
        (rows, more)
    }

    /// The row of a prefix, if it is one of those that are asked for.
    fn told(&self, teller: &Teller<'_>, table: u32, prefix: IpNet, way: &Way) -> Option<Route> {
        if self.table.is_some_and(|wanted| table_of(wanted) != table) {
            return None;
        }
        if let Some(dev) = self.dev {
            let fib = teller.reconciler.fib();
            let route = deciding_route(fib, table, &prefix)?;
            hops(fib, route).iter().find(|(_, ifindex, _)| *ifindex == Some(dev))?;
        }
        let row = teller.route(table, prefix, way)?;
        self.table.is_none_or(|wanted| row.table == wanted).then_some(row)
    }
}

/// Which neighbours, and how far they have been told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Neighbours {
    /// Those on this device
    dev: Option<IfIndex>,
    /// Those with this address
    address: Option<IpAddr>,
    after: Option<(IfIndex, IpAddr)>,
}

impl Neighbours {
    /// From the first one on.
    pub fn of(dev: Option<IfIndex>, address: Option<IpAddr>) -> Self {
        Self { dev, address, after: None }
    }

    /// The next rows; false: these were the last ones.
    pub fn page(&mut self, reconciler: &Reconciler) -> (Vec<Neighbour>, bool) {
        if !is_in_hardware(reconciler) {
            return (Vec::new(), false);
        }
        let first = self.dev.map(|dev| (dev, IpAddr::from([0; 4])));
        let on_device = |host: &&fib::Neighbour| self.dev.is_none_or(|dev| host.ifindex == dev);
        let rest = reconciler.fib().neighbours_after(self.after.or(first));
        let mut rest = rest.take_while(on_device);
        let (mut rows, mut last) = (Vec::new(), None);
        for host in rest.by_ref().take(PAGE) {
            last = Some((host.ifindex, host.ip));
            if is_host(host) && self.address.is_none_or(|address| address == host.ip) {
                rows.push(neighbour(reconciler, host));
            }
        }
        let more = rest.next().is_some();
        self.after = last;
        (rows, more)
    }
}
