//! Which tc rules bring VRRP advertisements to the CPU, on a device that the kernel drives and that has no trap for them?
//!
//! ```text
//!   router interface of a port            ─▶ the port:         untagged IPv4, IPv6
//!   of a bond or team                     ─▶ each member port: untagged IPv4, IPv6
//!   of a VLAN of one of these             ─▶ the same ports:   in that VLAN, IPv4, IPv6
//!   the port, bond or team is bridged     ─▶ none: it needs a copy
//! ```
//!
//! `action trap` gives the CPU the *only* copy. On a routed port that is right: nobody else is to get the frame. On a bridged one
//! the device floods it, to the CPU as well; a trap would cut off the routers at its other ports.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::place::aware_bridge;
use super::{ChipIdentity, Place, Policy, Scene, judge};
use crate::IfIndex;
use crate::topology::{Link, LinkKind, Topology};
use crate::types::Family;

/// What one rule is about. Its order is that of its prios on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ControlRule {
    /// The port at whose ingress it is.
    pub port: IfIndex,
    /// The VLAN in the tag, 0..=4094; None: frames without a tag.
    pub vlan: Option<u16>,
    /// 224.0.0.18 or ff02::12.
    pub family: Family,
}

impl ControlRule {
    /// The prios of all rules on a port.
    ///
    /// The kernel gives rules that come without a prio 49152 and what is below (`tcf_auto_prio` in net/sched/cls_api.c), people
    /// count from 1. Here is room for two rules in each VLAN, and everybody else's rules come first.
    pub const PRIOS: RangeInclusive<u16> = 50_000..=58_191;

    /// Its own prio: a prio has one Ethernet type in the kernel, and in some drivers one set of fields.
    pub const fn prio(&self) -> u16 {
        let pair = match self.vlan {
            None => 0,
            Some(vlan) => (vlan & 0xfff) + 1,
        };
        let second = match self.family {
            Family::Ipv4 => 0,
            Family::Ipv6 => 1,
        };
        50_000 + 2 * pair + second
    }
}

/// `ipv4` or `vlan 10 ipv6`.
impl fmt::Display for ControlRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(vlan) = self.vlan {
            write!(f, "vlan {vlan} ")?;
        }
        write!(f, "{}", self.family)
    }
}

/// What router interfaces on devices that the kernel drives come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ControlRules {
    /// Each rule, with the netdevs that are the router interfaces it is for.
    pub wanted: BTreeMap<ControlRule, BTreeSet<IfIndex>>,
    /// Router interfaces whose frames can't be told from bridged ones, each with the device that is bridged.
    pub needs_copy: BTreeMap<IfIndex, IfIndex>,
}

/// The devices, as devlink names them, that have ports in this topology, but for those that a simulated chip made.
pub fn kernel_devices(topology: &Topology) -> BTreeSet<String> {
    let ports = topology.links().filter(|link| !is_simulated(link));
    ports.filter_map(|link| Some(link.devlink.as_ref()?.device.clone())).collect()
}

/// Computes the rules for the ports of these devices (`BUS/DEVICE`).
pub fn control_rules(
    topology: &Topology,
    policy: &Policy,
    devices: &BTreeSet<String>,
) -> ControlRules {
    let mut rules = ControlRules::default();
    for device in devices {
        let chip = ChipIdentity::Device { handle: device.clone() };
        let aware_bridge = aware_bridge(topology, &chip);
        let scene = Scene::alone(topology, policy, &chip, aware_bridge);
        for link in candidates(topology, &chip) {
            let subport = matches!(scene.place(link), Ok(Place::Subport(_)));
            if subport && judge(&scene, link).admits() {
                rules.add(&scene, link);
            }
        }
    }
    rules
}

impl ControlRules {
    /// The rules for a router interface.
    fn add(&mut self, scene: &Scene<'_>, link: &Link) {
        let topology = scene.topology;
        let (base, vlan) = match (&link.kind, link.lower().and_then(|lower| topology.link(lower))) {
            (LinkKind::Vlan { vid, .. }, Some(lower)) => (lower, Some(*vid)),
            _ => (link, None),
        };
        if let Some(bridged) = bridged(topology, base, vlan) {
            self.needs_copy.insert(link.ifindex, bridged.ifindex);
            return;
        }
        for port in ports(scene.chip, topology, base) {
            for family in [Family::Ipv4, Family::Ipv6] {
                let rule = ControlRule { port: port.ifindex, vlan, family };
                self.wanted.entry(rule).or_default().insert(link.ifindex);
            }
        }
    }
}

