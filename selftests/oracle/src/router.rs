//! Which ports have a router interface, and what it answers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::verdict::without_fast_path;
use crate::{Address, Device, Kernel, Kind, Mac, Proto};

/// A router interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterPort {
    /// The netdev that is the port.
    pub ifindex: u32,
    /// The table of its VRF; none in the default one.
    pub vrf: Option<u32>,
    /// The netdev's own MAC.
    pub mac: Mac,
    /// Bytes; the chip's field has 16 bits.
    pub mtu: u16,
    /// Every MAC that is answered, and the ifindices on whose account.
    pub answers: BTreeMap<Mac, BTreeSet<u32>>,
    /// The VRID that holds the IPv4 fast path.
    pub vrrp_ipv4: Option<u8>,
    /// The VRID that holds the IPv6 fast path.
    pub vrrp_ipv6: Option<u8>,
    /// Destinations that this interface brings to the CPU.
    pub own: BTreeSet<IpAddr>,
}

/// All router interfaces, by front-panel port.
pub fn router_ports(kernel: &Kernel) -> BTreeMap<u16, RouterPort> {
    let mut ports = BTreeMap::new();
    for (ifindex, device) in &kernel.devices {
        if let Some(port) = device.port
            && has_rif(kernel, *ifindex)
        {
            ports.insert(port, router_port(kernel, *ifindex, device));
        }
    }
    ports
}

/// The destinations that bring a packet which entered this port to the CPU as the kernel's own: those of all router interfaces in its VRF.
pub fn served_addresses(kernel: &Kernel, port: u16) -> BTreeSet<IpAddr> {
    let ports = router_ports(kernel);
    let Some(entered) = ports.get(&port) else { return BTreeSet::new() };
    ports
        .values()
        .filter(|other| other.vrf == entered.vrf)
        .flat_map(|other| other.own.clone())
        .collect()
}

/// A RIF exists iff the port has an address, or is a VRF slave; never in a bridge or bond.
pub(crate) fn has_rif(kernel: &Kernel, ifindex: u32) -> bool {
    let Some(device) = kernel.devices.get(&ifindex) else { return false };
    let has_address = kernel.addresses_of(ifindex).iter().any(|address| exists(address, device));
    device.port.is_some()
        && !kernel.excluded.contains(&device.name)
        && !is_enslaved(kernel, device)
        && (has_address || vrf_of(kernel, device).is_some())
}

/// Member of a master that is no VRF, or that nobody has heard of.
pub(crate) fn is_enslaved(kernel: &Kernel, device: &Device) -> bool {
    device.master.is_some() && vrf_of(kernel, device).is_none()
}

/// The routing table of the VRF that a device is in.
pub(crate) fn vrf_of(kernel: &Kernel, device: &Device) -> Option<u32> {
    match kernel.devices.get(&device.master?)?.kind {
        Kind::Vrf(table) => Some(table),
        _ => None,
    }
}

/// An address counts as one unless duplicate-address detection failed, or it is the kernel's own link-local and still
/// tentative, which is ignored everywhere.
pub(crate) fn exists(address: &Address, device: &Device) -> bool {
    !address.dad_failed && !is_unborn(address, device)
}

/// A tentative link-local that the kernel made.
pub(crate) fn is_unborn(address: &Address, device: &Device) -> bool {
    address.tentative && is_kernel_made(address, device)
}

/// A link-local that the kernel made: it says so, or, where it says nothing, by the EUI-64 of the MAC.
pub(crate) fn is_kernel_made(address: &Address, device: &Device) -> bool {
    match address.proto {
        Proto::KernelLinkLocal => true,
        Proto::Missing => address.ip == IpAddr::V6(eui64_link_local(device.mac)),
        Proto::Unspecified | Proto::RouterAdvertisement => false,
    }
}

/// fe80::/64 with the interface identifier of RFC 4291 appendix A.
pub(crate) fn eui64_link_local(mac: Mac) -> Ipv6Addr {
    let pair = |high: u8, low: u8| u16::from_be_bytes([high, low]);
    let [a, b, c, d, e, f] = mac;
    Ipv6Addr::new(0xfe80, 0, 0, 0, pair(a ^ 0x02, b), pair(c, 0xff), pair(0xfe, d), pair(e, f))
}

/// fe80::/10
pub(crate) fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => ip.segments()[0] & 0xffc0 == 0xfe80,
    }
}

/// The VRID of an IPv4 (`00:00:5e:00:01:xx`) or IPv6 (`00:00:5e:00:02:xx`) virtual router MAC; 0 is no VRID.
pub(crate) fn vrrp_ids(mac: Mac) -> (Option<u8>, Option<u8>) {
    match mac {
        [0x00, 0x00, 0x5e, 0x00, 0x01, vrid] if vrid > 0 => (Some(vrid), None),
        [0x00, 0x00, 0x5e, 0x00, 0x02, vrid] if vrid > 0 => (None, Some(vrid)),
        _ => (None, None),
    }
}

/// The macvlans on a device that are in the chip.
pub(crate) fn admitted(kernel: &Kernel, lower: u32) -> Vec<(u32, &Device)> {
    let offloaded =
        |ifindex: u32| without_fast_path(kernel, ifindex).is_some_and(|v| v.state == "offload");
    kernel
        .devices
        .iter()
        .filter(|(_, device)| device.lower == Some(lower) && !device.lower_is_foreign)
        .filter(|(ifindex, _)| offloaded(**ifindex))
        .map(|(ifindex, device)| (*ifindex, device))
        .collect()
}

/// The lowest VRID of each family among the admitted macvlans.
pub(crate) fn fast_path(kernel: &Kernel, lower: u32) -> (Option<u8>, Option<u8>) {
    let ids: Vec<_> =
        admitted(kernel, lower).into_iter().map(|(_, device)| vrrp_ids(device.mac)).collect();
    (ids.iter().filter_map(|id| id.0).min(), ids.iter().filter_map(|id| id.1).min())
}

fn router_port(kernel: &Kernel, ifindex: u32, device: &Device) -> RouterPort {
    let mut answers = BTreeMap::from([(device.mac, BTreeSet::from([ifindex]))]);
    let mut own = own_addresses(kernel, ifindex, device);
    for (macvlan, description) in admitted(kernel, ifindex) {
        answers.entry(description.mac).or_default().insert(macvlan);
        own.extend(own_addresses(kernel, macvlan, description));
    }
    let (vrrp_ipv4, vrrp_ipv6) = fast_path(kernel, ifindex);
    let mtu = u16::try_from(device.mtu).unwrap_or(u16::MAX);
    let vrf = vrf_of(kernel, device);
    RouterPort { ifindex, vrf, mac: device.mac, mtu, answers, vrrp_ipv4, vrrp_ipv6, own }
}

/// Addresses that the kernel serves (RTN_LOCAL) and broadcasts of their subnets (RTN_BROADCAST). Packets to IPv6
/// link-locals reach the CPU by their scope, whichever address it is.
fn own_addresses(kernel: &Kernel, ifindex: u32, device: &Device) -> BTreeSet<IpAddr> {
    let mut own = BTreeSet::new();
    for address in kernel.addresses_of(ifindex) {
        if !exists(address, device) || is_link_local(address.ip) {
            continue;
        }
        own.insert(address.ip);
        own.extend(address.broadcast);
        if let IpAddr::V4(ip) = address.ip
            && address.prefix_len < 31
        {
            own.insert(IpAddr::V4(Ipv4Addr::from_bits(
                ip.to_bits() | u32::MAX >> address.prefix_len,
            )));
        }
    }
    own
}
