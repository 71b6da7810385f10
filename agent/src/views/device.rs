//! Devices that have a driver in the kernel: what it made of the netdevs over their ports, beside what a simulated chip has.
//!
//! ```text
//!   DeviceFacts (devlink) ─▶ audit ─▶ Devices ─┬─▶ rows of rif, vmac, port
//!                                              ├─▶ explain: device, driver, evidence, hazards
//!                                              └─▶ doctor: a line for each device and each hazard
//! ```
//!
//! Firsthop's own verdict goes first: a row is the driver's only where nothing of Firsthop's is below (`lower_not_asic`).

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;

use firsthop_model::IfIndex;
use firsthop_model::chip::Vid;
use firsthop_model::driver::{
    DeviceAudit, DeviceFacts, Driver, Evidence, HazardKind, RifAudit, VmacAudit, audit, port_below,
};
use firsthop_model::intent::{ChipIdentity, Place, Reason, Scheme, State, Verdict};
use firsthop_model::reconcile::{Reconciler, Standing};
use firsthop_model::topology::Link;
use serde::{Deserialize, Serialize};

use super::doctor::{Check, CheckResult};
use super::explain::{self, Explanation, with_name};
use super::object::{self, Port, Rif, Vmac, code, is_named};
use super::{name, vrf};
use crate::api::Filter;

/// How many things a line of `doctor` names.
const NAMED: usize = 3;

/// Something that goes wrong with a virtual MAC or a device, or may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hazard {
    /// Stable code
    pub code: String,
    /// What it was told from
    pub text: String,
    /// What is the case, and what follows
    pub sentence: String,
    /// What to do
    pub fix: String,
    /// How it is known
    pub evidence: Evidence,
    /// False: it depends on what happened before anybody looked.
    pub certain: bool,
}

/// A device and what its driver made of the netdevs over its ports.
#[derive(Debug)]
struct Device {
    name: String,
    driver: Driver,
    audit: DeviceAudit,
}

/// The devices whose drivers are known, as they are now.
#[derive(Debug, Default)]
pub struct Devices(BTreeMap<String, Device>);

impl Devices {
    /// Audits each device.
    pub fn of(reconciler: &Reconciler, facts: &BTreeMap<String, DeviceFacts>) -> Self {
        let (topology, policy) = (reconciler.topology(), reconciler.policy());
        let device = |(handle, facts): (&String, &DeviceFacts)| {
            let driver = Driver::of(&facts.driver);
            let audit = audit(topology, policy, driver, handle, &facts.readings);
            (handle.clone(), Device { name: facts.driver.clone(), driver, audit })
        };
        Self(facts.iter().map(device).collect())
    }

    /// As [`object::rifs`], with those of drivers.
    pub fn rifs(&self, reconciler: &Reconciler, filter: &Filter) -> Vec<Rif> {
        let mut rows = object::rifs(reconciler, filter);
        if filter.vrid.is_some() || filter.lower.is_some() {
            return rows;
        }
        for (ifindex, rif) in self.0.values().flat_map(|device| &device.audit.rifs) {
            let Some(link) = reconciler.topology().link(*ifindex) else { continue };
            let worth_telling =
                rif.verdict.admits() || !reconciler.topology().addresses(*ifindex).is_empty();
            if !worth_telling || !is_named(link, filter.dev.as_deref()) {
                continue;
            }
            let row = audited_rif(reconciler, link, rif);
            match rows.iter_mut().find(|row| row.ifindex == ifindex.0) {
                Some(own) if is_nobodys(own.reason.as_deref()) => *own = row,
                Some(_) => {}
                None => rows.push(row),
            }
        }
        rows.sort_by_key(|row| row.ifindex);
        rows
    }

    /// As [`object::vmacs`], with those of drivers.
    pub fn vmacs(&self, reconciler: &Reconciler, filter: &Filter) -> Vec<Vmac> {
        let mut rows = object::vmacs(reconciler, filter);
        for row in rows.iter_mut().filter(|row| is_nobodys(row.reason.as_deref())) {
            let ifindex = IfIndex(row.ifindex);
            let Some((device, vmac)) = self.vmac(ifindex) else { continue };
            let link = reconciler.topology().link(ifindex);
            let reason = vmac.verdict.reason();
            let below = link.and_then(Link::lower).and_then(|lower| device.audit.rifs.get(&lower));
            row.state = state(&vmac.verdict);
            row.reason = reason.map(|reason| reason.code().to_owned());
            row.role = object::role(link.and_then(|link| link.mac).map(Scheme::of), &vmac.policy);
            row.rif = below.and_then(|rif| rif.index).filter(|_| reason.is_none());
            row.fast_path = vmac.fast_path;
            row.evidence = Some(vmac.evidence);
        }
        rows
    }

    /// As [`object::ports`], with those of switches whose drivers are known.
    pub fn ports(&self, reconciler: &Reconciler, filter: &Filter) -> Vec<Port> {
        let mut rows = object::ports(reconciler, reconciler.chip(), filter);
        for (handle, _) in self.0.iter().filter(|(_, device)| device.driver.is_switch()) {
            let chip = ChipIdentity::Device { handle: handle.clone() };
            rows.extend(object::ports(reconciler, &chip, filter));
        }
        rows
    }

