//! What is the next datagram, and is it the kernel's? One rtnetlink socket in non-blocking mode; event and dump sockets
//! are both of this kind.
//!
//! neli opens, configures and writes; reading goes through `recvmsg`, because neli drops the sender's port and the
//! truncation flag. A read is never sized by peeking: a peek takes the socket's error (`sk_err`) away, and with it the
//! only word about an overrun.

use std::io::{self, IoSliceMut};

use libc::sock_filter;
use neli::consts::nl::NlmF;
use neli::consts::socket::NlFamily;
use neli::err::SocketError;
use neli::nl::{NlPayload, NlmsghdrBuilder};
use neli::socket::synchronous::NlSocketHandle;
use neli::types::Buffer;
use neli::utils::Groups;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, NetlinkAddr, getsockopt, recvmsg, setsockopt, sockopt};
use std::os::fd::AsRawFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::error::OpenError;
use crate::subject::Group;
use crate::sys;

/// Sizes of a socket's buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffers {
    /// What the kernel may queue, in octets of messages and their overhead (a link event takes about 2300). The kernel
    /// doubles this; without CAP_NET_ADMIN it stops at `net.core.rmem_max`.
    pub receive: usize,
    /// What one read may return, in octets. The kernel sizes parts of a dump by it, up to 32 KiB.
    pub read: usize,
}

impl Default for Buffers {
    fn default() -> Self {
        Self { receive: 16 << 20, read: 64 << 10 }
    }
}

/// What one read led to.
#[derive(Debug)]
pub(crate) enum Received<'a> {
    /// Messages from the kernel.
    Datagram(&'a [u8]),
    /// Something that another process sent to this socket.
    Foreign { port: u32 },
    /// A datagram from the kernel that did not fit.
    Truncated { length: usize },
    /// Nothing is queued.
    Empty,
    /// The kernel could not queue something (ENOBUFS), or another error it left on the socket.
    Failed(Errno),
}

pub(crate) struct RouteSocket {
    fd: AsyncFd<NlSocketHandle>,
    buffer: Vec<u8>,
    receive_buffer: usize,
    /// A test plays the kernel: its datagrams have no sender.
    #[cfg(test)]
    played: bool,
}

