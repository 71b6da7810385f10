//! Devices join and leave bridges, bonds, teams, VRFs and Open vSwitch.

use firsthop_model::topology::Event;
use oracle::{Kind, Stp};

use super::World;

impl World {
    pub(super) fn enslave(&mut self, ifindex: u32, master: Option<u32>, events: &mut Vec<Event>) {
        if self.kernel.devices[&ifindex].master == master || master == Some(ifindex) {
            return;
        }
        if master.is_some_and(|master| !self.may_join(ifindex, master)) {
            return;
        }
        self.release(ifindex, events);
        if let Some(master) = master {
            self.join(ifindex, master, events);
        }
    }

    /// Does the kernel let this device into that master?
    fn may_join(&self, ifindex: u32, master: u32) -> bool {
        let Some(to) = self.kernel.devices.get(&master) else { return false };
        let kind = self.kernel.devices[&ifindex].kind;
        let fits = match to.kind {
            Kind::Bridge { .. } => {
                !matches!(kind, Kind::Bridge { .. } | Kind::Vrf(_) | Kind::OpenVswitch)
            }
            Kind::Bond { .. } | Kind::Team => kind == Kind::Plain,
            Kind::OpenVswitch => kind == Kind::Plain,
            Kind::Vrf(_) => !matches!(kind, Kind::Vrf(_) | Kind::OpenVswitch),
            _ => false,
        };
        fits && !self.stands_on(ifindex, master, 0)
    }

    /// Does a device stand on another one, at any height?
    fn stands_on(&self, ifindex: u32, on: u32, height: u32) -> bool {
        let Some(device) = self.kernel.devices.get(&ifindex) else { return false };
        let below = device.lower.filter(|_| !device.lower_is_foreign).into_iter();
        let mut below = below.chain(self.members(ifindex));
        ifindex == on || height < 8 && below.any(|lower| self.stands_on(lower, on, height + 1))
    }

    fn join(&mut self, ifindex: u32, master: u32, events: &mut Vec<Event>) {
        match self.kernel.devices[&master].kind {
            Kind::Bridge { .. } => {
                self.notes.entry(ifindex).or_default().stp = None;
                let bridge_is_up = self.kernel.devices[&master].up;
                self.change(ifindex, events, |device| {
                    device.master = Some(master);
                    device.stp =
                        if device.up && bridge_is_up { Stp::Forwarding } else { Stp::Discarding };
                    device.locked = false;
                });
                self.default_vlan(ifindex, master, events);
                self.choose_bridge_mac(master, events);
            }
            Kind::Bond { .. } | Kind::Team => {
                // The administrator takes it down first, the bond brings it up again.
                self.set_up(ifindex, false, events);
                let own = self.kernel.devices[&ifindex].mac;
                let chosen = self.notes.get(&master).is_some_and(|notes| notes.mac_is_chosen);
                if self.members(master).is_empty() && !chosen {
                    self.set_mac(master, own, events);
                }
                self.notes.entry(ifindex).or_default().mac_before = Some(own);
                let mac = self.kernel.devices[&master].mac;
                self.set_mac(ifindex, mac, events);
                self.change(ifindex, events, |device| {
                    device.master = Some(master);
                    device.carries = true;
                });
                self.set_up(ifindex, true, events);
            }
            Kind::Vrf(_) => {
                self.change(ifindex, events, |device| device.master = Some(master));
                self.cycle(ifindex, events);
            }
            _ => self.change(ifindex, events, |device| device.master = Some(master)),
        }
    }

    /// Out of its master, if it has one.
    pub(super) fn release(&mut self, ifindex: u32, events: &mut Vec<Event>) {
        let Some(master) = self.kernel.devices[&ifindex].master else { return };
        let kind = self.kernel.devices.get(&master).map(|device| device.kind);
        match kind {
            Some(Kind::Bridge { .. }) => {
                self.forget_vlans(ifindex, false, events);
                self.leave(ifindex, events);
                self.choose_bridge_mac(master, events);
            }
            Some(Kind::Bond { .. } | Kind::Team) => {
                self.leave(ifindex, events);
                self.set_up(ifindex, false, events);
                if let Some(mac) = self.notes.entry(ifindex).or_default().mac_before.take() {
                    self.set_mac(ifindex, mac, events);
                }
                if self.members(master).is_empty() {
                    self.set_mac(master, crate::action::Dev(master).own_mac(), events);
                }
            }
            Some(Kind::Vrf(_)) => {
                self.leave(ifindex, events);
                self.cycle(ifindex, events);
            }
            _ => self.leave(ifindex, events),
        }
    }

    fn leave(&mut self, ifindex: u32, events: &mut Vec<Event>) {
        self.change(ifindex, events, |device| {
            device.master = None;
            device.locked = false;
            device.carries = true;
        });
    }

    /// A VRF takes its slaves down and up, so that they lose their IPv6 addresses and get new link-locals.
    fn cycle(&mut self, ifindex: u32, events: &mut Vec<Event>) {
        if self.kernel.devices[&ifindex].up {
            self.set_up(ifindex, false, events);
            self.set_up(ifindex, true, events);
        }
    }

    /// The lowest MAC of its ports, unless somebody chose one; none at all without ports.
    pub(super) fn choose_bridge_mac(&mut self, bridge: u32, events: &mut Vec<Event>) {
        if self.notes.get(&bridge).is_some_and(|notes| notes.mac_is_chosen) {
            return;
        }
        let ports = self.members(bridge);
        let lowest = ports.into_iter().map(|port| self.kernel.devices[&port].mac).min();
        self.set_mac(bridge, lowest.unwrap_or_default(), events);
    }

    /// The STP state that a bridge port is in; None: it is no bridge port.
    pub(super) fn stp_of(&self, ifindex: u32) -> Option<Stp> {
        let device = &self.kernel.devices[&ifindex];
        let bridge = self.kernel.devices.get(&device.master?)?;
        if !matches!(bridge.kind, Kind::Bridge { .. }) {
            return None;
        }
        let chosen = self.notes.get(&ifindex).and_then(|notes| notes.stp);
        let runs = device.up && bridge.up;
        Some(if runs { chosen.unwrap_or(Stp::Forwarding) } else { Stp::Discarding })
    }
}
