//! A small kernel that the tests play with: what an action does to it, and which events it announces.
//!
//! ```text
//!   Action ─▶ World::act ─▶ oracle::Kernel (the truth)
//!                       └─▶ Events, as the kernel would send them ─▶ the agent
//!   World::snapshot ─▶ what dumps would show       World::history ─▶ what no dump shows any more
//! ```
//!
//! What the kernel does by itself is done here too: VLAN devices go down and up with the device below and take over its MAC,
//! a device that goes down loses its IPv6 addresses, a bridge has the lowest MAC of its ports, a bond gives its MAC to its members,
//! a VRF takes its slaves down and up, and whatever stands on a device goes with it.

mod address;
mod announce;
mod link;
mod membership;
mod vlan;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use firsthop_model::IfIndex;
use firsthop_model::topology::{Event, Snapshot, VlanFlags, VlanRange};
use oracle::{Address, Device, Kernel, Kind, Protocol, Stp};

use crate::action::{Action, Dev};
use announce::{link_event, link_message, model_address};

/// The chip's id in the ports' alternative names.
pub(crate) const CHIP_ID: &str = "t0";
/// Front-panel ports in use.
pub(crate) const PORTS: u16 = 4;
/// A device that the operator excluded.
pub(crate) const EXCLUDED: &str = "mgmt0";

/// The truth, and what the kernel knows besides.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) kernel: Kernel,
    /// Tentative link-locals of the kernel's own: dumps show them, events do not.
    silent: BTreeSet<(u32, IpAddr)>,
    notes: BTreeMap<u32, Notes>,
    /// Macvlans in another network namespace, by the device below.
    away: BTreeSet<(u32, [u8; 6])>,
    keep_addresses: bool,
    /// Devices whose MAC changed in this action.
    renumbered: BTreeSet<u32>,
}

/// What the kernel knows of a device that no message says.
#[derive(Debug, Clone, Default)]
struct Notes {
    /// Somebody chose its MAC: it follows nobody's.
    mac_is_chosen: bool,
    /// A VLAN device with the MAC of the device below.
    mac_is_inherited: bool,
    /// Its MAC before it became a member of a bond.
    mac_before: Option<[u8; 6]>,
    /// A bridge without vlan_default_pvid.
    no_default_pvid: bool,
    /// STP state that somebody set.
    stp: Option<Stp>,
    /// In its filters by request, announced or not.
    asked: BTreeSet<[u8; 6]>,
    silently: BTreeSet<[u8; 6]>,
}

impl World {
    /// Ports with their own MACs, up, without addresses; a bridge, VRFs, devices that are no ports, and nothing on them.
    pub(crate) fn new() -> Self {
        let mut world = Self {
            kernel: Kernel { excluded: [EXCLUDED.to_owned()].into(), ..Kernel::default() },
            silent: BTreeSet::new(),
            notes: BTreeMap::new(),
            away: BTreeSet::new(),
            keep_addresses: false,
            renumbered: BTreeSet::new(),
        };
        for port in 1..=PORTS {
            world.put(Dev::port(port), Kind::Plain);
        }
        world.put(Dev::DUMMY, Kind::Plain);
        world.put(Dev::VETH, Kind::Plain);
        world.put(Dev::OVS, Kind::OpenVswitch);
        world.put(Dev::vrf(0), Kind::Vrf(10));
        world.put(Dev::vrf(1), Kind::Vrf(20));
        world.put(Dev::bridge(0), Kind::Bridge { filtering: false, protocol: Protocol::Dot1q });
        world
    }

    fn put(&mut self, dev: Dev, kind: Kind) {
        let mut device = device(dev, kind, dev.own_mac());
        // Ports 3 and 4 say which MAC they came with.
        device.permanent_mac = dev.port_number().filter(|port| *port > 2).map(|_| dev.own_mac());
        self.kernel.devices.insert(dev.0, device);
        self.vlan_of_birth(dev.0, &mut Vec::new());
    }

    /// A device with an address on another one: many of them, and nobody follows what else the kernel would do.
    pub(crate) fn put_on(
        &mut self,
        dev: Dev,
        kind: Kind,
        lower: Dev,
        mac: [u8; 6],
        address: Address,
    ) {
        let made = Device { lower: Some(lower.0), ..device(dev, kind, mac) };
        self.kernel.devices.insert(dev.0, made);
        self.kernel.addresses.insert(dev.0, vec![address]);
    }

