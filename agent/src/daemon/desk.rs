//! Who asked, and can they be answered yet?
//!
//! Every request is a barrier: it is answered after the event sockets were drained once since it came. One that shows
//! something waits a little for the chip, so that the answer shows what was acknowledged; a `wait` waits as long as it says.

use std::time::Duration;

use firsthop_asic::Capabilities;
use firsthop_model::IfIndex;
use firsthop_model::intent::State;
use serde_json::json;
use tokio::time::Instant;

use super::Daemon;
use super::listing::{Listings, Rows, table_asked_for};
use super::surroundings::Here;
use super::tally::Tally;
use crate::api::listener::{Incoming, Replies};
use crate::api::{Failure, Filter, Reply, Request, Wanted};
use crate::engine::Input;
use crate::views;

/// How long an answer waits for the chip.
const GRACE: Duration = Duration::from_millis(250);
/// How long an answer about traps waits for the counters: some drivers ask their firmware.
const READING: Duration = Duration::from_secs(3);

/// How long the answers of one turn take, but for the last of them: the kernel and the chip come before the next ones.
pub(super) const SHARE: Duration = Duration::from_millis(1);

/// A request that waits.
#[derive(Debug)]
struct Pending {
    request: Request,
    replies: Replies,
    deadline: Instant,
    /// The round of counters that it is answered from.
    round: Option<u64>,
    /// The count of routes that it is answered from.
    count: Option<u64>,
}

/// Everybody who waits for an answer.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pending: Vec<Pending>,
    pub(super) listings: Listings,
    pub(super) tally: Tally,
    /// When somebody is told the rest for whom there was no room, or no time.
    behind: Option<Instant>,
}

impl Desk {
    /// Takes a request; it is answered in this turn at the earliest.
    pub(super) fn take(&mut self, incoming: Incoming) {
        let Incoming { request, replies } = incoming;
        let patience = match &request {
            Request::Wait { timeout, .. } => *timeout,
            Request::ListTrap => READING,
            _ => GRACE,
        };
        let deadline = Instant::now() + patience;
        self.pending.push(Pending { request, replies, deadline, round: None, count: None });
    }

    /// Somebody is told more then.
    pub(super) fn wake_at(&mut self, at: Instant) {
        self.behind = Some(self.behind.map_or(at, |behind| behind.min(at)));
    }

    /// When somebody has to be answered though nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let deadlines = self.pending.iter().map(|pending| pending.deadline);
        deadlines.chain(self.behind).min()
    }
}

impl Daemon {
    /// Answers everybody who can be answered. The event sockets have just been drained.
    pub(super) fn answer(&mut self) {
        self.desk.behind = None;
        self.tell_watchers();
        self.list();
        if self.desk.pending.is_empty() {
            return;
        }
        self.tell(Input::Look);
        self.act();
        let looks = |pending: &Pending| {
            matches!(pending.request, Request::Diff { .. } | Request::Explain { .. })
        };
        if self.desk.pending.iter().any(looks) {
            self.flower.refresh(self.start.elapsed());
            self.tend_flower(true);
        }
        let now = Instant::now();
        let settled = self.is_settled();
        let shows = |pending: &Pending| {
            !matches!(pending.request, Request::Wait { .. }) && (settled || pending.deadline <= now)
        };
        if self.desk.pending.iter().any(shows) {
            let silent = self.watch.refresh(self.engine.reconciler(), self.start.elapsed());
            if let Some(silent) = silent {
                self.tell(Input::Withdrawn(silent));
            }
        }
        let mut waiting = std::mem::take(&mut self.desk.pending).into_iter();
        for mut pending in waiting.by_ref() {
            let late = pending.deadline <= now;
            let reply = match &pending.request {
                _ if pending.replies.is_closed() => continue,
                Request::Wait { wanted: Wanted::Audited, .. }
                    if self.is_audited(&mut pending.round) =>
                {
                    Reply::default()
                }
                Request::Wait { wanted, .. } if self.is_met(wanted) => Reply::default(),
                Request::Wait { wanted, .. } if late => {
                    Failure::TimedOut(self.standing(wanted)).reply()
                }
                Request::Wait { .. } => {
                    self.desk.pending.push(pending);
                    continue;
                }
                _ if !settled && !late => {
                    self.desk.pending.push(pending);
                    continue;
                }
                Request::Monitor(filter) => {
                    let filter = filter.clone();
                    self.begin_monitor(pending.replies, filter);
                    continue;
                }
                Request::MonitorTrap(filter) => {
                    let filter = filter.clone();
                    self.watch_traps(pending.replies, filter);
                    continue;
                }
                request
                    if !late
                        && self.shows_devices(request)
                        && !self.is_counted(&mut pending.round) =>
                {
                    self.desk.pending.push(pending);
                    continue;
                }
                Request::Status | Request::Doctor
                    if !self.desk.tally.is_done(
                        &mut pending.count,
                        self.engine.reconciler(),
                        now,
                    ) =>
                {
                    self.desk.pending.push(pending);
                    self.desk.wake_at(now);
                    continue;
                }
                request => match Rows::of(request, self.engine.reconciler()) {
                    Some(Ok(rows)) => {
                        self.desk.listings.add(rows, pending.replies);
                        // the first page comes with the next turn, which follows at once
                        self.desk.wake_at(now);
                        continue;
                    }
                    Some(Err(failure)) => failure.reply(),
                    None => self.show(request),
                },
            };
            // A client that went away needs no answer.
            pending.replies.send(reply);
            if now.elapsed() >= SHARE {
                break;
            }
        }
        let rest: Vec<Pending> = waiting.collect();
        if !rest.is_empty() {
            // Who has waited longest is first in the next turn, which follows at once.
            self.desk.behind = Some(now);
            self.desk.pending.splice(..0, rest);
        }
    }

