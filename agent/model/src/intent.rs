//! What the chip should hold, and why something is not offloaded. This is the **Intended** column.
//!
//! Everything is computed per *unit*: one device that may have a router interface, with the macvlans and ipvlans on it.
//! A changed link or address recomputes its unit and nothing else.
//!
//! Bridges and LAGs are computed for themselves: their members change without their router interfaces.
//!
//! ```text
//!   Scene: topology, policy, chip ──unit(ifindex)──────▶ Unit { RouterInterface?, verdict of the device, of each upper }
//!                                 ──bridging(ifindex)──▶ Bridging { domains with their members, verdict of each member }
//!                                 ──lag(ifindex)───────▶ Lag { members }
//! ```

mod admission;
mod bridging;
mod control_rules;
mod interface;
mod lag;
mod linux_bridge;
mod place;
mod policy;
mod reason;
mod route;
mod scheme;
#[cfg(test)]
mod tests;
mod traps;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use admission::qualifying_address;
pub use bridging::{Bridging, Member, Members, bridging, foreign_member};
pub use control_rules::{ControlRule, ControlRules, control_rules, kernel_devices};
pub(crate) use interface::is_virtual;
pub use interface::{judge, unit};
pub use lag::{Lag, LagMember, lag};
pub use linux_bridge::BridgeMacs;
pub use place::{Domain, Lane, Place, Scene, aware_bridge, stands_on};
pub use policy::{LinuxBridges, MacPrefix, Policy, Routing, VmacPolicy, VmacRule};
pub use reason::Reason;
pub use route::{Gateway, Way, deciding_route, is_programmable, places, table_of, tables_of, way};
pub use scheme::{Protocol, Scheme};
pub use traps::{
    CONTROL_TRAPS, ControlTrap, EXTERNAL_ROUTE, GROUPS, Group, MULTICAST, REJECT_ROUTE,
    TrapProfile, group_named, trap_profile,
};
pub use verdict::{Condition, State, Verdict};

use crate::plan::Object;
use crate::topology::Link;
use crate::{IfIndex, LocalPort, Mac, Vrid};

/// The routing table that stands for the default VRF (RT_TABLE_MAIN); local and default are folded into it.
pub const TABLE_MAIN: u32 = 254;

/// Which ports are the chip's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChipIdentity {
    /// A simulated chip: its ports have the alternative names `hwsim-<chip id>-p<local port>`.
    Simulated {
        /// The id in these names.
        chip_id: String,
        /// Front-panel ports, 1..=ports.
        ports: u16,
    },
    /// A device that has a driver in the kernel: its ports are those that the kernel says.
    Device {
        /// As devlink names it: `pci/0000:03:00.0`.
        handle: String,
    },
}

impl ChipIdentity {
    /// The port that a netdev is: the number in its alternative name, or devlink's index.
    pub fn port_of(&self, link: &Link) -> Option<LocalPort> {
        match self {
            Self::Simulated { chip_id, ports } => link.altnames.iter().find_map(|name| {
                let number = name.strip_prefix("hwsim-")?.strip_prefix(chip_id.as_str())?;
                let port: u16 = number.strip_prefix("-p")?.parse().ok()?;
                (1..=*ports).contains(&port).then_some(LocalPort(port))
            }),
            Self::Device { handle } => {
                // a simulated chip's port may be a netdevsim port at the same time
                if is_simulated(link) {
                    return None;
                }
                let port = link.devlink.as_ref().filter(|port| port.device == *handle)?;
                u16::try_from(port.index).ok().map(LocalPort)
            }
        }
    }

    /// `BUS/DEVICE`, as devlink names it or would.
    pub fn handle(&self) -> String {
        match self {
            Self::Simulated { chip_id, .. } => format!("hwsim/{chip_id}"),
            Self::Device { handle } => handle.clone(),
        }
    }
}

/// A port of some simulated chip, whether or not it is the one that is connected.
pub(crate) fn is_simulated(link: &Link) -> bool {
    link.altnames.iter().any(|name| name.starts_with("hwsim-"))
}

/// A chip without ports.
impl Default for ChipIdentity {
    fn default() -> Self {
        Self::Simulated { chip_id: String::new(), ports: 0 }
    }
}

/// A destination that the kernel itself serves.
pub type Destinations = BTreeSet<IpNet>;

/// A router interface by kernel keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterInterface {
    /// The netdev it stands for.
    pub ifindex: IfIndex,
    /// Where its packets come from.
    pub place: Place,
    /// The routing table of its VRF, [`TABLE_MAIN`] outside one.
    pub table: u32,
    /// The netdev's own MAC.
    pub mac: Mac,
    /// Bytes
    pub mtu: u16,
    /// Every MAC whose frames it takes, with the devices that want it.
    pub router_macs: BTreeMap<Mac, BTreeSet<IfIndex>>,
    /// Fast-path holder, IPv4: the lowest admitted VRID.
    pub vrrp_ipv4: Option<Vrid>,
    /// Fast-path holder, IPv6: the lowest admitted VRID.
    pub vrrp_ipv6: Option<Vrid>,
    /// Its own and its admitted macvlans' addresses, and subnet broadcasts.
    pub destinations: Destinations,
}

impl RouterInterface {
    /// What its rows are planned with.
    pub const fn object(&self) -> Object {
        match &self.place {
            Place::Subport(_) => Object::Interface(self.ifindex),
            Place::Domain(domain) => Object::Domain(*domain),
        }
    }

    /// The bond or team that it stands on directly.
    pub const fn lag(&self) -> Option<IfIndex> {
        match &self.place {
            Place::Subport(lane) => lane.lag,
            Place::Domain(_) => None,
        }
    }
}

/// What one device and its macvlans come to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Unit {
    /// None: no router interface.
    pub router_interface: Option<RouterInterface>,
    /// What the forwarding table of the bridge should have, where Linux itself bridges; None: no such bridge.
    pub bridge_macs: Option<BridgeMacs>,
    /// Verdict of the device as a router interface; None: it has no address and no reason to be one.
    pub rif: Option<Verdict>,
    /// Verdicts of the macvlans and ipvlans on it (or of the device itself, if that is one without a lower here).
    pub vmacs: BTreeMap<IfIndex, Verdict>,
    /// Macvlans with VRRP's MACs on its router interface, backups' as well: all of them are advertised.
    pub virtual_routers: u32,
}

impl Unit {
    /// Nothing to say.
    pub fn is_empty(&self) -> bool {
        self.router_interface.is_none() && self.rif.is_none() && self.vmacs.is_empty()
    }
}
