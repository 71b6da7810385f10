//! Which first-hop redundancy protocol a virtual MAC belongs to, told by the MAC alone.

use serde::{Deserialize, Serialize};

use crate::types::Family;
use crate::{Mac, Vrid};

/// A first-hop redundancy protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// RFC 9568; CARP of the BSDs uses the same IPv4 range.
    Vrrp,
    /// RFC 2281 and its version 2
    Hsrp,
    /// Gateway Load Balancing Protocol
    Glbp,
    /// ucarp's range
    Carp,
    /// Anycast gateways and MACs of one's own choice.
    Other,
}

impl Protocol {
    /// The word in JSON and text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vrrp => "vrrp",
            Self::Hsrp => "hsrp",
            Self::Glbp => "glbp",
            Self::Carp => "carp",
            Self::Other => "other",
        }
    }
}

/// What a MAC says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheme {
    /// Protocol
    pub protocol: Protocol,
    /// Address family, where the MAC range tells it.
    pub family: Option<Family>,
    /// Virtual router id, for VRRP.
    pub vrid: Option<Vrid>,
}

impl Scheme {
    /// By the MAC ranges of RFC 9568 section 7.3 and of the vendors.
    pub fn of(mac: Mac) -> Self {
        let scheme = |protocol, family, vrid| Self { protocol, family, vrid };
        match mac.0 {
            [0, 0, 0x5e, 0, 1, id] if id != 0 => {
                scheme(Protocol::Vrrp, Some(Family::Ipv4), Vrid::try_from(id).ok())
            }
            [0, 0, 0x5e, 0, 2, id] if id != 0 => {
                scheme(Protocol::Vrrp, Some(Family::Ipv6), Vrid::try_from(id).ok())
            }
            [0, 0, 0x5e, 0, 0, _] => scheme(Protocol::Carp, Some(Family::Ipv4), None),
            [0, 0, 0x0c, 7, 0xac, _] | [0, 0, 0x0c, 0x9f, 0xf0..=0xff, _] => {
                scheme(Protocol::Hsrp, Some(Family::Ipv4), None)
            }
            [0, 5, 0x73, 0xa0, 0..=0x0f, _] => scheme(Protocol::Hsrp, Some(Family::Ipv6), None),
            [0, 7, 0xb4, ..] => scheme(Protocol::Glbp, None, None),
            _ => scheme(Protocol::Other, None, None),
        }
    }

    /// The family and VRID if this is a VRRP MAC.
    pub fn vrrp(self) -> Option<(Family, Vrid)> {
        self.family.zip(self.vrid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Broken if a virtual MAC were attributed to another protocol, family or VRID.
    #[test]
    fn ranges() {
        let of = |mac: &str| {
            let scheme = Scheme::of(mac.parse().unwrap());
            (scheme.protocol, scheme.family, scheme.vrid.map(Vrid::get))
        };
        assert_eq!(of("00:00:5e:00:01:05"), (Protocol::Vrrp, Some(Family::Ipv4), Some(5)));
        assert_eq!(of("00:00:5e:00:02:ff"), (Protocol::Vrrp, Some(Family::Ipv6), Some(255)));
        assert_eq!(of("00:00:5e:00:01:00"), (Protocol::Other, None, None));
        assert_eq!(of("00:00:0c:07:ac:01"), (Protocol::Hsrp, Some(Family::Ipv4), None));
        assert_eq!(of("00:00:0c:9f:f1:23"), (Protocol::Hsrp, Some(Family::Ipv4), None));
        assert_eq!(of("00:05:73:a0:00:01"), (Protocol::Hsrp, Some(Family::Ipv6), None));
        assert_eq!(of("00:07:b4:00:01:01"), (Protocol::Glbp, None, None));
        assert_eq!(of("00:00:5e:00:00:07"), (Protocol::Carp, Some(Family::Ipv4), None));
        assert_eq!(of("00:1c:73:00:00:99"), (Protocol::Other, None, None));
    }
}
