//! The wire side of a port: frames from and to the far end of `hN`, through a packet socket.
//!
//! The kernel keeps a frame's outer 802.1Q tag beside the frame and says so in `PACKET_AUXDATA`;
//! here it is put back, so that everybody above sees tags in-band:
//!
//! ```text
//! a slot of a batch:   2 bytes room │ virtio_net_hdr │ dmac smac │ type payload…
//! with a tag put back:                   │ dmac smac │ tpid tci  │ type payload…
//! ```
#![allow(unsafe_code)] // recvmmsg and sendmmsg with PACKET_AUXDATA have no safe wrapper

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, sockopt};

use super::vnet::{Incomplete, VNET_LEN, VnetHeader};

/// Frames received or sent by one system call.
pub const BATCH: usize = 64;

/// The longest frame: the largest MTU of a veth, an Ethernet header, two tags.
pub const MAX_FRAME: usize = 65_535 + 14 + 8;

// linux/if_packet.h and linux/if_ether.h; partly not in the libc crate.
const PACKET_AUXDATA: libc::c_int = 8;
const PACKET_VNET_HDR: libc::c_int = 15;
const PACKET_QDISC_BYPASS: libc::c_int = 20;
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;
const TP_STATUS_VLAN_VALID: u32 = 1 << 4;
const TP_STATUS_VLAN_TPID_VALID: u32 = 1 << 6;
const TAG: usize = 4;
const TPID_8021Q: u16 = 0x8100;

/// Room for received frames, bytes: some 20,000 small ones. At 100,000 frames a second that outlasts 200 ms in which a busy
/// machine runs something else.
const RECEIVE_BUFFER: usize = 32 << 20;
/// Room for frames to send, bytes.
const SEND_BUFFER: usize = 8 << 20;

/// A raw packet socket bound to one netdev.
#[derive(Debug)]
pub struct Wire {
    fd: OwnedFd,
}

/// What became of frames handed to [`Wire::send`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Frames on the wire.
    pub frames: usize,
    /// Frames that the kernel refused: the netdev is down or gone, or has no room.
    pub dropped: usize,
}

impl Wire {
    /// Opens a socket on the netdev `ifindex` of the calling thread's network namespace.
    /// `promiscuous` is for netdevs whose hardware would otherwise filter by address.
    ///
    /// # Errors
    /// `ENODEV` when there is no such netdev, `EPERM` without `CAP_NET_RAW`.
    pub fn open(ifindex: u32, promiscuous: bool) -> io::Result<Wire> {
        let index = libc::c_int::try_from(ifindex)
            .map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?;
        // Protocol 0: nothing arrives before bind() names the netdev.
        let fd = nix::sys::socket::socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            None,
        )?;
        let wire = Wire { fd };
        for option in [PACKET_AUXDATA, PACKET_VNET_HDR, PACKET_QDISC_BYPASS, PACKET_IGNORE_OUTGOING]
        {
            wire.set_option(option, &1_i32)?;
        }
        // The forced sizes need CAP_NET_ADMIN of the machine; in a user namespace the limits hold.
        if setsockopt(&wire.fd, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            setsockopt(&wire.fd, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
        }
        if setsockopt(&wire.fd, sockopt::SndBufForce, &SEND_BUFFER).is_err() {
            setsockopt(&wire.fd, sockopt::SndBuf, &SEND_BUFFER)?;
        }
        if promiscuous {
            let member = libc::packet_mreq {
                mr_ifindex: index,
                mr_type: libc::PACKET_MR_PROMISC.try_into().expect("1 fits"),
                mr_alen: 0,
                mr_address: [0; 8],
            };
            wire.set_option(libc::PACKET_ADD_MEMBERSHIP, &member)?;
        }
        wire.bind(index)?;
        Ok(wire)
    }

