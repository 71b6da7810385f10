//! What is known of each port, and which is looked at next? No I/O, no clock: answers and times come in, orders go out.
//!
//! ```text
//!            wanted changed, audit          order                       answer
//!   at rest ──────────────────────▶ due ───────────▶ asked ─┬──────────────────────▶ at rest
//!                                    ▲                      │ no clsact, and one is needed
//!                                    └── written down ◀─────┘
//! ```
//!
//! Ports that lose a rule come first. What a driver refused is asked for again when the port's rules change, or slowly.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use firsthop_asic::kernel::flower::{Clsact, FlowerError, Report, Standing, Wish};
use firsthop_model::IfIndex;
use firsthop_model::intent::ControlRule;
use serde::{Deserialize, Serialize};

/// Between two looks at everything: replays of rules by the kernel, and deletions by others, are not announced.
const AUDIT: Duration = Duration::from_secs(30);
/// Before a rule that was refused is tried again.
const RETRY: Duration = Duration::from_secs(300);

/// What may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::daemon) enum Mode {
    /// Nobody wants rules; what an earlier daemon made goes.
    #[default]
    Off,
    /// What is missing is shown; what an earlier daemon made goes.
    Shown,
    /// Rules are made and kept.
    Written,
}

/// A port that may have something of ours.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Claim {
    /// Its index
    pub ifindex: IfIndex,
    /// Its name
    pub name: String,
    /// Its clsact is ours, too.
    pub clsact: bool,
}

/// What is written down about all ports.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// By index and name
    pub ports: BTreeSet<Claim>,
}

/// Whose the clsact of a port is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Owner {
    /// There is none, or somebody else's.
    #[default]
    Other,
    /// There is none, and ours will be made.
    Planned,
    /// Ours.
    Us,
}

#[derive(Debug, Default)]
struct Port {
    name: String,
    wanted: BTreeSet<ControlRule>,
    found: BTreeMap<ControlRule, Standing>,
    /// There is a clsact or ingress qdisc, as far as is known.
    has_clsact: bool,
    /// Something of ours may be here.
    ours: bool,
    clsact: Owner,
    /// An earlier daemon wrote it down, and it was not looked at yet.
    recalled: bool,
    due: bool,
    asked: bool,
    /// When refused rules are tried again.
    retry: Option<Duration>,
}

/// All ports with rules, or with something of ours.
#[derive(Debug, Default)]
pub(super) struct Book {
    ports: BTreeMap<IfIndex, Port>,
    mode: Mode,
    /// Nothing is written, not even to clean up.
    blind: bool,
    audited: Duration,
}

impl Book {
    /// `blind`: nothing may be written at all.
    pub(super) fn new(blind: bool) -> Self {
        Self { blind, ..Self::default() }
    }

    pub(super) const fn mode(&self) -> Mode {
        self.mode
    }

    /// The operator decided anew.
    pub(super) fn set_mode(&mut self, mode: Mode) {
        if std::mem::replace(&mut self.mode, mode) != mode {
            for port in self.ports.values_mut() {
                port.due = true;
            }
        }
    }

    /// Takes over what an earlier daemon wrote down of a port that still exists.
    pub(super) fn recall(&mut self, claim: Claim) {
        let Claim { ifindex, name, clsact } = claim;
        let clsact = if clsact { Owner::Us } else { Owner::Other };
        let port = Port { name, ours: true, clsact, recalled: true, due: true, ..Port::default() };
        self.ports.entry(ifindex).or_insert(port);
    }

    /// What has to be written down before anything is ordered.
    pub(super) fn claims(&self) -> Claims {
        let ours = self.ports.iter().filter(|(_, port)| port.ours);
        let claim = |(ifindex, port): (&IfIndex, &Port)| Claim {
            ifindex: *ifindex,
            name: port.name.clone(),
            clsact: port.clsact != Owner::Other,
        };
        Claims { ports: ours.map(claim).collect() }
    }

    /// Compares with what should be there. `name`: of a port that exists.
    pub(super) fn want(
        &mut self,
        wanted: impl IntoIterator<Item = ControlRule>,
        name: impl Fn(IfIndex) -> Option<String>,
    ) {
        let mut fresh: BTreeMap<IfIndex, BTreeSet<ControlRule>> = BTreeMap::new();
        for rule in wanted {
            fresh.entry(rule.port).or_default().insert(rule);
        }
        for ifindex in fresh.keys() {
            self.ports.entry(*ifindex).or_default();
        }
        self.ports.retain(|ifindex, port| {
            let wanted = fresh.remove(ifindex).unwrap_or_default();
            let Some(name) = name(*ifindex) else { return false };
            port.name = name;
            if port.wanted != wanted {
                port.wanted = wanted;
                port.due = true;
                port.retry = None;
            }
            if self.mode == Mode::Written && !port.wanted.is_empty() {
                port.ours = true;
            }
            port.ours || port.asked || !port.wanted.is_empty()
        });
    }