impl RouteSocket {
    pub(crate) fn open(buffers: Buffers) -> Result<Self, OpenError> {
        let socket = NlSocketHandle::connect(NlFamily::Route, None, Groups::empty())
            .map_err(|error| failed("socket", into_io(error)))?;
        fcntl(sys::fd(&socket), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .map_err(|errno| failed("O_NONBLOCK", errno.into()))?;
        if setsockopt(&sys::fd(&socket), sockopt::RcvBufForce, &buffers.receive).is_err() {
            socket
                .set_recv_buffer_size(buffers.receive)
                .map_err(|error| failed("SO_RCVBUF", into_io(error)))?;
        }
        let receive_buffer = getsockopt(&sys::fd(&socket), sockopt::RcvBuf)
            .map_err(|errno| failed("SO_RCVBUF", errno.into()))?;
        let fd = sys::register(socket).map_err(|error| failed("epoll", error))?;
        Ok(Self {
            fd,
            buffer: vec![0; buffers.read],
            receive_buffer,
            #[cfg(test)]
            played: false,
        })
    }

    /// One that a test talks to, through the other end of `socket`'s pair.
    #[cfg(test)]
    pub(crate) fn over(socket: &std::os::fd::OwnedFd, buffers: Buffers) -> io::Result<Self> {
        let handle = NlSocketHandle::connect(NlFamily::Route, None, Groups::empty());
        let handle = handle.map_err(into_io)?;
        sys::stand_for(&handle, socket)?;
        fcntl(sys::fd(&handle), FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let fd = sys::register(handle)?;
        Ok(Self { fd, buffer: vec![0; buffers.read], receive_buffer: 0, played: true })
    }

    /// Joins groups of RTNLGRP_*.
    pub(crate) fn join(&self, groups: &[Group]) -> Result<(), OpenError> {
        let numbers: Vec<u32> = groups.iter().map(|(number, _)| *number).collect();
        let joined = self.fd.get_ref().add_mcast_membership(Groups::new_groups(&numbers));
        joined.map_err(|error| failed("NETLINK_ADD_MEMBERSHIP", into_io(error)))
    }

    /// Keeps what would be ignored off the socket. Without the filter it only costs time.
    pub(crate) fn drop_noise(&self, filter: &[sock_filter]) {
        if let Err(error) = sys::attach_filter(self.fd.get_ref(), filter) {
            tracing::debug!(%error, "No filter on the event socket");
        }
    }

    /// Makes the kernel check requests and honour their filters (since Linux 4.20). Dumps are right without it.
    pub(crate) fn check_strictly(&self) {
        if let Err(error) = self.fd.get_ref().enable_strict_checking(true) {
            tracing::debug!(%error, "No strict checking of rtnetlink requests");
        }
    }

    /// The socket's own port, to which replies are addressed.
    pub(crate) fn port(&self) -> u32 {
        self.fd.get_ref().pid()
    }

    /// What the kernel may queue, as it counts: twice what was asked for, or less.
    pub(crate) const fn receive_buffer(&self) -> usize {
        self.receive_buffer
    }

    pub(crate) const fn read_buffer(&self) -> usize {
        self.buffer.len()
    }

    /// See [`sys::drops`].
    pub(crate) fn drops(&self) -> Option<u32> {
        sys::drops(self.fd.get_ref())
    }

    /// Sends one dump request.
    pub(crate) fn request(&self, kind: u16, sequence: u32, payload: Vec<u8>) -> io::Result<()> {
        let message = NlmsghdrBuilder::default()
            .nl_type(kind)
            .nl_flags(NlmF::REQUEST | NlmF::DUMP)
            .nl_seq(sequence)
            .nl_payload(NlPayload::Payload(Buffer::from(payload)))
            .build()
            .map_err(io::Error::other)?;
        self.fd.get_ref().send(&message).map_err(into_io)
    }

    /// Waits until a read would return something, be it an error. Does not take anything off the socket.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        loop {
            let mut guard = self.fd.ready(Interest::READABLE | Interest::ERROR).await?;
            // Reads do not go through the guard, so that the runtime may think of a drained socket as ready.
            let mut fds = [PollFd::new(sys::fd(self.fd.get_ref()), PollFlags::POLLIN)];
            if poll(&mut fds, PollTimeout::ZERO)? > 0 {
                guard.retain_ready();
                return Ok(());
            }
            guard.clear_ready();
        }
    }

    /// Takes the next datagram off the socket, whatever the runtime knows about it.
    pub(crate) fn receive(&mut self) -> Received<'_> {
        let fd = self.fd.get_ref().as_raw_fd();
        let mut parts = [IoSliceMut::new(&mut self.buffer)];
        let received = loop {
            match recvmsg::<NetlinkAddr>(fd, &mut parts, None, MsgFlags::MSG_TRUNC) {
                Err(Errno::EINTR) => {}
                result => {
                    break result.map(|message| (message.bytes, message.address, message.flags));
                }
            }
        };
        match received {
            Err(Errno::EAGAIN) => Received::Empty,
            Err(errno) => Received::Failed(errno),
            Ok((length, sender, flags)) => {
                #[cfg(test)]
                let sender = sender.filter(|_| !self.played);
                let port = sender.map_or(0, |sender| sender.pid());
                if port != 0 {
                    Received::Foreign { port }
                } else if flags.contains(MsgFlags::MSG_TRUNC) {
                    Received::Truncated { length }
                } else {
                    Received::Datagram(self.buffer.get(..length).unwrap_or(&[]))
                }
            }
        }
    }
}

const fn failed(step: &'static str, source: io::Error) -> OpenError {
    OpenError { step, source }
}

/// neli's errors without its wrapping, as far as they are the kernel's.
fn into_io(error: SocketError) -> io::Error {
    match error {
        SocketError::Io(error) => error
            .raw_os_error()
            .map_or_else(|| io::Error::other(error.to_string()), io::Error::from_raw_os_error),
        error => io::Error::other(error),
    }
}
