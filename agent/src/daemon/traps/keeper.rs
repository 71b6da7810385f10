//! One device of the kernel: the policer of its VRRP traps, and whether these come at all.

use std::time::Duration;

use firsthop_asic::kernel::Device;
use firsthop_asic::kernel::policing::{Memory, Ours, Plan, Standing, Step, plan};
use firsthop_model::driver::PolicerSize;
use firsthop_model::intent::{ChipIdentity, Reason, Scheme, qualifying_address, stands_on};
use firsthop_model::policer::{Need, Size};
use firsthop_model::topology::{Link, LinkKind, Topology};
use firsthop_model::types::Family;

use super::kernel::Taken;
use super::ledger::{Kind, Ledger};
use super::policers::was_dropped;
use crate::daemon::sizing::{Sizer, unheard};
use crate::log_retry;
use crate::telemetry::Streak;
use crate::views::{Difference, VrrpPolicer};

/// A macvlan with a VRRP MAC on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Router {
    /// A backup that hears the active router, and of which family; None: it is active itself, or can't hear.
    pub(super) awaits: Option<Family>,
}

/// The macvlans with VRRP MACs on a chip.
pub(super) fn routers(topology: &Topology, chip: &ChipIdentity) -> Vec<Router> {
    let mut routers = Vec::new();
    for link in topology.links() {
        if !matches!(link.kind, LinkKind::Macvlan { .. }) {
            continue;
        }
        let vrrp = link.mac.and_then(|mac| Scheme::of(mac).vrrp());
        let lower = link.lower().and_then(|lower| topology.link(lower));
        let (Some((family, _)), Some(lower)) = (vrrp, lower) else { continue };
        if stands_on(topology, chip, lower) {
            let backup = is_backup(topology, link) && hears(lower);
            routers.push(Router { awaits: backup.then_some(family) });
        }
    }
    routers
}

/// keepalived takes the addresses away, FRR sets proto_down; either leaves the macvlan itself up.
fn is_backup(topology: &Topology, link: &Link) -> bool {
    link.is_up() && (link.proto_down || qualifying_address(topology, link).is_none())
}

fn hears(lower: &Link) -> bool {
    lower.is_up() && lower.operstate.passes_traffic()
}

/// The trap of a family's advertisements.
pub(super) const fn trap_of(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ipv4_vrrp",
        Family::Ipv6 => "ipv6_vrrp",
    }
}

/// One device.
#[derive(Debug)]
pub(super) struct Keeper {
    memory: Memory,
    registration: u64,
    sizer: Sizer,
    size: Option<Size>,
    need: Need,
    plan: Option<Plan>,
    /// Steps are under way.
    busy: bool,
    /// These lead back.
    giving_back: bool,
    /// After a refusal: nothing is tried before.
    rest: Option<Duration>,
    drifts: u64,
    refusal: Option<String>,
    refusals: Streak,
    /// Since when there are backups.
    awaited: Option<Duration>,
    policed: bool,
    silent: bool,
}

impl Keeper {
    pub(super) fn new(memory: Memory, registration: u64) -> Self {
        let mut sizer = Sizer::default();
        if let Some(ours) = memory.ours {
            sizer.take_over(ours.wanted);
        }
        Self {
            memory,
            registration,
            sizer,
            size: None,
            need: Need::default(),
            plan: None,
            busy: false,
            giving_back: false,
            rest: None,
            drifts: 0,
            refusal: None,
            refusals: Streak::default(),
            awaited: None,
            policed: false,
            silent: false,
        }
    }

