//! The sockets through which the kernel is heard and asked: events, dumps of everything, single questions.
//!
//! ```text
//!   event socket ──drain──▶ Heard            two dump sockets, so that no question waits for a dump:
//!   Output::Dump ─▶ task ─▶ Input::Dumped    Output::Ask ─▶ task ─▶ Input::Answered
//! ```
//!
//! Routes have sockets of their own, for as long as somebody wants to know of them.

use std::future::pending;
use std::io;

use firsthop_model::topology::{Event, Snapshot};
use firsthop_netlink::{
    Buffers, Counters, Dumper, EventSocket, FibSocket, OpenError, SnapshotError,
};
use tokio::sync::mpsc;

use crate::chain;
use crate::engine::{Dumped, Heard, HeardRoutes, Input, Question};

/// Events taken off the socket at once.
const BATCH: usize = 1024;
/// Batches in a turn; beyond, others have to get a turn as well.
const BATCHES: usize = 64;

/// The end of a dump, or of a question.
#[derive(Debug)]
pub(super) enum Reply {
    Dump(Dumper, Input),
    Question(Dumper, Input),
    Routes(Dumper, Input),
    NoRoutes,
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
    /// None: a dump of routes is under way, or was never asked for.
    route_dumper: Option<Dumper>,
    buffers: Buffers,
    done: mpsc::UnboundedSender<Reply>,
    replies: mpsc::UnboundedReceiver<Reply>,
}

impl Observer {
    /// Begins to listen, with a queue of so many octets where `receive_buffer` says so.
    pub(super) fn open(receive_buffer: Option<usize>) -> Result<Self, OpenError> {
        let usual = Buffers::default();
        let buffers = Buffers { receive: receive_buffer.unwrap_or(usual.receive), ..usual };
        let (done, replies) = mpsc::unbounded_channel();
        let (dumper, asker) = (Some(Dumper::open()?), Some(Dumper::open()?));
        let events = EventSocket::open_with(buffers)?;
        let (routes, route_dumper) = (None, None);
        Ok(Self { events, dumper, asker, routes, route_dumper, buffers, done, replies })
    }

    /// Waits until there is something to drain, or the end of a dump or question. Cancel-safe.
    ///
    /// # Errors
    /// Events can't be waited for.
    pub(super) async fn next(&mut self) -> io::Result<Option<Input>> {
        tokio::select! {
            readable = self.events.readable() => readable.map(|()| None),
            readable = readable(self.routes.as_ref()) => readable.map(|()| None),
            Some(reply) = self.replies.recv() => Ok(Some(self.take(reply))),
        }
    }

    /// Takes what is queued. True: nothing more is, and everything that the kernel acknowledged before is in it.
    pub(super) fn drain(&mut self) -> (Heard, bool) {
        let mut heard = Heard::default();
        for _ in 0..BATCHES {
            let drained = self.events.drain(BATCH);
            heard.events.extend(drained.events);
            if let Some(loss) = drained.loss {
                tracing::warn!(%loss, "Events were missed; a new snapshot is due");
                heard.loss.get_or_insert_with(|| loss.cause().to_owned());
            }
            if !drained.more {
                return (heard, true);
            }
        }
        (heard, false)
    }

    /// Takes what is queued about routes, or a part of it.
    pub(super) fn drain_routes(&mut self, urgent: bool) -> HeardRoutes {
        let Some(routes) = &mut self.routes else { return HeardRoutes::default() };
        let drained = routes.drain(if urgent { ROUTES_BESIDE } else { ROUTES });
        if let Some(loss) = &drained.loss {
            tracing::warn!(%loss, "Events of routes were missed; they are asked for anew");
        }
        HeardRoutes {
            events: drained.events,
            loss: drained.loss.map(|loss| loss.cause().to_owned()),
        }
    }

    /// Begins a dump of routes. Their events are heard from now on.
    pub(super) fn dump_routes(&mut self) {
        let opened = match (&self.routes, self.route_dumper.take()) {
            (Some(_), Some(dumper)) => Ok(dumper),
            (socket, dumper) => {
                let socket = if socket.is_some() {
                    Ok(None)
                } else {
                    FibSocket::open_with(self.buffers).map(Some)
                };
                socket.and_then(|socket| {
                    if socket.is_some() {
                        self.routes = socket;
                    }
                    dumper.map_or_else(Dumper::open, Ok)
                })
            }
        };
        let done = self.done.clone();
        tokio::task::spawn_local(async move {
            let mut dumper = match opened {
                Ok(dumper) => dumper,
                Err(error) => {
                    tracing::warn!("Routes can't be asked for: {}", chain(&error));
                    done.send(Reply::NoRoutes).ok();
                    return;
                }
            };
            let snapshot = dumper.forwarding().await.map_err(|error| {
                tracing::warn!("{}; trying again", chain(&error));
            });
            let input = Input::DumpedRoutes(snapshot.ok().map(Box::new));
            done.send(Reply::Routes(dumper, input)).ok();
        });
    }

    /// Nobody wants to know of routes any more.
    pub(super) fn close_routes(&mut self) {
        self.routes = None;
        self.route_dumper = None;
    }

    /// Begins a dump of everything, if none is under way.
    pub(super) fn dump(&mut self) {
        let Some(mut dumper) = self.dumper.take() else { return };
        let done = self.done.clone();
        tokio::task::spawn_local(async move {
            let input = Input::Dumped(outcome(dumper.snapshot().await));
            // Nobody listens only when the daemon ends.
            done.send(Reply::Dump(dumper, input)).ok();
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

    fn take(&mut self, reply: Reply) -> Input {
        match reply {
            Reply::Dump(dumper, input) => {
                self.dumper = Some(dumper);
                input
            }
            Reply::Question(asker, input) => {
                self.asker = Some(asker);
                input
            }
            Reply::Routes(dumper, input) => {
                self.route_dumper = Some(dumper).filter(|_| self.routes.is_some());
                input
            }
            Reply::NoRoutes => Input::DumpedRoutes(None),
        }
    }

    /// What the event sockets have seen, that of routes since it was opened.
    pub(super) fn counters(&self) -> Counters {
        let links = self.events.counters();
        let routes = self.routes.as_ref().map(FibSocket::counters).unwrap_or_default();
        Counters {
            messages: links.messages + routes.messages,
            dropped: links.dropped + routes.dropped,
            overruns: links.overruns + routes.overruns,
            undecodable: links.undecodable + routes.undecodable,
            foreign: links.foreign + routes.foreign,
        }
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

fn outcome(result: Result<Snapshot, SnapshotError>) -> Dumped {
    result.map_or_else(
        |error| {
            tracing::warn!("{}; trying again", chain(&error));
            let partial = error.partial().cloned();
            partial.map_or(Dumped::Failed, |partial| Dumped::Partial(Box::new(partial)))
        },
        |snapshot| Dumped::Whole(Box::new(snapshot)),
    )
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
