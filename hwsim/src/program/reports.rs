//! Which copies of a membership report does the kernel's bridge owe the other ports, and cannot send?
//!
//! The driver traps IGMP and MLD reports and leaves them unmarked: the kernel's bridge is to forward them. Here the
//! CPU-side netdevs are isolated from each other (`port::isolation`), so the copies are made here:
//!
//! ```text
//!   wire 1 ─ report ─▶ chip ─ trapped ─▶ swp1 ─▶ bridge ─╳─▶ swp2, swp3 (isolated)
//!                        ▲       └──▶ Chip::copies_of_report: 2 and 3, tagged as egress wants
//!                        └─────────── Chip::transmit on 2 and 3
//! ```

use super::outbox::Outbox;
use crate::chip::{Chip, Nanos};

/// Adds the copies of `frame`, if it was a report and the CPU got it, to the outbox, which has the chip's answer to it. A
/// report that the chip forwarded itself, or that its policer dropped, is left alone.
pub(super) fn copy(chip: &mut Chip, now: Nanos, frame: &[u8], outbox: &mut Outbox) {
    let Some(punt) = outbox.lone_report() else { return };
    for (port, copy) in chip.copies_of_report(&punt, frame) {
        chip.transmit(now, port, &copy, outbox);
    }
}
