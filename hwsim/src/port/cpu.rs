//! The CPU side of a port, whatever netdev it is: the end that carries frames, for the loop, and what sets its
//! carrier, for the coupling thread.
//!
//! ```text
//!   kernel ── swpN (TAP) ────────────────── its file        carrier: an ioctl on it
//!   kernel ── swpN (netdevsim) ══ its peer ── packet socket   carrier: the peer is up
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use super::hidden::Hidden;
use super::rtnl::Link;
use super::tap::Tap;
use super::wire::Wire;

/// What the CPU-side netdevs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CpuKind {
    /// TAP devices: on any kernel, also as the root of a user namespace.
    Tap,
    /// Ports of a netdevsim device: `swpN` with a switch id, a port name and a devlink port.
    Netdevsim,
}

/// The end of a CPU-side netdev that carries frames.
#[derive(Debug)]
pub enum CpuSide {
    /// The netdev's own file.
    Tap(Tap),
    /// A socket on the netdev at the other end.
    Peer(Wire),
}

impl CpuSide {
    /// Hands a frame to the kernel's stack, as received by the netdev.
    ///
    /// # Errors
    /// `EIO` or `ENETDOWN` while the netdev is down, `EBADFD` once it is deleted.
    pub fn write(&self, frame: &[u8]) -> io::Result<()> {
        match self {
            CpuSide::Tap(tap) => tap.write(frame),
            CpuSide::Peer(wire) => match wire.send([frame]).frames {
                0 => Err(io::Error::from_raw_os_error(libc::ENETDOWN)),
                _ => Ok(()),
            },
        }
    }
}

impl AsFd for CpuSide {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            CpuSide::Tap(tap) => tap.as_fd(),
            CpuSide::Peer(wire) => wire.as_fd(),
        }
    }
}

/// What gives a CPU-side netdev its carrier, and tells whether it exists.
#[derive(Debug)]
pub(super) enum Carrier {
    /// Its file.
    Tap(Tap),
    /// The index of its peer in the hidden namespace: up, it means carrier.
    Peer(u32),
}

impl Carrier {
    /// Gives the netdev its carrier or takes it away. Waits for the kernel's RTNL lock.
    pub(super) fn set(&self, hidden: &mut Hidden, on: bool) -> io::Result<()> {
        match self {
            Carrier::Tap(tap) => tap.set_carrier(on),
            Carrier::Peer(peer) => hidden.set_up(*peer, on),
        }
    }

    /// Whether the netdev exists, in whatever namespace.
    pub(super) fn exists(&self, hidden: &mut Hidden) -> bool {
        match self {
            Carrier::Tap(tap) => tap.name().is_ok(),
            Carrier::Peer(_) => self.opposite(hidden).is_some(),
        }
    }

    /// Whether `link`, which came into the namespace, is the netdev.
    pub(super) fn is_of(&self, hidden: &mut Hidden, link: &Link) -> bool {
        match self {
            Carrier::Tap(tap) => tap.name().is_ok_and(|name| name == link.name),
            Carrier::Peer(_) => {
                link.parent.starts_with("netdevsim") && self.opposite(hidden) == Some(link.ifindex)
            }
        }
    }

    /// The netdev at the other end of the peer's link.
    fn opposite(&self, hidden: &mut Hidden) -> Option<u32> {
        let Carrier::Peer(peer) = self else { return None };
        hidden.link(*peer).ok().flatten()?.lower
    }
}
