//! The daemon `firsthopd`: one loop that owns all state.
//!
//! ```text
//!   Observer ──inputs──▶┐                       ┌──changes──▶ ChipLink ──▶ chip
//!                       ├─▶ Engine (decisions) ─┤──lines────▶ LogFile
//!   Desk ◀──answers─────┘                       └──dumps, questions──▶ Observer
//! ```
//!
//! A turn of the loop: take everything that the kernel has said, compute, send what may be sent, answer who can be answered.
//! Nothing in a turn waits; dumps, the chip and the clients have tasks of their own on the same thread.

mod bridge_fdb;
mod check;
mod chip_link;
mod counters;
mod desk;
mod devices;
mod flower;
mod listing;
mod monitor;
mod neighbour_table;
mod neighbours;
mod observer;
mod options;
mod program;
pub mod record;
mod reload;
mod sizing;
mod standing;
mod surroundings;
mod tally;
mod traps;
mod upkeep;
mod watch;

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bridge_fdb::BridgeFdb;
use chip_link::{ChipLink, Order, Report};
use desk::Desk;
use devices::Drivers;
use firsthop_asic::{Capabilities, Class, Completion};
use firsthop_model::chip::Change;
use firsthop_model::intent::{ChipIdentity, Routing};
use firsthop_model::plan::Limits;
use firsthop_model::retry::{Failure, FailureClass};
use flower::Flower;
use monitor::Monitors;
use neighbours::Neighbours;
use observer::Observer;
pub use program::{DaemonError, main};
use program::{Signals, Target};
use reload::Source;
use sizing::Sizer;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use traps::Traps;
use upkeep::Memory;
use watch::Watch;

use crate::api::listener::Incoming;
use crate::chain;
use crate::engine::{Connected, Effect, Engine, Input, Output};
use crate::intent_log::file::LogFile;
use crate::recording::Recorder;
use crate::service_manager::ServiceManager;

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
    /// Nothing about routes was left in their socket in this turn.
    routes_heard: bool,
    engine: Engine,

    fdb: BridgeFdb,
    flower: Flower,
    memory: Memory,
    watch: Watch,
    traps: Traps,
    sizer: Sizer,
    neighbours: Neighbours,
    /// Devices that have a driver in the kernel, by devlink's handle; see [`Daemon::set_drivers`].
    drivers: Drivers,

    chip: ChipLink,
    /// The chip is asked which MACs it learnt.
    listening: bool,
    capabilities: Option<Capabilities>,
    log: Option<LogFile>,
    recorder: Option<Recorder<BufWriter<File>>>,

    requests: mpsc::Receiver<Incoming>,
    desk: Desk,
    monitors: Monitors,
    announced: bool,
    manager: ServiceManager,
    /// Routes or hosts wait for room in the chip.
    short: bool,
}

