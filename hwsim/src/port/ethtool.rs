//! The two things asked of a netdev through `SIOCETHTOOL`: no offloads, and its link state now.
#![allow(unsafe_code)] // SIOCETHTOOL takes a pointer inside an ifreq

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;

use super::ifreq;

// linux/ethtool.h; not in the libc crate.
const ETHTOOL_GLINK: u32 = 0x0a;
const ETHTOOL_STXCSUM: u32 = 0x17;
const ETHTOOL_STSO: u32 = 0x1f;
const ETHTOOL_SGSO: u32 = 0x24;
const ETHTOOL_SGRO: u32 = 0x2c;

/// `struct ethtool_value`.
#[repr(C)]
#[derive(Debug)]
struct Value {
    cmd: u32,
    data: u32,
}

/// A socket of one network namespace, good for ioctls only.
#[derive(Debug)]
pub struct Ethtool {
    // Any socket serves: the kernel takes only the namespace from it.
    socket: UnixDatagram,
}

impl Ethtool {
    /// Opens a handle on the network namespace of the calling thread.
    ///
    /// # Errors
    /// When the process has no file descriptor left.
    pub fn open() -> io::Result<Ethtool> {
        Ok(Ethtool { socket: UnixDatagram::unbound()? })
    }

    /// Turns off everything that lets unfinished or merged frames out of a netdev: transmit
    /// checksums, TSO, GSO, GRO. What the driver does not know is left as it is.
    pub fn complete_frames(&self, ifname: &str) {
        for cmd in [ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO] {
            if let Err(error) = self.exchange(ifname, Value { cmd, data: 0 }) {
                tracing::debug!(ifname, cmd, %error, "Offload stays as it is");
            }
        }
    }

    /// Asks for the link state, which makes the kernel (since 6.8, `ethtool_op_get_link`) finish
    /// its pending link-watch work for the netdev at once instead of within a second.
    ///
    /// # Errors
    /// `ENODEV` when there is no such netdev.
    pub fn link(&self, ifname: &str) -> io::Result<bool> {
        Ok(self.exchange(ifname, Value { cmd: ETHTOOL_GLINK, data: 0 })? != 0)
    }

    fn exchange(&self, ifname: &str, mut value: Value) -> io::Result<u32> {
        let mut request = ifreq::named(ifname)?;
        request.ifr_ifru.ifru_data = (&raw mut value).cast();
        // SAFETY: the kernel reads the ifreq and reads or writes the ethtool_value that ifru_data
        // points to, whose layout is repr(C) and which outlives the call.
        let answer =
            unsafe { libc::ioctl(self.socket.as_raw_fd(), libc::SIOCETHTOOL, &mut request) };
        if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(value.data) }
    }
}