    pub(super) const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The device was read: what leads to the policer that its routers need. `repairs`: it is done at once.
    pub(super) fn follow(
        &mut self,
        device: &Device,
        repairs: bool,
        registration: u64,
        routers: &[Router],
        decided: impl Fn(Size) -> Size,
        now: Duration,
    ) -> Vec<Step> {
        if registration != self.registration {
            self.registration = registration;
            self.memory = Memory { reloads: device.reloads, ..Memory::default() };
        }
        self.memory = self.memory.renewed(device.reloads);
        self.need = unheard(u32::try_from(routers.len()).unwrap_or(u32::MAX));
        let size = decided(self.sizer.follow(self.need.size(), now));
        self.size = Some(size);
        let plan = plan(device, size, &self.memory);
        let before = self.plan.as_ref().and_then(|plan| plan.drift.as_ref());
        if let Some(drift) = plan.drift.as_ref().filter(|drift| before != Some(drift)) {
            self.drifts += 1;
            log_retry!(
                !repairs,
                device = device.handle,
                "Somebody changed VRRP's policer: {drift}"
            );
        }
        let steps = plan.steps.clone();
        self.plan = Some(plan);
        steps
    }

    /// Are advertisements stopped, or do none come?
    pub(super) fn listen(
        &mut self,
        device: &Device,
        ledger: &Ledger,
        routers: &[Router],
        silence: Duration,
        now: Duration,
    ) {
        let awaited: Vec<Family> = routers.iter().filter_map(|router| router.awaits).collect();
        if awaited.is_empty() {
            self.awaited = None;
        } else {
            self.awaited.get_or_insert(now);
        }
        let policer = self.policer(device).map(|id| id.to_string());
        let course = |kind, name: &str| ledger.course(&device.handle, kind, name);
        self.policed = policer
            .and_then(|id| course(Kind::Policer, &id))
            .is_some_and(|course| was_dropped(course, now));
        let still = |family: &Family| {
            let trap = course(Kind::Trap, trap_of(*family)).or_else(|| course(Kind::Trap, "vrrp"));
            trap.is_some_and(|course| now.saturating_sub(course.moved) >= silence)
        };
        let long = self.awaited.is_some_and(|since| now.saturating_sub(since) >= silence);
        let silent = long && awaited.iter().any(still);
        if silent && !self.silent {
            tracing::warn!(device = device.handle, "No advertisement reaches the CPU: vrrp_silent");
        }
        self.silent = silent;
    }

    /// The policer of the VRRP group.
    fn policer(&self, device: &Device) -> Option<u32> {
        let (_, trap) = device.vrrp_traps().next()?;
        device.groups.get(&trap.group)?.policer
    }

    /// What its policer lets pass.
    pub(super) fn size_now(&self, device: &Device) -> Option<PolicerSize> {
        let policer = device.policers.get(&self.policer(device)?)?;
        Some(PolicerSize { rate: policer.rate, burst: policer.burst })
    }

    /// What its routers need.
    pub(super) fn need(&self) -> PolicerSize {
        PolicerSize { rate: self.need.rate.into(), burst: self.need.burst.into() }
    }

