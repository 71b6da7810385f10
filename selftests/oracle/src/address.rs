//! Which addresses count, and which destinations they make the router's own.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{Address, Device, Kernel, Mac, Proto};

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

/// Addresses that the kernel serves (RTN_LOCAL) and broadcasts of their subnets (RTN_BROADCAST). Packets to IPv6
/// link-locals reach the CPU by their scope, whichever address it is.
pub(crate) fn own_addresses(kernel: &Kernel, ifindex: u32, device: &Device) -> BTreeSet<IpAddr> {
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
