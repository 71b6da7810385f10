//! What the operator decides: when a macvlan's MAC is programmed, which devices are left alone, how large the VRRP policer is.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Mac;
use crate::types::InvalidValue;

/// When a macvlan's MAC is programmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VmacPolicy {
    /// Up, not proto_down, and at least one qualifying address: right for keepalived and FRR alike.
    #[default]
    Active,
    /// At least one address of any kind, whatever the link state: mlxsw's rule on address events.
    Address,
    /// Operational state up and not proto_down, whatever the addresses: SONiC's rule.
    Oper,
    /// Whenever the lower device has a router interface: anycast gateways.
    Always,
}

impl VmacPolicy {
    /// Every policy.
    pub const ALL: [Self; 4] = [Self::Active, Self::Address, Self::Oper, Self::Always];

    /// The word in JSON, text and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Address => "address",
            Self::Oper => "oper",
            Self::Always => "always",
        }
    }
}

/// The first bits of a MAC: `00:00:5e:00:01:00/40`, or a whole MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacPrefix {
    mac: Mac,
    bits: u8,
}

impl MacPrefix {
    /// Has this MAC the prefix?
    pub fn contains(self, mac: Mac) -> bool {
        // 48 bits, so that a shift by 48 leaves none of them
        let kept = |mac: Mac| mac.bits() >> (48 - u32::from(self.bits.min(48)));
        kept(self.mac) == kept(mac)
    }
}

impl fmt::Display for MacPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.mac, self.bits)
    }
}

impl FromStr for MacPrefix {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidValue::MacPrefix(text.to_owned());
        let (mac, bits) = text.split_once('/').unwrap_or((text, "48"));
        let bits = bits.parse().ok().filter(|bits| *bits <= 48).ok_or_else(invalid)?;
        Ok(Self { mac: mac.parse().map_err(|_| invalid())?, bits })
    }
}

impl TryFrom<String> for MacPrefix {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<MacPrefix> for String {
    fn from(prefix: MacPrefix) -> Self {
        prefix.to_string()
    }
}

/// Another admission policy for some macvlans: those over a device, those with a MAC prefix, or those with both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VmacRule {
    /// Name of the device below the macvlan.
    #[serde(default)]
    pub lower: Option<String>,
    /// Prefix of the macvlan's MAC.
    #[serde(default)]
    pub mac: Option<MacPrefix>,
    /// Its policy.
    pub policy: VmacPolicy,
}

impl VmacRule {
    /// Whether it is about a macvlan with this MAC over a device of this name.
    pub fn is_about(&self, lower: Option<&str>, mac: Option<Mac>) -> bool {
        self.lower.as_deref().is_none_or(|name| lower == Some(name))
            && self.mac.is_none_or(|prefix| mac.is_some_and(|mac| prefix.contains(mac)))
    }
}

/// What is done about virtual MACs over bridges that Linux itself bridges for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinuxBridges {
    /// Nothing: they are not the chip's.
    #[default]
    Ignored,
    /// It is told which entries their forwarding tables should have.
    Shown,
    /// These entries are made.
    Written,
}

/// Where packets are routed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Routing {
    /// By the kernel: the chip sends it everything that is for its router.
    Cpu,
    /// By the chip, as far as it can; the rest goes to the kernel.
    #[default]
    Hardware,
}

impl Routing {
    /// The word in JSON and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Hardware => "hardware",
        }
    }
}

/// What the operator decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Admission of macvlans' MACs where no rule says otherwise.
    pub vmac_policy: VmacPolicy,
    /// Exceptions; the first that matches wins.
    pub vmac_rules: Vec<VmacRule>,
    /// Names of devices that are left alone.
    pub exclude: BTreeSet<String>,
    /// Rate of the VRRP policer in packets per second.
    pub vrrp_rate: u32,
    /// Burst of the VRRP policer in packets; a power of two.
    pub vrrp_burst: u32,
    /// Bridges without ports of the chip.
    #[serde(default)]
    pub linux_bridges: LinuxBridges,
    /// Where packets are routed.
    #[serde(default)]
    pub routing: Routing,
}

impl Policy {
    /// The admission policy for a macvlan with this MAC over a device of this name.
    pub fn vmac_policy_of(&self, lower: Option<&str>, mac: Option<Mac>) -> VmacPolicy {
        let rule = self.vmac_rules.iter().find(|rule| rule.is_about(lower, mac));
        rule.map_or(self.vmac_policy, |rule| rule.policy)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            vmac_policy: VmacPolicy::Active,
            vmac_rules: Vec::new(),
            exclude: BTreeSet::new(),
            vrrp_rate: 1024,
            vrrp_burst: 1024,
            linux_bridges: LinuxBridges::Ignored,
            routing: Routing::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Broken if a rule applied to macvlans that it does not name, or a later rule overrode an earlier one.
    #[test]
    fn the_first_rule_that_matches_wins() {
        let rule = |lower: Option<&str>, mac: Option<&str>, policy| VmacRule {
            lower: lower.map(str::to_owned),
            mac: mac.map(|mac| mac.parse().unwrap()),
            policy,
        };
        let policy = Policy {
            vmac_rules: vec![
                rule(Some("br0"), Some("00:1c:73:00:00:00/24"), VmacPolicy::Always),
                rule(Some("br0"), None, VmacPolicy::Oper),
                rule(None, Some("00:00:5e:00:02:00/40"), VmacPolicy::Address),
            ],
            ..Policy::default()
        };
        let of = |lower, mac: &str| policy.vmac_policy_of(Some(lower), mac.parse().ok());
        assert_eq!(of("br0", "00:1c:73:aa:bb:cc"), VmacPolicy::Always);
        assert_eq!(of("br0", "00:00:5e:00:02:01"), VmacPolicy::Oper);
        assert_eq!(of("swp1", "00:00:5e:00:02:01"), VmacPolicy::Address);
        assert_eq!(of("swp1", "00:00:5e:00:01:01"), VmacPolicy::Active);
    }

    // Broken if a prefix that means nothing were taken, or one of no bits did not match everything.
    #[test]
    fn prefixes() {
        for bad in ["", "00:00:5e", "00:00:5e:00:01:00/49", "00:00:5e:00:01:00/", "x/8"] {
            assert!(bad.parse::<MacPrefix>().is_err(), "{bad}");
        }
        let any: MacPrefix = "00:00:00:00:00:00/0".parse().unwrap();
        assert!(any.contains(Mac([0xff; 6])));
        let one: MacPrefix = "00:00:5e:00:01:05".parse().unwrap();
        assert_eq!(one.to_string(), "00:00:5e:00:01:05/48");
        assert!(!one.contains("00:00:5e:00:01:06".parse().unwrap()));
    }
}
