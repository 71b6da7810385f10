//! Devices come, change and go, and what stands on them with them.

use std::collections::{BTreeMap, BTreeSet};

use firsthop_model::IfIndex;
use firsthop_model::topology::Event;
use oracle::Kind;

use super::World;
use super::announce::link_event;
use super::device;
use crate::action::{Dev, Lower};

impl World {
    pub(super) fn create(
        &mut self,
        dev: Dev,
        lower: Lower,
        mac: Option<[u8; 6]>,
        kind: Kind,
        events: &mut Vec<Event>,
    ) {
        let ifindex = dev.0;
        let mut fresh = device(dev, kind, mac.unwrap_or_else(|| dev.own_mac()));
        match lower {
            Lower::None => {}
            Lower::On(lower) => fresh.lower = Some(lower.0),
            Lower::Foreign(lower) => (fresh.lower, fresh.lower_is_foreign) = (Some(lower.0), true),
        }
        let below = match lower {
            Lower::On(lower) => self.kernel.devices.get(&lower.0),
            Lower::None | Lower::Foreign(_) => None,
        };
        let is_vlan = matches!(kind, Kind::Vlan { .. });
        // A VLAN twice on one device, a VLAN on nothing, or on what has to be free of them.
        let refused = self.kernel.devices.contains_key(&ifindex)
            || matches!(lower, Lower::On(_)) && below.is_none()
            || is_vlan && self.vlan_exists(fresh.lower, kind);
        if refused {
            return;
        }
        let notes = self.notes.entry(ifindex).or_default();
        if let Some(below) = below.filter(|_| is_vlan) {
            fresh.up = below.up;
            if mac.is_none() {
                fresh.mac = below.mac;
                notes.mac_is_inherited = true;
            }
        }
        notes.mac_is_chosen = mac.is_some();
        self.kernel.devices.insert(ifindex, fresh);
        events.extend(link_event(&self.kernel, ifindex));
        self.vlan_of_birth(ifindex, events);
    }

    fn vlan_exists(&self, lower: Option<u32>, kind: Kind) -> bool {
        self.kernel.devices.values().any(|other| other.lower == lower && other.kind == kind)
    }

    /// The devices that stand on this one.
    pub(super) fn uppers(&self, ifindex: u32) -> Vec<u32> {
        let stands =
            |device: &oracle::Device| device.lower == Some(ifindex) && !device.lower_is_foreign;
        let devices = self.kernel.devices.iter();
        devices.filter(|(_, device)| stands(device)).map(|(index, _)| *index).collect()
    }

    /// The members of a master.
    pub(super) fn members(&self, master: u32) -> Vec<u32> {
        let devices = self.kernel.devices.iter();
        devices
            .filter(|(_, device)| device.master == Some(master))
            .map(|(index, _)| *index)
            .collect()
    }

    pub(super) fn delete(&mut self, ifindex: u32, quietly: bool, events: &mut Vec<Event>) {
        for upper in self.uppers(ifindex) {
            self.delete(upper, quietly, events);
        }
        let mut members = Vec::new();
        for member in self.members(ifindex) {
            self.release(member, &mut members);
        }
        let mut own = Vec::new();
        self.release(ifindex, &mut own);
        if !quietly {
            events.append(&mut members);
            events.append(&mut own);
        }
        // What becomes of its bridge is told in any case.
        own.retain(|event| matches!(event, Event::Link(link) if link.ifindex.0 != ifindex));
        self.forget_vlans(ifindex, quietly, events);
        self.forget_addresses(ifindex, quietly, events);
        self.remove(ifindex, events);
        events.append(&mut own);
        events.append(&mut members);
    }

    /// The device is not here any more; RTM_DELLINK.
    fn remove(&mut self, ifindex: u32, events: &mut Vec<Event>) {
        let Some(gone) = self.kernel.devices.remove(&ifindex) else { return };
        self.notes.remove(&ifindex);
        self.kernel.filters.remove(&ifindex);
        self.kernel.vlans.remove(&ifindex);
        self.away.retain(|(lower, _)| *lower != ifindex);
        events.push(Event::LinkGone(IfIndex(ifindex)));
        // Whatever of its MAC is still in the filters below is nobody's here.
        let macvlan = matches!(gone.kind, Kind::Macvlan | Kind::PassthruMacvlan);
        let mut below = gone.lower.filter(|_| macvlan && !gone.lower_is_foreign);
        while let Some(lower) = below.filter(|lower| self.kernel.devices.contains_key(lower)) {
            self.kernel.filters.entry(lower).or_default().lent.insert(gone.mac);
            below = self.kernel.devices[&lower].lower;
        }
    }

    pub(super) fn move_away(&mut self, ifindex: u32, events: &mut Vec<Event>) {
        let device = &self.kernel.devices[&ifindex];
        let (kind, mac) = (device.kind, device.mac);
        let Some(lower) = device.lower.filter(|_| !device.lower_is_foreign) else { return };
        if kind != Kind::Macvlan {
            return;
        }
        self.release(ifindex, events);
        self.forget_addresses(ifindex, false, events);
        self.away.insert((lower, mac));
        self.remove(ifindex, events);
    }

