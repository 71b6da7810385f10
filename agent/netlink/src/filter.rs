//! Which messages, and which frames, need not wake the daemon? Socket filters in classic BPF.
//!
//! RTNLGRP_NEIGH carries every change of a host's ARP entry and every MAC that a bridge learns. Of these messages only
//! those can matter that are of AF_BRIDGE, and about the device itself or permanent (see `decode::neighbour`); everything
//! that is no forwarding or neighbour entry passes. A datagram of a group holds one message.
//!
//! ```text
//!  0 nlmsg_len   4 nlmsg_type   16 ndm_family   24 ndm_state   26 ndm_flags
//! ```
//!
//! Who wants to know about hosts has no use for those of AF_BRIDGE.
//!
//! Of all frames those matter that are for VRRP, on the device that they are for: a frame with a VLAN tag is seen once more, without
//! it, on the VLAN device.
//!
//! ```text
//!  12 EtherType   23 IPv4 protocol   30 IPv4 destination   20 IPv6 next header
//! ```

use firsthop_model::liveness::wire::{GROUP_V4, VRRP};
use libc::sock_filter;

use crate::decode::neighbour::{NTF_SELF, NUD_PERMANENT};
use crate::message::{RTM_DELNEIGH, RTM_DELROUTE, RTM_NEWNEIGH};

/// `BPF_LD | BPF_B | BPF_ABS` and its kin (include/uapi/linux/bpf_common.h).
const LOAD_32: u16 = 0x20;
const LOAD_8: u16 = 0x30;
const LOAD_16: u16 = 0x28;
const IF_EQUAL: u16 = 0x15;
const IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

/// Jumps count from the next instruction.
pub(crate) const NOISE: [sock_filter; 11] = [
    step(LOAD_16, 4, 0, 0),
    step(IF_EQUAL, as_loaded(RTM_NEWNEIGH), 1, 0),
    step(IF_EQUAL, as_loaded(RTM_DELNEIGH), 0, 6),
    step(LOAD_8, 16, 0, 0),
    step(IF_EQUAL, libc::AF_BRIDGE.cast_unsigned(), 0, 5),
    step(LOAD_8, 26, 0, 0),
    step(IF_ANY_BIT, NTF_SELF as u32, 2, 0),
    step(LOAD_16, 24, 0, 0),
    step(IF_ANY_BIT, as_loaded(NUD_PERMANENT), 0, 1),
    step(RETURN, u32::MAX, 0, 0),
    step(RETURN, 0, 0, 0),
];

/// Jumps count from the next instruction.
pub(crate) const NOT_OF_HOSTS: [sock_filter; 8] = [
    step(LOAD_16, 4, 0, 0),
    step(IF_EQUAL, as_loaded(RTM_NEWNEIGH), 1, 0),
    step(IF_EQUAL, as_loaded(RTM_DELNEIGH), 0, 3),
    step(LOAD_8, 16, 0, 0),
    step(IF_EQUAL, libc::AF_INET.cast_unsigned(), 1, 0),
    step(IF_EQUAL, libc::AF_INET6.cast_unsigned(), 0, 1),
    step(RETURN, u32::MAX, 0, 0),
    step(RETURN, 0, 0, 0),
];

/// What goes away, be it a route or a neighbour. Jumps count from the next instruction.
pub(crate) const REMOVALS: [sock_filter; 5] = [
    step(LOAD_16, 4, 0, 0),
    step(IF_EQUAL, as_loaded(RTM_DELROUTE), 1, 0),
    step(IF_EQUAL, as_loaded(RTM_DELNEIGH), 0, 1),
    step(RETURN, u32::MAX, 0, 0),
    step(RETURN, 0, 0, 0),
];

/// Octets of a frame that are read: those of 255 IPv4 addresses, or 126 of IPv6.
pub(crate) const FRAME: u16 = 2048;

/// A tag whose VLAN is 0 is none. Jumps count from the next instruction.
pub(crate) const ADVERTISEMENTS: [sock_filter; 15] = [
    step(LOAD_32, ancillary(libc::SKF_AD_VLAN_TAG_PRESENT), 0, 0),
    step(IF_EQUAL, 0, 2, 0),
    step(LOAD_32, ancillary(libc::SKF_AD_VLAN_TAG), 0, 0),
    step(IF_ANY_BIT, 0x0fff, 10, 0),
    step(LOAD_16, 12, 0, 0),
    step(IF_EQUAL, 0x86dd, 5, 0),
    step(IF_EQUAL, 0x0800, 0, 7),
    step(LOAD_8, 23, 0, 0),
    step(IF_EQUAL, VRRP as u32, 4, 0),
    step(LOAD_32, 30, 0, 0),
    step(IF_EQUAL, GROUP_V4.to_bits(), 2, 3),
    step(LOAD_8, 20, 0, 0),
    step(IF_EQUAL, VRRP as u32, 0, 1),
    step(RETURN, FRAME as u32, 0, 0),
    step(RETURN, 0, 0, 0),
];

/// What the kernel knows about a frame beside its octets.
const fn ancillary(what: libc::c_int) -> u32 {
    (libc::SKF_AD_OFF + what).cast_unsigned()
}

const fn step(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// A field in host byte order as BPF loads it: in network byte order.
const fn as_loaded(field: u16) -> u32 {
    field.to_be() as u32
}
