//! VLANs of bridges and bridge ports, and MACs that devices are asked to receive.

use firsthop_model::topology::{Event, VlanFlags, VlanRange};
use firsthop_model::{IfIndex, Mac};
use oracle::{Kind, Vlan};

use super::{World, range};

const DEFAULT: Vlan = Vlan { pvid: true, untagged: true };

impl World {
    /// A new bridge is in VLAN 1 itself, whether it filters or not.
    pub(super) fn vlan_of_birth(&mut self, ifindex: u32, events: &mut Vec<Event>) {
        if matches!(self.kernel.devices[&ifindex].kind, Kind::Bridge { .. }) {
            self.put_vlan(ifindex, 1, DEFAULT, events);
        }
    }

    /// A new bridge port is in the bridge's default VLAN.
    pub(super) fn default_vlan(&mut self, ifindex: u32, bridge: u32, events: &mut Vec<Event>) {
        if !self.notes.entry(bridge).or_default().no_default_pvid {
            self.put_vlan(ifindex, 1, DEFAULT, events);
        }
    }

    /// A VLAN or its flags; the former PVID loses the flag without a word.
    fn put_vlan(&mut self, ifindex: u32, vid: u16, vlan: Vlan, events: &mut Vec<Event>) {
        let vlans = self.kernel.vlans.entry(ifindex).or_default();
        if vlan.pvid {
            vlans.values_mut().for_each(|other| other.pvid = false);
        }
        vlans.insert(vid, vlan);
        events.push(Event::Vlans(range(ifindex, vid, &vlan)));
    }

    /// Of a bridge port, or of a bridge itself; nothing else has VLANs.
    pub(super) fn add_vlan(&mut self, ifindex: u32, vid: u16, vlan: Vlan, events: &mut Vec<Event>) {
        let is_bridge = matches!(self.kernel.devices[&ifindex].kind, Kind::Bridge { .. });
        if is_bridge || self.is_bridge_port(ifindex) {
            self.put_vlan(ifindex, vid, vlan, events);
        }
    }

    pub(super) fn del_vlan(&mut self, ifindex: u32, vid: u16, events: &mut Vec<Event>) {
        let Some(vlans) = self.kernel.vlans.get_mut(&ifindex) else { return };
        if let Some(vlan) = vlans.remove(&vid) {
            events.push(Event::VlansGone(range(ifindex, vid, &vlan)));
        }
        if vlans.is_empty() {
            self.kernel.vlans.remove(&ifindex);
        }
    }

    /// All VLANs of a bridge port that leaves, in ranges as the kernel flushes them.
    pub(super) fn forget_vlans(&mut self, ifindex: u32, quietly: bool, events: &mut Vec<Event>) {
        let vlans = self.kernel.vlans.remove(&ifindex).unwrap_or_default();
        if quietly {
            return;
        }
        let mut runs: Vec<VlanRange> = Vec::new();
        for vid in vlans.into_keys() {
            match runs.last_mut() {
                Some(run) if run.last + 1 == vid => run.last = vid,
                _ => {
                    let flags = VlanFlags::default();
                    runs.push(VlanRange {
                        ifindex: IfIndex(ifindex),
                        first: vid,
                        last: vid,
                        flags,
                    });
                }
            }
        }
        events.extend(runs.into_iter().map(Event::VlansGone));
    }

    pub(super) fn set_default_pvid(&mut self, bridge: u32, one: bool, events: &mut Vec<Event>) {
        if !matches!(self.kernel.devices[&bridge].kind, Kind::Bridge { filtering: false, .. }) {
            return;
        }
        let notes = self.notes.entry(bridge).or_default();
        if std::mem::replace(&mut notes.no_default_pvid, !one) != one {
            return;
        }
        for port in self.members(bridge).into_iter().chain([bridge]) {
            let now = self.kernel.vlans.get(&port).and_then(|vlans| vlans.get(&1)).copied();
            match (one, now) {
                (false, Some(DEFAULT)) => self.del_vlan(port, 1, events),
                (true, None) => self.put_vlan(port, 1, DEFAULT, events),
                _ => {}
            }
        }
    }

    /// `bridge fdb add|del MAC dev DEV self`
    pub(super) fn receive(
        &mut self,
        ifindex: u32,
        mac: [u8; 6],
        add: bool,
        events: &mut Vec<Event>,
    ) {
        let filters = self.kernel.filters.entry(ifindex).or_default();
        let asked = &mut self.notes.entry(ifindex).or_default().asked;
        if add && asked.insert(mac) {
            filters.announced.insert(mac);
            events.push(Event::Receives(IfIndex(ifindex), Mac(mac)));
        } else if !add && asked.remove(&mac) {
            filters.announced.remove(&mac);
            events.push(Event::ReceivesNoMore(IfIndex(ifindex), Mac(mac)));
        }
    }

    /// A message was lost: that somebody asked for a MAC by name, nobody will ever know.
    pub(crate) fn nobody_heard(&mut self, event: &Event) {
        if let Event::Receives(ifindex, mac) = event
            && let Some(filters) = self.kernel.filters.get_mut(&ifindex.0)
        {
            filters.announced.remove(&mac.0);
        }
    }
}
