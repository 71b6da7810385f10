//! Which messages need not wake the daemon? A socket filter in classic BPF.
//!
//! RTNLGRP_NEIGH carries every change of a host's ARP entry and every MAC that a bridge learns. Of these messages only
//! those can matter that are of AF_BRIDGE, and about the device itself or permanent (see `decode::neighbour`); everything
//! that is no forwarding or neighbour entry passes. A datagram of a group holds one message.
//!
//! ```text
//!  0 nlmsg_len   4 nlmsg_type   16 ndm_family   24 ndm_state   26 ndm_flags
//! ```

use libc::sock_filter;

use crate::decode::neighbour::{NTF_SELF, NUD_PERMANENT};
use crate::message::{RTM_DELNEIGH, RTM_NEWNEIGH};

/// `BPF_LD | BPF_B | BPF_ABS` and its kin (include/uapi/linux/bpf_common.h).
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

const fn step(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// A field in host byte order as BPF loads it: in network byte order.
const fn as_loaded(field: u16) -> u32 {
    field.to_be() as u32
}
