//! A chip that is spoken to by EMAD frames over a socket, such as hwsim.
//!
//! ```text
//!   Change ─▶ registers ─▶ session ─▶ channel ─▶ SOCK_SEQPACKET ─▶ chip
//!             what it is   when and   bytes in
//!             called       how often  and out
//! ```
//!
//! `registers` and `session` do no I/O and read no clock, so that tests can drive them against a chip in memory
//! ([`synchronous`]).

use std::collections::VecDeque;
use std::future::pending;
use std::hash::{BuildHasher as _, Hasher as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use emad::Register;
use firsthop_model::chip::{Change, Key};
use nix::errno::Errno;
use tokio::time::{Instant, sleep_until, timeout};

use crate::capabilities::generation;
use crate::{Asic, AsicError, Capabilities, Event, Ticket};

mod activity;
mod channel;
pub mod control;
mod reading;
pub mod recording;
pub mod registers;
pub mod session;
pub mod synchronous;
#[cfg(test)]
mod tests;

use activity::Activity;
use channel::Channel;
use control::{Control, Members};
pub use reading::Reading;
use session::{QueryId, Session, Settings, Strays};

/// A chip behind a socket.
#[derive(Debug)]
pub struct Spectrum {
    channel: Channel,
    buffer: Box<[u8]>,
    session: Session,
    control: Control,
    capabilities: Capabilities,
    /// Datagrams for which the socket had no room yet.
    outbox: VecDeque<Vec<u8>>,
    /// Since when the socket has no room.
    crowded: Option<Duration>,
    /// What is to be asked after [`Self::asking`].
    asked: VecDeque<Asked>,
    asking: Option<Asking>,
    patience: Duration,
    /// The session's clock starts here.
    start: Instant,
    connection: Connection,
}

#[derive(Debug)]
enum Connection {
    Up,
    /// Broken, and not reported yet.
    Broken(AsicError),
    Down(AsicError),
}

/// A question that has to wait for its turn.
#[derive(Debug)]
enum Asked {
    /// Everything that can be enumerated, and these.
    Rows(bool, Vec<Key>),
    Activity,
}

/// The question that is being asked.
#[derive(Debug)]
enum Asking {
    Rows(Reading),
    Activity(Activity),
}

impl Asking {
    fn take(
        &mut self,
        session: &mut Session,
        id: QueryId,
        answer: Result<Register, AsicError>,
    ) -> Result<(), AsicError> {
        match self {
            Self::Rows(reading) => reading.take(session, id, answer),
            Self::Activity(activity) => activity.take(session, id, answer),
        }
    }

    fn poll(&mut self) -> Option<Event> {
        match self {
            Self::Rows(reading) => reading.poll().map(|found| Event::Rows(Ok(found))),
            Self::Activity(activity) => activity.poll().map(|hosts| Event::Active(Ok(hosts))),
        }
    }

    fn fail(self, error: AsicError) -> Event {
        match self {
            Self::Rows(_) => Event::Rows(Err(error)),
            Self::Activity(_) => Event::Active(Err(error)),
        }
    }
}

impl Spectrum {
    /// Connects to the chip whose socket is at `path`, and asks what it is.
    ///
    /// # Errors
    /// There is no chip, it does not answer, or it does not say what Firsthop can't do without.
    pub async fn connect(path: &Path, settings: Settings) -> Result<Self, AsicError> {
        Self::greet(Channel::connect(path)?, settings).await
    }

    /// Takes a connected SOCK_SEQPACKET socket with a chip at its other end.
    ///
    /// # Errors
    /// As [`Spectrum::connect`].
    pub async fn over(socket: OwnedFd, settings: Settings) -> Result<Self, AsicError> {
        Self::greet(Channel::over(socket)?, settings).await
    }

    async fn greet(channel: Channel, settings: Settings) -> Result<Self, AsicError> {
        // The standard library's source of random numbers; four bytes are enough to differ from the last session.
        let random = std::hash::RandomState::new().build_hasher().finish().to_ne_bytes();
        let [a, b, c, d, ..] = random;
        let mut chip = Self {
            channel,
            buffer: vec![0; channel::LONGEST].into(),
            session: Session::new(settings, u32::from_ne_bytes([a, b, c, d])),
            control: Control::default(),
            capabilities: Capabilities::default(),
            outbox: VecDeque::new(),
            crowded: None,
            asked: VecDeque::new(),
            asking: None,
            patience: settings.patience,
            start: Instant::now(),
            connection: Connection::Up,
        };
        chip.capabilities().await?;
        Ok(chip)
    }

    /// What the chip is, as it said when last asked.
    pub const fn last_capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// The chip's generation now; see [`Capabilities::generation`]. Costs one short request, so that it can be asked often.
    ///
    /// # Errors
    /// The chip did not answer, or has no generation.
    pub async fn generation(&mut self) -> Result<u64, AsicError> {
        generation(&self.ask("hello").await?)
    }

    /// Frames that came in and were of no use.
    pub const fn strays(&self) -> Strays {
        self.session.strays()
    }

    /// A control request by name, and its answer.
    async fn ask(&mut self, request: &'static str) -> Result<Members, AsicError> {
        self.check_connection()?;
        let datagram = self.control.ask(request);
        self.outbox.push_back(datagram);
        let patience = self.patience;
        let answer = timeout(patience, async {
            loop {
                if let Some(answer) = self.control.poll(request) {
                    return answer;
                }
                self.turn().await?;
            }
        });
        answer.await.unwrap_or(Err(AsicError::ControlTimeout { request, patience }))
    }

    /// What became of the first question, if it is known; begins the next one.
    fn poll_asked(&mut self) -> Option<Event> {
        if self.asking.is_none() {
            // Of one that ended with an error.
            while self.session.poll_answer().is_some() {}
            self.asking = Some(match self.asked.pop_front()? {
                Asked::Rows(enumerate, keys) => {
                    let rifs = enumerate.then_some(self.capabilities.rifs);
                    Asking::Rows(Reading::start(&mut self.session, rifs, &keys))
                }
                Asked::Activity => Asking::Activity(Activity::start(&mut self.session)),
            });
        }
        let mut asking = self.asking.take()?;
        while let Some((id, answer)) = self.session.poll_answer() {
            if let Err(error) = asking.take(&mut self.session, id, answer) {
                return Some(asking.fail(error));
            }
        }
        let event = asking.poll();
        if event.is_none() {
            self.asking = Some(asking);
        }
        event
    }

    /// Sends what can be sent, then waits for one thing to happen. Cancel-safe.
    async fn turn(&mut self) -> Result<(), AsicError> {
        let result = self.try_turn().await;
        if let Err(error) = &result {
            let now = self.start.elapsed();
            while let Some(datagram) = self.channel.remains(&mut self.buffer) {
                self.session.receive(datagram, now);
            }
            self.session.lose();
            self.asked.clear();
            self.connection = Connection::Broken(error.clone());
        }
        result
    }

    async fn try_turn(&mut self) -> Result<(), AsicError> {
        let now = self.start.elapsed();
        self.session.expire(now);
        loop {
            if self.outbox.is_empty() {
                self.outbox.extend(self.session.transmit(now));
            }
            let Some(datagram) = self.outbox.front() else { break };
            if !self.channel.try_send(datagram)? {
                break;
            }
            self.outbox.pop_front();
            self.crowded = None;
        }
        let full = !self.outbox.is_empty();
        let deadline = if full {
            // No time-out helps while nothing can be sent; a chip that reads nothing for long is as good as gone.
            let end = self.crowded.get_or_insert(now).saturating_add(self.patience);
            if end <= now {
                return Err(AsicError::Socket { operation: "send", source: Errno::ETIMEDOUT });
            }
            Some(end)
        } else {
            self.session.deadline()
        };
        // Not polled without a deadline; any time will do then.
        let alarm = self.start + deadline.unwrap_or_default();
        tokio::select! {
            datagram = self.channel.receive(&mut self.buffer) => {
                let datagram = datagram?;
                if Control::is_document(datagram) {
                    self.control.take(datagram);
                } else {
                    self.session.receive(datagram, self.start.elapsed());
                }
            }
            room = self.channel.writable(), if full => room?,
            () = sleep_until(alarm), if deadline.is_some() => {}
        }
        Ok(())
    }

    fn check_connection(&self) -> Result<(), AsicError> {
        match &self.connection {
            Connection::Up => Ok(()),
            Connection::Broken(error) | Connection::Down(error) => Err(error.clone()),
        }
    }
}

impl Asic for Spectrum {
    fn submit(&mut self, ticket: Ticket, change: Change) {
        self.session.submit(ticket, change);
        if !matches!(self.connection, Connection::Up) {
            self.session.lose();
        }
    }

    fn ask_notices(&mut self) {
        if matches!(self.connection, Connection::Up) {
            self.session.ask_notices();
        }
    }

    fn ask_rows(&mut self, enumerate: bool, keys: Vec<Key>) {
        if matches!(self.connection, Connection::Up) {
            self.asked.push_back(Asked::Rows(enumerate, keys));
        }
    }

    fn ask_activity(&mut self) {
        if matches!(self.connection, Connection::Up) {
            self.asked.push_back(Asked::Activity);
        }
    }

    fn in_flight(&self) -> usize {
        self.session.in_flight()
    }

    async fn next(&mut self) -> Event {
        loop {
            if let Some(completion) = self.session.poll() {
                return Event::Completed(completion);
            }
            if let Some(answer) = self.session.poll_notices() {
                return Event::Noticed(answer);
            }
            if let Some(event) = self.poll_asked() {
                return event;
            }
            match &self.connection {
                // An error is noticed in the next round, after the completions that it made.
                Connection::Up => drop(self.turn().await),
                Connection::Broken(error) => {
                    let error = error.clone();
                    self.connection = Connection::Down(error.clone());
                    return Event::Disconnected(error);
                }
                Connection::Down(_) => pending().await,
            }
        }
    }

    async fn capabilities(&mut self) -> Result<Capabilities, AsicError> {
        let hello = self.ask("hello").await?;
        let resources = self.ask("resources").await?;
        let ports = self.ask("ports").await?;
        self.capabilities = Capabilities::from_answers(&hello, &resources, &ports)?;
        self.session.speak(self.capabilities.dialect());
        Ok(self.capabilities.clone())
    }
}
