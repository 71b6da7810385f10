//! Which attributes are there? Walks `struct nlattr` with bounds checks and reads values of an exact size.
//!
//! ```text
//!  0        2      4
//!  | length | type | value …, padded to 4 octets | next attribute …      length counts the first four octets
//!             └ NLA_F_NESTED 0x8000 and NLA_F_NET_BYTEORDER 0x4000 are not part of the number
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Fault;

const HEADER: usize = 4;
const TYPE_MASK: u16 = 0x3fff;

/// One attribute: a number that counts in its own nest, and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attribute<'a> {
    pub(super) kind: u16,
    pub(super) value: &'a [u8],
}

/// The attributes of a message or a nest; ends after the first that does not fit. As in the kernel's `nla_ok`, fewer
/// octets than a header at the end are padding.
#[derive(Debug, Clone)]
pub(super) struct Attributes<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0;
        let [l0, l1, k0, k1] = *rest.first_chunk::<HEADER>()?;
        let kind = u16::from_ne_bytes([k0, k1]) & TYPE_MASK;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let Some(value) = rest.get(HEADER..length) else {
            self.0 = &[];
            return Some(Err(Fault::Overrun { attribute: kind, need: length, have: rest.len() }));
        };
        self.0 = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some(Ok(Attribute { kind, value }))
    }
}

impl<'a> Attribute<'a> {
    pub(super) fn u8(&self) -> Result<u8, Fault> {
        self.octets().map(u8::from_ne_bytes)
    }

    pub(super) fn u16(&self) -> Result<u16, Fault> {
        self.octets().map(u16::from_ne_bytes)
    }

    pub(super) fn u32(&self) -> Result<u32, Fault> {
        self.octets().map(u32::from_ne_bytes)
    }

    pub(super) fn i32(&self) -> Result<i32, Fault> {
        self.octets().map(i32::from_ne_bytes)
    }

    pub(super) fn ip(&self, v6: bool) -> Result<IpAddr, Fault> {
        if v6 {
            self.octets::<16>().map(|octets| Ipv6Addr::from(octets).into())
        } else {
            self.octets::<4>().map(|octets| Ipv4Addr::from(octets).into())
        }
    }

    /// Text up to its NUL. Names may hold any octets (`dev_valid_name`): what is not UTF-8 is shown as U+FFFD.
    pub(super) fn text(&self) -> Result<String, Fault> {
        let text = self.value.split(|octet| *octet == 0).next().unwrap_or_default();
        if text.is_empty() {
            Err(self.wrong_length(1))
        } else {
            Ok(String::from_utf8_lossy(text).into_owned())
        }
    }

    pub(super) fn nested(&self) -> Attributes<'a> {
        Attributes(self.value)
    }

    /// The value, if it has exactly N octets.
    pub(super) fn octets<const N: usize>(&self) -> Result<[u8; N], Fault> {
        self.value.try_into().map_err(|_| self.wrong_length(N))
    }

    pub(super) fn wrong_length(&self, need: usize) -> Fault {
        Fault::Length { attribute: self.kind, need, have: self.value.len() }
    }
}
