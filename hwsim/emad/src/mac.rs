//! What is a MAC address here? Six octets, printed the way `ip link` prints them.

use std::fmt;
use std::str::FromStr;

/// A MAC address. `Display` writes lower-case hexadecimal with colons; `FromStr` also takes upper case and hyphens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mac(pub [u8; 6]);

/// The text was not six groups of two hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Not a MAC address: {text:?}")]
pub struct MacParseError {
    /// What was given.
    pub text: String,
}

impl Mac {
    /// `00:00:00:00:00:00`.
    pub const ZERO: Self = Self([0; 6]);

    /// The six octets in the order in which they go on the wire.
    #[must_use]
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// The group bit: the address names several stations (broadcast included).
    #[must_use]
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 == 1
    }
}

impl From<[u8; 6]> for Mac {
    fn from(octets: [u8; 6]) -> Self {
        Self(octets)
    }
}

impl From<Mac> for [u8; 6] {
    fn from(mac: Mac) -> Self {
        mac.0
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
        write!(f, "Mac({self})")
    }
}

impl FromStr for Mac {
    type Err = MacParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || MacParseError { text: text.to_owned() };
        let mut groups = text.split([':', '-']);
        let mut octets = [0; 6];
        for octet in &mut octets {
            let group = groups.next().ok_or_else(error)?;
            // from_str_radix takes a sign, a MAC address does not.
            if group.len() != 2 || !group.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(error());
            }
            *octet = u8::from_str_radix(group, 16).map_err(|_| error())?;
        }
        if groups.next().is_some() { Err(error()) } else { Ok(Self(octets)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Would break: what the CLI prints could not be pasted back, or differs from `ip link`.
    #[test]
    fn text_goes_both_ways() {
        let mac: Mac = "00:00:5E:00-01-fF".parse().unwrap();
        assert_eq!(mac, Mac([0, 0, 0x5e, 0, 1, 0xff]));
        assert_eq!(mac.to_string(), "00:00:5e:00:01:ff");
        assert_eq!(mac.to_string().parse(), Ok(mac));
    }

    // Would break: a typing error in a configuration becomes some other station's address.
    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "00:00:5e:00:01",
            "00:00:5e:00:01:02:03",
            "0:0:5e:0:1:2",
            "+1:00:00:00:00:00",
            "00:00:5e:00:01:0g",
            "00:00:5e:00:01:ä",
        ] {
            assert!(text.parse::<Mac>().is_err(), "{text:?} was accepted");
        }
    }

    // Would break: group addresses would be programmed as router MACs.
    #[test]
    fn group_bit_decides_multicast() {
        assert!(Mac([0x01, 0, 0x5e, 0, 0, 0x12]).is_multicast());
        assert!(!Mac([0x02, 0, 0x5e, 0, 0, 0x12]).is_multicast());
    }
}
