//! The daemon `firsthopd`: one loop that owns all state.
//!
//! ```text
//!   Observer ──events, snapshots──▶┐                        ┌──changes──▶ ChipLink ──▶ chip
//!                                  ├─▶ Reconciler (model) ──┤◀─outcomes──
//!   Desk ◀──requests, answers─────▶┘                        └─▶ IntentLog
//! ```
//!
//! A turn of the loop: take everything that the kernel has said, compute, send what may be sent, answer who can be answered.
//! Nothing in a turn waits; dumps, the chip and the clients have tasks of their own on the same thread.

mod adoption;
mod bridge_fdb;
mod chip_link;
mod counters;
mod desk;
mod devices;
mod flower;
mod observer;
mod options;
mod program;
mod questions;
mod record;
mod reload;
mod sizing;
mod standing;
mod surroundings;
mod traps;
mod upkeep;
mod watch;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use adoption::{Doubts, Phase};
use bridge_fdb::BridgeFdb;
use chip_link::{ChipLink, Order, Report};
use desk::Desk;
use devices::Drivers;
use firsthop_asic::{Capabilities, Class, Completion};
use firsthop_model::intent::ChipIdentity;
use firsthop_model::plan::Limits;
use firsthop_model::reconcile::{Reconciler, Ticket};
use firsthop_model::retry::{Failure, FailureClass};
use firsthop_model::topology::Event;
use flower::Flower;
use observer::{Observer, Whole};
pub use program::{DaemonError, main};
use program::{Signals, Target};
use questions::Questions;
use reload::Source;
use sizing::Sizer;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use traps::Traps;
use upkeep::Memory;
use watch::Watch;

use crate::api::listener::Incoming;
use crate::chain;
use crate::intent_log::IntentLog;

/// Outcomes that one turn takes.
const REPORTS: usize = 4096;

/// All state, and where it comes from.
#[derive(Debug)]
struct Daemon {
    source: Source,
    target: Target,
    observe: bool,
    /// Where the intent log and the record lie.
    directory: PathBuf,
    start: Instant,

    observer: Observer,
    dumps: mpsc::UnboundedReceiver<observer::Dumped>,
    reconciler: Reconciler,
    /// Events folded into reconcilers before this one.
    former_generation: u64,

    fdb: BridgeFdb,
    flower: Flower,
    questions: Questions,
    answered: mpsc::UnboundedReceiver<questions::Answer>,
    memory: Memory,
    watch: Watch,
    traps: Traps,
    sizer: Sizer,
    /// Devices that have a driver in the kernel, by devlink's handle; see [`Daemon::set_drivers`].
    drivers: Drivers,

    chip: ChipLink,
    /// The chip is asked which MACs it learnt.
    listening: bool,
    phase: Phase,
    doubts: Doubts,
    capabilities: Option<Capabilities>,
    log: Option<IntentLog>,
    /// When the chip was last read.
    adopted: Option<Instant>,
    writes: u64,
    failures: u64,

    requests: mpsc::Receiver<Incoming>,
    desk: Desk,
    announced: bool,
}

/// Why the loop turns.
enum Occasion {
    Stop,
    Heard(io::Result<()>),
    Advertised(io::Result<()>),
    Dumped(observer::Dumped),
    Told(Report),
    Asked(Incoming),
    Answered(questions::Answer),
    Written(bridge_fdb::Answer),
    Counted(traps::Reading),
    Ruled(flower::Answer),
    Reload,
    Time,
}

