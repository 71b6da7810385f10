//! The few rtnetlink messages that ports need: make and change netdevs, and hear of their changes.
//!
//! Two kinds of socket, never mixed: [`Rtnl`] asks and waits for the acknowledgement, [`LinkEvents`]
//! only listens. A socket belongs to the network namespace of the thread that opened it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send,
    setsockopt, socket, sockopt,
};

mod message;
mod request;

pub use message::{Link, LinkEvent};
pub use request::Request;

/// The kernel answers a dump in messages of at most 32 KiB.
const BUFFER: usize = 64 << 10;

fn netlink(flags: SockFlag) -> io::Result<OwnedFd> {
    Ok(socket(
        AddressFamily::Netlink,
        SockType::Raw,
        flags | SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?)
}

/// A socket for requests.
#[derive(Debug)]
pub struct Rtnl {
    fd: OwnedFd,
    sequence: u32,
}

impl Rtnl {
    /// Opens a request socket in the calling thread's network namespace.
    ///
    /// # Errors
    /// When the kernel has no more sockets or no rtnetlink.
    pub fn open() -> io::Result<Rtnl> {
        let fd = netlink(SockFlag::empty())?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        Ok(Rtnl { fd, sequence: 0 })
    }

    /// Sends a request and waits until the kernel acknowledged it.
    ///
    /// # Errors
    /// The kernel's error number for the request.
    pub fn ask(&mut self, request: Request) -> io::Result<()> {
        self.exchange(request, |_| ())
    }

    /// The netdev with this index, if there is one.
    ///
    /// # Errors
    /// The kernel's error number, other than `ENODEV`.
    pub fn link(&mut self, ifindex: u32) -> io::Result<Option<Link>> {
        self.one(Request::get_link(ifindex))
    }

    /// The netdev with this name or alternative name, if there is one.
    ///
    /// # Errors
    /// The kernel's error number, other than `ENODEV`.
    pub fn link_named(&mut self, name: &str) -> io::Result<Option<Link>> {
        self.one(Request::get_link_named(name))
    }

    fn one(&mut self, request: Request) -> io::Result<Option<Link>> {
        let mut found = None;
        match self.exchange(request, |event| found = Some(event)) {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            Err(error) => Err(error),
            Ok(()) => Ok(match found {
                Some(LinkEvent::Present(link)) => Some(link),
                _ => None,
            }),
        }
    }

    /// All netdevs of the namespace. The list may mix two moments when it changes meanwhile.
    ///
    /// # Errors
    /// The kernel's error number.
    pub fn links(&mut self) -> io::Result<Vec<Link>> {
        let mut links = Vec::new();
        self.exchange(Request::dump_links(), |event| {
            if let LinkEvent::Present(link) = event {
                links.push(link);
            }
        })?;
        Ok(links)
    }

    /// One request, all its answers up to the acknowledgement or the end of the dump.
    fn exchange(&mut self, request: Request, mut each: impl FnMut(LinkEvent)) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = request.finish(self.sequence);
        send(self.fd.as_raw_fd(), &bytes, MsgFlags::empty())?;
        let mut buffer = vec![0; BUFFER];
        loop {
            let length = match recv(self.fd.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Err(nix::Error::EINTR) => continue,
                other => other?,
            };
            for part in message::parts(&buffer[..length]) {
                if part.sequence != self.sequence {
                    continue; // the rest of an answer that was given up earlier
                }
                match part.kind {
                    message::Kind::Done(0) => return Ok(()),
                    message::Kind::Done(error) => return Err(io::Error::from_raw_os_error(error)),
                    message::Kind::Link(event) => each(event),
                    message::Kind::Other => {}
                }
            }
        }
    }
}

/// A socket that hears of every change of a netdev in its namespace.
#[derive(Debug)]
pub struct LinkEvents {
    fd: OwnedFd,
}

impl LinkEvents {
    /// Subscribes in the calling thread's network namespace.
    ///
    /// # Errors
    /// When the kernel has no more sockets or no rtnetlink.
    pub fn subscribe() -> io::Result<LinkEvents> {
        const RTMGRP_LINK: u32 = 1;
        let fd = netlink(SockFlag::SOCK_NONBLOCK)?;
        let size = 4 << 20;
        if setsockopt(&fd, sockopt::RcvBufForce, &size).is_err() {
            setsockopt(&fd, sockopt::RcvBuf, &size)?;
        }
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, RTMGRP_LINK))?;
        Ok(LinkEvents { fd })
    }

    /// Appends every event that has arrived.
    ///
    /// # Errors
    /// `ENOBUFS` when the kernel dropped events: what is known must be read anew. Nothing older is left in the
    /// socket then.
    pub fn drain(&mut self, events: &mut Vec<LinkEvent>) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        let mut lost = Ok(());
        loop {
            match recv(self.fd.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Err(nix::Error::EAGAIN) => return lost,
                Err(nix::Error::EINTR) => {}
                Err(error @ nix::Error::ENOBUFS) => lost = Err(error.into()),
                Err(error) => return Err(error.into()),
                Ok(length) => {
                    for part in message::parts(&buffer[..length]) {
                        if let message::Kind::Link(event) = part.kind {
                            events.push(event);
                        }
                    }
                }
            }
        }
    }
}

impl AsFd for LinkEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
