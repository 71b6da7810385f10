//! Which router MACs are missing in the forwarding tables of Linux's own bridges?

use firsthop_model::Mac;
use firsthop_model::intent::{BridgeMacs, LinuxBridges, Reason};
use firsthop_model::reconcile::{Holding, Reconciler};

use super::{Difference, name};

/// The entries that should be there and are not: what is written, or would be if it were allowed.
pub fn bridge_differences(reconciler: &Reconciler) -> Vec<Difference> {
    let shown = reconciler.policy().linux_bridges == LinuxBridges::Shown;
    let mut rows = Vec::new();
    for (lower, unit) in reconciler.units() {
        let Some(macs) = &unit.bridge_macs else { continue };
        for mac in &macs.macs {
            let reason = match reconciler.holding(macs.domain, *mac) {
                Some(Holding::Held) => continue,
                Some(Holding::Taken) => Some(Reason::FdbConflict),
                Some(Holding::Refused(_)) => Some(Reason::BridgeRefused),
                Some(Holding::Moving) | None => shown.then_some(Reason::NotManaged),
            };
            rows.push(Difference {
                object: format!("mac {} {mac}", place(reconciler, macs)),
                ifname: Some(name(reconciler, lower)),
                change: Some("add".to_owned()),
                kernel: None,
                intended: Some("local".to_owned()),
                hardware: None,
                reason: reason.map(|reason| reason.code().to_owned()),
                command: Some(command(reconciler, macs, *mac)),
            });
        }
    }
    rows
}

/// The bridge, and the VLAN of one that tells them apart.
pub(super) fn place(reconciler: &Reconciler, macs: &BridgeMacs) -> String {
    let vlan = macs.domain.vlan.map_or_else(String::new, |vid| format!(" vlan {vid}"));
    format!("{}{vlan}", name(reconciler, macs.domain.bridge))
}

/// As an administrator would make the entry.
fn command(reconciler: &Reconciler, macs: &BridgeMacs, mac: Mac) -> String {
    let vlan = macs.domain.vlan.map_or_else(String::new, |vid| format!(" vlan {vid}"));
    let bridge = name(reconciler, macs.domain.bridge);
    format!("bridge fdb add {mac} dev {bridge} self local{vlan}")
}
