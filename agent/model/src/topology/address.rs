//! One address of a netdev as RTM_NEWADDR describes it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::IfIndex;

/// IFA_FLAGS bits that matter here (include/uapi/linux/if_addr.h).
pub mod ifa_flags {
    /// IPv4: another address of the subnet came first.
    pub const SECONDARY: u32 = 0x01;
    /// Duplicate-address detection failed.
    pub const DADFAILED: u32 = 0x08;
    /// Duplicate-address detection has not finished.
    pub const TENTATIVE: u32 = 0x40;
    /// Not learnt with a lifetime.
    pub const PERMANENT: u32 = 0x80;
}

/// IFA_PROTO values that matter here (include/uapi/linux/if_addr.h, since Linux 5.18).
pub mod ifa_proto {
    /// Set by the kernel from a router advertisement.
    pub const KERNEL_RA: u8 = 2;
    /// Set by the kernel: link-local.
    pub const KERNEL_LL: u8 = 3;
}

/// An IP address on a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// `ifa_index`
    pub ifindex: IfIndex,
    /// IFA_LOCAL, or IFA_ADDRESS where there is no IFA_LOCAL: the device's own address.
    pub ip: IpAddr,
    /// `ifa_prefixlen`, 0..=32 or 0..=128.
    pub prefix_len: u8,
    /// IFA_ADDRESS where it differs from IFA_LOCAL: the far end of a point-to-point address.
    pub peer: Option<IpAddr>,
    /// IFA_BROADCAST
    pub broadcast: Option<IpAddr>,
    /// IFA_FLAGS, see [`ifa_flags`].
    pub flags: u32,
    /// IFA_PROTO, see [`ifa_proto`]; absent on kernels before 5.18.
    pub proto: Option<u8>,
}

impl Address {
    /// What the kernel tells addresses of one device apart by.
    pub fn key(&self) -> (IpAddr, u8, Option<IpAddr>) {
        (self.ip, self.prefix_len, self.peer)
    }

    /// An IPv6 address of fe80::/10.
    pub fn is_link_local_v6(&self) -> bool {
        matches!(self.ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
    }

    /// IPv4: goes with the first address of its subnet, unless `promote_secondaries` is set (IFA_F_SECONDARY).
    pub const fn is_secondary(&self) -> bool {
        self.ip.is_ipv4() && self.flags & ifa_flags::SECONDARY != 0
    }

    /// IFA_F_TENTATIVE
    pub const fn is_tentative(&self) -> bool {
        self.flags & ifa_flags::TENTATIVE != 0
    }

    /// IFA_F_DADFAILED
    pub const fn is_dadfailed(&self) -> bool {
        self.flags & ifa_flags::DADFAILED != 0
    }
}
