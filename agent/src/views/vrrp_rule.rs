//! Which tc rules trap advertisements at ports that the kernel drives?

use firsthop_model::intent::ControlRule;
use firsthop_model::reconcile::Reconciler;
use firsthop_model::types::Family;
use serde::{Deserialize, Serialize};

use super::{Difference, name};

/// A rule that should be at a port, or could be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VrrpRule {
    /// Name of the port
    pub port: String,
    /// The VLAN in the tag; None: frames without a tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// Whose advertisements
    pub family: Family,
    /// The kernel says that it is in hardware.
    pub in_hw: bool,
    /// Why not; None as well while it is on its way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the kernel or the driver said
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Prio of the rule
    pub pref: u16,
}

impl VrrpRule {
    /// A rule that is not there.
    pub fn new(reconciler: &Reconciler, rule: ControlRule) -> Self {
        let ControlRule { port, vlan, family } = rule;
        Self {
            port: name(reconciler, port),
            vlan,
            family,
            in_hw: false,
            reason: None,
            text: None,
            pref: rule.prio(),
        }
    }

    /// `eth1 vlan 10 ipv6`
    pub fn words(&self) -> String {
        let vlan = self.vlan.map_or_else(String::new, |vlan| format!(" vlan {vlan}"));
        format!("{}{vlan} {}", self.port, self.family)
    }

    /// It should be there, and is not.
    pub fn difference(&self) -> Difference {
        Difference {
            object: format!("vrrp rule {}", self.words()),
            ifname: Some(self.port.clone()),
            change: Some("add".to_owned()),
            kernel: None,
            intended: Some("trap".to_owned()),
            hardware: None,
            reason: self.reason.clone(),
            command: Some(self.command()),
        }
    }

    /// As an administrator would add it.
    fn command(&self) -> String {
        let Self { port, pref, .. } = self;
        let (ethertype, group) = match self.family {
            Family::Ipv4 => ("ip", "224.0.0.18"),
            Family::Ipv6 => ("ipv6", "ff02::12"),
        };
        let (protocol, vlan) = match self.vlan {
            Some(vlan) => ("802.1Q", format!("vlan_id {vlan} vlan_ethtype {ethertype} ")),
            None => (ethertype, String::new()),
        };
        format!(
            "tc filter add dev {port} ingress protocol {protocol} pref {pref} handle 1 flower skip_sw {vlan}dst_ip {group} \
             ip_proto 0x70 action trap"
        )
    }
}

/// The qdisc that the rules of a port need.
pub fn clsact_difference(rule: &VrrpRule) -> Difference {
    Difference {
        object: format!("clsact {}", rule.port),
        ifname: Some(rule.port.clone()),
        change: Some("add".to_owned()),
        kernel: None,
        intended: Some("clsact".to_owned()),
        hardware: None,
        reason: rule.reason.clone(),
        command: Some(format!("tc qdisc add dev {} clsact", rule.port)),
    }
}

#[cfg(test)]
mod tests {
    use firsthop_model::IfIndex;
    use serde_json::Value;

    use super::*;
    use crate::views::tests::Bench;

    // Broken if the commands that people are given were other ones than those that tc-tests runs on a kernel.
    #[test]
    fn commands_are_those_of_tc_tests() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tc-tests/accepted.json");
        let cases: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let run = |id: &str| {
            let case = cases.as_array().unwrap().iter().find(|case| case["id"] == id);
            let command = case.unwrap()["cmdUnderTest"].as_str().unwrap();
            command.replace("$TC", "tc").replace("$ETH", "swp1")
        };
        let bench = Bench::new();
        for (id, vlan, family) in [
            ("5a01", None, Family::Ipv4),
            ("5a02", None, Family::Ipv6),
            ("5a03", Some(10), Family::Ipv4),
            ("5a04", Some(10), Family::Ipv6),
        ] {
            let rule = ControlRule { port: IfIndex(2), vlan, family };
            let row = VrrpRule::new(&bench.reconciler, rule);
            assert_eq!(row.difference().command, Some(run(id)));
        }
    }
}
