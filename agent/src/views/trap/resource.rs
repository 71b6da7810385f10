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
}

/// The chip's tables, as far as Firsthop fills them.
pub fn resources(reconciler: &Reconciler, sizes: Sizes) -> Vec<Resource> {
    let limits = reconciler.limits();
    let applied = reconciler.applied();
    let (_, virtual_routers, profiles) = reconciler.allocation().occupancy();
    let rows = |ours: fn(&Key) -> bool| Some(count(applied.tables().keys().filter(|k| ours(k))));
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
    if let Some(size) = sizes.fdb {
        found.push(resource("fdb", size, rows(|key| matches!(key, Key::RouterMac(..)))));
    }
    if let Some(size) = sizes.fids {
        found.push(resource("fids", size, rows(|key| matches!(key, Key::Fid(_)))));
    }
    if let Some(size) = sizes.lags {
        found.push(resource("lags", size, rows(|key| matches!(key, Key::Lag(_)))));
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn count<T>(rows: impl Iterator<Item = T>) -> u64 {
    rows.fold(0, |count, _| count + 1)
}
