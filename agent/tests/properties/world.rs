//! A small kernel that the tests play with: what an action does to it, and which events it announces.
//!
//! ```text
//!   Action ─▶ World::act ─▶ oracle::Kernel (the truth)
//!                       └─▶ Events, as the kernel would send them ─▶ the agent
//!   World::snapshot ─▶ what dumps would show
//! ```

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use firsthop_model::topology::{self, Event, LinkKind, MacvlanMode, OperState, Snapshot};
use firsthop_model::{IfIndex, Mac};
use oracle::{Address, Device, Kernel, Kind, Oper, Proto};

use crate::action::{Action, Dev, Flags, Lower, Master};

/// The chip's id in the ports' alternative names.
pub(crate) const CHIP_ID: &str = "t0";
/// Front-panel ports in use.
pub(crate) const PORTS: u16 = 3;
/// A device that the operator excluded.
pub(crate) const EXCLUDED: &str = "mgmt0";

/// The truth, and what of it was never announced.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) kernel: Kernel,
    /// Tentative link-locals of the kernel's own: dumps show them, events do not.
    silent: BTreeSet<(u32, IpAddr)>,
}

impl World {
    /// Ports with their own MACs, up, without addresses; masters, a device that is no port, and no macvlans.
    pub(crate) fn new() -> Self {
        let mut kernel =
            Kernel { excluded: BTreeSet::from([EXCLUDED.to_owned()]), ..Kernel::default() };
        let mut add = |dev: Dev, kind: Kind, mac| {
            kernel.devices.insert(dev.ifindex(), device(dev, kind, mac));
        };
        for port in 1..=PORTS {
            add(Dev::Port(port), Kind::Plain, Dev::Port(port).own_mac());
        }
        add(Dev::Dummy, Kind::Plain, Dev::Dummy.own_mac());
        add(Dev::Master(Master::Bridge), Kind::Bridge, Dev::Dummy.own_mac());
        add(Dev::Master(Master::VrfA), Kind::Vrf(10), Dev::Dummy.own_mac());
        add(Dev::Master(Master::VrfB), Kind::Vrf(20), Dev::Dummy.own_mac());
        Self { kernel, silent: BTreeSet::new() }
    }

