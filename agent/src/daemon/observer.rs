//! The sockets through which the kernel is heard and asked: events, dumps of everything, single questions.
//!
//! ```text
//!   event socket ──drain──▶ Heard            two dump sockets, so that no question waits for a dump:
//!   Output::Dump ─▶ task ─▶ Input::Dumped    Output::Ask ─▶ task ─▶ Input::Answered
//!
//!   routes' socket ──drain──▶ HeardRoutes    Output::DumpRoutes ─▶ thread ─▶ Input::DumpedRoutes
//! ```
//!
//! Routes have sockets of their own, for as long as somebody wants to know of them, and their dumps a thread: the loop has other
//! things to do than to take in a full table.

use std::future::pending;
use std::io;
use std::thread;

use firsthop_model::fib::FibSnapshot;
use firsthop_model::topology::{Event, Snapshot};
use firsthop_netlink::{
    Buffers, Counters, Dumper, EventSocket, FibSocket, Hearing, OpenError, SnapshotError,
};
use tokio::runtime;
use tokio::sync::mpsc;

use crate::engine::{Dumped, Heard, HeardRoutes, Input, Question};
use crate::telemetry::Streak;
use crate::{chain, log_retry};

/// Events taken off the socket at once.
const BATCH: usize = 1024;
/// Batches in a turn; beyond, others have to get a turn as well.
const BATCHES: usize = 64;

/// The end of a dump, or of a question.
#[derive(Debug)]
pub(super) enum Reply {
    Dump(Dumper, Result<Snapshot, SnapshotError>),
    Question(Dumper, Input),
    /// Of the dump of routes with this number, or why it failed.
    Routes(u64, Result<Box<FibSnapshot>, String>),
}

/// Events of routes taken off their socket in a turn: links come first.
const ROUTES: usize = 256;
/// As [`ROUTES`], while something that somebody waits for is written.
const ROUTES_BESIDE: usize = 16;

/// The event socket, and those that ask.
#[derive(Debug)]
pub(super) struct Observer {
    events: EventSocket,
    /// None: a dump is under way.
    dumper: Option<Dumper>,
    /// None: a question is under way.
    asker: Option<Dumper>,
    /// None: nobody wants to know of routes.
    routes: Option<FibSocket>,
    /// Events of routes were missed. What is queued is older than that, and than the next dump: folded in behind it, it would undo
    /// what nobody says again.
    routes_missed: bool,
    /// What the sockets of routes had seen that are closed.
    closed: Counters,
    /// The number of the dump of routes that somebody waits for.
    route_dump: u64,
    buffers: Buffers,
    done: mpsc::UnboundedSender<Reply>,
    replies: mpsc::UnboundedReceiver<Reply>,
    /// Events were lost since the last whole dump.
    losses: Streak,
    failed_dumps: Streak,
    failed_dumps_of_routes: Streak,
}

impl Observer {
    /// Begins to listen, with a queue of so many octets where `receive_buffer` says so.
    pub(super) fn open(receive_buffer: Option<usize>) -> Result<Self, OpenError> {
        let usual = Buffers::default();
        let buffers = Buffers { receive: receive_buffer.unwrap_or(usual.receive), ..usual };
        let (done, replies) = mpsc::unbounded_channel();
        let (dumper, asker) = (Some(Dumper::open()?), Some(Dumper::open()?));
        let events = EventSocket::open_with(buffers)?;
        Ok(Self {
            events,
            dumper,
            asker,
            routes: None,
            routes_missed: false,
            closed: Counters::default(),
            route_dump: 0,
            buffers,
            done,
            replies,
            losses: Streak::default(),
            failed_dumps: Streak::default(),
            failed_dumps_of_routes: Streak::default(),
        })
    }

    /// Waits until there is something to drain, or the end of a dump or question. Cancel-safe.
    ///
    /// # Errors
    /// Events can't be waited for.
    pub(super) async fn next(&mut self) -> io::Result<Option<Input>> {
        tokio::select! {
            readable = self.events.readable() => readable.map(|()| None),
            readable = readable(self.routes.as_ref()) => readable.map(|()| None),
            Some(reply) = self.replies.recv() => Ok(self.take(reply)),
        }
    }

    /// Takes what is queued. True: nothing more is, and everything that the kernel acknowledged before is in it.
    pub(super) fn drain(&mut self) -> (Heard, bool) {
        let mut heard = Heard::default();
        for _ in 0..BATCHES {
            let drained = self.events.drain(BATCH);
            heard.events.extend(drained.events);
            if let Some(loss) = drained.loss {
                let again = self.losses.again();
                log_retry!(again, %loss, "Events were missed; a new snapshot is due");
                heard.loss.get_or_insert_with(|| loss.cause().to_owned());
            }
            if !drained.more {
                return (heard, true);
            }
        }
        (heard, false)
    }

    /// Takes what is queued about routes, or a part of it. True: nothing more is.
    pub(super) fn drain_routes(&mut self, urgent: bool) -> (HeardRoutes, bool) {
        let Some(routes) = &mut self.routes else { return (HeardRoutes::default(), true) };
        let drained = routes.drain(if urgent { ROUTES_BESIDE } else { ROUTES });
        if let Some(loss) = &drained.loss {
            log_retry!(self.routes_missed, %loss, "Events of routes were missed; they are asked for anew");
            self.routes_missed = true;
        }
        let loss = drained.loss.map(|loss| loss.cause().to_owned());
        (HeardRoutes { events: drained.events, loss }, !drained.more)
    }

