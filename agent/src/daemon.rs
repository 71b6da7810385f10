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
mod chip_link;
mod counters;
mod desk;
mod observer;
mod options;
mod surroundings;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use adoption::{Doubts, Phase};
use chip_link::{ChipLink, Order, Report};
use clap::Parser as _;
use desk::Desk;
use firsthop_asic::{AsicError, Capabilities, Class, Completion};
use firsthop_model::intent::{ChipIdentity, Policy, State};
use firsthop_model::plan::Limits;
use firsthop_model::reconcile::{Reconciler, Ticket};
use firsthop_model::retry::{Failure, FailureClass};
use firsthop_netlink::OpenError;
use observer::Observer;
use options::Options;
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until};

use crate::api::listener::{self, Incoming};
use crate::api::socket::{self, SocketError};
use crate::chain;
use crate::config::{Config, ConfigError};
use crate::intent_log::IntentLog;
use crate::paths::{self, PathError};
use crate::telemetry;
use crate::views::{self, Device, Hardware, Mode, Netlink, Status};

/// Requests that wait for the loop.
const REQUESTS: usize = 64;
/// Outcomes that one turn takes.
const REPORTS: usize = 4096;

/// Why the daemon does not run.
#[derive(Debug, Error)]
pub enum DaemonError {
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It is not known where to listen.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Nobody could ask.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The kernel can't be heard.
    #[error(transparent)]
    Netlink(#[from] OpenError),
    /// Another process writes to the chip, or the lock can't be used.
    #[error("{0}; stop its owner, or use --observe")]
    Owned(AsicError),
    /// The system refused what the loop needs.
    #[error("{what} failed")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl DaemonError {
    /// 1: what the operator said is wrong; 2: something refused.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Path(_) => 1,
            Self::Socket(_) | Self::Netlink(_) | Self::Owned(_) | Self::System { .. } => 2,
        }
    }
}

/// Runs the program with these arguments (with its own name).
pub fn main(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    let options = match Options::try_parse_from(arguments) {
        Ok(options) => options,
        Err(error) => {
            return tell(&error);
        }
    };
    telemetry::init(options.verbose);
    match start(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(io::stderr(), "firsthopd: {}", chain(&error)).ok();
            ExitCode::from(error.exit_code())
        }
    }
}

/// Help and version as they are; an error in one line, and with our exit code: clap's own is 2.
fn tell(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        error.print().ok();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    writeln!(io::stderr(), "firsthopd: {line}; try --help").ok();
    ExitCode::from(1)
}

fn start(options: &Options) -> Result<(), DaemonError> {
    let config = Config::load(options.config.as_deref())?;
    if options.check_config {
        return Ok(());
    }
    let system = |what| move |source| DaemonError::System { what, source };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("Making the runtime"))?;
    runtime.block_on(LocalSet::new().run_until(run(options, config)))
}

