//! The small checked values that every stage speaks in: MAC addresses, interface indices, VRIDs.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A text or number that is not a value of the wanted type.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidValue {
    /// Not six hexadecimal octets.
    #[error("Not a MAC address: '{0}' (expected six hexadecimal octets such as 00:00:5e:00:01:05)")]
    Mac(String),
    /// Not a MAC address with a number of bits.
    #[error(
        "Not a MAC prefix: '{0}' (expected a MAC address and 0..48 bits such as 00:00:5e:00:01:00/40)"
    )]
    MacPrefix(String),
    /// VRID 0, which RFC 9568 section 5.2.3 reserves.
    #[error("VRID {0} is not in 1..255")]
    Vrid(u8),
}

/// An Ethernet address; prints lower case with colons.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Group bit set: never a router MAC.
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// All zero, as the kernel shows devices without an address.
    pub const fn is_zero(self) -> bool {
        matches!(self.0, [0, 0, 0, 0, 0, 0])
    }

    /// The 48 bits as a number.
    pub fn bits(self) -> u64 {
        self.0.iter().fold(0, |bits, octet| bits << 8 | u64::from(*octet))
    }

    /// The MAC with these 48 bits; those above are left out.
    pub const fn from_bits(bits: u64) -> Self {
        let [_, _, a, b, c, d, e, f] = bits.to_be_bytes();
        Self([a, b, c, d, e, f])
    }

    /// The modified EUI-64 link-local address the kernel makes of this MAC (RFC 4291 appendix A).
    pub fn link_local(self) -> std::net::Ipv6Addr {
        let m = self.0;
        std::net::Ipv6Addr::from([
            0xfe,
            0x80,
            0,
            0,
            0,
            0,
            0,
            0,
            m[0] ^ 2,
            m[1],
            m[2],
            0xff,
            0xfe,
            m[3],
            m[4],
            m[5],
        ])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Mac {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidValue::Mac(text.to_owned());
        let mut octets = [0; 6];
        let mut parts = text.split(':');
        for octet in &mut octets {
            let part = parts.next().filter(|p| (1..=2).contains(&p.len())).ok_or_else(invalid)?;
            *octet = u8::from_str_radix(part, 16).map_err(|_| invalid())?;
        }
        if parts.next().is_some() { Err(invalid()) } else { Ok(Self(octets)) }
    }
}

impl Serialize for Mac {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A kernel interface index, unique in its network namespace while the device lives.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
pub struct IfIndex(pub u32);

impl fmt::Display for IfIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A front-panel port of a chip, 1..=N.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LocalPort(pub u16);

/// A virtual router identifier, 1..=255 (RFC 9568 section 5.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Vrid(u8);

impl Vrid {
    /// A number; None: 0.
    pub const fn new(id: u8) -> Option<Self> {
        if id == 0 { None } else { Some(Self(id)) }
    }

    /// The number, 1..=255.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Vrid {
    type Error = InvalidValue;

    fn try_from(id: u8) -> Result<Self, Self::Error> {
        if id == 0 { Err(InvalidValue::Vrid(id)) } else { Ok(Self(id)) }
    }
}

impl From<Vrid> for u8 {
    fn from(vrid: Vrid) -> Self {
        vrid.0
    }
}

impl fmt::Display for Vrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// An address family of the Internet protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4
    Ipv4,
    /// IPv6
    Ipv6,
}

impl Family {
    /// The family of an address.
    pub const fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Broken if MACs printed or parsed another way than iproute2 does.
    #[test]
    fn mac_text_round_trips() {
        let mac: Mac = "00:00:5e:00:01:0A".parse().unwrap();
        assert_eq!(mac.to_string(), "00:00:5e:00:01:0a");
        for bad in
            ["", "00:00:5e:00:01", "00:00:5e:00:01:05:06", "00:00:5e:00:01:zz", "0:0:5e:0:1:005"]
        {
            assert!(bad.parse::<Mac>().is_err(), "{bad}");
        }
    }

    // Broken if kernel-made link-locals could not be told from configured ones on kernels without IFA_PROTO.
    #[test]
    fn link_local_is_eui64() {
        let mac: Mac = "00:00:5e:00:02:05".parse().unwrap();
        assert_eq!(mac.link_local().to_string(), "fe80::200:5eff:fe00:205");
    }
}