    /// All devices and addresses, as dumps that finished cleanly.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            links: self.kernel.devices.iter().map(|(i, device)| link(*i, device)).collect(),
            addresses: self
                .kernel
                .addresses
                .iter()
                .flat_map(|(i, all)| all.iter().map(|address| model_address(*i, address)))
                .collect(),
        }
    }

    /// Does it; returns what the kernel announces. An action on a device that is not there does nothing.
    pub(crate) fn act(&mut self, action: &Action) -> Vec<Event> {
        let mut events = Vec::new();
        match *action {
            Action::Resync | Action::Refuse(_) => {}
            Action::Create { dev, lower, mac, kind } => {
                self.create(dev, lower, mac, kind, &mut events);
            }
            Action::Delete { dev, quietly } => self.delete(dev, quietly, &mut events),
            Action::Up(dev, up) => self.change(dev, &mut events, |device| device.up = up),
            Action::Oper(dev, oper) => self.change(dev, &mut events, |device| device.oper = oper),
            Action::ProtoDown(dev, down) => {
                self.change(dev, &mut events, |device| device.proto_down = down);
            }
            Action::Mtu(dev, mtu) => self.change(dev, &mut events, |device| device.mtu = mtu),
            Action::Rename(dev, excluded) => {
                self.change(dev, &mut events, |device| {
                    device.name = if excluded { EXCLUDED.to_owned() } else { dev.to_string() };
                });
            }
            Action::Enslave(dev, master) => {
                let master = master.map(|master| Dev::Master(master).ifindex());
                self.change(dev, &mut events, |device| device.master = master);
            }
            Action::SetMac(dev, mac) => {
                // Which link-locals are the kernel's own may be told by the MAC: none is left unannounced meanwhile.
                self.announce_silent(dev.ifindex(), &mut events);
                self.change(dev, &mut events, |device| device.mac = mac);
            }
            Action::AddAddress(dev, address) => {
                self.put_address(dev.ifindex(), address, &mut events);
            }
            Action::DelAddress(dev, ip) => self.drop_address(dev.ifindex(), ip, &mut events),
            Action::KernelLinkLocal { dev, flags, says_so } => {
                let Some(device) = self.kernel.devices.get(&dev.ifindex()) else { return events };
                let ip = IpAddr::V6(eui64(device.mac));
                let proto = if says_so { Proto::KernelLinkLocal } else { Proto::Missing };
                let address = flags.on(Address {
                    ip,
                    prefix_len: 64,
                    broadcast: None,
                    tentative: false,
                    dad_failed: false,
                    proto,
                });
                if address.tentative {
                    self.drop_address(dev.ifindex(), ip, &mut events);
                    self.kernel.addresses.entry(dev.ifindex()).or_default().push(address);
                    self.silent.insert((dev.ifindex(), ip));
                } else {
                    self.put_address(dev.ifindex(), address, &mut events);
                }
            }
        }
        events
    }

    fn change(&mut self, dev: Dev, events: &mut Vec<Event>, change: impl FnOnce(&mut Device)) {
        if let Some(device) = self.kernel.devices.get_mut(&dev.ifindex()) {
            change(device);
            events.push(Event::Link(Box::new(link(dev.ifindex(), device))));
        }
    }

    fn create(
        &mut self,
        dev: Dev,
        lower: Lower,
        mac: [u8; 6],
        kind: Kind,
        events: &mut Vec<Event>,
    ) {
        if self.kernel.devices.contains_key(&dev.ifindex()) {
            return;
        }
        let mut fresh = device(dev, kind, mac);
        match lower {
            Lower::None => {}
            Lower::Port(port) => fresh.lower = Some(Dev::Port(port).ifindex()),
            Lower::Dummy => fresh.lower = Some(Dev::Dummy.ifindex()),
            Lower::Foreign(port) => {
                fresh.lower = Some(Dev::Port(port).ifindex());
                fresh.lower_is_foreign = true;
            }
        }
        events.push(Event::Link(Box::new(link(dev.ifindex(), &fresh))));
        self.kernel.devices.insert(dev.ifindex(), fresh);
    }

    fn delete(&mut self, dev: Dev, quietly: bool, events: &mut Vec<Event>) {
        let ifindex = dev.ifindex();
        if self.kernel.devices.remove(&ifindex).is_none() {
            return;
        }
        for address in self.kernel.addresses.remove(&ifindex).unwrap_or_default() {
            self.silent.remove(&(ifindex, address.ip));
            if !quietly {
                events.push(Event::AddressGone(model_address(ifindex, &address)));
            }
        }
        events.push(Event::LinkGone(IfIndex(ifindex)));
    }

    fn put_address(&mut self, ifindex: u32, address: Address, events: &mut Vec<Event>) {
        self.silent.remove(&(ifindex, address.ip));
        let all = self.kernel.addresses.entry(ifindex).or_default();
        all.retain(|other| other.ip != address.ip);
        all.push(address);
        events.push(Event::Address(model_address(ifindex, &address)));
    }

    fn drop_address(&mut self, ifindex: u32, ip: IpAddr, events: &mut Vec<Event>) {
        self.silent.remove(&(ifindex, ip));
        let Some(all) = self.kernel.addresses.get_mut(&ifindex) else { return };
        if let Some(at) = all.iter().position(|address| address.ip == ip) {
            let address = all.remove(at);
            events.push(Event::AddressGone(model_address(ifindex, &address)));
        }
        if all.is_empty() {
            self.kernel.addresses.remove(&ifindex);
        }
    }

    /// Duplicate-address detection ends for the link-locals that events were silent about.
    fn announce_silent(&mut self, ifindex: u32, events: &mut Vec<Event>) {
        for address in self.kernel.addresses.get_mut(&ifindex).into_iter().flatten() {
            if self.silent.remove(&(ifindex, address.ip)) {
                address.tentative = false;
                events.push(Event::Address(model_address(ifindex, address)));
            }
        }
    }
}