/// Why the loop turns.
enum Occasion {
    Stop,
    Heard(io::Result<Option<Input>>),
    Advertised(io::Result<()>),
    Told(Report),
    Asked(Incoming),
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
        recording: Option<&Path>,
        requests: mpsc::Receiver<Incoming>,
    ) -> Result<Self, DaemonError> {
        let policy = source.policy(observe, target.named);
        let seed = std::process::id().into();
        let recorder = recording.map(|path| Recorder::create(path, observe, &policy, seed));
        let recorder = recorder
            .transpose()
            .map_err(|source| DaemonError::System { what: "Making the recording", source })?;
        let mut daemon = Self {
            observer: Observer::open(source.config.receive_buffer)?,
            routes_heard: true,
            engine: Engine::new(observe, policy, seed),
            fdb: BridgeFdb::open(),
            flower: Flower::open(&directory, source.flower(observe), source.blind),
            memory: Memory::default(),
            watch: Watch::open(source.config.liveness, Duration::ZERO),
            traps: Traps::open(source.config.care),
            sizer: Sizer::default(),
            neighbours: Neighbours::open(),
            drivers: Drivers::default(),
            chip: ChipLink::open(target.socket.clone(), !observe),
            listening: false,
            source,
            target,
            observe,
            directory,
            start: Instant::now(),
            capabilities: None,
            log: None,
            recorder,
            requests,
            desk: Desk::default(),
            monitors: Monitors::default(),
            announced: false,
            manager: ServiceManager::of_environment(),
            short: false,
        };
        daemon.tell(Input::Auditing(daemon.source.auditing()));
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
                heard = self.observer.next() => Occasion::Heard(heard),
                advertised = self.watch.readable() => Occasion::Advertised(advertised),
                report = self.chip.report() => Occasion::Told(report),
                Some(incoming) = self.requests.recv() => Occasion::Asked(incoming),
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
                Occasion::Heard(Ok(Some(input))) => {
                    self.watch.stir(self.now());
                    self.tell(input);
                }
                Occasion::Heard(Ok(None)) | Occasion::Advertised(Ok(())) | Occasion::Time => {}
                Occasion::Told(report) => self.take_reports(report)?,
                Occasion::Asked(incoming) => self.desk.take(incoming),
                Occasion::Written(answer) => self.fdb.take_answer(answer),
                Occasion::Counted(reading) => self.take_reading(reading),
                Occasion::Ruled(answer) => self.flower.take_answer(answer, self.start.elapsed()),
                Occasion::Reload => self.reload(),
            }
        }
    }

    /// Since the start.
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Tells the engine, and the others what it means for them.
    fn tell(&mut self, input: Input) {
        let now = self.now();
        if let Some(recorder) = &mut self.recorder {
            recorder.input(now, &input);
        }
        let Effect { dumped, snapshot, adopted, settled, renewed, mac_changed } =
            self.engine.take(input, now);
        self.memory.stirred |= mac_changed;
        if let Some(id) = snapshot {
            self.tell_snapshot(id);
        }
        if dumped {
            self.flower.stir();
            self.recall_entries();
        }
        if adopted {
            self.take_over_policer();
            self.fdb.forget();
        }
        if dumped || adopted || settled || renewed {
            self.fdb.stir();
        }
    }

    /// Brings everything as far as it goes without waiting.
    fn turn(&mut self) {
        while let Ok(incoming) = self.requests.try_recv() {
            self.desk.take(incoming);
        }
        let drained = self.hear();
        self.hear_routes();
        self.tend_flower(drained);
        let now = self.now();
        if let Some(silent) = self.watch.listen(self.engine.reconciler(), drained, now) {
            self.tell(Input::Withdrawn(silent));
        }
        self.tell(Input::Compute);
        self.size_policer();
        self.act();
        self.tell_shortage();
        self.tend_bridges(drained);
        self.tend_traps();
        self.tend_neighbours();
        if drained {
            self.answer();
        }
        if self.engine.is_settled() {
            self.monitors.settle(self.engine.reconciler());
        }
        self.announce();
        let mut manager = std::mem::take(&mut self.manager);
        manager.tend(self.now(), || self.sentence());
        self.manager = manager;
    }

    /// Takes in what the kernel has said, but for what is about entries that were made here: nobody asked for these MACs. True:
    /// there is nothing more for now.
    fn hear(&mut self) -> bool {
        let (mut heard, complete) = self.observer.drain();
        if !heard.events.is_empty() {
            self.watch.stir(self.now());
            self.traps.stir();
        }
        heard.events.retain(|event| {
            self.flower.notice(event);
            self.fdb.notice(event)
        });
        if !heard.events.is_empty() || heard.loss.is_some() {
            self.tell_events(&heard.events, heard.loss.as_deref());
            self.tell(Input::Heard(heard));
        }
        complete
    }

    /// Takes in what the kernel has said about routes, or a part of it.
    fn hear_routes(&mut self) {
        if self.engine.reconciler().policy().routing != Routing::Hardware {
            self.routes_heard = true;
            return self.observer.close_routes();
        }
        let (heard, complete) = self.observer.drain_routes(self.engine.reconciler().is_urgent());
        self.routes_heard = complete;
        if !heard.events.is_empty() || heard.loss.is_some() {
            self.tell(Input::HeardRoutes(heard));
        }
    }

    /// Does what the engine wants.
    fn act(&mut self) {
        let now = self.now();
        let outputs = self.engine.turn(now);
        if let Some(recorder) = &mut self.recorder {
            recorder.turn(now, &outputs);
        }
        for output in outputs {
            match output {
                Output::Dump => self.observer.dump(),
                Output::DumpRoutes => self.observer.dump_routes(),
                Output::Ask(question) => self.observer.ask(question),
                Output::Log(step) => {
                    if let Some(log) = &mut self.log {
                        log.take(&step);
                    }
                }
                Output::Write(changes) => self.write(changes),
                Output::Scan => self.chip.order(Order::Scan),
                Output::Read(keys) => self.chip.order(Order::Read(keys)),
            }
        }
    }

    fn write(&mut self, changes: Vec<(u64, Change)>) {
        self.note_sent(&changes);
        self.fdb.flush(changes.iter().map(|(_, change)| change));
        let ticket = firsthop_asic::Ticket;
        let changes = changes.into_iter().map(|(number, change)| (ticket(number), change));
        self.chip.order(Order::Write(changes.collect()));
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

    fn take_report(&mut self, report: Report) {
        match report {
            Report::Connected(capabilities) => self.greet(capabilities),
            Report::Absent => self.go_without_chip(),
            Report::Scanned(found) => {
                let found = found.map(Into::into).map_err(|error| chain(&error));
                self.tell(Input::Scanned(found));
            }
            Report::Rows(found) => {
                let found = found.map(Into::into).map_err(|error| chain(&error));
                self.tell(Input::Rows(found));
            }
            Report::Active(hosts) => self.keep_neighbours(&hosts),
            Report::Noticed(notices) => self.fdb.learn(&notices, self.engine.reconciler()),
            Report::Disconnected => {
                self.monitors.settle(self.engine.reconciler());
                self.listening = false;
                self.tell(Input::Disconnected);
            }
            Report::Completed(completion) => self.complete(&completion),
            Report::Owned(_) => {}
        }
    }

    fn complete(&mut self, completion: &Completion) {
        let result = completion
            .result
            .as_ref()
            .copied()
            .map_err(|error| Failure { class: failure_class(error.class()), text: chain(error) });
        self.tell_outcome(completion.ticket.0, result.as_ref().copied());
        self.tell(Input::Completed { ticket: completion.ticket.0, result });
        self.fdb.stir();
    }

    /// A chip is there.
    fn greet(&mut self, capabilities: Capabilities) {
        let ports = capabilities.ports.iter().map(|port| port.local_port.0).max().unwrap_or(0);
        let limits = Limits {
            rifs: capabilities.rifs,
            virtual_routers: capabilities.virtual_routers,
            mac_profiles: capabilities.mac_profiles,
            mac_profile_bits: capabilities.mac_profile_prefix_bits,
            lags: capabilities.lags.unwrap_or(u16::MAX),
            adjacencies: capabilities.adjacencies.unwrap_or(0),
            ecmp_size: capabilities.ecmp_size,
        };
        tracing::info!(
            chip = capabilities.chip_id,
            personality = capabilities.personality,
            generation = capabilities.generation,
            ports = capabilities.ports.len(),
            "Chip connected"
        );
        if !capabilities.assumed.is_empty() {
            tracing::info!(assumed = ?capabilities.assumed, "The chip does not say all; assuming");
        }
        let (chip_id, generation) = (capabilities.chip_id.clone(), capabilities.generation);
        self.capabilities = Some(capabilities);
        self.tell(Input::Policy(Box::new(self.policy(true))));
        let file = LogFile::new(&self.directory, &chip_id);
        let log = file.read().filter(|_| !self.observe);
        self.log = Some(file).filter(|_| !self.observe);
        self.open_record(&chip_id);
        let chip = ChipIdentity::Simulated { chip_id, ports };
        self.tell(Input::Connected(Box::new(Connected { chip, limits, generation, log })));
    }

    /// Says when routes or hosts begin to wait for room in the chip, and when they have it.
    fn tell_shortage(&mut self) {
        let (routes, hosts) = self.engine.reconciler().waiting_for_room();
        let short = routes + hosts > 0;
        if std::mem::replace(&mut self.short, short) != short {
            if short {
                tracing::warn!(
                    routes,
                    hosts,
                    "The chip has no room for all routes and hosts; `firsthop route` names them"
                );
            } else {
                tracing::info!("The chip has room for all routes and hosts again");
            }
        }
    }

    /// When the loop has to turn though nothing happens.
    fn next_time(&self) -> Instant {
        let rules = self.flower.deadline().filter(|_| self.engine.may_act());
        let times = [
            self.engine.deadline(self.now()),
            rules,
            self.watch.deadline(),
            self.sizer.deadline(),
            self.manager.deadline(),
            self.neighbours.deadline(self.engine.reconciler().next_hops_generation()),
        ];
        let times = times.into_iter().flatten().map(|at| self.start + at);
        let others = [self.desk.deadline(), self.traps.deadline()].into_iter().flatten();
        let far = Instant::now() + Duration::from_secs(3600);
        times.chain(others).min().unwrap_or(far)
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
