//! How full the chip's tables are.

use firsthop_model::chip::Key;
use firsthop_model::reconcile::Reconciler;
use serde::{Deserialize, Serialize};

/// How much of a table is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// devlink's name, or the chip's own.
    pub name: String,
    /// Rows
    pub size: u64,
    /// Rows taken; None: the chip does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occ: Option<u64>,
}

/// The sizes of tables that a chip need not say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sizes {
    /// Records of the forwarding database
    pub fdb: Option<u64>,
    /// Bridging domains and router sub-ports
    pub fids: Option<u64>,
    /// Link aggregation groups
    pub lags: Option<u64>,
    /// IPv4 routes
    pub routes_ipv4: Option<u64>,
    /// IPv6 routes
    pub routes_ipv6: Option<u64>,
    /// Hosts on links
    pub neighbours: Option<u64>,
    /// Next hops
    pub adjacencies: Option<u64>,
}

/// Which rows are a table's.
type Ours = fn(&Key) -> bool;

/// The chip's tables, as far as Firsthop fills them.
pub fn resources(reconciler: &Reconciler, sizes: Sizes) -> Vec<Resource> {
    let limits = reconciler.limits();
    let applied = reconciler.applied();
    let (_, virtual_routers, profiles) = reconciler.allocation().occupancy();
    let rows = |ours: Ours| Some(count(applied.tables().keys().filter(|k| ours(k))));
    let resource = |name: &str, size: u64, occ| Resource { name: name.to_owned(), size, occ };
    let mut found = vec![
        resource("rif_mac_profiles", limits.mac_profiles.into(), u64::try_from(profiles).ok()),
        resource("rifs", limits.rifs.into(), Some(count(applied.rifs()))),
        resource(
            "virtual_routers",
            limits.virtual_routers.into(),
            u64::try_from(virtual_routers).ok(),
        ),
    ];
    let ipv4 = |key: &Key| matches!(key, Key::Route(_, prefix) if prefix.addr().is_ipv4());
    let ipv6 = |key: &Key| matches!(key, Key::Route(_, prefix) if prefix.addr().is_ipv6());
    let tables: [(&str, Option<u64>, Ours); 7] = [
        ("fdb", sizes.fdb, |key| matches!(key, Key::RouterMac(..))),
        ("fids", sizes.fids, |key| matches!(key, Key::Fid(_))),
        ("lags", sizes.lags, |key| matches!(key, Key::Lag(_))),
        ("routes_ipv4", sizes.routes_ipv4, ipv4),
        ("routes_ipv6", sizes.routes_ipv6, ipv6),
        ("neighbours", sizes.neighbours, |key| matches!(key, Key::Neighbour(..))),
        ("adjacencies", sizes.adjacencies, |key| matches!(key, Key::Adjacency(_))),
    ];
    for (name, size, ours) in tables {
        found.extend(size.map(|size| resource(name, size, rows(ours))));
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn count<T>(rows: impl Iterator<Item = T>) -> u64 {
    rows.fold(0, |count, _| count + 1)
}
