//! From what was learnt to flags: which appeared, which went, which orphans are withdrawn, and what may be forgotten.

use std::collections::BTreeMap;
use std::time::Duration;

use super::flag::Clock;
use super::source::{Source, is_recent};
use super::{Finding, Flag, Foreign, Instance, Liveness, Subject, Turn, VirtualRouter, seconds};
use crate::IfIndex;
use crate::policer::Need;

/// What is remembered is looked through for what may be forgotten.
const TIDY: Duration = Duration::from_secs(60);

impl Liveness {
    /// When [`Self::evaluate`] has something to do.
    pub const fn deadline(&self) -> Option<Duration> {
        self.next
    }

    /// Computes all flags, forgets what is old, and withdraws orphans. Returns what appeared and what went.
    pub fn evaluate(&mut self, now: Duration) -> Vec<Turn> {
        self.forget(now);
        self.switch = self.policer(now);
        let mut clock = Clock::default();
        let fresh = self.findings(now, &mut clock);
        let soon = now + self.pause();
        let tidy = (!self.interfaces.is_empty()).then_some(now + TIDY);
        self.next = clock.next.map(|next| next.max(soon)).into_iter().chain(tidy).min();
        let mut turns = Vec::new();
        let nothing = Vec::new();
        for (subject, former) in &self.flags {
            let findings = fresh.get(subject).unwrap_or(&nothing);
            let gone = former.iter().filter(|flag| !findings.iter().any(|f| f.flag == **flag));
            let turn = |flag: &Flag| Turn { subject: *subject, flag: *flag, evidence: None };
            turns.extend(gone.map(turn));
        }
        for (subject, findings) in &fresh {
            let former = self.flags.get(subject);
            let new = |finding: &&Finding| !former.is_some_and(|f| f.contains(&finding.flag));
            turns.extend(findings.iter().filter(new).map(|finding| Turn {
                subject: *subject,
                flag: finding.flag,
                evidence: Some(finding.evidence.clone()),
            }));
        }
        let flags = |findings: Vec<Finding>| findings.into_iter().map(|f| f.flag).collect();
        self.flags = fresh.into_iter().map(|(subject, found)| (subject, flags(found))).collect();
        if self.withdraws {
            self.withdraw();
        }
        turns
    }

    /// Only where the daemon was heard: else its interval is not known.
    fn withdraw(&mut self) {
        let orphans = self.flags.iter().filter_map(|(subject, flags)| match subject {
            Subject::Router(id) if flags.contains(&Flag::Orphan) => Some(*id),
            _ => None,
        });
        let heard = |id: &VirtualRouter| self.instance(*id).is_some_and(|i| i.own.is_some());
        let vmacs = orphans.filter(heard).filter_map(|id| self.vmac_of(id));
        let ifindices: Vec<IfIndex> = vmacs.map(|(vmac, _)| vmac.ifindex).collect();
        self.withdrawn.extend(ifindices);
    }

    /// Everything that is wrong now, by subject.
    pub(super) fn findings(
        &self,
        now: Duration,
        clock: &mut Clock,
    ) -> BTreeMap<Subject, Vec<Finding>> {
        let mut found: BTreeMap<Subject, Vec<Finding>> = BTreeMap::new();
        for id in self.routers() {
            found.insert(Subject::Router(id), self.judge(id, now, clock));
        }
        for (ifindex, interface) in &self.interfaces {
            let finding = interface.foreign.as_ref().and_then(|foreign| foreign.finding(now));
            found.insert(Subject::Interface(*ifindex), finding.into_iter().collect());
        }
        found.insert(Subject::Switch, self.switch.iter().cloned().collect());
        found.retain(|_, findings| !findings.is_empty());
        found
    }

    /// Bursts of all routers at once, and twice that at a handover.
    fn policer(&mut self, now: Duration) -> Option<Finding> {
        let (rate, burst) = self.facts.policer;
        let instances = self.interfaces.values().flat_map(|i| i.instances.values());
        let fastest = |instance: &Instance| {
            let live = instance.sources().filter(|source| source.is_live(now));
            live.map(|source| source.interval).min()
        };
        self.need = Need::of(instances.filter_map(fastest));
        let Need { routers, rate: rate_needed, burst: burst_needed } = self.need;
        let small = !self.need.is_met(rate.into(), burst.into());
        small.then(|| Finding {
            flag: Flag::PolicerTooSmall,
            evidence: format!(
                "{routers} virtual routers need {rate_needed} packets a second and a burst of \
                 {burst_needed}; the policer has {rate} and {burst}"
            ),
        })
    }

    fn forget(&mut self, now: Duration) {
        let (vmacs, facts) = (&self.since, &self.facts);
        for (ifindex, interface) in &mut self.interfaces {
            interface.instances.retain(|(family, vrid), instance| {
                instance.heard.retain(|source| source.is_remembered(now));
                // The interval of a router whose macvlan is there has to be known when it falls silent.
                let id = VirtualRouter { interface: *ifindex, family: *family, vrid: *vrid };
                let has_vmac = |own: &Source| {
                    vmacs.contains_key(&(*ifindex, id.mac()))
                        || facts.vmacs.contains_key(&(*ifindex, own.mac))
                };
                if instance.own.as_ref().is_some_and(|o| !o.is_remembered(now) && !has_vmac(o)) {
                    instance.own = None;
                }
                instance.own.is_some() || !instance.heard.is_empty()
            });
            if interface.foreign.as_ref().is_some_and(|f| !is_recent(f.last, now)) {
                interface.foreign = None;
            }
        }
        self.interfaces.retain(|_, i| !i.instances.is_empty() || i.foreign.is_some());
        let instances = self.interfaces.values().flat_map(|i| i.instances.values());
        self.heard = instances.map(|instance| instance.heard.len()).sum();
        let known =
            self.interfaces.iter().flat_map(|(at, i)| i.instances.values().map(move |i| (at, i)));
        let own = known.filter_map(|(at, instance)| Some((*at, instance.own.as_ref()?.source)));
        self.sources = own.map(|(at, source)| (self.scope(at, source), source)).collect();
    }
}

impl Foreign {
    /// Not for ever: the flag goes when nothing came for a while.
    pub(super) fn finding(&self, now: Duration) -> Option<Finding> {
        let Self { count, protocol, source, last } = self;
        let age = seconds(now.saturating_sub(*last));
        is_recent(*last, now).then(|| Finding {
            flag: Flag::AhSeen,
            evidence: format!(
                "{count} packets of other protocols came to 224.0.0.18, the last {age} ago, of \
                 protocol {protocol} from {source}"
            ),
        })
    }
}