impl Daemon {
    fn open(
        source: Source,
        target: Target,
        observe: bool,
        directory: PathBuf,
        requests: mpsc::Receiver<Incoming>,
    ) -> Result<Self, DaemonError> {
        let nothing =
            Limits { rifs: 0, virtual_routers: 0, mac_profiles: 0, mac_profile_bits: 48, lags: 0 };
        let (observer, dumps) = Observer::open(source.config.receive_buffer)?;
        let (questions, answered) = Questions::open()?;
        let policy = source.policy(observe, target.named);
        let mut daemon = Self {
            observer,
            dumps,
            reconciler: Reconciler::new(policy, ChipIdentity::default(), nothing),
            fdb: BridgeFdb::open(),
            flower: Flower::open(&directory, source.flower(observe), source.blind),
            questions,
            answered,
            memory: Memory::default(),
            watch: Watch::open(source.config.liveness, Duration::ZERO),
            traps: Traps::open(source.config.care),
            sizer: Sizer::default(),
            drivers: Drivers::default(),
            chip: ChipLink::open(target.socket.clone(), !observe),
            listening: false,
            source,
            target,
            observe,
            directory,
            start: Instant::now(),
            former_generation: 0,
            phase: Phase::Away,
            doubts: Doubts::default(),
            capabilities: None,
            log: None,
            adopted: None,
            writes: 0,
            failures: 0,
            requests,
            desk: Desk::default(),
            announced: false,
        };
        if daemon.target.socket.is_none() {
            daemon.go_without_chip();
        }
        Ok(daemon)
    }

    async fn run(&mut self, signals: &mut Signals) -> Result<(), DaemonError> {
        loop {
            self.turn();
            let wake = self.next_time();
            let occasion = tokio::select! {
                _ = signals.terminate.recv() => Occasion::Stop,
                _ = signals.interrupt.recv() => Occasion::Stop,
                _ = signals.hangup.recv() => Occasion::Reload,
                heard = self.observer.readable() => Occasion::Heard(heard),
                advertised = self.watch.readable() => Occasion::Advertised(advertised),
                Some(dumped) = self.dumps.recv() => Occasion::Dumped(dumped),
                report = self.chip.report() => Occasion::Told(report),
                Some(incoming) = self.requests.recv() => Occasion::Asked(incoming),
                Some(answer) = self.answered.recv() => Occasion::Answered(answer),
                answer = self.fdb.answer() => Occasion::Written(answer),
                reading = self.traps.reading() => Occasion::Counted(reading),
                answer = self.flower.answer() => Occasion::Ruled(answer),
                () = sleep_until(wake) => Occasion::Time,
            };
            match occasion {
                Occasion::Stop => {
                    tracing::info!("Ended by a signal; the chip stays as it is");
                    return Ok(());
                }
                Occasion::Heard(Err(source)) => {
                    return Err(DaemonError::System { what: "Waiting for events", source });
                }
                Occasion::Advertised(Err(error)) => self.watch.fail(&error, self.start.elapsed()),
                Occasion::Heard(Ok(())) | Occasion::Advertised(Ok(())) | Occasion::Time => {}
                Occasion::Dumped(dumped) => self.take_dump(dumped),
                Occasion::Told(report) => self.take_reports(report)?,
                Occasion::Asked(incoming) => self.desk.take(incoming),
                Occasion::Answered(answer) => {
                    for event in self.questions.take_answer(answer) {
                        self.fold_answer(event);
                    }
                }
                Occasion::Written(answer) => self.fdb.take_answer(answer),
                Occasion::Counted(reading) => self.take_reading(reading),
                Occasion::Ruled(answer) => self.flower.take_answer(answer, self.start.elapsed()),
                Occasion::Reload => self.reload(),
            }
        }
    }

    /// Brings everything as far as it goes without waiting.
    fn turn(&mut self) {
        while let Ok(incoming) = self.requests.try_recv() {
            self.desk.take(incoming);
        }
        let drained = self.hear();
        self.tend_flower(drained);
        self.watch.listen(&mut self.reconciler, drained, self.start.elapsed());
        self.reconciler.recompute();
        self.size_policer();
        self.advance();
        self.submit();
        self.tend_bridges(drained);
        self.questions.ask_if_due();
        self.tend_traps();
        if let Some(log) = &mut self.log {
            log.flush();
        }
        if drained {
            self.answer();
        }
        self.announce();
    }

    /// Folds in what the kernel has said. True: there is nothing more for now.
    fn hear(&mut self) -> bool {
        let heard = self.observer.drain();
        if !heard.events.is_empty() {
            self.watch.stir(self.start.elapsed());
            self.traps.stir();
        }
        for event in heard.events {
            self.fold(event);
        }
        self.observer.dump_if_due();
        heard.complete
    }