    fn set_option<T: Copy>(&self, option: libc::c_int, value: &T) -> io::Result<()> {
        let length = libc::socklen_t::try_from(mem::size_of::<T>()).expect("a few bytes");
        // SAFETY: the pointer and the length describe `value`, a plain C value of the option.
        let answer = unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                option,
                std::ptr::from_ref(value).cast(),
                length,
            )
        };
        if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn bind(&self, index: libc::c_int) -> io::Result<()> {
        let address = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET.try_into().expect("a small constant"),
            sll_protocol: u16::try_from(libc::ETH_P_ALL).expect("a small constant").to_be(),
            sll_ifindex: index,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        let length = libc::socklen_t::try_from(mem::size_of_val(&address)).expect("20 bytes");
        // SAFETY: the pointer and the length describe `address`.
        let answer =
            unsafe { libc::bind(self.fd.as_raw_fd(), std::ptr::from_ref(&address).cast(), length) };
        if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Receives up to [`BATCH`] frames into `batch`, replacing what it held.
    ///
    /// # Errors
    /// `EAGAIN` when there is none; `ENETDOWN` once, after the netdev went down.
    pub fn receive(&self, batch: &mut Batch) -> io::Result<usize> {
        batch.count = 0;
        let mut vectors: [libc::iovec; BATCH] = std::array::from_fn(|slot| batch.vector(slot));
        let mut messages: [libc::mmsghdr; BATCH] = std::array::from_fn(|slot| {
            let vectors = std::slice::from_mut(&mut vectors[slot]);
            message(vectors, Some(&mut batch.control[slot]))
        });
        // SAFETY: every header points to a vector and a control buffer that outlive the call; the
        // vectors describe distinct parts of the batch's own memory.
        let answer = unsafe {
            libc::recvmmsg(
                self.fd.as_raw_fd(),
                messages.as_mut_ptr(),
                libc::c_uint::try_from(BATCH).expect("64 fits"),
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let count = usize::try_from(answer).map_err(|_| io::Error::last_os_error())?;
        for (slot, message) in messages.iter().enumerate().take(count) {
            let length = usize::try_from(message.msg_len).expect("u32 fits");
            batch.arrived[slot] = Arrived {
                length: length.saturating_sub(VNET_LEN).min(MAX_FRAME),
                whole: message.msg_hdr.msg_flags & libc::MSG_TRUNC == 0 && length > VNET_LEN,
                tag: outer_tag(&message.msg_hdr),
            };
        }
        batch.count = count;
        Ok(count)
    }

    /// Sends frames in order. One that is refused does not hold up the others.
    pub fn send<'a, T>(&self, frames: impl IntoIterator<Item = &'a T>) -> Sent
    where
        T: AsRef<[u8]> + ?Sized + 'a,
    {
        // No offload is asked for: a header of zeros before every frame.
        let no_offload = [0_u8; VNET_LEN];
        let mut sent = Sent::default();
        let mut frames = frames.into_iter();
        loop {
            let mut count = 0;
            let mut vectors = [[vector(&no_offload), vector(&[])]; BATCH];
            for (place, frame) in vectors.iter_mut().zip(frames.by_ref()) {
                place[1] = vector(frame.as_ref());
                count += 1;
            }
            let mut messages: [libc::mmsghdr; BATCH] =
                std::array::from_fn(|slot| message(&mut vectors[slot], None));
            let mut todo = &mut messages[..count];
            while !todo.is_empty() {
                // SAFETY: every header points to two vectors, those to the header of zeros and to
                // a frame that is borrowed for `'a`; all outlive the call, and sendmmsg only reads them.
                let answer = unsafe {
                    libc::sendmmsg(
                        self.fd.as_raw_fd(),
                        todo.as_mut_ptr(),
                        libc::c_uint::try_from(todo.len()).expect("at most 64"),
                        libc::MSG_DONTWAIT,
                    )
                };
                // A positive answer counts what went out; an error belongs to the first frame.
                let done = match usize::try_from(answer) {
                    Ok(count) if count > 0 => {
                        sent.frames += count;
                        count
                    }
                    _ => {
                        sent.dropped += 1;
                        1
                    }
                };
                todo = &mut todo[done..];
            }
            if count < BATCH {
                return sent;
            }
        }
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A vector that the kernel only reads.
fn vector(bytes: &[u8]) -> libc::iovec {
    libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() }
}

/// A message header over vectors and, for receiving, a control buffer.
fn message(vectors: &mut [libc::iovec], control: Option<&mut Control>) -> libc::mmsghdr {
    // SAFETY: mmsghdr is plain integers and pointers; all-zero bytes are a valid value.
    let mut message: libc::mmsghdr = unsafe { mem::zeroed() };
    message.msg_hdr.msg_iov = vectors.as_mut_ptr();
    message.msg_hdr.msg_iovlen = vectors.len();
    if let Some(control) = control {
        message.msg_hdr.msg_control = control.as_mut_ptr().cast();
        message.msg_hdr.msg_controllen = mem::size_of::<Control>();
    }
    message
}

/// `struct tpacket_auxdata`: lengths, then the tag at byte 16.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Auxdata {
    status: u32,
    len: u32,
    snaplen: u32,
    mac: u16,
    net: u16,
    vlan_tci: u16,
    vlan_tpid: u16,
}

/// The tag that the kernel took out of a received frame: TPID and TCI.
fn outer_tag(header: &libc::msghdr) -> Option<[u8; TAG]> {
    // SAFETY: the kernel filled the control buffer of this header and set its length; the macros
    // walk within that length.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !control.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR answer null or a whole cmsghdr in the buffer.
        let (level, kind) = unsafe { ((*control).cmsg_level, (*control).cmsg_type) };
        if level == libc::SOL_PACKET && kind == PACKET_AUXDATA {
            // SAFETY: a PACKET_AUXDATA message holds one tpacket_auxdata, perhaps unaligned.
            let aux: Auxdata = unsafe { std::ptr::read_unaligned(libc::CMSG_DATA(control).cast()) };
            if aux.status & TP_STATUS_VLAN_VALID == 0 {
                return None;
            }
            let known = aux.status & TP_STATUS_VLAN_TPID_VALID != 0;
            let [a, b] = if known { aux.vlan_tpid } else { TPID_8021Q }.to_be_bytes();
            let [c, d] = aux.vlan_tci.to_be_bytes();
            return Some([a, b, c, d]);
        }
        // SAFETY: as for CMSG_FIRSTHDR above.
        control = unsafe { libc::CMSG_NXTHDR(header, control) };
    }
    None
}