    /// What is next, if anything is. Everything that it needs has been written down.
    pub(super) fn next(&mut self, now: Duration) -> Option<Wish> {
        let due = self.ports.iter().filter(|(_, port)| port.due && !port.asked);
        let (ifindex, _) = due.min_by_key(|(_, port)| !port.loses_a_rule())?;
        let ifindex = *ifindex;
        let (mode, blind) = (self.mode, self.blind);
        let port = self.ports.get_mut(&ifindex)?;
        port.due = false;
        port.asked = true;
        if port.retry.is_some_and(|at| at <= now) {
            port.retry = None;
        }
        let cleaning = mode != Mode::Written && port.ours && !blind;
        let write = mode == Mode::Written || cleaning;
        let rules = match (cleaning, port.retry) {
            (true, _) => BTreeSet::new(),
            (false, None) => port.wanted.clone(),
            (false, Some(_)) => {
                let refused = |rule: &&ControlRule| {
                    matches!(port.found.get(rule), Some(Standing::Refused(_)))
                };
                port.wanted.iter().filter(|rule| !refused(rule)).copied().collect()
            }
        };
        Some(Wish { port: ifindex, rules, write, clsact: port.clsact != Owner::Other })
    }

    /// Takes the answer to an order.
    pub(super) fn done(&mut self, wish: &Wish, result: Result<Report, FlowerError>, now: Duration) {
        let Some(port) = self.ports.get_mut(&wish.port) else { return };
        port.asked = false;
        port.recalled = false;
        let report = match result {
            Ok(report) => report,
            Err(error) => {
                tracing::info!(port = port.name, "tc rules of a port can't be read: {error}");
                let refused = |rule: &ControlRule| (*rule, Standing::Refused(error.to_string()));
                port.found = port.wanted.iter().map(refused).collect();
                return;
            }
        };
        let before = port.found.clone();
        port.found.retain(|rule, found| {
            matches!(found, Standing::Refused(_)) && port.wanted.contains(rule)
        });
        port.found.extend(report.rules);
        tell(&port.name, &before, &port.found);
        for (rule, error) in &report.stuck {
            tracing::warn!(port = port.name, %rule, "tc rule can't be removed: {error}");
            port.found.insert(*rule, Standing::Ours);
        }
        port.has_clsact = report.clsact != Clsact::Absent;
        let missing = port.found.values().any(|found| *found == Standing::Absent);
        let refused = port.found.values().any(|found| matches!(found, Standing::Refused(_)));
        if refused && port.retry.is_none() {
            port.retry = Some(now + RETRY);
        }
        if !wish.write {
            return;
        }
        let before = port.clsact;
        port.clsact = match (report.clsact, before) {
            (Clsact::Made, _) | (Clsact::There, Owner::Us) => Owner::Us,
            // somebody else was quicker
            (Clsact::There, _) => Owner::Other,
            (Clsact::Absent, Owner::Other) if missing => Owner::Planned,
            (Clsact::Absent, _) => Owner::Other,
        };
        port.due |= port.clsact == Owner::Planned;
        port.ours = self.mode == Mode::Written && !port.wanted.is_empty()
            || port.clsact != Owner::Other
            || !report.stuck.is_empty();
        // cleaned: now it is looked at what somebody else has here
        port.due |= self.mode == Mode::Shown && !port.ours && !port.wanted.is_empty();
    }

    /// Everything is looked at, if that was not done for so long. True: it is.
    pub(super) fn audit(&mut self, now: Duration, age: Option<Duration>) -> bool {
        if now.saturating_sub(self.audited) < age.unwrap_or(AUDIT) {
            return false;
        }
        self.audited = now;
        for port in self.ports.values_mut() {
            port.due = true;
        }
        true
    }

    /// When something has to be done though nothing happens.
    pub(super) fn deadline(&self) -> Option<Duration> {
        (self.mode != Mode::Off || !self.ports.is_empty()).then(|| self.audited + AUDIT)
    }

    /// Nothing has to be ordered, and nothing is under way.
    pub(super) fn is_settled(&self) -> bool {
        !self.ports.values().any(|port| port.due || port.asked)
    }

    /// How a rule stands; None: it is not known yet.
    pub(super) fn found(&self, rule: ControlRule) -> Option<&Standing> {
        self.ports.get(&rule.port)?.found.get(&rule)
    }

    /// Ports that have wanted rules, by index, and whether a rule could be put there.
    pub(super) fn clsacts(&self) -> impl Iterator<Item = (IfIndex, bool)> {
        let wanting = self.ports.iter().filter(|(_, port)| !port.wanted.is_empty());
        wanting.map(|(ifindex, port)| (*ifindex, port.has_clsact))
    }
}

impl Port {
    /// A rule of ours is there and is not wanted: it cuts somebody off, perhaps.
    fn loses_a_rule(&self) -> bool {
        self.recalled
            || self
                .found
                .iter()
                .any(|(rule, found)| *found == Standing::Ours && !self.wanted.contains(rule))
    }
}

fn tell(
    port: &str,
    before: &BTreeMap<ControlRule, Standing>,
    after: &BTreeMap<ControlRule, Standing>,
) {
    for (rule, found) in after {
        if before.get(rule) == Some(found) {
            continue;
        }
        match found {
            Standing::Ours => {
                tracing::info!(port, %rule, "Advertisements are trapped by a tc rule");
            }
            Standing::Theirs => {
                tracing::info!(port, %rule, "Advertisements are trapped by another's tc rule");
            }
            Standing::Refused(text) => {
                tracing::warn!(port, %rule, reason = "trap_unsupported", "tc rule was refused: {text}");
            }
            Standing::Absent => {}
        }
    }
}