    /// What advertisements show of a macvlan.
    fn liveness(&self, ifindex: IfIndex) -> Option<views::Liveness> {
        let link = self.engine.reconciler().topology().link(ifindex)?;
        views::Liveness::of(self.watch.live(), link, self.start.elapsed())
    }

    /// Waiting longer would not show more.
    fn is_settled(&self) -> bool {
        let observing = self.observe && self.engine.is_ready() && !self.engine.is_stale();
        let away = self.engine.is_away() && !self.engine.is_stale();
        (self.is_synced() || observing || away) && self.flower.is_settled()
    }

    fn show(&self, request: &Request) -> Reply {
        let stale = self.engine.is_stale();
        let (reconciler, devices) = (self.engine.reconciler(), self.devices());
        if let Some(missing) = self.missing(request) {
            return Failure::NoSuchDevice(missing).reply();
        }
        match request {
            Request::ListRif(filter) => {
                Reply::of(&json!({ "rifs": devices.rifs(reconciler, filter), "stale": stale }))
            }
            Request::ListVmac(filter) => {
                let mut rows = devices.vmacs(reconciler, filter);
                for row in &mut rows {
                    row.liveness = self.liveness(IfIndex(row.ifindex));
                }
                Reply::of(&json!({ "vmacs": rows, "stale": stale }))
            }
            Request::ListPort(filter) => {
                Reply::of(&json!({ "ports": devices.ports(reconciler, filter), "stale": stale }))
            }
            Request::ListTrap => {
                Reply::of(&json!({ "devices": self.trap_devices(), "stale": stale }))
            }
            Request::ListResource => {
                let chip = self.capabilities.as_ref();
                let rows = |of: fn(&Capabilities) -> Option<u32>| chip.and_then(of).map(u64::from);
                let sizes = views::Sizes {
                    fdb: rows(|chip| chip.fdb),
                    fids: chip.and_then(|chip| chip.fids).map(u64::from),
                    lags: chip.and_then(|chip| chip.lags).map(u64::from),
                    routes_ipv4: rows(|chip| chip.routes_ipv4),
                    routes_ipv6: rows(|chip| chip.routes_ipv6),
                    neighbours: rows(|chip| chip.neighbours),
                    adjacencies: rows(|chip| chip.adjacencies),
                };
                let resources = views::resources(reconciler, sizes);
                self.of_chip("resources", &resources)
            }
            Request::Status => Reply::of(&json!({ "status": self.status() })),
            Request::Diff { recorded: Some(recorded) } => match &self.capabilities {
                Some(chip) => {
                    let recorded = recorded.as_ref().clone().on(chip);
                    let rows = views::recorded_differences(reconciler, &recorded);
                    Reply::of(&json!({ "differences": rows, "stale": stale }))
                }
                None => Failure::NoChip.reply(),
            },
            Request::Diff { recorded: None } => {
                // Without a chip only bridges of Linux can differ.
                let mut rows = views::bridge_differences(reconciler);
                rows.extend(self.device_differences());
                rows.extend(self.flower.differences(reconciler));
                if self.capabilities.is_some() {
                    rows.extend(views::differences(reconciler));
                }
                Reply::of(&json!({ "differences": rows, "stale": stale }))
            }
            Request::Explain { dev } => match reconciler.topology().link_by_name(dev) {
                Some(link) => {
                    let mut told = devices.explain(reconciler, link);
                    told.vrrp_rules = self.flower.rules_of(reconciler, link);
                    let (live, now) = (self.watch.live(), self.start.elapsed());
                    told.liveness = self
                        .liveness(link.ifindex)
                        .or_else(|| views::Liveness::of_interface(live, link.ifindex, now));
                    Reply::of(&json!({ "explanation": told, "stale": stale }))
                }
                None => Failure::NoSuchDevice(dev.clone()).reply(),
            },
            Request::ExplainRoute { prefix, table, vrf } => {
                let told = table_asked_for(*table, vrf.as_deref(), reconciler).and_then(|table| {
                    let told = views::explain_route(reconciler, table, *prefix);
                    told.ok_or_else(|| Failure::NoSuchRoute(prefix.to_string()))
                });
                match told {
                    Ok(told) => Reply::of(&json!({ "explanation": told, "stale": stale })),
                    Err(failure) => failure.reply(),
                }
            }
            Request::Doctor => {
                let mut checks = views::check(reconciler, &self.status(), &Here(&self.observer));
                checks.extend(devices.checks(reconciler));
                Reply::of(&json!({ "checks": checks }))
            }
            Request::Check { config } => match self.check(config.as_deref()) {
                Ok(findings) => Reply::of(&json!({ "findings": findings, "stale": stale })),
                Err(failure) => failure.reply(),
            },
            Request::Wait { .. }
            | Request::Monitor(_)
            | Request::MonitorTrap(_)
            | Request::ListRoute(_)
            | Request::ListNeighbour(_) => Reply::default(),
        }
    }