/// The link-local that the kernel makes of a MAC.
pub(crate) fn eui64(mac: [u8; 6]) -> Ipv6Addr {
    Mac(mac).link_local()
}

fn device(dev: Dev, kind: Kind, mac: [u8; 6]) -> Device {
    Device {
        name: dev.to_string(),
        kind,
        port: match dev {
            Dev::Port(port) => Some(port),
            Dev::Vmac(_) | Dev::Dummy | Dev::Master(_) => None,
        },
        mac,
        mtu: 1500,
        up: true,
        oper: Oper::Up,
        proto_down: false,
        master: None,
        lower: None,
        lower_is_foreign: false,
    }
}

/// RTM_NEWLINK
fn link(ifindex: u32, device: &Device) -> topology::Link {
    topology::Link {
        ifindex: IfIndex(ifindex),
        ifname: device.name.clone(),
        altnames: device.port.map(|port| format!("hwsim-{CHIP_ID}-p{port}")).into_iter().collect(),
        mac: Some(Mac(device.mac)),
        mtu: device.mtu,
        flags: if device.up { topology::iff::UP } else { 0 },
        operstate: match device.oper {
            Oper::Unknown => OperState::Unknown,
            Oper::NotPresent => OperState::NotPresent,
            Oper::Down => OperState::Down,
            Oper::LowerLayerDown => OperState::LowerLayerDown,
            Oper::Testing => OperState::Testing,
            Oper::Dormant => OperState::Dormant,
            Oper::Up => OperState::Up,
        },
        carrier: true,
        proto_down: device.proto_down,
        link: device.lower.map(IfIndex),
        link_netnsid: device.lower_is_foreign.then_some(0),
        master: device.master.map(IfIndex),
        kind: match device.kind {
            Kind::Plain => LinkKind::None,
            Kind::Macvlan => LinkKind::Macvlan { mode: MacvlanMode::Private },
            Kind::PassthruMacvlan => LinkKind::Macvlan { mode: MacvlanMode::Passthru },
            Kind::Ipvlan => LinkKind::Ipvlan { vepa: false },
            Kind::VepaIpvlan => LinkKind::Ipvlan { vepa: true },
            Kind::Bridge => LinkKind::Other { name: "bridge".to_owned() },
            Kind::Vrf(table) => LinkKind::Vrf { table },
        },
    }
}

/// RTM_NEWADDR
fn model_address(ifindex: u32, address: &Address) -> topology::Address {
    let flag = |set: bool, flag: u32| if set { flag } else { 0 };
    topology::Address {
        ifindex: IfIndex(ifindex),
        ip: address.ip,
        prefix_len: address.prefix_len,
        peer: None,
        broadcast: address.broadcast,
        flags: flag(address.tentative, topology::ifa_flags::TENTATIVE)
            | flag(address.dad_failed, topology::ifa_flags::DADFAILED),
        proto: match address.proto {
            Proto::Missing => None,
            Proto::Unspecified => Some(0),
            Proto::RouterAdvertisement => Some(topology::ifa_proto::KERNEL_RA),
            Proto::KernelLinkLocal => Some(topology::ifa_proto::KERNEL_LL),
        },
    }
}

impl Flags {
    /// The address with these flags.
    pub(crate) fn on(self, address: Address) -> Address {
        let (tentative, dad_failed) = match self {
            Self::None => (false, false),
            Self::Tentative => (true, false),
            Self::DadFailed => (true, true),
        };
        Address { tentative, dad_failed, ..address }
    }
}