/// Room for one auxdata message with its header, aligned like a cmsghdr.
type Control = [u64; 6];

/// Where a slot's virtio_net_hdr and its frame begin. The frame's payload is aligned to four bytes
/// with a tag and without.
const VNET_AT: usize = 2;
const FRAME_AT: usize = VNET_AT + VNET_LEN;

/// A slot's size: the header and the longest frame; not a multiple of 4,096, so that the beginnings of
/// all slots do not compete for the same lines of the cache.
const SLOT: usize = 65_536 + 128;

#[derive(Debug, Clone, Copy, Default)]
struct Arrived {
    length: usize,
    whole: bool,
    tag: Option<[u8; TAG]>,
}

/// Memory for the frames of one [`Wire::receive`], reused from call to call.
pub struct Batch {
    memory: Vec<u8>,
    control: Box<[Control; BATCH]>,
    arrived: [Arrived; BATCH],
    count: usize,
}

/// Why a received frame is not handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Longer than [`MAX_FRAME`], or shorter than an Ethernet header.
    Length,
    /// Only part of what its sender meant: see [`Incomplete`].
    Incomplete(Incomplete),
}

impl Batch {
    /// Empty memory; pages are touched when frames need them.
    pub fn new() -> Batch {
        Batch {
            memory: vec![0; SLOT * BATCH],
            control: Box::new([[0; 6]; BATCH]),
            arrived: [Arrived::default(); BATCH],
            count: 0,
        }
    }

    fn vector(&mut self, slot: usize) -> libc::iovec {
        let room = &mut self.memory[slot * SLOT + VNET_AT..][..VNET_LEN + MAX_FRAME];
        libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() }
    }

    /// The frames that arrived, complete and with their tags in-band. Takes them: a second call
    /// answers none.
    pub fn take(&mut self) -> impl Iterator<Item = Result<&[u8], Unfit>> {
        let count = mem::take(&mut self.count);
        let slots = self.memory.chunks_exact_mut(SLOT);
        slots.zip(self.arrived.iter()).take(count).map(|(slot, arrived)| {
            if !arrived.whole || arrived.length < 14 {
                return Err(Unfit::Length);
            }
            let end = FRAME_AT + arrived.length;
            let vnet = slot[VNET_AT..].first_chunk().expect("a slot begins with the header");
            VnetHeader::parse(vnet)
                .complete(&mut slot[FRAME_AT..end])
                .map_err(Unfit::Incomplete)?;
            let Some(tag) = arrived.tag else { return Ok(&slot[FRAME_AT..end]) };
            slot.copy_within(FRAME_AT..FRAME_AT + 12, FRAME_AT - TAG);
            slot[FRAME_AT + 12 - TAG..FRAME_AT + 12].copy_from_slice(&tag);
            Ok(&slot[FRAME_AT - TAG..end])
        })
    }
}

impl Default for Batch {
    fn default() -> Batch {
        Batch::new()
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("count", &self.count).finish_non_exhaustive()
    }
}
