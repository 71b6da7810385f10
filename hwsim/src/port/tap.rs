//! The CPU side of a port: what the kernel transmits on `swpN`, and how frames reach its stack.
//!
//! A TAP device exists as long as its file is open, so that a killed simulator leaves none behind.
//!
//! ```text
//! kernel's stack ── swpN ──▶ read()  one frame, 802.1Q tags in-band, checksums complete
//!                   swpN ◀── write() one frame; EIO while swpN is down
//! ```
#![allow(unsafe_code)] // the TUNSETIFF family of ioctls has no safe wrapper

use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use super::ifreq::{self, IfReq};

/// An open TAP device, non-blocking. Dropping the last clone removes the device.
#[derive(Debug)]
pub struct Tap {
    file: File,
}

impl Tap {
    /// Creates the device `name`: admin down, without carrier.
    ///
    /// # Errors
    /// `EBUSY` or `EINVAL` when an interface of that name exists, `EPERM` without `CAP_NET_ADMIN`,
    /// `ENOENT` without `/dev/net/tun`.
    pub fn create(name: &str) -> io::Result<Tap> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/net/tun")?;
        let mut request = ifreq::named(name)?;
        let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_TUN_EXCL;
        request.ifr_ifru.ifru_flags = libc::c_short::from_ne_bytes(low_half(flags).to_ne_bytes());
        // SAFETY: TUNSETIFF reads and writes one ifreq, which `request` is; the file is open.
        let answer = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &mut request) };
        if answer < 0 {
            return Err(io::Error::last_os_error());
        }
        let tap = Tap { file };
        tap.set_carrier(false)?;
        Ok(tap)
    }

    /// A second handle on the same device.
    ///
    /// # Errors
    /// When the process has no file descriptor left.
    pub fn try_clone(&self) -> io::Result<Tap> {
        Ok(Tap { file: self.file.try_clone()? })
    }

    /// Gives the device its carrier or takes it away. Waits for the kernel's RTNL lock.
    ///
    /// # Errors
    /// `EBADFD` once the device is deleted.
    pub fn set_carrier(&self, on: bool) -> io::Result<()> {
        let value = libc::c_int::from(on);
        // SAFETY: TUNSETCARRIER reads one int through the pointer, which outlives the call.
        let answer = unsafe { libc::ioctl(self.file.as_raw_fd(), libc::TUNSETCARRIER, &value) };
        if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// The device's present name, in whatever network namespace it is now.
    ///
    /// # Errors
    /// `EBADFD` once the device is deleted.
    pub fn name(&self) -> io::Result<String> {
        let mut request: IfReq = ifreq::empty();
        // SAFETY: TUNGETIFF fills one ifreq, which `request` is.
        let answer = unsafe { libc::ioctl(self.file.as_raw_fd(), libc::TUNGETIFF, &mut request) };
        if answer < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel terminates ifr_name, and `empty` zeroed it before.
        let name = unsafe { CStr::from_ptr(request.ifr_name.as_ptr()) };
        Ok(name.to_string_lossy().into_owned())
    }

    /// Reads the next frame that the kernel transmitted; its length.
    ///
    /// # Errors
    /// `EAGAIN` when there is none, `EBADFD` once the device is deleted.
    pub fn read(&self, frame: &mut [u8]) -> io::Result<usize> {
        (&self.file).read(frame)
    }

    /// Hands a frame to the kernel's stack, as received by the device.
    ///
    /// # Errors
    /// `EIO` while the device is down, `EBADFD` once it is deleted.
    pub fn write(&self, frame: &[u8]) -> io::Result<()> {
        (&self.file).write(frame).map(drop)
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The lower 16 bits of TUNSETIFF flags; all flags of the interface fit.
fn low_half(flags: libc::c_int) -> u16 {
    let [a, b, ..] = flags.to_le_bytes();
    u16::from_le_bytes([a, b])
}