/// Runs until a signal. The chip stays as it is: a restart finds it so.
async fn run(options: &Options, config: Config) -> Result<(), DaemonError> {
    let system = |what| move |source| DaemonError::System { what, source };
    let mut terminate = signal(SignalKind::terminate()).map_err(system("Catching SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system("Catching SIGINT"))?;

    let netns = firsthop_netlink::netns_name();
    let path = match &options.socket {
        Some(path) => path.clone(),
        None => paths::agent_socket(netns.as_deref())?,
    };
    let (listener, _place) = socket::listen(&path)?;
    let listener = tokio::net::UnixListener::from_std(listener)
        .map_err(system("Listening on the agent's socket"))?;
    let (requests, incoming) = mpsc::channel(REQUESTS);
    tokio::task::spawn_local(listener::serve(listener, requests));

    let target = Target::choose(options, &config, netns.as_deref());
    let observe = options.observe || config.manage == Some(false);
    let directory = path.parent().map(PathBuf::from).unwrap_or_default();
    tracing::info!(socket = %path.display(), chip = %target, observe, "Started");
    let mut daemon = Daemon::open(config.policy, target, observe, directory, incoming)?;
    daemon.run(&mut terminate, &mut interrupt).await
}

/// The chip that is to be programmed.
#[derive(Debug, Clone, Default)]
struct Target {
    /// Its socket; None: there is no chip.
    socket: Option<PathBuf>,
    /// Somebody named it; else it is the one that may be there.
    named: bool,
}

impl Target {
    fn choose(options: &Options, config: &Config, netns: Option<&str>) -> Self {
        let named = options.hwsim.clone().or_else(|| config.hwsim.clone());
        match named {
            Some(socket) => Self { socket: Some(socket), named: true },
            None => Self { socket: paths::hwsim_socket(netns).ok(), named: false },
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.socket {
            Some(socket) => write!(f, "{}", socket.display()),
            None => f.write_str("none"),
        }
    }
}

/// All state, and where it comes from.
#[derive(Debug)]
struct Daemon {
    policy: Policy,
    target: Target,
    observe: bool,
    /// Where the intent log lies.
    directory: PathBuf,
    start: Instant,

    observer: Observer,
    dumps: mpsc::UnboundedReceiver<observer::Dumped>,
    reconciler: Reconciler,
    /// Events folded into reconcilers before this one.
    former_generation: u64,

    chip: ChipLink,
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
    Dumped(observer::Dumped),
    Told(Report),
    Asked(Incoming),
    Time,
}

impl Daemon {
    fn open(
        policy: Policy,
        target: Target,
        observe: bool,
        directory: PathBuf,
        requests: mpsc::Receiver<Incoming>,
    ) -> Result<Self, DaemonError> {
        let nothing = Limits { rifs: 0, virtual_routers: 0, mac_profiles: 0, mac_profile_bits: 48 };
        let (mut observer, dumps) = Observer::open()?;
        if target.socket.is_none() {
            observer.begin();
        }
        Ok(Self {
            observer,
            dumps,
            reconciler: Reconciler::new(policy.clone(), ChipIdentity::default(), nothing),
            chip: ChipLink::open(target.socket.clone(), !observe),
            policy,
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
        })
    }

    async fn run(
        &mut self,
        terminate: &mut Signal,
        interrupt: &mut Signal,
    ) -> Result<(), DaemonError> {
        loop {
            self.turn();
            let wake = self.next_time();
            let occasion = tokio::select! {
                _ = terminate.recv() => Occasion::Stop,
                _ = interrupt.recv() => Occasion::Stop,
                heard = self.observer.readable() => Occasion::Heard(heard),
                Some(dumped) = self.dumps.recv() => Occasion::Dumped(dumped),
                report = self.chip.report() => Occasion::Told(report),
                Some(incoming) = self.requests.recv() => Occasion::Asked(incoming),
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
                Occasion::Heard(Ok(())) | Occasion::Time => {}
                Occasion::Dumped(dumped) => self.take_dump(dumped),
                Occasion::Told(report) => self.take_reports(report)?,
                Occasion::Asked(incoming) => self.desk.take(incoming),
            }
        }
    }

    /// Brings everything as far as it goes without waiting.
    fn turn(&mut self) {
        while let Ok(incoming) = self.requests.try_recv() {
            self.desk.take(incoming);
        }
        let drained = self.hear();
        self.reconciler.recompute();
        self.advance();
        self.submit();
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
        for event in heard.events {
            self.reconciler.fold(event);
        }
        self.observer.dump_if_due();
        heard.complete
    }

    fn take_dump(&mut self, dumped: observer::Dumped) {
        let news = self.observer.take_dump(dumped);
        match news.snapshot {
            Some((snapshot, observer::Whole::Yes)) => self.reconciler.replace(snapshot),
            // Everything in it exists, but what is not in it may exist as well.
            Some((snapshot, observer::Whole::No)) => {
                for link in snapshot.links {
                    self.reconciler.fold(firsthop_model::topology::Event::Link(Box::new(link)));
                }
                for address in snapshot.addresses {
                    self.reconciler.fold(firsthop_model::topology::Event::Address(address));
                }
            }
            None => {}
        }
        for event in news.since {
            self.reconciler.fold(event);
        }
    }

    fn take_reports(&mut self, first: Report) -> Result<(), DaemonError> {
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
        let ticket = |ticket: Ticket| firsthop_asic::Ticket(ticket.0);
        let changes = changes.into_iter().map(|(t, change)| (ticket(t), change)).collect();
        self.chip.order(Order::Write(changes));
    }

    /// When the loop has to turn though nothing happens.
    fn next_time(&self) -> Instant {
        let may_act = self.phase == Phase::Ready && self.observer.may_act();
        let retry = self.reconciler.deadline().filter(|_| may_act);
        let times = [
            retry.map(|at| self.start + at),
            self.observer.next_dump(),
            self.phase.retry_at(),
            self.doubts.pause.filter(|at| *at > Instant::now()),
            self.desk.deadline(),
        ];
        let far = Instant::now() + Duration::from_secs(3600);
        times.into_iter().flatten().min().unwrap_or(far)
    }

    /// Not stale, nothing pending, Applied is Intended but for what was refused or failed.
    fn is_synced(&self) -> bool {
        let applied = match self.phase {
            Phase::Ready => self.reconciler.is_synced() && !self.reconciler.needs_read_back(),
            Phase::Away => !self.is_chip_expected(),
            _ => false,
        };
        applied && !self.observer.is_stale()
    }

    /// Somebody named a chip, or there was one.
    const fn is_chip_expected(&self) -> bool {
        self.target.named || self.capabilities.is_some()
    }

    /// Says once that the daemon can be relied on.
    fn announce(&mut self) {
        let observing = self.observe && self.phase == Phase::Ready && !self.observer.is_stale();
        if !self.announced && (self.is_synced() || observing) {
            self.announced = true;
            tracing::info!(synced = self.is_synced(), "Ready");
            telemetry::announce_ready();
        }
    }

    fn status(&self) -> Status {
        let all = crate::api::Filter::default();
        let states = |rows: Vec<State>| views::count_states(rows);
        let rifs = views::rifs(&self.reconciler, &all);
        let vmacs = views::vmacs(&self.reconciler, &all);
        let counters = self.observer.counters();
        let pending = if self.is_synced() { 0 } else { self.reconciler.pending() };
        Status {
            synced: self.is_synced(),
            stale: self.observer.is_stale(),
            generation: self.former_generation + self.reconciler.generation(),
            netlink: Netlink {
                messages: counters.messages,
                dropped: counters.dropped,
                overruns: counters.overruns,
            },
            resyncs: self.observer.resyncs().clone(),
            hw: Hardware {
                writes: self.writes,
                failures: self.failures,
                pending: u64::try_from(pending).unwrap_or(u64::MAX),
            },
            rifs: states(rifs.iter().map(|rif| rif.state).collect()),
            vmacs: states(vmacs.iter().map(|vmac| vmac.state).collect()),
            transit: "cpu".to_owned(),
            device: Device {
                handle: self.capabilities.as_ref().map(|chip| views::handle(&chip.chip_id)),
                socket: self.target.socket.as_ref().map(|path| path.display().to_string()),
                connected: self.phase != Phase::Away,
                mode: if self.observe { Mode::Observe } else { Mode::Manage },
            },
        }
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

/// Counters by name of trap, from the chip's answer.
type TrapCounters = BTreeMap<String, views::Counters>;
