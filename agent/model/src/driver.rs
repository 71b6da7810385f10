//! What has a driver in the kernel made of the devices and addresses over its ports, and what may go wrong with it?
//!
//! ```text
//!   Topology ─▶ ports of one device ─▶ the driver's own rules ─▶ DeviceAudit { router interfaces, virtual MACs, hazards }
//!   Readings (devlink) ──────────────▶ read, not computed ───────────┘
//! ```
//!
//! Nothing is written here, and nothing is remembered: an audit is computed from scratch when somebody asks. What Firsthop's
//! policy thinks of a macvlan plays no part in what a driver does; where the two differ, that is a [`Hazard`].
//!
//! Sources: `drivers/net/ethernet/mellanox/mlxsw/spectrum_router.c` and `spectrum.c`, `drivers/net/ethernet/marvell/prestera`
//! of Linux 6.12.

mod hazard;
mod other;
mod readings;
mod spectrum;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use hazard::{Hazard, HazardKind};
pub use readings::{DeviceFacts, Occupancy, PolicerSize, Readings};

use crate::IfIndex;
use crate::intent::{
    ChipIdentity, LinuxBridges, Place, Policy, Scene, Verdict, aware_bridge, is_simulated,
    is_virtual,
};
use crate::topology::{DevlinkPort, Link, Topology};

/// What a driver in the kernel can do for a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Driver {
    /// mlxsw on Spectrum chips: has router interfaces and macvlans' MACs of its own.
    Spectrum,
    /// Marvell Prestera, as in mainline: has router interfaces of plain ports, for IPv4, and refuses macvlans on ports.
    Prestera,
    /// Bridges and does not route: DSA, ocelot, lan966x, sparx5, cpsw.
    Bridging,
    /// netdevsim: has no datapath.
    Netdevsim,
    /// No switch, or one that is not known here.
    Unknown,
}

/// Beginnings of names of drivers that bridge and do not route: those of `drivers/net/dsa`, by their bus drivers' names, then others
/// that are in switchdev.
const BRIDGING: [&str; 28] = [
    "mv88e6",
    "sja1105",
    "mscc_felix",
    "mscc_seville",
    "mt7530",
    "b53",
    "bcm53",
    "brcm-sf2",
    "qca8k",
    "ar9331",
    "ksz",
    "lan9303",
    "realtek-",
    "rtl836",
    "gswip",
    "xrs700x",
    "vsc73xx",
    "hellcreek",
    "rzn1_a5psw",
    "yt921x",
    "dsa-loop",
    "ocelot",
    "lan966x",
    "sparx5",
    "am65-cpsw",
    "cpsw",
    "dpaa2_switch",
    "icssg",
];

impl Driver {
    /// By DEVLINK_ATTR_INFO_DRIVER_NAME. Since Linux 6.2 that is the name of the bus driver (prestera's is `Prestera DX`), before
    /// it was what the driver called itself.
    pub fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            _ if name.starts_with("mlxsw_spectrum") => Self::Spectrum,
            _ if name.starts_with("prestera") => Self::Prestera,
            "netdevsim" => Self::Netdevsim,
            _ if BRIDGING.iter().any(|known| name.starts_with(known)) => Self::Bridging,
            _ => Self::Unknown,
        }
    }

    /// Known as the driver of a switch.
    pub const fn is_switch(self) -> bool {
        !matches!(self, Self::Unknown)
    }

    /// Takes bridges for its own, virtual MACs included: nobody else may write to them.
    pub const fn owns_bridges(self) -> bool {
        matches!(self, Self::Spectrum)
    }

    /// What it does, after its name.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Spectrum => "routes by itself; audited, never written",
            Self::Prestera => {
                "routes IPv4 of plain ports by itself, and refuses macvlans on its ports; its trap \
                 `vrrp` has no policer"
            }
            Self::Bridging => {
                "bridges and does not route; a virtual MAC is served where its macvlan is on a \
                 bridge, by an entry of the bridge"
            }
            Self::Netdevsim => "has no datapath: nothing is offloaded",
            Self::Unknown => "is not known as the driver of a switch; its ports are left alone",
        }
    }
}