    /// Begins a dump of routes. Their events are heard from now on.
    pub(super) fn dump_routes(&mut self) {
        self.route_dump += 1;
        let (number, done) = (self.route_dump, self.done.clone());
        let begun = self.hear_of_routes().map_err(|error| chain(&error)).and_then(|()| {
            let dump = move || drop(done.send(Reply::Routes(number, dump_of_routes())));
            thread::Builder::new()
                .name("routes".to_owned())
                .spawn(dump)
                .map_err(|error| chain(&error))
        });
        if let Err(error) = begun {
            let why = format!("Routes can't be asked for: {error}");
            self.done.send(Reply::Routes(number, Err(why))).ok();
        }
    }

    fn hear_of_routes(&mut self) -> Result<(), OpenError> {
        if self.routes_missed {
            self.close_socket_of_routes();
        }
        if self.routes.is_none() {
            self.routes = Some(FibSocket::open_with(self.buffers)?);
        }
        Ok(())
    }

    /// Nobody wants to know of routes any more.
    pub(super) fn close_routes(&mut self) {
        self.close_socket_of_routes();
        self.route_dump += 1;
    }

    fn close_socket_of_routes(&mut self) {
        let seen = self.routes.take().map(|socket| socket.counters()).unwrap_or_default();
        self.closed = self.closed.and(seen);
        self.routes_missed = false;
    }

    /// Begins a dump of everything, if none is under way.
    pub(super) fn dump(&mut self) {
        let Some(mut dumper) = self.dumper.take() else { return };
        let done = self.done.clone();
        tokio::task::spawn_local(async move {
            let dumped = dumper.snapshot().await;
            // Nobody listens only when the daemon ends.
            done.send(Reply::Dump(dumper, dumped)).ok();
        });
    }

    /// Asks a question, if none is under way.
    pub(super) fn ask(&mut self, question: Question) {
        let Some(mut asker) = self.asker.take() else { return };
        let done = self.done.clone();
        tokio::task::spawn_local(async move {
            let answer = answer(&mut asker, question).await;
            let answer = answer.map_err(|error| {
                tracing::debug!(?question, "Not answered: {}", chain(&error));
            });
            done.send(Reply::Question(asker, Input::Answered(question, answer.ok()))).ok();
        });
    }

    fn take(&mut self, reply: Reply) -> Option<Input> {
        Some(match reply {
            Reply::Dump(dumper, dumped) => {
                self.dumper = Some(dumper);
                Input::Dumped(self.take_dump(dumped))
            }
            Reply::Question(asker, input) => {
                self.asker = Some(asker);
                input
            }
            Reply::Routes(number, dumped) if number == self.route_dump => {
                match &dumped {
                    Ok(_) => self.failed_dumps_of_routes.over(),
                    Err(why) => {
                        log_retry!(self.failed_dumps_of_routes.again(), "{why}; trying again");
                    }
                }
                Input::DumpedRoutes(dumped.ok())
            }
            Reply::Routes(..) => return None,
        })
    }

    fn take_dump(&mut self, dumped: Result<Snapshot, SnapshotError>) -> Dumped {
        match dumped {
            Ok(snapshot) => {
                self.failed_dumps.over();
                self.losses.over();
                Dumped::Whole(Box::new(snapshot))
            }
            Err(error) => {
                log_retry!(self.failed_dumps.again(), "{}; trying again", chain(&error));
                let partial = error.partial().cloned();
                partial.map_or(Dumped::Failed, |partial| Dumped::Partial(Box::new(partial)))
            }
        }
    }

    /// What the event sockets have seen.
    pub(super) fn counters(&self) -> Counters {
        let routes = self.routes.as_ref().map(FibSocket::counters).unwrap_or_default();
        self.events.counters().and(routes).and(self.closed)
    }

    /// What the kernel granted the event sockets.
    pub(super) fn hearing(&self) -> Vec<Hearing> {
        let routes = self.routes.as_ref().map(FibSocket::hearing);
        [self.events.hearing()].into_iter().chain(routes).collect()
    }

    /// Octets that the kernel may queue for the event socket, as it counts.
    pub(super) const fn receive_buffer(&self) -> usize {
        self.events.receive_buffer()
    }
}

async fn readable(routes: Option<&FibSocket>) -> io::Result<()> {
    match routes {
        Some(routes) => routes.readable().await,
        None => pending().await,
    }
}

/// All routes, in a runtime of its own. An error says what becomes of it.
fn dump_of_routes() -> Result<Box<FibSnapshot>, String> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| format!("Routes can't be asked for: {}", chain(&error)))?;
    let dump = async { Dumper::open()?.forwarding().await };
    let mut snapshot = runtime.block_on(dump).map_err(|error| chain(&error))?;
    snapshot.sort();
    Ok(Box::new(snapshot))
}

async fn answer(asker: &mut Dumper, question: Question) -> Result<Vec<Event>, SnapshotError> {
    Ok(match question {
        Question::Ipvlans => {
            let links = asker.ipvlans().await?;
            links.into_iter().map(|link| Event::Link(Box::new(link))).collect()
        }
        Question::Vlans => vec![Event::AllVlans(asker.vlans().await?)],
        Question::Filters(ifindex) => vec![Event::MacList(ifindex, asker.mac_list(ifindex).await?)],
    })
}
