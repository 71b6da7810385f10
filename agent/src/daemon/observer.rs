//! The sockets through which the kernel is heard and asked: events, dumps of everything, single questions.
//!
//! ```text
//!   event socket ──drain──▶ Heard            two dump sockets, so that no question waits for a dump:
//!   Output::Dump ─▶ task ─▶ Input::Dumped    Output::Ask ─▶ task ─▶ Input::Answered
//! ```

use std::io;

use firsthop_model::topology::{Event, Snapshot};
use firsthop_netlink::{Buffers, Counters, Dumper, EventSocket, OpenError, SnapshotError};
use tokio::sync::mpsc;

use crate::chain;
use crate::engine::{Dumped, Heard, Input, Question};

/// Events taken off the socket at once.
const BATCH: usize = 1024;
/// Batches in a turn; beyond, others have to get a turn as well.
const BATCHES: usize = 64;

/// The end of a dump, or of a question.
#[derive(Debug)]
pub(super) enum Reply {
    Dump(Dumper, Input),
    Question(Dumper, Input),
}

/// The event socket, and those that ask.
#[derive(Debug)]
pub(super) struct Observer {
    events: EventSocket,
    /// None: a dump is under way.
    dumper: Option<Dumper>,
    /// None: a question is under way.
    asker: Option<Dumper>,
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
        Ok(Self { events: EventSocket::open_with(buffers)?, dumper, asker, done, replies })
    }

    /// Waits until there is something to drain, or the end of a dump or question. Cancel-safe.
    ///
    /// # Errors
    /// Events can't be waited for.
    pub(super) async fn next(&mut self) -> io::Result<Option<Input>> {
        tokio::select! {
            readable = self.events.readable() => readable.map(|()| None),
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
        }
    }

    /// What the event socket has seen.
    pub(super) const fn counters(&self) -> Counters {
        self.events.counters()
    }

    /// Octets that the kernel may queue for the event socket, as it counts.
    pub(super) const fn receive_buffer(&self) -> usize {
        self.events.receive_buffer()
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
