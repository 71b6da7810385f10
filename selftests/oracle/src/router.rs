//! What a router interface answers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::accept::accept_set;
use crate::address::own_addresses;
use crate::rif::{Shape, shape, table_of};
use crate::verdict::without_fast_path;
use crate::{Device, Kernel, Mac};

/// A router interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterInterface {
    /// Where it is.
    pub shape: Shape,
    /// The routing table in which its packets are looked up.
    pub table: u32,
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

/// All router interfaces, by ifindex.
pub fn router_interfaces(kernel: &Kernel) -> BTreeMap<u32, RouterInterface> {
    let mut found = BTreeMap::new();
    for (ifindex, device) in &kernel.devices {
        if let Ok(shape) = shape(kernel, *ifindex) {
            found.insert(*ifindex, router_interface(kernel, *ifindex, device, shape));
        }
    }
    found
}

/// The destinations that bring a packet which entered by this router interface to the CPU as the kernel's own: those of all router
/// interfaces with its routing table.
pub fn served_addresses(kernel: &Kernel, ifindex: u32) -> BTreeSet<IpAddr> {
    let all = router_interfaces(kernel);
    let Some(entered) = all.get(&ifindex) else { return BTreeSet::new() };
    all.values()
        .filter(|other| other.table == entered.table)
        .flat_map(|other| other.own.clone())
        .collect()
}

/// The MACs that a router interface answers, and on whose account.
pub(crate) fn answers(kernel: &Kernel, ifindex: u32) -> BTreeMap<Mac, BTreeSet<u32>> {
    let mut answers = BTreeMap::<Mac, BTreeSet<u32>>::new();
    let own = kernel.devices.get(&ifindex).map(|device| device.mac);
    for mac in own.into_iter().chain(accept_set(kernel, ifindex)) {
        answers.entry(mac).or_default().insert(ifindex);
    }
    for (macvlan, device) in admitted(kernel, ifindex) {
        answers.entry(device.mac).or_default().insert(macvlan);
    }
    answers
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

/// The VRID of an IPv4 (`00:00:5e:00:01:xx`) or IPv6 (`00:00:5e:00:02:xx`) virtual router MAC; 0 is no VRID.
pub(crate) fn vrrp_ids(mac: Mac) -> (Option<u8>, Option<u8>) {
    match mac {
        [0x00, 0x00, 0x5e, 0x00, 0x01, vrid] if vrid > 0 => (Some(vrid), None),
        [0x00, 0x00, 0x5e, 0x00, 0x02, vrid] if vrid > 0 => (None, Some(vrid)),
        _ => (None, None),
    }
}

/// The lowest VRID of each family among the admitted macvlans.
pub(crate) fn fast_path(kernel: &Kernel, lower: u32) -> (Option<u8>, Option<u8>) {
    let ids: Vec<_> =
        admitted(kernel, lower).into_iter().map(|(_, device)| vrrp_ids(device.mac)).collect();
    (ids.iter().filter_map(|id| id.0).min(), ids.iter().filter_map(|id| id.1).min())
}

fn router_interface(
    kernel: &Kernel,
    ifindex: u32,
    device: &Device,
    shape: Shape,
) -> RouterInterface {
    let mut own = own_addresses(kernel, ifindex, device);
    for (macvlan, description) in admitted(kernel, ifindex) {
        own.extend(own_addresses(kernel, macvlan, description));
    }
    let (vrrp_ipv4, vrrp_ipv6) = fast_path(kernel, ifindex);
    RouterInterface {
        shape,
        table: table_of(kernel, device),
        mac: device.mac,
        mtu: u16::try_from(device.mtu).unwrap_or(u16::MAX),
        answers: answers(kernel, ifindex),
        vrrp_ipv4,
        vrrp_ipv6,
        own,
    }
}
