//! How do datagrams get to the chip and back? A connected SOCK_SEQPACKET socket, driven by tokio.
//!
//! Every datagram is one EMAD frame or one JSON document, see [`super::control`].

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, send, setsockopt, socket,
    sockopt,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::AsicError;

/// The longest datagram that a peer sends, bytes. A longer one would be cut, and then not understood.
pub(super) const LONGEST: usize = 128 << 10;

/// Room for datagrams in each direction, bytes; the kernel's default holds few of the longest.
const ROOM: usize = 1 << 20;

/// A socket that is connected to a chip.
#[derive(Debug)]
pub(super) struct Channel {
    socket: AsyncFd<OwnedFd>,
}

impl Channel {
    /// Connects to the chip at `path`.
    pub(super) fn connect(path: &Path) -> Result<Self, AsicError> {
        let failed = |source| AsicError::Connect { path: path.to_owned(), source };
        let address = UnixAddr::new(path).map_err(failed)?;
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket =
            socket(AddressFamily::Unix, SockType::SeqPacket, flags, None).map_err(failed)?;
        connect(socket.as_raw_fd(), &address).map_err(failed)?;
        Self::over(socket)
    }

    /// Takes a connected socket.
    pub(super) fn over(socket: OwnedFd) -> Result<Self, AsicError> {
        // Less room is no reason to fail.
        setsockopt(&socket, sockopt::SndBuf, &ROOM).ok();
        setsockopt(&socket, sockopt::RcvBuf, &ROOM).ok();
        let failed = |operation| move |source| AsicError::Socket { operation, source };
        let flags = fcntl(&socket, FcntlArg::F_GETFL).map_err(failed("fcntl"))?;
        let flags = OFlag::from_bits_retain(flags) | OFlag::O_NONBLOCK;
        fcntl(&socket, FcntlArg::F_SETFL(flags)).map_err(failed("fcntl"))?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe because other types' descriptors may change under way; an OwnedFd's can't"
        )]
        let socket = AsyncFd::new(socket).map_err(|source| error("epoll_ctl", &source))?;
        Ok(Self { socket })
    }

    /// Sends a datagram; false if there is no room for it now.
    pub(super) fn try_send(&self, datagram: &[u8]) -> Result<bool, AsicError> {
        // A closed peer is an error here, not a signal.
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        let sent = self.socket.try_io(Interest::WRITABLE, |socket| {
            send(socket.as_raw_fd(), datagram, flags).map_err(io::Error::from)
        });
        match sent {
            Ok(_) => Ok(true),
            Err(source) if source.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(source) => Err(error("send", &source)),
        }
    }

    /// Waits for room.
    pub(super) async fn writable(&self) -> Result<(), AsicError> {
        // Readiness is kept: `try_send` clears it when it was wrong.
        self.socket.writable().await.map(drop).map_err(|source| error("epoll_wait", &source))
    }

    /// Waits for a datagram. Cancel-safe.
    pub(super) async fn receive<'a>(&self, buffer: &'a mut [u8]) -> Result<&'a [u8], AsicError> {
        let length = self
            .socket
            .async_io(Interest::READABLE, |socket| {
                recv(socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT).map_err(io::Error::from)
            })
            .await
            .map_err(|source| error("recv", &source))?;
        match buffer.get(..length) {
            Some([]) | None => Err(AsicError::Closed),
            Some(datagram) => Ok(datagram),
        }
    }

    /// What the peer sent before it went away, one datagram a call. Its going may be told before that: as a pending error,
    /// which is skipped once.
    pub(super) fn remains<'a>(&self, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
        let mut receive = || recv(self.socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT);
        let length = receive().or_else(|_| receive()).ok()?;
        buffer.get(..length).filter(|datagram| !datagram.is_empty())
    }
}

fn error(operation: &'static str, source: &io::Error) -> AsicError {
    let source = source.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
    AsicError::Socket { operation, source }
}
