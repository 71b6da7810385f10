//! mlxsw's own rules: which router interfaces and virtual MACs it has, whatever Firsthop thinks of them.
//!
//! ```text
//!   device has an address of either family, or is a VRF slave ─▶ router interface (mlxsw_sp_rif_should_config)
//!   address added to a macvlan over it ─▶ MAC programmed     (mlxsw_sp_rif_macvlan_add), up or down, proto_down or not
//!   last address of a macvlan removed  ─▶ MAC removed        (mlxsw_sp_rif_macvlan_del)
//!   router interface made anew         ─▶ every macvlan's    (mlxsw_sp_rif_macvlan_replay), with or without an address
//!   VRRP MAC programmed                ─▶ the family's one VRRP id, the last one wins; any one removed ─▶ 0
//!   MAC of a macvlan changed           ─▶ nothing: the former record stays
//! ```
//!
//! Router interfaces can be read (dpipe table `mlxsw_erif`, occupancy of `rifs`). The forwarding database and the VRRP ids can't.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    DeviceAudit, Evidence, Hazard, HazardKind, Readings, RifAudit, VmacAudit, bases, uppers,
};
use crate::intent::{Reason, Scene, Scheme, Verdict, judge, unit};
use crate::topology::{Link, LinkKind};
use crate::types::Family;
use crate::{IfIndex, Vrid};

pub(super) fn audit(scene: &Scene<'_>, readings: &Readings, audit: &mut DeviceAudit) {
    audit.rifs = rifs(scene, readings);
    for link in bases(scene) {
        let rif = audit.rifs.get(&link.ifindex).filter(|rif| rif.verdict.admits());
        // without one: how the lack of it is known
        let lack = audit.rifs.get(&link.ifindex).map_or(Evidence::Computed, |rif| rif.evidence);
        let known = if rif.is_some() { None } else { Some(lack) };
        audit.vmacs.extend(vmacs(scene, link, known));
    }
}

fn rifs(scene: &Scene<'_>, readings: &Readings) -> BTreeMap<IfIndex, RifAudit> {
    let mut rifs = BTreeMap::new();
    for link in bases(scene) {
        let mut verdict = judge(scene, link);
        let computed = verdict.admits();
        let index = readings.erifs.as_ref().map(|erifs| erifs.get(&link.ifindex).copied());
        match index {
            Some(None) if computed => {
                let text = "is in the driver's table of router interfaces (devlink dpipe)";
                verdict.ask(false, Reason::RifMissing, text);
            }
            Some(Some(_)) if !computed => {
                verdict = Verdict::default();
                let text = "is in the driver's table of router interfaces (devlink dpipe)";
                verdict.ask(true, Reason::RifMissing, text);
            }
            _ => {}
        }
        let evidence = if index.is_some() { Evidence::Read } else { Evidence::Computed };
        let place = scene.place(link).ok();
        rifs.insert(link.ifindex, RifAudit { verdict, evidence, index: index.flatten(), place });
    }
    // One more is the driver's own (mlxsw_sp_lb_rif_init). As many as computed: these are they.
    let count = rifs.values().filter(|rif| rif.verdict.admits()).count();
    let taken = readings.rifs.and_then(|rifs| usize::try_from(rifs.occ).ok());
    if readings.erifs.is_none() && taken == Some(count + 1) {
        rifs.values_mut().for_each(|rif| rif.evidence = Evidence::Read);
    }
    rifs
}

/// The macvlans and ipvlans on a device. `lack`: it has no router interface, and how that is known.
fn vmacs(scene: &Scene<'_>, lower: &Link, lack: Option<Evidence>) -> BTreeMap<IfIndex, VmacAudit> {
    let told = unit(scene, lower.ifindex).vmacs;
    let mut vmacs = BTreeMap::new();
    let mut slots = BTreeMap::<Family, BTreeSet<Vrid>>::new();
    for upper in uppers(scene, lower.ifindex) {
        let Some(policy) = told.get(&upper.ifindex) else { continue };
        let verdict = match upper.kind {
            LinkKind::Ipvlan { .. } => policy.clone(),
            _ => vmac(scene, lower, upper, lack.is_none()),
        };
        let mut hazards = Vec::new();
        if upper.kind != passthru() {
            hazards.extend(attracts(scene, lower, upper, &verdict, policy));
            hazards.extend(stale(scene, lower, upper, &verdict));
        }
        let slot = upper.mac.and_then(|mac| Scheme::of(mac).vrrp()).filter(|_| verdict.admits());
        if let Some((family, vrid)) = slot {
            slots.entry(family).or_default().insert(vrid);
        }
        let evidence =
            lack.filter(|_| verdict.reason() == Some(Reason::NoRif)).unwrap_or(Evidence::Computed);
        let fast_path = slot.is_some();
        let policy = policy.clone();
        vmacs.insert(upper.ifindex, VmacAudit { verdict, evidence, policy, fast_path, hazards });
    }
    for (ifindex, vmac) in vmacs.iter_mut().filter(|(_, vmac)| vmac.fast_path) {
        let mac = scene.topology.link(*ifindex).and_then(|link| link.mac);
        let family = mac.and_then(|mac| Scheme::of(mac).vrrp()).map(|(family, _)| family);
        let sharing = family.and_then(|family| slots.get(&family)).filter(|vrids| vrids.len() > 1);
        if let Some(vrids) = sharing {
            let vrids: Vec<String> = vrids.iter().map(ToString::to_string).collect();
            let text = format!("VRIDs {} are on {}", vrids.join(", "), lower.ifname);
            vmac.fast_path = false;
            vmac.hazards.push(computed(HazardKind::SecondVridSlot, *ifindex, true, text));
        }
    }
    vmacs
}