    /// A device that the request names and that does not exist.
    fn missing(&self, request: &Request) -> Option<String> {
        let (Request::ListRif(Filter { dev, lower, .. })
        | Request::ListVmac(Filter { dev, lower, .. })
        | Request::ListPort(Filter { dev, lower, .. })) = request
        else {
            return None;
        };
        let topology = self.engine.reconciler().topology();
        let mut names = dev.iter().chain(lower);
        names.find(|name| topology.link_by_name(name).is_none()).cloned()
    }

    /// The answer has to do with what is read of devices.
    fn shows_devices(&self, request: &Request) -> bool {
        match request {
            Request::ListTrap => true,
            Request::Diff { recorded: None } | Request::Doctor => self.traps.keeps(),
            Request::ListRif(_) | Request::ListVmac(_) | Request::Explain { .. } => self.audits(),
            _ => false,
        }
    }

    /// Counters were read since somebody asked.
    fn is_counted(&mut self, round: &mut Option<u64>) -> bool {
        let round = *round.get_or_insert_with(|| self.traps.ask());
        self.tend_traps();
        self.traps.has(round)
    }

    /// Rows that belong to the chip; without one there are none.
    fn of_chip<T: serde::Serialize>(&self, name: &str, rows: &[T]) -> Reply {
        let stale = self.engine.is_stale();
        match &self.capabilities {
            Some(chip) => {
                let handle = views::handle(&chip.chip_id);
                Reply::of(&json!({ "handle": handle, name: rows, "stale": stale }))
            }
            None => Reply::of(&json!({ name: [], "stale": stale })),
        }
    }

    /// An audit that began after the first call has ended; the first call asks for one.
    fn is_audited(&mut self, round: &mut Option<u64>) -> bool {
        match *round {
            Some(round) => self.engine.findings().rounds >= round,
            None => {
                *round = Some(self.engine.next_round());
                self.tell(Input::Audit);
                self.act();
                false
            }
        }
    }

    /// Acknowledged by the chip, not only intended.
    fn is_met(&self, wanted: &Wanted) -> bool {
        let (vmac, dev, state) = match wanted {
            Wanted::Synced => return self.is_synced(),
            // met by its round, see `answer`
            Wanted::Audited => return false,
            Wanted::Object { vmac, dev, state } => (*vmac, dev, *state),
        };
        match (self.state_of(vmac, dev), state) {
            (None, None) => self.is_synced(),
            (Some((found, at)), Some(state)) => {
                let settled = state == State::Pending || self.engine.reconciler().is_settled(at);
                found == state && settled && !self.engine.is_stale()
            }
            _ => false,
        }
    }

    /// The state of an object, and the device whose router interface it is part of.
    fn state_of(&self, vmac: bool, dev: &str) -> Option<(State, IfIndex)> {
        let link = self.engine.reconciler().topology().link_by_name(dev)?;
        let filter = Filter { dev: Some(dev.to_owned()), ..Filter::default() };
        let devices = self.devices();
        let state = if vmac {
            devices.vmacs(self.engine.reconciler(), &filter).first()?.state
        } else {
            devices.rifs(self.engine.reconciler(), &filter).first()?.state
        };
        Some((state, link.lower().unwrap_or(link.ifindex)))
    }

    /// How things are instead of how they were wished.
    fn standing(&self, wanted: &Wanted) -> String {
        let (vmac, dev) = match wanted {
            Wanted::Synced if self.engine.is_stale() => return "The view is stale".to_owned(),
            Wanted::Synced if self.engine.is_away() => {
                return format!("The chip at {} does not answer", self.target);
            }
            Wanted::Synced => {
                return format!("{} objects are pending", self.engine.reconciler().pending());
            }
            Wanted::Audited => return "The audit has not ended".to_owned(),
            Wanted::Object { vmac, dev, .. } => (*vmac, dev),
        };
        let object = if vmac { "vmac" } else { "rif" };
        match self.state_of(vmac, dev) {
            Some((state, _)) => format!("{object} {dev} is {state}"),
            None => format!("There is no {object} {dev}"),
        }
    }
}
