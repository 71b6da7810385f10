//! What do routers say? A packet socket that has the frames for VRRP of all devices, in both directions, and no others.
//!
//! ```text
//!   wire ─▶ device ─▶ tap ─▶ filter ─▶ queue ─┐
//!   daemon ─▶ macvlan ─▶ device below ─▶ tap ─┘─▶ drain: device, direction, octets
//! ```
//!
//! It listens to ETH_P_ALL: only such a tap has the frames that are sent (`dev_queue_xmit_nit` in net/core/dev.c). A macvlan sends
//! through the device below it, so the router's own advertisements are seen there, as sent. The filter comes before the binding,
//! so that nothing else is ever queued. Needs CAP_NET_RAW.

#[cfg(test)]
mod tests;

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use firsthop_model::IfIndex;
use firsthop_model::liveness::Direction;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, recvmsg, setsockopt, socket, sockopt,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::error::OpenError;
use crate::filter::{ADVERTISEMENTS, FRAME};
use crate::sys;

/// Octets of frames and their overhead that may be queued: a burst of two thousand advertisements.
const QUEUE: usize = 2 << 20;
/// PACKET_OUTGOING (include/uapi/linux/if_packet.h).
const OUTGOING: u8 = 4;

/// A frame for VRRP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The device
    pub ifindex: IfIndex,
    /// Which way it went
    pub way: Direction,
    /// From the Ethernet header on; at most 2048.
    pub octets: &'a [u8],
}

/// What one [`PacketSocket::drain`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Batch {
    /// The limit was reached: there may be more.
    pub more: bool,
    /// Frames that the kernel had no room for.
    pub dropped: u32,
}

/// The socket that hears advertisements in one network namespace.
#[derive(Debug)]
pub struct PacketSocket {
    fd: AsyncFd<OwnedFd>,
    buffer: Vec<u8>,
}

impl PacketSocket {
    /// Opens in the calling thread's network namespace.
    ///
    /// # Errors
    /// What the kernel refused: EPERM without CAP_NET_RAW.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O enabled.
    pub fn open() -> Result<Self, OpenError> {
        let failed = |step| move |source: io::Error| OpenError { step, source };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        // Without a protocol it gets nothing yet.
        let fd = socket(AddressFamily::Packet, SockType::Raw, flags, None)
            .map_err(|errno| failed("socket(AF_PACKET)")(errno.into()))?;
        sys::attach_filter(&fd, &ADVERTISEMENTS).map_err(failed("SO_ATTACH_FILTER"))?;
        if setsockopt(&fd, sockopt::RcvBufForce, &QUEUE).is_err() {
            setsockopt(&fd, sockopt::RcvBuf, &QUEUE)
                .map_err(|errno| failed("SO_RCVBUF")(errno.into()))?;
        }
        sys::bind_to_all(&fd).map_err(failed("bind(AF_PACKET)"))?;
        let fd = sys::register_owned(fd).map_err(failed("epoll"))?;
        Ok(Self { fd, buffer: vec![0; usize::from(FRAME)] })
    }

    /// Waits until a drain would find something. Cancel safe; takes nothing off the socket.
    ///
    /// # Errors
    /// When the runtime shuts down, or poll(2) fails.
    pub async fn readable(&self) -> io::Result<()> {
        loop {
            let mut guard = self.fd.ready(Interest::READABLE | Interest::ERROR).await?;
            // Reads do not go through the guard, so that the runtime may think of a drained socket as ready.
            let mut fds = [PollFd::new(self.fd.get_ref().as_fd(), PollFlags::POLLIN)];
            if poll(&mut fds, PollTimeout::ZERO)? > 0 {
                guard.retain_ready();
                return Ok(());
            }
            guard.clear_ready();
        }
    }

    /// Reads until nothing is queued, but at most `limit` frames. Never waits.
    ///
    /// # Errors
    /// The socket is of no use any more.
    pub fn drain(&mut self, limit: usize, mut take: impl FnMut(Frame<'_>)) -> io::Result<Batch> {
        let mut batch = Batch { more: true, dropped: 0 };
        let fd = self.fd.get_ref().as_raw_fd();
        for turn in 0..limit {
            let mut parts = [IoSliceMut::new(&mut self.buffer)];
            let received = recvmsg::<LinkAddr>(fd, &mut parts, None, MsgFlags::empty());
            let (length, address) = match received.map(|m| (m.bytes, m.address)) {
                Ok(received) => received,
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN) => {
                    batch.more = false;
                    if turn == 0 {
                        return Ok(batch);
                    }
                    break;
                }
                // A device went down: the frames before it were read.
                Err(Errno::ENETDOWN) => continue,
                Err(errno) => return Err(errno.into()),
            };
            let Some(address) = address else { continue };
            let Ok(ifindex) = u32::try_from(address.ifindex()) else { continue };
            let sent = address.pkttype() == OUTGOING;
            let way = if sent { Direction::Sent } else { Direction::Received };
            let octets = self.buffer.get(..length).unwrap_or_default();
            take(Frame { ifindex: IfIndex(ifindex), way, octets });
        }
        batch.dropped = sys::dropped_frames(self.fd.get_ref()).unwrap_or(0);
        Ok(batch)
    }
}