/// Whether the driver has the MAC of a macvlan.
fn vmac(scene: &Scene<'_>, lower: &Link, upper: &Link, has_rif: bool) -> Verdict {
    let name = &lower.ifname;
    let mut verdict = Verdict::default();
    let text = format!("{name} is a port of {}, or stands on one", scene.chip.handle());
    verdict.ask(true, Reason::LowerNotAsic, text);
    let objection = scene.place(lower).err().map(|objection| objection.reason());
    if matches!(objection, Some(Reason::Bridge8021ad | Reason::UpperOn8021adBridge)) {
        let text = format!("{name} is no 802.1ad bridge");
        verdict.ask(false, Reason::UpperOn8021adBridge, text);
    }
    let master = scene.topology.master(upper);
    let free = master.is_none_or(|master| matches!(master.kind, LinkKind::Vrf { .. }));
    let text = "is not a member of a bridge, bond or team";
    verdict.ask(free, Reason::MacvlanEnslaved, text);
    let unicast = upper.mac.is_some_and(|mac| !mac.is_multicast() && !mac.is_zero());
    verdict.ask(unicast, Reason::MacMulticast, "has a unicast MAC");
    verdict.ask(has_rif, Reason::NoRif, format!("{name} has a router interface"));
    let count = scene.topology.addresses(upper.ifindex).len();
    let text = format!("has an address (it has {count}; its driver asks for nothing else)");
    verdict.ask(count > 0, Reason::NoAddress, text);
    verdict
}

/// The driver routes for a router that Firsthop would call a backup, or may.
fn attracts(
    scene: &Scene<'_>,
    lower: &Link,
    upper: &Link,
    verdict: &Verdict,
    policy: &Verdict,
) -> Option<Hazard> {
    let backup = policy.conditions.iter().find(|condition| {
        matches!(
            condition.unmet,
            Some(
                Reason::MacvlanDown
                    | Reason::Protodown
                    | Reason::NoAddress
                    | Reason::LinklocalOnly
                    | Reason::BackupPolicy
            )
        )
    })?;
    let (certain, text) = match verdict.reason() {
        None => {
            let count = scene.topology.addresses(upper.ifindex).len();
            let s = if count == 1 { "address" } else { "addresses" };
            let code = backup.unmet.map_or("", Reason::code);
            (true, format!("{} has {count} {s}, but it is a backup: {code}", upper.ifname))
        }
        Some(Reason::NoAddress) => {
            let (upper, lower) = (&upper.ifname, &lower.ifname);
            let text = format!(
                "{upper} has no address, but is routed for if the router interface of {lower} was \
                 made after {upper}, or is made anew"
            );
            (false, text)
        }
        Some(_) => return None,
    };
    Some(computed(HazardKind::BackupAttracts, upper.ifindex, certain, text))
}

/// The driver still has a MAC that the macvlan had before.
fn stale(scene: &Scene<'_>, lower: &Link, upper: &Link, verdict: &Verdict) -> Option<Hazard> {
    let former: Vec<String> =
        scene.topology.left_behind(upper.ifindex).map(|mac| mac.to_string()).collect();
    let held = matches!(verdict.reason(), None | Some(Reason::NoAddress));
    (held && !former.is_empty()).then(|| {
        let text = format!("{} had {} on {}", upper.ifname, former.join(", "), lower.ifname);
        computed(HazardKind::StaleRecord, upper.ifindex, true, text)
    })
}

/// Has its lower's MAC: there is nothing that a backup could attract.
const fn passthru() -> LinkKind {
    LinkKind::Macvlan { mode: crate::topology::MacvlanMode::Passthru }
}

const fn computed(kind: HazardKind, about: IfIndex, certain: bool, text: String) -> Hazard {
    Hazard { kind, about: Some(about), certain, evidence: Evidence::Computed, text }
}
