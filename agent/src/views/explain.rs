//! Why is this device in the chip, or not? Each condition with its result, then what the chip made of it.

use firsthop_model::IfIndex;
use firsthop_model::chip::Rif;
use firsthop_model::driver::Evidence;
use firsthop_model::intent::{Reason, Scheme, State, Verdict, foreign_member, judge};
use firsthop_model::reconcile::{Reconciler, Standing};
use firsthop_model::topology::{IpvlanFlag, IpvlanMode, Link, LinkKind, MacvlanMode};
use firsthop_model::types::Family;
use serde::{Deserialize, Serialize};

use super::object::code;
use super::{Hazard, Liveness, VrrpRule, linux_bridge, name};

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What holds or does not, with the values that decided.
    pub text: String,
    /// It holds.
    pub holds: bool,
    /// Why not
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The first that does not hold.
    pub decides: bool,
}

/// Why one device is or is not in the chip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Name
    pub ifname: String,
    /// Index in the kernel
    pub ifindex: u32,
    /// `rif`, `vmac` or `bridge_port`
    pub object: String,
    /// The device in words
    pub what: String,
    /// State
    pub state: State,
    /// Stable code
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// In the order in which they are asked
    pub conditions: Vec<Condition>,
    /// What is the case
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentence: Option<String>,
    /// What follows for traffic
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// What to do
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// What the chip said
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chip: Option<String>,
    /// Where it is in the chip
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Where it is in a bridge of Linux's own
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bridge: Option<String>,
    /// The device of the port below that has a driver in the kernel
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Its driver; None: nobody knows yet
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// How it is known what that driver has
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// What goes wrong with it, or may
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hazards: Vec<Hazard>,
    /// What advertisements show; filled in where somebody listens to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveness: Option<Liveness>,
    /// tc rules that trap advertisements, at the port or for the router interface; filled in where they are made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vrrp_rules: Vec<VrrpRule>,
}

/// Whether something in this state belongs into the chip and is not there.
pub const fn should_be_in_chip(state: State) -> bool {
    matches!(state, State::Refused | State::Failed | State::Pending)
}

/// Explains one device.
pub fn explain(reconciler: &Reconciler, link: &Link) -> Explanation {
    match virtual_verdict(reconciler, link) {
        Some(verdict) => explain_vmac(reconciler, link, verdict),
        None => match member(reconciler, link) {
            Some((bridge, verdict)) => explain_member(reconciler, link, bridge, verdict),
            None => match foreign_member(&reconciler.scene(), link) {
                Some(verdict) => {
                    let standing = standing_of(&verdict);
                    let what = describe(reconciler, link);
                    about(link, "bridge_port", what, &verdict, standing)
                }
                None => explain_rif(reconciler, link),
            },
        },
    }
}

/// How something stands of which the chip knows nothing.
fn standing_of(verdict: &Verdict) -> Standing {
    let reason = verdict.reason().unwrap_or(Reason::Unacknowledged);
    Standing { state: reason.state(), reason: Some(reason), text: None }
}

/// A bridge member without addresses: what matters of it is whether the chip bridges it.
fn member<'a>(reconciler: &'a Reconciler, link: &Link) -> Option<(IfIndex, &'a Verdict)> {
    let bridge = link.master?;
    let verdict = reconciler.bridges().get(&bridge)?.verdicts.get(&link.ifindex)?;
    reconciler.topology().addresses(link.ifindex).is_empty().then_some((bridge, verdict))
}

fn explain_member(
    reconciler: &Reconciler,
    link: &Link,
    bridge: IfIndex,
    verdict: &Verdict,
) -> Explanation {
    let standing = reconciler.member_standing(bridge, verdict);
    about(link, "bridge_port", describe(reconciler, link), verdict, standing)
}

fn virtual_verdict<'a>(reconciler: &'a Reconciler, link: &Link) -> Option<&'a Verdict> {
    let speaker = link.lower().filter(|lower| reconciler.topology().link(*lower).is_some());
    reconciler.unit(speaker.unwrap_or(link.ifindex))?.vmacs.get(&link.ifindex)
}

fn explain_vmac(reconciler: &Reconciler, link: &Link, verdict: &Verdict) -> Explanation {
    let standing = reconciler.vmac_standing(link, verdict);
    let mut explanation = about(link, "vmac", describe(reconciler, link), verdict, standing);
    let there = matches!(explanation.state, State::Offload);
    if let Some((rif, fid)) = reconciler.place_of(link).filter(|_| there) {
        let slot = match (reconciler.fast_path(link), slot_holder(reconciler, link)) {
            (Some(true), _) => "; holds the VRRP fast-path slot".to_owned(),
            (Some(false), Some(holder)) => format!("; VRID {holder} holds the fast-path slot"),
            _ => String::new(),
        };
        explanation.place =
            Some(format!("router MAC in FID {fid} of router interface {rif}{slot}"));
    }
    let unit = link.lower().and_then(|lower| reconciler.unit(lower));
    let macs = unit.and_then(|unit| unit.bridge_macs.as_ref()).filter(|_| there);
    explanation.bridge = macs.map(|macs| {
        format!("local entry in the forwarding table of {}", linux_bridge::place(reconciler, macs))
    });
    explanation
}