    fn take_dump(&mut self, dumped: observer::Dumped) {
        self.watch.stir(self.start.elapsed());
        let news = self.observer.take_dump(dumped);
        match news.snapshot {
            Some((snapshot, Whole::Yes)) => self.replace(snapshot),
            // Everything in it exists, but what is not in it may exist as well.
            Some((snapshot, Whole::No)) => {
                for link in snapshot.links {
                    self.fold(Event::Link(Box::new(link)));
                }
                for address in snapshot.addresses {
                    self.fold(Event::Address(address));
                }
                for range in snapshot.vlans {
                    self.fold(Event::Vlans(range));
                }
            }
            None => {}
        }
        for event in news.since {
            self.fold(event);
        }
    }

    fn take_reports(&mut self, first: Report) -> Result<(), DaemonError> {
        self.watch.stir(self.start.elapsed());
        let mut report = Some(first);
        for _ in 0..REPORTS {
            match report {
                Some(Report::Completed(completion)) => self.complete(&completion),
                Some(Report::Owned(error)) => return Err(DaemonError::Owned(error)),
                Some(report) => self.take_report(report),
                None => break,
            }
            report = self.chip.try_report();
        }
        Ok(())
    }

    fn complete(&mut self, completion: &Completion) {
        let ticket = completion.ticket.0;
        let result = match &completion.result {
            Ok(()) => {
                self.writes += 1;
                if let Some(log) = &mut self.log {
                    log.acknowledge(ticket);
                }
                Ok(())
            }
            Err(error) => {
                self.failures += 1;
                tracing::warn!(class = %error.class(), "{}", chain(error));
                let class = failure_class(error.class());
                if class != FailureClass::Unknown
                    && let Some(log) = &mut self.log
                {
                    log.withdraw(ticket);
                }
                Err(Failure { class, text: chain(error) })
            }
        };
        let now = self.start.elapsed();
        self.reconciler.complete(Ticket(ticket), &result, now);
        self.fdb.stir();
    }

    /// Sends the changes whose time has come.
    fn submit(&mut self) {
        let may_act = self.phase == Phase::Ready && self.observer.may_act();
        if !may_act {
            return;
        }
        let changes = self.reconciler.ready(self.start.elapsed());
        if self.observe || changes.is_empty() {
            return;
        }
        if let Some(log) = &mut self.log {
            for (ticket, change) in &changes {
                tracing::debug!(ticket = ticket.0, ?change, "Sent to the chip");
                log.announce(ticket.0, change);
            }
            log.flush();
        }
        self.fdb.flush(changes.iter().map(|(_, change)| change));
        let ticket = |ticket: Ticket| firsthop_asic::Ticket(ticket.0);
        let changes = changes.into_iter().map(|(t, change)| (ticket(t), change)).collect();
        self.chip.order(Order::Write(changes));
    }

    /// When the loop has to turn though nothing happens.
    fn next_time(&self) -> Instant {
        let may_act = self.phase == Phase::Ready && self.observer.may_act();
        let retry = self.reconciler.deadline().filter(|_| may_act);
        let rules = self.flower.deadline().filter(|_| self.observer.may_act());
        let times = [
            retry.map(|at| self.start + at),
            self.observer.next_dump(),
            self.questions.next_time(),
            self.phase.retry_at(),
            self.doubts.pause.filter(|at| *at > Instant::now()),
            self.desk.deadline(),
            rules.map(|at| self.start + at),
            self.watch.deadline().map(|at| self.start + at),
            self.sizer.deadline().map(|at| self.start + at),
            self.traps.deadline(),
        ];
        let far = Instant::now() + Duration::from_secs(3600);
        times.into_iter().flatten().min().unwrap_or(far)
    }
}

/// What a back end's class means for the next attempt.
const fn failure_class(class: Class) -> FailureClass {
    match class {
        // Gone: not done; the chip is adopted again when it is back.
        Class::Transient | Class::Gone => FailureClass::Transient,
        Class::Capacity => FailureClass::Capacity,
        Class::Rejected => FailureClass::Rejected,
        Class::Unknown => FailureClass::Unknown,
    }
}
