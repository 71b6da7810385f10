//! What should be in the forwarding tables of the kernel's bridges? What the chip learnt, so that Linux does not flood; and
//! router MACs as the bridge's own, so that Linux does not bridge what the chip traps, nor flood what it has to route itself.
//!
//! ```text
//!   chip ──Notice──▶ Mirror ──Learn, Forget──────▶┐
//!   Intended, Applied ─▶ Locals ─Look, Hold, Release─▶ Queue ──batch──▶ Writer ──RTM_NEWNEIGH, …──▶ kernel
//!                          ▲                                            │
//!                          └──────────────────Done──────────────────────┘
//! ```
//!
//! Nothing here waits: the writer is a task of its own, and has one batch at a time. A daemon that only observes writes nothing
//! and does not ask the chip, which tells each MAC only once.

mod local;
mod mirror;
mod queue;
mod row;
mod seat;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::{BTreeMap, BTreeSet};

use firsthop_asic::Notices;
use firsthop_model::chip::{Change, Entry, Vid};
use firsthop_model::intent::Domain;
use firsthop_model::reconcile::{Holding, Reconciler};
use firsthop_model::topology::Event;
use firsthop_model::{IfIndex, Mac};
use local::{Hold, Locals};
use mirror::Mirror;
use queue::Queue;
use row::{Done, Job, Row};
pub(super) use writer::Answer;
use writer::{Order, Writer};

use super::neighbour_table::Refusal;
use super::record::Local;

/// Everything about the forwarding tables.
#[derive(Debug)]
pub(super) struct BridgeFdb {
    mirror: Mirror,
    locals: Locals,
    queue: Queue,
    writer: Writer,
    /// Answers that wait for the events before them.
    answers: Vec<Answer>,
    /// Names of bridges with rows in `locals`, for the record.
    names: BTreeMap<IfIndex, String>,
    /// Something may want other rows than before.
    stirred: bool,
    /// What the kernel has beyond what is known has to go.
    sweep: bool,
    /// What the kernel said last about rows that it refused.
    refusals: BTreeMap<Row, String>,
    /// It was said that CAP_NET_ADMIN is missing.
    warned: bool,
}

impl BridgeFdb {
    pub(super) fn open() -> Self {
        Self {
            mirror: Mirror::default(),
            locals: Locals::default(),
            queue: Queue::default(),
            writer: Writer::open(),
            answers: Vec::new(),
            names: BTreeMap::new(),
            stirred: false,
            sweep: false,
            refusals: BTreeMap::new(),
            warned: false,
        }
    }

    /// The next answer of the kernel. Cancel-safe.
    pub(super) async fn answer(&mut self) -> Answer {
        self.writer.answer().await
    }

    /// Keeps an answer until every event from before it was folded in.
    pub(super) fn take_answer(&mut self, answer: Answer) {
        self.answers.push(answer);
    }

    /// Something changed that decides about router MACs.
    pub(super) const fn stir(&mut self) {
        self.stirred = true;
    }

    /// Takes over what an earlier daemon wrote down about bridges that still exist.
    pub(super) fn recall(&mut self, recorded: &BTreeSet<Local>, reconciler: &Reconciler) {
        let there = |local: &&Local| {
            let link = reconciler.topology().link(local.bridge);
            link.is_some_and(|link| link.ifname == local.name && seat::is_bridge(link))
        };
        let row = |local: &Local| Row { bridge: local.bridge, vlan: local.vlan, mac: local.mac };
        self.locals.recall(recorded.iter().filter(there).map(row));
        self.stirred = true;
    }

    /// What has to be written down before the kernel is told.
    pub(super) fn recorded(&self) -> BTreeSet<Local> {
        let name = |bridge| self.names.get(&bridge).cloned().unwrap_or_default();
        let ours = self.locals.ours();
        let local = |row: Row| Local {
            bridge: row.bridge,
            name: name(row.bridge),
            vlan: row.vlan,
            mac: row.mac,
        };
        ours.map(local).collect()
    }

