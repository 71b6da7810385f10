//! What the kernel offers on a socket that neither neli nor nix wrap: drop counters, filters, binding a packet socket to all
//! devices, and two calls for which the compiler cannot see that the descriptor stays open.
#![allow(
    unsafe_code,
    reason = "getsockopt(SO_MEMINFO, PACKET_STATISTICS), setsockopt(SO_ATTACH_FILTER), bind(sockaddr_ll), BorrowedFd and AsyncFd \
              of a socket that only lends its number"
)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use neli::socket::synchronous::NlSocketHandle;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Index of `SK_MEMINFO_DROPS` in the answer (include/uapi/linux/sock_diag.h).
const DROPS: usize = 8;
/// `SK_MEMINFO_VARS`
const VARS: usize = 9;

/// Messages that the kernel could not queue on this socket since it was opened, modulo 2³². `None` before Linux 4.12.
pub(crate) fn drops(socket: &NlSocketHandle) -> Option<u32> {
    let mut info = [0_u32; VARS];
    let size = u32::try_from(size_of_val(&info)).expect("36 octets");
    let mut length: libc::socklen_t = size;
    // SAFETY: `info` is writable for `length` octets, of which the kernel writes at most that many; any bits are a u32.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    (result == 0 && length == size).then_some(info[DROPS])
}

/// Attaches a filter (classic BPF) to what the kernel queues from now on.
pub(crate) fn attach_filter(socket: &impl AsRawFd, filter: &[libc::sock_filter]) -> io::Result<()> {
    let mut filter = filter.to_vec();
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).map_err(io::Error::other)?,
        filter: filter.as_mut_ptr(),
    };
    let size = u32::try_from(size_of_val(&program)).expect("16 octets");
    // SAFETY: `program` and the instructions that it points to are alive during the call, which copies them.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The socket's descriptor, for as long as the socket is borrowed.
pub(crate) fn fd(socket: &NlSocketHandle) -> BorrowedFd<'_> {
    // SAFETY: the handle owns the descriptor and closes it on drop, which the borrow excludes.
    unsafe { BorrowedFd::borrow_raw(socket.as_raw_fd()) }
}

/// Lets the handle's descriptor be another socket from now on.
#[cfg(test)]
pub(crate) fn stand_for(socket: &NlSocketHandle, other: &OwnedFd) -> io::Result<()> {
    // SAFETY: both descriptors are open; the handle goes on to own its number, and nobody else uses it.
    let result = unsafe { libc::dup2(other.as_raw_fd(), socket.as_raw_fd()) };
    if result >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Registers the socket with the runtime, for messages and for errors without a message.
pub(crate) fn register(socket: NlSocketHandle) -> io::Result<AsyncFd<NlSocketHandle>> {
    let interest = Interest::READABLE | Interest::ERROR;
    // SAFETY: the handle's descriptor is open, never changes and is closed by its drop only, which AsyncFd does after
    // it deregistered.
    Ok(unsafe { AsyncFd::register_with_interest(socket, interest) }?)
}

/// Lets a packet socket have the frames of all devices of its network namespace, in both directions, from now on.
pub(crate) fn bind_to_all(socket: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: a sockaddr_ll is plain numbers, for which zero is a value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
    address.sll_protocol = u16::try_from(libc::ETH_P_ALL).map_err(io::Error::other)?.to_be();
    let size = u32::try_from(size_of_val(&address)).expect("20 octets");
    // SAFETY: `address` is alive during the call, and `size` octets long.
    let result = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Frames that the kernel could not queue on a packet socket since this was last asked. `None`: it does not say.
pub(crate) fn dropped_frames(socket: &impl AsRawFd) -> Option<u32> {
    let mut stats = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
    let size = u32::try_from(size_of_val(&stats)).expect("8 octets");
    let mut length: libc::socklen_t = size;
    // SAFETY: `stats` is writable for `length` octets, of which the kernel writes at most that many; any bits are a u32.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut stats).cast(),
            &raw mut length,
        )
    };
    (result == 0 && length == size).then_some(stats.tp_drops)
}

/// As [`register`], for a socket that nothing else wraps.
pub(crate) fn register_owned(socket: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    let interest = Interest::READABLE | Interest::ERROR;
    // SAFETY: the descriptor is open, never changes and is closed by the drop only, which AsyncFd does after it deregistered.
    Ok(unsafe { AsyncFd::register_with_interest(socket, interest) }?)
}
