//! Kinds of flooding and where it goes.

use serde::{Deserialize, Serialize};

use super::LagId;
use crate::LocalPort;

/// A family of bridging FIDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bridging {
    /// VLANs of the VLAN-aware bridge.
    Dot1q,
    /// VLAN-unaware bridges.
    Dot1d,
}

/// A kind of frame that is flooded (SFGC.type).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FloodTraffic {
    /// Unicast to a MAC that nobody has been seen with.
    UnknownUnicast,
    /// Broadcast
    Broadcast,
    /// 224.0.0.0/24
    Ipv4LinkLocal,
    /// ff02::1
    Ipv6AllHosts,
    /// Other IPv4 multicast without a group entry
    Ipv4Multicast,
    /// Other IPv6 multicast without a group entry
    Ipv6Multicast,
    /// Multicast that is not IP
    NonIpMulticast,
}

impl FloodTraffic {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::UnknownUnicast,
        Self::Broadcast,
        Self::Ipv4LinkLocal,
        Self::Ipv6AllHosts,
        Self::Ipv4Multicast,
        Self::Ipv6Multicast,
        Self::NonIpMulticast,
    ];

    /// Which vector of a FID serves it.
    pub const fn class(self) -> FloodClass {
        match self {
            Self::UnknownUnicast => FloodClass::Unicast,
            Self::Broadcast => FloodClass::Broadcast,
            _ => FloodClass::Multicast,
        }
    }
}

/// One of a FID's flood vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FloodClass {
    /// Unknown unicast: never to the router.
    Unicast,
    /// Multicast
    Multicast,
    /// Broadcast
    Broadcast,
}

impl FloodClass {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Unicast, Self::Multicast, Self::Broadcast];
}

/// A destination of flooding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FloodTo {
    /// A port; of a LAG's members all are in the vector, and the chip's hash picks one.
    Port(LocalPort),
    /// The router.
    Router,
}

/// Where frames come from or go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortOrLag {
    /// A port
    Port(LocalPort),
    /// A LAG
    Lag(LagId),
}