    /// Looks at an event before it is folded in. False: it is about an entry that was made here, and not to be taken for an
    /// operator's wish.
    pub(super) fn notice(&mut self, event: &Event) -> bool {
        self.stirred = true;
        match event {
            Event::Receives(bridge, mac) => return !self.locals.made(*bridge, *mac),
            Event::ReceivesNoMore(bridge, mac) => {
                let jobs = self.locals.removed(*bridge, *mac);
                self.put(jobs);
            }
            Event::Link(link) => self.retry(link.ifindex),
            Event::Vlans(range) | Event::VlansGone(range) => self.retry(range.ifindex),
            _ => {}
        }
        true
    }

    fn retry(&mut self, bridge: IfIndex) {
        let jobs = self.locals.changed(bridge);
        self.put(jobs);
    }

    /// Takes what the chip told.
    pub(super) fn learn(&mut self, notices: &Notices, reconciler: &Reconciler) {
        if notices.lost {
            tracing::info!("Learnt MACs were lost on their way from the chip");
            self.forget();
        }
        for notice in &notices.list {
            let seat = seat::seat(reconciler, notice.fid, notice.at);
            tracing::trace!(?notice, ?seat, "Chip told");
            let job = self.mirror.notice(notice, seat);
            self.put(job);
        }
    }

    /// What was learnt earlier may be wrong.
    pub(super) fn forget(&mut self) {
        self.mirror.clear();
        self.queue.drop_bulk();
        self.sweep = true;
    }

