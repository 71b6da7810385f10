//! What would another configuration do, and what of the devices that are there can't work as it is? Nothing is written to find out.

use std::collections::{BTreeMap, BTreeSet};

use firsthop_model::IfIndex;
use firsthop_model::intent::{Policy, Reason, State, VmacRule};
use firsthop_model::reconcile::Reconciler;
use firsthop_model::topology::{Link, LinkKind};
use serde::{Deserialize, Serialize};

use super::{Devices, name};
use crate::config::Config;

/// Something that `check` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// `rif`, `vmac`, or a key of the configuration with its section
    pub object: String,
    /// The device
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ifname: Option<String>,
    /// What is the case
    pub text: String,
    /// Stable code
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do
    pub fix: String,
}

/// What the devices that are there have against them: what is refused or failed, what is done in another way than one may think,
/// and macvlans over router interfaces that can't be offloaded.
pub fn troubles(reconciler: &Reconciler, devices: &Devices) -> Vec<Remark> {
    let all = Default::default();
    let rifs = devices.rifs(reconciler, &all);
    let routed: BTreeSet<&String> = rifs.iter().map(|rif| &rif.ifname).collect();
    let vmacs = devices.vmacs(reconciler, &all);
    let rows = rifs.iter().filter(|rif| is_trouble(rif.state, rif.reason.as_deref()));
    let rows = rows.map(|rif| trouble("rif", &rif.ifname, rif.state, rif.reason.as_deref()));
    let over = vmacs.iter().filter(|vmac| {
        let over_rif = vmac.lower.as_ref().is_some_and(|lower| routed.contains(lower));
        is_trouble(vmac.state, vmac.reason.as_deref())
            || over_rif && vmac.state == State::NotOffloaded && !is_choice(vmac.reason.as_deref())
    });
    rows.chain(over.map(|vmac| trouble("vmac", &vmac.ifname, vmac.state, vmac.reason.as_deref())))
        .collect()
}

fn is_trouble(state: State, reason: Option<&str>) -> bool {
    match state {
        State::Refused | State::Failed => true,
        State::Offload => reason.is_some(),
        _ => false,
    }
}

/// Somebody wanted it so.
fn is_choice(reason: Option<&str>) -> bool {
    [Reason::ExcludedByConfig, Reason::LowerNotAsic, Reason::IpvlanSharesMac]
        .iter()
        .any(|choice| reason == Some(choice.code()))
}

fn trouble(object: &str, ifname: &str, state: State, reason: Option<&str>) -> Remark {
    let known = reason.and_then(Reason::of_code);
    Remark {
        object: object.to_owned(),
        ifname: Some(ifname.to_owned()),
        text: format!("is {state}: {}", known.map_or("", Reason::sentence)),
        reason: reason.map(str::to_owned),
        fix: known.map_or("", Reason::fix).to_owned(),
    }
}

/// The keys of a configuration that say something else than those that count now.
pub fn changed_keys(now: &Config, then: &Config) -> Vec<Remark> {
    let told = now.changes(then).map(|(now, then)| Remark {
        object: now.key.to_owned(),
        ifname: None,
        text: format!("{} now, {} with this configuration", now.value, then.value),
        reason: None,
        fix: if now.at_start {
            "`systemctl restart firsthopd`, as it counts from a start on; the chip goes on meanwhile."
        } else {
            "Nothing, if that is meant."
        }
        .to_owned(),
    });
    told.collect()
}

/// What another policy would change, and what of it is about nothing that is there. Whether the chip has room is not looked at.
pub fn consequences(reconciler: &Reconciler, policy: Policy) -> Vec<Remark> {
    let mut findings = idle(reconciler, &policy);
    let (now, then) = (verdicts(reconciler), verdicts(&reconciler.under(policy)));
    let devices: BTreeSet<_> = now.keys().chain(then.keys()).collect();
    for device in devices {
        let standing = |verdicts: &BTreeMap<_, String>| {
            verdicts.get(device).cloned().unwrap_or_else(|| "nothing of it".to_owned())
        };
        let (before, after) = (standing(&now), standing(&then));
        if before != after {
            let (ifindex, object) = device;
            findings.push(Remark {
                object: (*object).to_owned(),
                ifname: Some(name(reconciler, *ifindex)),
                text: format!("{before} now, {after} with this configuration"),
                reason: None,
                fix: "Nothing, if that is meant.".to_owned(),
            });
        }
    }
    findings
}