/// What is bridged among the frames that a rule would take: the port or LAG itself, or a VLAN of it, as a rule for untagged frames
/// names no VLAN and a driver may take it for all.
fn bridged<'a>(topology: &'a Topology, base: &'a Link, vlan: Option<u16>) -> Option<&'a Link> {
    let switched = |link: &&Link| {
        let master = topology.master(link).map(|master| &master.kind);
        // a master that is not known yet may be a bridge
        let routed =
            matches!(master, Some(LinkKind::Vrf { .. } | LinkKind::Bond { .. } | LinkKind::Team));
        link.master.is_some() && !routed
    };
    let vlans = topology
        .uppers(base.ifindex)
        .filter(|upper| vlan.is_none() && matches!(upper.kind, LinkKind::Vlan { .. }));
    std::iter::once(base).chain(vlans).find(switched)
}

/// The ports, their bonds and teams, and the VLANs of these: all that can be a router sub-port.
fn candidates<'a>(
    topology: &'a Topology,
    chip: &'a ChipIdentity,
) -> impl Iterator<Item = &'a Link> {
    let ports = topology.links().filter(|link| !is_simulated(link) && chip.port_of(link).is_some());
    let mut found: BTreeSet<IfIndex> = BTreeSet::new();
    for port in ports {
        let lag = topology.master(port);
        let lag = lag.filter(|lag| matches!(lag.kind, LinkKind::Bond { .. } | LinkKind::Team));
        for base in std::iter::once(port).chain(lag) {
            found.insert(base.ifindex);
            found.extend(topology.uppers(base.ifindex).map(|upper| upper.ifindex));
        }
    }
    found.into_iter().filter_map(|ifindex| topology.link(ifindex))
}

/// The device's ports that a port, bond or team is.
fn ports<'a>(
    chip: &'a ChipIdentity,
    topology: &'a Topology,
    base: &'a Link,
) -> impl Iterator<Item = &'a Link> {
    let members = topology.members(base.ifindex);
    std::iter::once(base).chain(members).filter(|link| chip.port_of(link).is_some())
}