    /// The only address of a device goes.
    pub(crate) fn forget_address(&mut self, dev: Dev) -> Event {
        let gone = self.kernel.addresses.remove(&dev.0).expect("it has one");
        Event::AddressGone(model_address(dev.0, &gone[0]))
    }

    /// All devices and addresses, as dumps that finished cleanly.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let kernel = &self.kernel;
        let addresses = kernel.addresses.iter();
        let vlans = kernel.vlans.iter();
        Snapshot {
            links: kernel.devices.keys().filter_map(|i| link_message(kernel, *i)).collect(),
            addresses: addresses
                .flat_map(|(i, all)| all.iter().map(|address| model_address(*i, address)))
                .collect(),
            vlans: vlans
                .flat_map(|(i, vlans)| vlans.iter().map(|v| range(*i, *v.0, v.1)))
                .collect(),
            mac_lists: kernel
                .filters
                .iter()
                .filter(|(_, filters)| !filters.listed.is_empty())
                .map(|(i, filters)| (IfIndex(*i), announce::macs(&filters.listed)))
                .collect(),
        }
    }

    /// What an agent that saw the past would know and a snapshot does not say: former MACs, and who put a MAC into filters.
    pub(crate) fn history(&self) -> Vec<Event> {
        let mut events = Vec::new();
        let gone = 9999;
        for (ifindex, filters) in &self.kernel.filters {
            let Some(now) = link_message(&self.kernel, *ifindex) else { continue };
            for former in &filters.former {
                let mac = Some(firsthop_model::Mac(*former));
                events.push(Event::Link(Box::new(firsthop_model::topology::Link {
                    mac,
                    ..now.clone()
                })));
            }
            events.push(Event::Link(Box::new(now)));
            for mac in &filters.lent {
                let visitor =
                    Device { lower: Some(*ifindex), ..device(Dev(gone), Kind::Macvlan, *mac) };
                events.push(Event::Link(Box::new(announce::link(&self.kernel, gone, &visitor))));
                events.push(Event::LinkGone(IfIndex(gone)));
            }
            let announced = filters.announced.iter();
            events.extend(
                announced.map(|m| Event::Receives(IfIndex(*ifindex), firsthop_model::Mac(*m))),
            );
            events.push(Event::FiltersSettled(IfIndex(*ifindex)));
        }
        events
    }

    /// Does it; returns what the kernel announces. An action that the kernel would refuse does nothing.
    pub(crate) fn act(&mut self, action: &Action) -> Vec<Event> {
        let mut events = Vec::new();
        let Some(dev) = action.dev() else {
            if let Action::KeepAddresses(keep) = action {
                self.keep_addresses = *keep;
            }
            return events;
        };
        let index = dev.0;
        if !self.kernel.devices.contains_key(&index) && !matches!(action, Action::Create { .. }) {
            return events;
        }
        let out = &mut events;
        match *action {
            Action::Create { dev, lower, mac, kind } => self.create(dev, lower, mac, kind, out),
            Action::Delete { quietly, .. } => self.delete(index, quietly, out),
            Action::MoveAway(_) => self.move_away(index, out),
            Action::AwayGone(_) => self.away.retain(|(lower, _)| *lower != index),
            Action::Up(_, up) => self.set_up(index, up, out),
            Action::Oper(_, oper) => self.change(index, out, |device| device.oper = oper),
            Action::ProtoDown(_, down) => {
                self.change(index, out, |device| device.proto_down = down);
            }
            Action::Mtu(_, mtu) => self.change(index, out, |device| device.mtu = mtu),
            Action::Rename(_, excluded) => self.change(index, out, |device| {
                device.name = if excluded { EXCLUDED.to_owned() } else { dev.to_string() };
            }),
            Action::Enslave(_, master) => self.enslave(index, master.map(|dev| dev.0), out),
            Action::SetMac(_, mac) => {
                let notes = self.notes.entry(index).or_default();
                (notes.mac_is_chosen, notes.mac_is_inherited) = (true, false);
                self.set_mac(index, mac, out);
            }
            Action::AddAddress(_, address) => self.put_address(index, address, out),
            Action::DelAddress(_, ip) => self.drop_address(index, ip, out),
            Action::KernelLinkLocal { flags, says_so, .. } => {
                self.make_link_local(index, flags, says_so, out);
            }
            Action::Filtering(_, filtering, protocol) => {
                if matches!(self.kernel.devices[&index].kind, Kind::Bridge { .. }) {
                    let kind = Kind::Bridge { filtering, protocol };
                    self.change(index, out, |device| device.kind = kind);
                }
            }
            Action::DefaultPvid(_, one) => self.set_default_pvid(index, one, out),
            Action::VlanAdd { vid, pvid, untagged, .. } => {
                self.add_vlan(index, vid, oracle::Vlan { pvid, untagged }, out);
            }
            Action::VlanDel(_, vid) => self.del_vlan(index, vid, out),
            Action::Stp(_, state) => self.notes.entry(index).or_default().stp = Some(state),
            Action::Locked(_, locked) => {
                if self.is_bridge_port(index) {
                    self.change(index, out, |device| device.locked = locked);
                }
            }
            Action::Carries(_, carries) => {
                if self.master_kind(index).is_some_and(|kind| matches!(kind, Kind::Bond { .. })) {
                    self.change(index, out, |device| device.carries = carries);
                }
            }
            Action::Receive(_, mac, add) => self.receive(index, mac, add, out),
            Action::ReceiveSilently(_, mac, add) => {
                let silently = &mut self.notes.entry(index).or_default().silently;
                if add {
                    silently.insert(mac)
                } else {
                    silently.remove(&mac)
                };
            }
            Action::KeepAddresses(_) | Action::Resync | Action::Overrun | Action::Refuse(_) => {}
        }
        self.follow(action, out);
        events
    }

    /// What follows from the new state: STP states, and filters, which the agent looks at after anything that may change them.
    fn follow(&mut self, action: &Action, events: &mut Vec<Event>) {
        for ifindex in self.kernel.devices.keys().copied().collect::<Vec<_>>() {
            let Some(state) = self.stp_of(ifindex) else { continue };
            if self.kernel.devices[&ifindex].stp != state {
                // A message of AF_BRIDGE, which says nothing of the device but its bridge port.
                self.change(ifindex, &mut Vec::new(), |device| device.stp = state);
                let link = link_message(&self.kernel, ifindex);
                events.extend(link.map(|link| Event::Slave(link.ifindex, link.slave)));
            }
        }
        let stacks = self.stacks();
        let asked = match action {
            Action::Receive(dev, ..) | Action::ReceiveSilently(dev, ..) => Some(dev.0),
            _ => None,
        };
        for ifindex in self.kernel.devices.keys().copied().collect::<Vec<_>>() {
            let listed = self.listed(&stacks, ifindex, 0);
            let filters = self.kernel.filters.entry(ifindex).or_default();
            let same = filters.listed == listed && filters.lent.is_subset(&listed);
            if same && asked != Some(ifindex) {
                continue;
            }
            filters.announced.retain(|mac| listed.contains(mac));
            filters.lent.retain(|mac| listed.contains(mac));
            events.push(Event::MacList(IfIndex(ifindex), announce::macs(&listed)));
            filters.listed = listed;
        }
        // The agent's last look at the filters after a change of a MAC.
        let renumbered = std::mem::take(&mut self.renumbered);
        let still_here = renumbered.into_iter().filter(|i| self.kernel.devices.contains_key(i));
        events.extend(still_here.map(|ifindex| Event::FiltersSettled(IfIndex(ifindex))));
    }

    fn change(&mut self, ifindex: u32, events: &mut Vec<Event>, change: impl FnOnce(&mut Device)) {
        if let Some(device) = self.kernel.devices.get_mut(&ifindex) {
            change(device);
            events.extend(link_event(&self.kernel, ifindex));
        }
    }

    fn master_kind(&self, ifindex: u32) -> Option<Kind> {
        let master = self.kernel.devices.get(&ifindex)?.master?;
        Some(self.kernel.devices.get(&master)?.kind)
    }

    fn is_bridge_port(&self, ifindex: u32) -> bool {
        self.master_kind(ifindex).is_some_and(|kind| matches!(kind, Kind::Bridge { .. }))
    }
}

fn range(ifindex: u32, vid: u16, vlan: &oracle::Vlan) -> VlanRange {
    let flags = VlanFlags { pvid: vlan.pvid, untagged: vlan.untagged };
    VlanRange { ifindex: IfIndex(ifindex), first: vid, last: vid, flags }
}

/// A new device, up, as whatever made it left it.
fn device(dev: Dev, kind: Kind, mac: [u8; 6]) -> Device {
    Device {
        name: dev.to_string(),
        kind,
        port: dev.port_number(),
        mac,
        permanent_mac: None,
        mtu: 1500,
        up: true,
        oper: oracle::Oper::Up,
        proto_down: false,
        master: None,
        lower: None,
        lower_is_foreign: false,
        stp: Stp::Forwarding,
        locked: false,
        carries: true,
    }
}