    /// As [`explain::explain`], with what is known of a device below.
    pub fn explain(&self, reconciler: &Reconciler, link: &Link) -> Explanation {
        let own = explain::explain(reconciler, link);
        let Some(port) = port_below(reconciler.topology(), link) else { return own };
        let told = is_nobodys(own.reason.as_deref()).then(|| self.audited(reconciler, link));
        let known = self.0.get(&port.device);
        let mut told = told.flatten().unwrap_or(own);
        let itself = link.devlink.as_ref() == Some(port);
        if itself && known.is_some_and(|device| device.driver.is_switch()) {
            told.what = format!("port {} of {}", port.index, port.device);
        }
        told.device = Some(port.device.clone());
        told.driver = known.map(|device| device.name.clone());
        told
    }

    /// What a driver made of a netdev; None: nothing that it would tell.
    fn audited(&self, reconciler: &Reconciler, link: &Link) -> Option<Explanation> {
        let what = explain::describe(reconciler, link);
        let found = self.vmac(link.ifindex).map(|(device, vmac)| {
            let about =
                explain::about(link, "vmac", what.clone(), &vmac.verdict, standing(&vmac.verdict));
            (device, about, vmac.evidence, vmac.hazards.as_slice())
        });
        let (device, mut told, evidence, hazards) = found.or_else(|| {
            let (device, rif) = self.rif(link.ifindex)?;
            let about =
                explain::about(link, "rif", what.clone(), &rif.verdict, standing(&rif.verdict));
            Some((device, about, rif.evidence, &[][..]))
        })?;
        told.evidence = Some(evidence);
        told.place = (told.state == State::Offload).then(|| match evidence {
            Evidence::Read => format!("{} has it; devlink says so", device.name),
            Evidence::Computed => format!("{} has it, by its rules", device.name),
        });
        let hazards = hazards.iter().chain(&device.audit.hazards);
        told.hazards = hazards.map(|hazard| device.hazard(reconciler, hazard)).collect();
        Some(told)
    }

    /// A line for each device, and a warning for each kind of hazard of it.
    pub fn checks(&self, reconciler: &Reconciler) -> Vec<Check> {
        let mut checks = Vec::new();
        for (handle, device) in &self.0 {
            checks.push(Check {
                name: "device".to_owned(),
                result: CheckResult::Ok,
                text: format!("{} {handle}: {}", device.name, device.driver.words()),
                fix: None,
            });
            for kind in HazardKind::ALL {
                let hazards = device.audit.all_hazards();
                let of_kind: Vec<_> = hazards.filter(|h| h.kind == *kind && h.certain).collect();
                let Some(first) = of_kind.first() else { continue };
                let first = device.hazard(reconciler, first);
                let mut texts: Vec<&str> = of_kind.iter().map(|h| h.text.as_str()).collect();
                texts.dedup();
                let more = match texts.len().saturating_sub(NAMED) {
                    0 => String::new(),
                    more => format!("; and {more} more"),
                };
                texts.truncate(NAMED);
                checks.push(Check {
                    name: "hazard".to_owned(),
                    result: CheckResult::Warning,
                    text: format!(
                        "{} at {handle} ({}): {}{more}",
                        first.code,
                        first.evidence.name(),
                        texts.join("; ")
                    ),
                    fix: Some(first.fix),
                });
            }
        }
        checks
    }

    fn vmac(&self, ifindex: IfIndex) -> Option<(&Device, &VmacAudit)> {
        self.0.values().find_map(|device| Some((device, device.audit.vmacs.get(&ifindex)?)))
    }

    fn rif(&self, ifindex: IfIndex) -> Option<(&Device, &RifAudit)> {
        self.0.values().find_map(|device| Some((device, device.audit.rifs.get(&ifindex)?)))
    }
}

impl Device {
    fn hazard(&self, reconciler: &Reconciler, hazard: &firsthop_model::driver::Hazard) -> Hazard {
        let about = hazard.about.map(|about| name(reconciler, about));
        let about = about.as_deref().unwrap_or(&self.audit.handle);
        Hazard {
            code: hazard.kind.code().to_owned(),
            text: hazard.text.clone(),
            sentence: hazard.kind.sentence().to_owned(),
            fix: with_name(hazard.kind.fix(), about),
            evidence: hazard.evidence,
            certain: hazard.certain,
        }
    }
}

/// Nothing of Firsthop's is below: no chip, and no bridge of Linux's that it looks at.
fn is_nobodys(reason: Option<&str>) -> bool {
    reason == Some(Reason::LowerNotAsic.code())
}

fn state(verdict: &Verdict) -> State {
    verdict.reason().map_or(State::Offload, Reason::state)
}

fn standing(verdict: &Verdict) -> Standing {
    Standing { state: state(verdict), reason: verdict.reason(), text: None }
}

fn audited_rif(reconciler: &Reconciler, link: &Link, rif: &RifAudit) -> Rif {
    let state = state(&rif.verdict);
    let place = rif.place.as_ref().filter(|_| state == State::Offload);
    let kind = place.map(|place| match place {
        Place::Subport(_) => "subport",
        Place::Domain(domain) if domain.vlan.is_none() => "fid",
        Place::Domain(_) => "vlan",
    });
    let vid = place.and_then(|place| match place {
        Place::Subport(lane) => Some(lane.vid).filter(|vid| *vid != Vid::UNTAGGED),
        Place::Domain(domain) => domain.vlan,
    });
    Rif {
        ifname: link.ifname.clone(),
        ifindex: link.ifindex.0,
        rif: rif.index,
        kind: kind.map(str::to_owned),
        mac: link.mac,
        vrf: vrf(reconciler, link),
        vr: None,
        vid: vid.map(|vid| vid.0),
        fid: None,
        mtu: place.and_then(|_| u16::try_from(link.mtu).ok()),
        state,
        reason: code(&standing(&rif.verdict)),
        evidence: Some(rif.evidence),
    }
}
