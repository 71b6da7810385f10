//! `struct ifreq`, the argument of the interface ioctls, built without uninitialised bytes.
#![allow(unsafe_code)] // the C union inside has no safe constructor

use std::io;

/// The kernel's `struct ifreq`.
pub(super) type IfReq = libc::ifreq;

/// An ifreq of zero bytes.
pub(super) fn empty() -> IfReq {
    // SAFETY: ifreq is plain integers, arrays and a union of those and of a pointer; all-zero
    // bytes are a valid value of each.
    unsafe { std::mem::zeroed() }
}

/// An ifreq that names an interface.
///
/// # Errors
/// `InvalidInput` when the name is empty or longer than 15 bytes.
pub(super) fn named(name: &str) -> io::Result<IfReq> {
    let mut request = empty();
    if name.is_empty() || name.len() >= request.ifr_name.len() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("Interface name {name:?} does not have 1 to 15 bytes"),
        ));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    Ok(request)
}