/// How something is known of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The device was asked.
    Read,
    /// By the rules of its driver.
    Computed,
}

impl Evidence {
    /// The word in JSON and text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Computed => "computed",
        }
    }
}

/// A netdev as a router interface of its driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RifAudit {
    /// Admitting: the driver has it.
    pub verdict: Verdict,
    /// How that is known.
    pub evidence: Evidence,
    /// Its index in the chip, where it was read.
    pub index: Option<u16>,
    /// Where its packets come from; None: the chip has no place for it.
    pub place: Option<Place>,
}

/// A macvlan or ipvlan over ports of a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmacAudit {
    /// Admitting: the driver has its MAC.
    pub verdict: Verdict,
    /// How that is known.
    pub evidence: Evidence,
    /// What Firsthop would make of it if the chip were its own.
    pub policy: Verdict,
    /// It has the VRRP slot of its router interface for itself.
    pub fast_path: bool,
    /// What may go wrong with it.
    pub hazards: Vec<Hazard>,
}

/// What a driver has made of the devices over its ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceAudit {
    /// As devlink names it.
    pub handle: String,
    /// Its driver.
    pub driver: Driver,
    /// Devices over its ports, also those that have no reason to be router interfaces.
    pub rifs: BTreeMap<IfIndex, RifAudit>,
    /// Macvlans and ipvlans over its ports; not those over bridges of drivers that only bridge.
    pub vmacs: BTreeMap<IfIndex, VmacAudit>,
    /// What may go wrong with the device as a whole.
    pub hazards: Vec<Hazard>,
}

impl DeviceAudit {
    /// Every hazard, of the device and of its virtual MACs.
    pub fn all_hazards(&self) -> impl Iterator<Item = &Hazard> {
        self.hazards.iter().chain(self.vmacs.values().flat_map(|vmac| &vmac.hazards))
    }
}

/// Computes what a driver has made of the devices over its ports. `policy` decides about nothing but hazards.
pub fn audit(
    topology: &Topology,
    policy: &Policy,
    driver: Driver,
    handle: &str,
    readings: &Readings,
) -> DeviceAudit {
    let chip = ChipIdentity::Device { handle: handle.to_owned() };
    // Nobody tells a driver which devices Firsthop leaves alone, and bridges of its ports are its own.
    let policy =
        Policy { exclude: [].into(), linux_bridges: LinuxBridges::Ignored, ..policy.clone() };
    let aware_bridge = aware_bridge(topology, &chip);
    let scene = Scene::alone(topology, &policy, &chip, aware_bridge);
    let mut audit = DeviceAudit {
        handle: handle.to_owned(),
        driver,
        rifs: BTreeMap::new(),
        vmacs: BTreeMap::new(),
        hazards: hazard::of_device(readings),
    };
    match driver {
        Driver::Spectrum => spectrum::audit(&scene, readings, &mut audit),
        Driver::Prestera | Driver::Bridging | Driver::Netdevsim => {
            other::audit(&scene, driver, &mut audit);
        }
        Driver::Unknown => {}
    }
    audit
}

/// The first port of a device of the kernel's that a netdev is or stands on; a simulated chip's ports are none.
pub fn port_below<'a>(topology: &'a Topology, link: &'a Link) -> Option<&'a DevlinkPort> {
    if is_simulated(link) {
        return None;
    }
    let below = || {
        let lower = link.lower().and_then(|lower| topology.link(lower));
        let members = topology.members(link.ifindex).filter(|_| link.kind.has_members());
        lower.into_iter().chain(members).find_map(|link| port_below(topology, link))
    };
    link.devlink.as_ref().or_else(below)
}

/// Devices over the ports of a device, by index, without those that the device below speaks for.
fn bases<'a>(scene: &'a Scene<'a>) -> impl Iterator<Item = &'a Link> {
    let links = scene.topology.links().filter(|link| !is_virtual(link));
    links.filter(|link| scene.stands_on_chip(link))
}

/// The macvlans and ipvlans on a device.
fn uppers<'a>(scene: &Scene<'a>, lower: IfIndex) -> impl Iterator<Item = &'a Link> {
    scene.topology.uppers(lower).filter(|upper| is_virtual(upper))
}