fn slot_holder(reconciler: &Reconciler, link: &Link) -> Option<u8> {
    let (family, _) = Scheme::of(link.mac?).vrrp()?;
    let rif = reconciler.applied_rif(link.lower()?)?;
    let holder = match family {
        Family::Ipv4 => rif.vrrp_ipv4,
        Family::Ipv6 => rif.vrrp_ipv6,
    };
    holder.map(firsthop_model::Vrid::get)
}

fn explain_rif(reconciler: &Reconciler, link: &Link) -> Explanation {
    // A device without addresses has no unit that speaks for it, but the same questions.
    let verdict = judge(&reconciler.scene(), link);
    let standing = reconciler.rif_standing(link.ifindex).unwrap_or_else(|| standing_of(&verdict));
    let mut explanation = about(link, "rif", describe(reconciler, link), &verdict, standing);
    explanation.place = reconciler.applied_rif(link.ifindex).map(place);
    explanation
}

fn place(rif: &Rif) -> String {
    format!(
        "router interface {}, virtual router {}, MAC {}, MTU {}",
        rif.rif, rif.vr, rif.mac, rif.mtu
    )
}

pub(super) fn about(
    link: &Link,
    object: &str,
    what: String,
    verdict: &Verdict,
    standing: Standing,
) -> Explanation {
    let decisive = verdict.conditions.iter().position(|condition| condition.unmet.is_some());
    let conditions = verdict.conditions.iter().enumerate().map(|(at, condition)| Condition {
        text: condition.text.clone().into_owned(),
        holds: condition.unmet.is_none(),
        reason: condition.unmet.map(|reason| reason.code().to_owned()),
        decides: decisive == Some(at),
    });
    Explanation {
        ifname: link.ifname.clone(),
        ifindex: link.ifindex.0,
        object: object.to_owned(),
        what,
        state: standing.state,
        reason: code(&standing),
        conditions: conditions.collect(),
        sentence: standing.reason.map(|reason| reason.sentence().to_owned()),
        effect: standing.reason.map(|reason| reason.effect().to_owned()),
        fix: standing.reason.map(|reason| with_name(reason.fix(), &link.ifname)),
        chip: standing.text,
        place: None,
        bridge: None,
        device: None,
        driver: None,
        evidence: None,
        hazards: Vec::new(),
        liveness: None,
        vrrp_rules: Vec::new(),
    }
}

/// The advice with the device's name in it, ready to be copied.
pub(super) fn with_name(advice: &str, name: &str) -> String {
    let words = advice.split(' ').map(|word| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        if bare == "DEV" { word.replace("DEV", name) } else { word.to_owned() }
    });
    words.collect::<Vec<_>>().join(" ")
}

pub(super) fn describe(reconciler: &Reconciler, link: &Link) -> String {
    let over = match (link.link_netnsid, link.lower()) {
        (Some(_), _) => " over a device in another network namespace".to_owned(),
        (None, Some(lower)) => format!(" over {}", name(reconciler, lower)),
        (None, None) => String::new(),
    };
    if let Some(port) = reconciler.chip().port_of(link) {
        return format!("port {} of {}", port.0, reconciler.chip().handle());
    }
    match &link.kind {
        LinkKind::Macvlan { mode } => {
            let mode = match mode {
                MacvlanMode::Private => "private",
                MacvlanMode::Vepa => "vepa",
                MacvlanMode::Bridge => "bridge",
                MacvlanMode::Passthru => "passthru",
                MacvlanMode::Source => "source",
                MacvlanMode::Other(_) => "in an unknown mode",
            };
            format!("macvlan {mode}{over}")
        }
        LinkKind::Ipvlan { mode, flag } => {
            let mode = match mode {
                IpvlanMode::L2 => "l2",
                IpvlanMode::L3 => "l3",
                IpvlanMode::L3s => "l3s",
                IpvlanMode::Other(_) => "in an unknown mode",
            };
            let flag = match flag {
                IpvlanFlag::Bridge => "bridge",
                IpvlanFlag::Private => "private",
                IpvlanFlag::Vepa => "vepa",
            };
            format!("ipvlan {mode} {flag}{over}")
        }
        LinkKind::Vrf { table } => format!("VRF of table {table}"),
        LinkKind::Vlan { vid, .. } => format!("VLAN {vid}{over}"),
        LinkKind::Bridge { vlan_filtering: true, .. } => "VLAN-aware bridge".to_owned(),
        LinkKind::Bridge { vlan_filtering: false, .. } => "VLAN-unaware bridge".to_owned(),
        LinkKind::Bond { .. } => "bond".to_owned(),
        LinkKind::Team => "team".to_owned(),
        LinkKind::Other { name } => format!("{name}{over}"),
        LinkKind::None => "network device".to_owned(),
    }
}