    /// Somebody changed what was set here.
    pub(super) fn has_drifted(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.drift.is_some())
    }

    /// Nothing may be set here any more: what leads back.
    pub(super) fn give_back(&mut self, device: &Device) -> Vec<Step> {
        let steps = self.memory.undo(device);
        if steps.is_empty() {
            self.forget();
        }
        steps
    }

    /// Everything is as it was before.
    fn forget(&mut self) {
        self.memory = Memory { reloads: self.memory.reloads, ..Memory::default() };
    }

    /// Steps are about to be done. False: others are under way, or were refused a moment ago.
    pub(super) fn begin(
        &mut self,
        device: &Device,
        steps: &[Step],
        managed: bool,
        now: Duration,
    ) -> bool {
        if self.busy || self.rest.is_some_and(|rest| now < rest) {
            return false;
        }
        if managed {
            self.memory.note(device, steps);
        }
        self.busy = true;
        self.giving_back = !managed;
        for step in steps {
            tracing::info!("{}", step.command(&device.handle));
        }
        true
    }

    /// Steps were done, or refused: then nothing is tried before `rest`.
    pub(super) fn take(&mut self, device: &str, taken: &[Taken], rest: Duration) {
        self.busy = false;
        let done = !taken.is_empty() && taken.iter().all(|taken| taken.done);
        self.rest = (!done).then_some(rest);
        self.refusal = taken.iter().find_map(|taken| {
            taken
                .refusal
                .as_ref()
                .map(|refusal| format!("{}: {refusal}", taken.step.command(device)))
        });
        if let Some(refusal) = &self.refusal {
            let again = self.refusals.again();
            if !self.refusals.is_old() {
                log_retry!(again, "Refused: {refusal}");
            }
        } else {
            self.refusals.over();
        }
        if self.giving_back {
            if done {
                self.forget();
            }
            return;
        }
        let Some((Plan { standing: Standing::Own { policer, .. }, .. }, wanted)) =
            self.plan.as_ref().zip(self.size)
        else {
            return;
        };
        let sized = taken.iter().find_map(|taken| match &taken.step {
            Step::Size { policer: id, rate, burst } if id == policer => Some((*rate, *burst)),
            _ => None,
        });
        if !done {
            return;
        }
        let before = self.memory.ours.filter(|ours| ours.policer == *policer);
        let known = before
            .map(|ours| (ours.rate, ours.burst))
            .or_else(|| self.memory.sizes.get(policer).copied());
        let (rate, burst) = known.unwrap_or((wanted.rate.into(), wanted.burst.into()));
        let (new_rate, new_burst) = sized.unwrap_or_default();
        self.memory.ours = Some(Ours {
            policer: *policer,
            rate: new_rate.unwrap_or(rate),
            burst: new_burst.unwrap_or(burst),
            wanted,
        });
    }

    /// What is told of it.
    pub(super) fn row(&self, device: &Device) -> VrrpPolicer {
        let policer = self.policer(device);
        let now = policer.and_then(|id| device.policers.get(&id));
        let mut reasons = Vec::new();
        let mut tell = |holds: bool, reason: &str| {
            if holds {
                reasons.push(reason.to_owned());
            }
        };
        tell(self.policed, Reason::TrapPoliced.code());
        let small = now.is_some_and(|now| !self.need.is_met(now.rate, now.burst));
        tell(small, Reason::PolicerTooSmall.code());
        let standing = self.plan.as_ref().map(|plan| &plan.standing);
        tell(matches!(standing, Some(Standing::NoTrap)), "no_trap");
        tell(
            matches!(standing, Some(Standing::Shared { .. } | Standing::Mixed { .. })),
            "policer_shared",
        );
        tell(matches!(standing, Some(Standing::Unlimited { .. })), "no_policer");
        tell(self.silent, Reason::VrrpSilent.code());
        tell(self.has_drifted(), "drift");
        VrrpPolicer {
            device: device.handle.clone(),
            policer,
            rate: now.map(|now| now.rate),
            burst: now.map(|now| now.burst),
            need: self.need,
            dropped: now.and_then(|now| now.dropped),
            drifts: self.drifts,
            reasons,
            refusal: self.refusal.clone(),
        }
    }

    /// The steps that are not done, as rows of `diff`.
    pub(super) fn differences(&self, device: &Device, managed: bool) -> Vec<Difference> {
        let steps = self.plan.as_ref().map_or(&[][..], |plan| &plan.steps);
        let rows = steps.iter().map(|step| {
            let (object, intended, hardware) = match step {
                Step::Size { policer, rate, burst } => {
                    let now = device.policers.get(policer).copied().unwrap_or_default();
                    let words = |rate: u64, burst: u64| format!("rate {rate} burst {burst}");
                    let intended = words(rate.unwrap_or(now.rate), burst.unwrap_or(now.burst));
                    (format!("policer {policer}"), intended, words(now.rate, now.burst))
                }
                Step::Bind { group, policer } => {
                    let words = |policer: Option<u32>| {
                        policer
                            .map_or_else(|| "no policer".to_owned(), |id| format!("policer {id}"))
                    };
                    let now = device.groups.get(group).and_then(|group| group.policer);
                    (format!("trap group {group}"), words(*policer), words(now))
                }
            };
            Difference {
                object: format!("{object} of {}", device.handle),
                ifname: None,
                change: Some("edit".to_owned()),
                kernel: None,
                intended: Some(intended),
                hardware: Some(hardware),
                reason: (!managed).then(|| Reason::NotManaged.code().to_owned()),
                command: Some(step.command(&device.handle)),
            }
        });
        rows.collect()
    }
}
