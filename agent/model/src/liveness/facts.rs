//! What the watch has to know besides advertisements: virtual MACs, their addresses, and what is in the chip.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::chip::Key;
use crate::intent::{VmacPolicy, qualifying_address};
use crate::reconcile::Reconciler;
use crate::topology::{Link, LinkKind};
use crate::{IfIndex, Mac};

/// Where an address means one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// In the VRF with this routing table.
    Table(u32),
    /// On one device: link-local.
    Link(IfIndex),
}

/// A macvlan that may belong to a virtual router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vmac {
    /// The macvlan
    pub ifindex: IfIndex,
    /// Its admission policy
    pub policy: VmacPolicy,
    /// Its MAC is in the chip, acknowledged.
    pub programmed: bool,
    /// It has an address that counts for the policy `active`.
    pub addressed: bool,
}

/// How things are now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// Devices with a router interface, and the routing tables of their VRFs
    pub interfaces: BTreeMap<IfIndex, u32>,
    /// Macvlans by the device below and the MAC
    pub vmacs: BTreeMap<(IfIndex, Mac), Vmac>,
    /// Addresses of router interfaces; those of macvlans are virtual, and the peer may own them
    pub addresses: BTreeSet<(Scope, IpAddr)>,
    /// Rate and burst of the VRRP policer
    pub policer: (u32, u32),
}

impl Facts {
    /// From the model.
    pub fn of(reconciler: &Reconciler) -> Self {
        let (topology, policy) = (reconciler.topology(), reconciler.policy());
        let mut facts = Self { policer: (policy.vrrp_rate, policy.vrrp_burst), ..Self::default() };
        for (ifindex, unit) in reconciler.units() {
            let Some(interface) = &unit.router_interface else { continue };
            facts.interfaces.insert(ifindex, interface.table);
            for address in topology.addresses(ifindex) {
                let table = Scope::Table(interface.table);
                let scope = if address.is_link_local_v6() { Scope::Link(ifindex) } else { table };
                facts.addresses.insert((scope, address.ip));
            }
            let name = topology.link(ifindex).map(|link| link.ifname.as_str());
            for upper in unit.vmacs.keys() {
                let link = topology.link(*upper).filter(|link| is_macvlan(link));
                let Some((link, mac)) = link.and_then(|link| Some((link, link.mac?))) else {
                    continue;
                };
                let row = reconciler.place_of(link).map(|(_, fid)| Key::RouterMac(fid, mac));
                let vmac = Vmac {
                    ifindex: *upper,
                    policy: policy.vmac_policy_of(name, Some(mac)),
                    programmed: row.is_some_and(|row| reconciler.applied().get(&row).is_some()),
                    addressed: qualifying_address(topology, link).is_some(),
                };
                // Only one of two with the same MAC can be up.
                let known = facts.vmacs.get(&(ifindex, mac));
                if known.is_none_or(|known| !known.addressed) {
                    facts.vmacs.insert((ifindex, mac), vmac);
                }
            }
        }
        facts
    }

    /// An address of ours, as an interface sees it.
    pub(super) fn is_own(&self, interface: IfIndex, ip: IpAddr) -> bool {
        let within = |scope| self.addresses.contains(&(scope, ip));
        within(Scope::Link(interface)) || self.table(interface).is_some_and(within)
    }

    /// Where the addresses of an interface mean one device.
    pub(super) fn table(&self, interface: IfIndex) -> Option<Scope> {
        self.interfaces.get(&interface).map(|table| Scope::Table(*table))
    }
}

/// Since when a macvlan is as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Since {
    /// Its MAC is in the chip.
    pub(super) programmed: Option<Duration>,
    /// It has no address that counts.
    pub(super) bare: Option<Duration>,
}

impl Since {
    pub(super) fn follow(before: Option<&Self>, vmac: &Vmac, now: Duration) -> Self {
        let begun = |holds: bool, before: Option<Duration>| holds.then(|| before.unwrap_or(now));
        Self {
            programmed: begun(vmac.programmed, before.and_then(|since| since.programmed)),
            bare: begun(!vmac.addressed, before.and_then(|since| since.bare)),
        }
    }
}

const fn is_macvlan(link: &Link) -> bool {
    matches!(link.kind, LinkKind::Macvlan { .. })
}