/// Where each device belongs: `offload`, or another state and why.
fn verdicts(reconciler: &Reconciler) -> BTreeMap<(IfIndex, &'static str), String> {
    let mut all = BTreeMap::new();
    for (ifindex, unit) in reconciler.units() {
        let rif = unit.rif.iter().map(|verdict| ((ifindex, "rif"), verdict));
        let vmacs = unit.vmacs.iter().map(|(ifindex, verdict)| ((*ifindex, "vmac"), verdict));
        for (device, verdict) in rif.chain(vmacs) {
            let told =
                verdict.reason().map(|reason| format!("{} ({})", reason.state(), reason.code()));
            all.insert(device, told.unwrap_or_else(|| State::Offload.to_string()));
        }
    }
    all
}

/// What the operator names that is not there.
fn idle(reconciler: &Reconciler, policy: &Policy) -> Vec<Remark> {
    let topology = reconciler.topology();
    let absent = policy.exclude.iter().filter(|name| topology.link_by_name(name).is_none());
    let absent = absent.map(|name| Remark {
        object: "exclude".to_owned(),
        ifname: Some(name.clone()),
        text: "there is no such device".to_owned(),
        reason: None,
        fix: "`ip link` lists devices; nothing, if it comes later.".to_owned(),
    });
    let macvlans: Vec<&Link> =
        topology.links().filter(|link| matches!(link.kind, LinkKind::Macvlan { .. })).collect();
    let idle = policy.vmac_rules.iter().filter(|rule| {
        !macvlans.iter().any(|link| {
            let lower = link.lower().and_then(|lower| topology.link(lower));
            rule.is_about(lower.map(|lower| lower.ifname.as_str()), link.mac)
        })
    });
    let idle = idle.map(|rule| Remark {
        object: "vmac".to_owned(),
        ifname: None,
        text: format!("no macvlan is {}", about(rule)),
        reason: None,
        fix: "`firsthop vmac` lists macvlans; nothing, if one comes later.".to_owned(),
    });
    absent.chain(idle).collect()
}

/// What a section `[[vmac]]` is about.
fn about(rule: &VmacRule) -> String {
    let lower = rule.lower.as_ref().map(|lower| format!("over {lower}"));
    let mac = rule.mac.as_ref().map(|mac| format!("of the prefix {mac}"));
    lower.into_iter().chain(mac).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use firsthop_model::intent::{Routing, VmacPolicy};

    use super::*;
    use crate::views::tests::switch;

    fn told(findings: &[Remark]) -> Vec<String> {
        let line = |finding: &Remark| {
            let ifname = finding.ifname.as_deref().unwrap_or("-");
            format!("{} {ifname} {}", finding.object, finding.text)
        };
        findings.iter().map(line).collect()
    }

    // Broken if a key that no device shows passed for no change, or one that needs a restart for one that does not.
    #[test]
    fn keys_of_a_configuration() {
        let mut config = Config::default();
        assert_eq!(changed_keys(&config, &config), []);
        config.policy.routing = Routing::Cpu;
        config.manage = Some(false);
        let findings = changed_keys(&Config::default(), &config);
        assert_eq!(
            told(&findings),
            [
                "routing - hardware now, cpu with this configuration",
                "device.manage - not set now, false with this configuration"
            ]
        );
        let restarts = findings.iter().map(|finding| finding.fix.contains("systemctl restart"));
        assert_eq!(restarts.collect::<Vec<_>>(), [false, true]);
    }

    // Broken if `check` missed what a file would change, told of what stays, or did not name what it is about in vain.
    #[test]
    fn consequences_of_a_configuration() {
        let bench = switch();
        let policy = bench.reconciler.policy().clone();
        assert_eq!(consequences(&bench.reconciler, policy.clone()), []);
        let always = Policy { vmac_policy: VmacPolicy::Always, ..policy.clone() };
        assert_eq!(
            told(&consequences(&bench.reconciler, always)),
            ["vmac backup held (no_address) now, offload with this configuration"]
        );
        let rule = VmacRule { lower: Some("br7".into()), mac: None, policy: VmacPolicy::Oper };
        let idle = Policy { exclude: ["eth9".to_owned()].into(), vmac_rules: vec![rule], ..policy };
        assert_eq!(
            told(&consequences(&bench.reconciler, idle)),
            ["exclude eth9 there is no such device", "vmac - no macvlan is over br7"]
        );
    }
}