    /// IFF_UP, and what goes down and up with it.
    pub(super) fn set_up(&mut self, ifindex: u32, up: bool, events: &mut Vec<Event>) {
        let device = &self.kernel.devices[&ifindex];
        let vlan_on = device.lower.filter(|_| matches!(device.kind, Kind::Vlan { .. }));
        let below_is_down =
            vlan_on.and_then(|lower| self.kernel.devices.get(&lower)).is_some_and(|l| !l.up);
        if device.up == up || up && below_is_down {
            return;
        }
        self.change(ifindex, events, |device| device.up = up);
        if up {
            self.inherit_mac(ifindex, events);
        } else {
            self.flush_v6(ifindex, events);
            self.notes.entry(ifindex).or_default().stp = None;
        }
        for upper in self.uppers(ifindex) {
            if matches!(self.kernel.devices[&upper].kind, Kind::Vlan { .. }) {
                self.set_up(upper, up, events);
            }
        }
    }

    /// A VLAN device that was down takes over the MAC of the device below when it comes up.
    fn inherit_mac(&mut self, ifindex: u32, events: &mut Vec<Event>) {
        let inherits = self.notes.get(&ifindex).is_some_and(|notes| notes.mac_is_inherited);
        let lower = self.kernel.devices[&ifindex].lower.filter(|_| inherits);
        if let Some(lower) = lower.and_then(|lower| self.kernel.devices.get(&lower)) {
            self.set_mac(ifindex, lower.mac, events);
        }
    }

    /// A new MAC, and those of VLAN devices, the bridge and the bond's members that follow it.
    pub(super) fn set_mac(&mut self, ifindex: u32, mac: [u8; 6], events: &mut Vec<Event>) {
        let former = self.kernel.devices[&ifindex].mac;
        if former == mac {
            return;
        }
        // Which link-locals are the kernel's own may be told by the MAC: none is left unannounced meanwhile.
        self.announce_silent(ifindex, events);
        self.kernel.filters.entry(ifindex).or_default().former.insert(former);
        self.change(ifindex, events, |device| device.mac = mac);
        self.renumbered.insert(ifindex);
        for upper in self.uppers(ifindex) {
            if self.kernel.devices[&upper].up {
                self.inherit_mac_of(upper, events);
            }
        }
        if matches!(self.kernel.devices[&ifindex].kind, Kind::Bond { .. } | Kind::Team) {
            for member in self.members(ifindex) {
                self.set_mac(member, mac, events);
            }
        }
        if let Some(bridge) = self.kernel.devices[&ifindex].master
            && self.is_bridge_port(ifindex)
        {
            self.choose_bridge_mac(bridge, events);
        }
    }

    fn inherit_mac_of(&mut self, upper: u32, events: &mut Vec<Event>) {
        if matches!(self.kernel.devices[&upper].kind, Kind::Vlan { .. }) {
            self.inherit_mac(upper, events);
        }
    }

    /// The devices that stand on each.
    pub(super) fn stacks(&self) -> BTreeMap<u32, Vec<u32>> {
        let mut stacks = BTreeMap::<u32, Vec<u32>>::new();
        for (ifindex, device) in &self.kernel.devices {
            if let Some(lower) = device.lower.filter(|_| !device.lower_is_foreign) {
                stacks.entry(lower).or_default().push(*ifindex);
            }
        }
        stacks
    }

    /// What is in the filters of a device: what was asked for, and what stands on it and is up puts its MACs there.
    pub(super) fn listed(
        &self,
        stacks: &BTreeMap<u32, Vec<u32>>,
        ifindex: u32,
        height: u32,
    ) -> BTreeSet<[u8; 6]> {
        let mut listed = BTreeSet::new();
        if height > 6 {
            return listed;
        }
        if let Some(notes) = self.notes.get(&ifindex) {
            listed.extend(&notes.asked);
            listed.extend(&notes.silently);
        }
        listed.extend(self.away.iter().filter(|(lower, _)| *lower == ifindex).map(|(_, mac)| *mac));
        let device = &self.kernel.devices[&ifindex];
        for upper in stacks.get(&ifindex).into_iter().flatten() {
            let above = &self.kernel.devices[upper];
            if !above.up {
                continue;
            }
            match above.kind {
                Kind::Macvlan => _ = listed.insert(above.mac),
                Kind::Vlan { .. } => {
                    listed.extend(Some(above.mac).filter(|vlan| *vlan != device.mac));
                    listed.extend(self.listed(stacks, *upper, height + 1));
                }
                _ => {}
            }
        }
        if let (Some(Kind::Bond { .. } | Kind::Team), Some(bond)) =
            (self.master_kind(ifindex), device.master)
        {
            listed.extend(self.listed(stacks, bond, height + 1));
        }
        listed
    }
}
