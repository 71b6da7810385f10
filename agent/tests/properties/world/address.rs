//! Addresses: added, removed, made by the kernel, and flushed when a device goes down.

use std::net::{IpAddr, Ipv6Addr};

use firsthop_model::Mac;
use firsthop_model::topology::Event;
use oracle::{Address, Proto};

use super::World;
use super::announce::model_address;
use crate::action::Flags;

impl World {
    pub(super) fn put_address(&mut self, ifindex: u32, address: Address, events: &mut Vec<Event>) {
        self.silent.remove(&(ifindex, address.ip));
        let all = self.kernel.addresses.entry(ifindex).or_default();
        // Of addresses with another prefix length the kernel would keep both.
        let other = all.iter().position(|other| other.ip == address.ip);
        if let Some(gone) = other.map(|at| all.remove(at))
            && gone.prefix_len != address.prefix_len
        {
            events.push(Event::AddressGone(model_address(ifindex, &gone)));
        }
        all.push(address);
        events.push(Event::Address(model_address(ifindex, &address)));
    }

    pub(super) fn drop_address(&mut self, ifindex: u32, ip: IpAddr, events: &mut Vec<Event>) {
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

    /// A device went down: its IPv6 addresses go, link-locals whatever keep_addr_on_down says.
    pub(super) fn flush_v6(&mut self, ifindex: u32, events: &mut Vec<Event>) {
        let goes = |ip: &IpAddr| match ip {
            IpAddr::V4(_) => false,
            IpAddr::V6(ip) => !self.keep_addresses || ip.is_unicast_link_local(),
        };
        let all = self.kernel.addresses_of(ifindex).iter().map(|address| address.ip);
        for ip in all.filter(goes).collect::<Vec<_>>() {
            self.drop_address(ifindex, ip, events);
        }
    }

    pub(super) fn make_link_local(
        &mut self,
        ifindex: u32,
        flags: Flags,
        says_so: bool,
        events: &mut Vec<Event>,
    ) {
        let ip = IpAddr::V6(eui64(self.kernel.devices[&ifindex].mac));
        let address = flags.on(Address {
            ip,
            prefix_len: 64,
            broadcast: None,
            tentative: false,
            dad_failed: false,
            proto: if says_so { Proto::KernelLinkLocal } else { Proto::Missing },
        });
        if address.tentative {
            self.drop_address(ifindex, ip, events);
            self.kernel.addresses.entry(ifindex).or_default().push(address);
            self.silent.insert((ifindex, ip));
        } else {
            self.put_address(ifindex, address, events);
        }
    }

    /// Duplicate-address detection ends for the link-locals that events were silent about.
    pub(super) fn announce_silent(&mut self, ifindex: u32, events: &mut Vec<Event>) {
        for address in self.kernel.addresses.get_mut(&ifindex).into_iter().flatten() {
            if self.silent.remove(&(ifindex, address.ip)) {
                address.tentative = false;
                events.push(Event::Address(model_address(ifindex, address)));
            }
        }
    }

    /// A device is gone, and its addresses with it.
    pub(super) fn forget_addresses(
        &mut self,
        ifindex: u32,
        quietly: bool,
        events: &mut Vec<Event>,
    ) {
        for address in self.kernel.addresses.remove(&ifindex).unwrap_or_default() {
            self.silent.remove(&(ifindex, address.ip));
            if !quietly {
                events.push(Event::AddressGone(model_address(ifindex, &address)));
            }
        }
    }
}

fn eui64(mac: [u8; 6]) -> Ipv6Addr {
    Mac(mac).link_local()
}

impl Flags {
    /// The address with these flags.
    pub(crate) const fn on(self, address: Address) -> Address {
        let (tentative, dad_failed) = match self {
            Self::None => (false, false),
            Self::Tentative => (true, false),
            Self::DadFailed => (true, true),
        };
        Address { tentative, dad_failed, ..address }
    }
}