    /// Looks at changes that are sent to the chip: MACs that it is told to forget are not told about.
    pub(super) fn flush<'a>(&mut self, changes: impl IntoIterator<Item = &'a Change>) {
        let flushed = changes.into_iter().filter_map(|change| match change {
            Change::Add(Entry::Learnt { fid, at }) | Change::Remove(Entry::Learnt { fid, at }) => {
                Some((*fid, *at))
            }
            _ => None,
        });
        let jobs = self.mirror.flush(&flushed.collect());
        self.put(jobs);
    }

    /// Takes the answers, now that every event from before them was folded in.
    pub(super) fn settle(&mut self, reconciler: &Reconciler) {
        for answer in std::mem::take(&mut self.answers) {
            self.stirred = true;
            match answer {
                Answer::Jobs(done) => {
                    for done in done {
                        self.complain(&done);
                        match &done.result {
                            Err(refusal) if done.job.is_urgent() => {
                                self.refusals.insert(done.row, refusal.to_string());
                            }
                            _ => {
                                self.refusals.remove(&done.row);
                            }
                        }
                        let next = self.locals.done(&done);
                        self.put(next);
                    }
                }
                Answer::Dump(Ok(rows)) => {
                    let stale = |row: &Row, member| {
                        !self.mirror.knows(*row) && seat::is_seated(reconciler, row.bridge, member)
                    };
                    let stale = rows.into_iter().filter(|(row, member)| stale(row, *member));
                    let jobs: Vec<_> =
                        stale.map(|(row, member)| (row, Job::Forget(member))).collect();
                    tracing::debug!(rows = jobs.len(), "Learnt MACs that the chip did not tell");
                    self.put(jobs);
                }
                Answer::Dump(Err(refusal)) => {
                    tracing::info!("Forwarding tables can't be read: {refusal}");
                }
            }
        }
    }

    /// Compares router MACs with what should be there. `ready`: it is known what the chip has. False: nothing can have changed.
    pub(super) fn compare(&mut self, reconciler: &Reconciler, ready: bool) -> bool {
        if !std::mem::take(&mut self.stirred) {
            return false;
        }
        let topology = reconciler.topology();
        for bridge in self.locals.bridges() {
            if !topology.link(bridge).is_some_and(seat::is_bridge) {
                self.locals.gone(bridge);
            }
        }
        let programmed = |row: Row, is_programmed: bool| {
            // what the chip has is not known: what is there stays, and nothing comes
            is_programmed || !ready && self.locals.has(row)
        };
        let mut wanted = seat::router_macs(reconciler, programmed);
        wanted.extend(seat::own_bridges(reconciler));
        self.refusals.retain(|row, _| self.locals.has(*row));
        let own = |row: Row| seat::own_macs(topology, row.bridge).contains(&row.mac);
        let jobs = self.locals.want(&wanted, own);
        let name = |bridge| Some((bridge, topology.link(bridge)?.ifname.clone()));
        self.names = self.locals.bridges().into_iter().filter_map(name).collect();
        self.put(jobs);
        true
    }

    /// What became of the router MACs of bridges that Linux itself bridges for.
    pub(super) fn holdings(&self, reconciler: &Reconciler) -> BTreeMap<(Domain, Mac), Holding> {
        let mut holdings = BTreeMap::new();
        for macs in reconciler.units().filter_map(|(_, unit)| unit.bridge_macs.as_ref()) {
            let domain = macs.domain;
            let own = seat::own_macs(reconciler.topology(), domain.bridge);
            let there = macs.macs.intersection(&own);
            holdings.extend(there.map(|mac| ((domain, *mac), Holding::Held)));
        }
        for (row, hold) in self.locals.holds() {
            let domain = Domain { bridge: row.bridge, vlan: row.vlan.map(Vid) };
            let refusal = || self.refusals.get(&row).cloned().unwrap_or_default();
            let holding = match hold {
                Hold::Ours | Hold::Theirs => Holding::Held,
                Hold::Taken => Holding::Taken,
                Hold::Refused | Hold::Stuck => Holding::Refused(refusal()),
                Hold::Looking | Hold::Writing | Hold::Recorded | Hold::Leaving => Holding::Moving,
            };
            holdings.insert((domain, row.mac), holding);
        }
        holdings
    }

    /// Every router MAC that should be a bridge's own is, or was refused.
    pub(super) fn is_settled(&self) -> bool {
        !self.stirred && !self.locals.holds().any(|(_, hold)| hold.is_moving())
    }

    /// Whether the chip has to be asked what it learnt.
    pub(super) fn listens(reconciler: &Reconciler) -> bool {
        seat::offloaded(reconciler).next().is_some()
    }

    /// Gives the writer the next batch. What it makes has been written down.
    pub(super) fn write(&mut self, reconciler: &Reconciler, ready: bool) {
        if self.writer.is_busy() {
            return;
        }
        let batch = self.queue.batch();
        if !batch.is_empty() {
            self.writer.order(Order::Jobs(batch));
        } else if self.sweep && ready {
            self.sweep = false;
            let bridges: BTreeSet<IfIndex> = seat::offloaded(reconciler).collect();
            if !bridges.is_empty() {
                self.writer.order(Order::Dump(bridges));
            }
        }
    }

    fn put(&mut self, jobs: impl IntoIterator<Item = (Row, Job)>) {
        for (row, job) in jobs {
            if !self.queue.put(row, job) {
                tracing::info!(
                    "Too many learnt MACs at once; the kernel's tables are looked through"
                );
                self.forget();
                return;
            }
        }
    }

    fn complain(&mut self, Done { row, job, result }: &Done) {
        let Err(refusal) = result else { return };
        match refusal {
            Refusal::Absent => {}
            Refusal::Forbidden => {
                if !std::mem::replace(&mut self.warned, true) {
                    tracing::warn!("Forwarding tables of bridges can't be written: {refusal}");
                }
            }
            Refusal::Invalid | Refusal::Refused(_) | Refusal::Silence if job.is_urgent() => {
                tracing::info!(?row, ?job, "Router MAC is not in step in a bridge: {refusal}");
            }
            Refusal::Invalid | Refusal::Refused(_) | Refusal::Silence => {
                tracing::debug!(?row, ?job, "Learnt MAC is not in step in a bridge: {refusal}");
            }
        }
    }
}
