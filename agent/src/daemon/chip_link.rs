//! The way to the chip: a task that connects, keeps trying, and passes orders and reports.
//!
//! ```text
//!   away ──connect, take the lock──▶ Connected ──orders▶ ◀Completed, Scanned, Rows──▶ Disconnected ──▶ away
//!    └── again after 25 ms, doubling up to 200 ms
//! ```
//!
//! Orders carry the number of the connection that they were meant for: one that was given before a break is dropped after it.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use firsthop_asic::spectrum::Spectrum;
use firsthop_asic::spectrum::session::Settings;
use firsthop_asic::{
    Asic as _, AsicError, Capabilities, ChipLock, Completion, Event, Notices, ReadBack, Ticket,
};
use firsthop_model::chip::{Change, Key, RifIndex};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::{chain, log_retry};

/// Between the first attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// Between later attempts.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Between looks at whether the chip was reset behind a connection that stands.
const INSPECTION: Duration = Duration::from_millis(250);

/// Between questions for learnt MACs, as in mlxsw (MLXSW_SP_DEFAULT_LEARNING_INTERVAL).
const NOTICES: Duration = Duration::from_millis(100);

/// What the chip is to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Changes; each is answered by [`Report::Completed`].
    Write(Vec<(Ticket, Change)>),
    /// Everything that can be enumerated; answered by [`Report::Scanned`].
    Scan,
    /// These rows; answered by [`Report::Rows`].
    Read(Vec<Key>),
    /// Which hosts were used; answered by [`Report::Active`], or not at all.
    Activity,
    /// Whether to ask which MACs it learnt; told by [`Report::Noticed`]. Off when a connection begins.
    Listen(bool),
}

/// What became of the chip and of orders.
#[derive(Debug)]
pub(super) enum Report {
    Connected(Capabilities),
    Completed(Completion),
    Scanned(Result<ReadBack, AsicError>),
    Rows(Result<ReadBack, AsicError>),
    /// MACs that the chip learnt or forgot, or that some were lost on their way.
    Noticed(Notices),
    /// Hosts that packets went to.
    Active(Vec<(RifIndex, IpAddr)>),
    Disconnected,
    /// The first attempt to connect failed; others follow.
    Absent,
    /// Another process has the chip, or the lock can't be used.
    Owned(AsicError),
}

type Numbered<T> = (u64, T);

/// The loop's end of the way.
#[derive(Debug)]
pub(super) struct ChipLink {
    orders: mpsc::UnboundedSender<Numbered<Order>>,
    reports: mpsc::UnboundedReceiver<Numbered<Report>>,
    connection: u64,
}

impl ChipLink {
    /// Starts the task. Without a socket there is never a report. `own`: take the chip for this process alone.
    pub(super) fn open(socket: Option<PathBuf>, own: bool) -> Self {
        let (order, orders) = mpsc::unbounded_channel();
        let (report, reports) = mpsc::unbounded_channel();
        if let Some(socket) = socket {
            let far = FarEnd { socket, own, lock: None, connection: 0, orders, report };
            tokio::task::spawn_local(far.run());
        }
        Self { orders: order, reports, connection: 0 }
    }

    /// Gives an order. While the chip is away it has no effect.
    pub(super) fn order(&self, order: Order) {
        // The task ends only after it reported why.
        self.orders.send((self.connection, order)).ok();
    }

    /// The next report. Cancel-safe.
    pub(super) async fn report(&mut self) -> Report {
        match self.reports.recv().await {
            Some(numbered) => self.note(numbered),
            None => std::future::pending().await,
        }
    }

    /// A report that is already there.
    pub(super) fn try_report(&mut self) -> Option<Report> {
        let numbered = self.reports.try_recv().ok()?;
        Some(self.note(numbered))
    }

    fn note(&mut self, (connection, report): Numbered<Report>) -> Report {
        self.connection = connection;
        report
    }
}

/// The task.
struct FarEnd {
    socket: PathBuf,
    own: bool,
    lock: Option<ChipLock>,
    connection: u64,
    orders: mpsc::UnboundedReceiver<Numbered<Order>>,
    report: mpsc::UnboundedSender<Numbered<Report>>,
}