/// A port of a simulated chip, which has registers for traps; netdevsim devices can be its ports.
fn is_simulated(link: &Link) -> bool {
    link.altnames.iter().any(|name| name.starts_with("hwsim-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testbed::{address, bond, bonded, bridge, bridged, link_event, port, vlan};
    use crate::topology::{DevlinkPort, Event, LagMode, LagModeName};

    const DEVICE: &str = "pci/0000:03:00.0";

    /// Port `n` of the device, with ifindex 10 + n.
    fn nic(n: u16) -> Link {
        let devlink = Some(DevlinkPort { device: DEVICE.to_owned(), index: n.into() });
        Link { altnames: Vec::new(), devlink, ..port(n) }
    }

    fn with_address(ifindex: u32) -> Event {
        Event::Address(address(ifindex, "192.0.2.1/24"))
    }

    fn rules_of(events: &[Event]) -> ControlRules {
        let rules = |events: Vec<&Event>| {
            let mut topology = Topology::default();
            for event in events {
                topology.fold(event.clone());
            }
            let devices = kernel_devices(&topology);
            control_rules(&topology, &Policy::default(), &devices)
        };
        let forwards = rules(events.iter().collect());
        // links before the addresses on them: the kernel has no other order
        let (addresses, links): (Vec<_>, Vec<_>) =
            events.iter().partition(|event| matches!(event, Event::Address(_)));
        let backwards = rules(links.into_iter().rev().chain(addresses.into_iter().rev()).collect());
        assert_eq!(forwards, backwards, "the order of events decided");
        forwards
    }

    /// Port, VLAN and router interface of each rule; each has to be there for both families.
    fn told(rules: &ControlRules) -> Vec<(u32, Option<u16>, u32)> {
        let mut told = Vec::new();
        for (rule, interfaces) in &rules.wanted {
            let other = match rule.family {
                Family::Ipv4 => Family::Ipv6,
                Family::Ipv6 => Family::Ipv4,
            };
            assert_eq!(rules.wanted.get(&ControlRule { family: other, ..*rule }), Some(interfaces));
            let interfaces = interfaces.iter().filter(|_| rule.family == Family::Ipv4);
            told.extend(interfaces.map(|interface| (rule.port.0, rule.vlan, interface.0)));
        }
        told
    }

    // Broken if a routed port got no rule, one without a router interface got one, or a VLAN's rule took untagged frames.
    #[test]
    fn routed_ports_and_their_vlans() {
        let rules = rules_of(&[
            link_event(nic(1)),
            link_event(nic(2)),
            link_event(nic(3)),
            link_event(vlan(31, 12, 10)),
            link_event(vlan(32, 12, 20)),
            with_address(11),
            with_address(31),
        ]);
        assert_eq!(told(&rules), [(11, None, 11), (12, Some(10), 31)]);
        assert_eq!(rules.needs_copy, BTreeMap::new());
    }

    // Broken if a bond's advertisements were trapped at one member only, or at a bond that routes nothing in hardware.
    #[test]
    fn every_member_of_a_lag() {
        let members = [link_event(bonded(nic(1), 40)), link_event(bonded(nic(2), 40))];
        let mut events = vec![link_event(bond(40)), link_event(vlan(41, 40, 10))];
        events.extend(members);
        events.extend([with_address(40), with_address(41)]);
        let both = [(11, None, 40), (11, Some(10), 41), (12, None, 40), (12, Some(10), 41)];
        assert_eq!(told(&rules_of(&events)), both);
        let mode = LagMode::Other(LagModeName::ActiveBackup);
        events[0] = link_event(Link { kind: LinkKind::Bond { mode }, ..bond(40) });
        assert_eq!(told(&rules_of(&events)), []);
    }

    // Broken if a trap cut off the routers that a bridge joins, or nobody were told that a VLAN of a bridged port has none.
    #[test]
    fn bridged_ports_have_none() {
        let base = [
            link_event(bridge(30, false)),
            link_event(bridged(nic(1), 30)),
            link_event(vlan(31, 11, 10)),
            with_address(30),
            with_address(31),
            with_address(11),
        ];
        let rules = rules_of(&base);
        assert_eq!(told(&rules), []);
        assert_eq!(rules.needs_copy, [(IfIndex(31), IfIndex(11))].into());
        // a bond as a bridge port, with a VLAN beside the bridge
        let rules = rules_of(&[
            link_event(bridge(30, false)),
            link_event(bridged(bond(40), 30)),
            link_event(bonded(nic(1), 40)),
            link_event(vlan(41, 40, 10)),
            with_address(41),
        ]);
        assert_eq!(told(&rules), []);
        assert_eq!(rules.needs_copy, [(IfIndex(41), IfIndex(40))].into());
    }

    // Broken if the rule for untagged frames could take those of a VLAN that is bridged.
    #[test]
    fn a_bridged_vlan_keeps_the_port_free_of_untagged_rules() {
        let rules = rules_of(&[
            link_event(bridge(30, false)),
            link_event(nic(1)),
            link_event(bridged(vlan(31, 11, 10), 30)),
            link_event(vlan(32, 11, 20)),
            with_address(11),
            with_address(32),
        ]);
        assert_eq!(told(&rules), [(11, Some(20), 32)]);
        assert_eq!(rules.needs_copy, [(IfIndex(11), IfIndex(31))].into());
    }

    // Broken if a port whose bridge is not announced yet got a trap meanwhile.
    #[test]
    fn an_unknown_master_counts_as_a_bridge() {
        let rules = rules_of(&[
            link_event(bridged(nic(1), 30)),
            link_event(vlan(31, 11, 10)),
            with_address(31),
        ]);
        assert_eq!(told(&rules), []);
    }

    // Broken if a simulated switch on netdevsim ports, or an excluded port, were given rules.
    #[test]
    fn ports_of_others_have_none() {
        let altnames = vec!["hwsim-0-p1".to_owned()];
        let rules = rules_of(&[
            link_event(Link { altnames, ..nic(1) }),
            link_event(port(2)),
            with_address(11),
        ]);
        assert_eq!(rules, ControlRules::default());
        let mut topology = Topology::default();
        topology.fold(link_event(nic(1)));
        topology.fold(with_address(11));
        let devices = kernel_devices(&topology);
        assert_eq!(devices, BTreeSet::from([DEVICE.to_owned()]));
        let policy = Policy { exclude: ["swp1".to_owned()].into(), ..Policy::default() };
        assert_eq!(control_rules(&topology, &policy, &devices), ControlRules::default());
        assert_eq!(control_rules(&topology, &Policy::default(), &BTreeSet::new()).wanted.len(), 0);
    }

    // Broken if two rules of a port shared a prio, or one lay where the kernel puts rules that come without one.
    #[test]
    fn each_rule_has_its_own_prio() {
        let vlans = std::iter::once(None).chain((0..=4094).map(Some));
        let rules = vlans.flat_map(|vlan| {
            [Family::Ipv4, Family::Ipv6].map(|family| ControlRule {
                port: IfIndex(1),
                vlan,
                family,
            })
        });
        let rules: Vec<ControlRule> = rules.collect();
        let prios: Vec<u16> = rules.iter().map(ControlRule::prio).collect();
        assert_eq!(prios, ControlRule::PRIOS.collect::<Vec<_>>());
        assert!(rules.is_sorted() && *ControlRule::PRIOS.start() > 0xc000);
    }
}