impl FarEnd {
    async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        let mut told = None;
        loop {
            match self.connect().await {
                Ok(chip) => {
                    (pause, told) = (FIRST_PAUSE, None);
                    self.connection += 1;
                    self.tell(Report::Connected(chip.last_capabilities().clone()));
                    let why = self.serve(chip).await;
                    tracing::info!("{why}; connecting again");
                    self.tell(Report::Disconnected);
                }
                Err(error @ AsicError::Owned { .. }) => return self.tell(Report::Owned(error)),
                Err(error) => {
                    let text = chain(&error);
                    if self.connection == 0 && told.is_none() {
                        self.tell(Report::Absent);
                    }
                    if told.as_ref() != Some(&text) {
                        // one that was there is missed; one that never was may come yet
                        log_retry!(self.connection > 0, "{text}; trying again until it is there");
                        told = Some(text);
                    }
                }
            }
            if self.report.is_closed() {
                return;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn connect(&mut self) -> Result<Spectrum, AsicError> {
        let chip = Spectrum::connect(&self.socket, Settings::default()).await?;
        if self.own && self.lock.is_none() {
            self.lock = Some(ChipLock::acquire(&self.socket)?);
        }
        Ok(chip)
    }

    /// Passes orders and reports until the connection breaks, or the chip was reset.
    async fn serve(&mut self, mut chip: Spectrum) -> String {
        let generation = chip.last_capabilities().generation;
        let mut inspection = interval(INSPECTION);
        inspection.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut notices = interval(NOTICES);
        notices.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut listening = false;
        // Readings that are under way, in the order of their answers.
        let mut readings: VecDeque<fn(Result<ReadBack, AsicError>) -> Report> = VecDeque::new();
        loop {
            tokio::select! {
                _ = notices.tick(), if listening => chip.ask_notices(),
                _ = inspection.tick() => match chip.generation().await {
                    Ok(now) if now != generation => return "Chip was reset".to_owned(),
                    Ok(_) => {}
                    // A broken connection is an event of its own.
                    Err(error) => tracing::debug!("{}", chain(&error)),
                },
                event = chip.next() => match event {
                    Event::Completed(completion) => self.tell(Report::Completed(completion)),
                    Event::Noticed(answer) => {
                        let noticed = answer.unwrap_or_else(|error| {
                            tracing::debug!("{}", chain(&error));
                            Notices { lost: true, ..Notices::default() }
                        });
                        if noticed.more && listening {
                            chip.ask_notices();
                        }
                        if noticed.lost || !noticed.list.is_empty() {
                            self.tell(Report::Noticed(noticed));
                        }
                    }
                    Event::Rows(found) => {
                        if let Some(report) = readings.pop_front() {
                            self.tell(report(found));
                        }
                    }
                    Event::Active(Ok(hosts)) => self.tell(Report::Active(hosts)),
                    Event::Active(Err(error)) => tracing::debug!("{}", chain(&error)),
                    Event::Disconnected(error) => return chain(&error),
                },
                order = self.orders.recv() => match order {
                    Some((connection, _)) if connection != self.connection => {}
                    Some((_, Order::Write(changes))) => {
                        for (ticket, change) in changes {
                            chip.submit(ticket, change);
                        }
                    }
                    Some((_, Order::Scan)) => {
                        chip.ask_rows(true, Vec::new());
                        readings.push_back(Report::Scanned);
                    }
                    Some((_, Order::Read(keys))) => {
                        chip.ask_rows(false, keys);
                        readings.push_back(Report::Rows);
                    }
                    Some((_, Order::Activity)) => chip.ask_activity(),
                    Some((_, Order::Listen(on))) => listening = on,
                    None => return "The daemon ends".to_owned(),
                },
            }
        }
    }

    fn tell(&self, report: Report) {
        // Nobody listens only when the daemon ends.
        self.report.send((self.connection, report)).ok();
    }
}
