//! Who is connected, and what do they still have to read? Each connection is a task of its own; the daemon never waits for one.
//!
//! ```text
//!   accept ─▶ Guests ─▶ task: read ─▶ Decoder ─▶ dispatch ─▶ Incoming ──▶ daemon
//!                └▶ TooMany   write ◀────────────────────── Replies ◀──── (never blocks: a full queue takes no more)
//! ```
//!
//! After each connection and each call the others come first, the daemon among them.
//!
//! Every method only reads. The socket's directory says who may; the uid of a client (SO_PEERCRED) how much.

mod guests;
#[cfg(test)]
mod tests;

use std::io::{self, Write as _};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

use super::codec::{Decoder, encode, longest_call};
use super::interface::{Failure, Request, Step, dispatch, parse};
use super::message::Reply;
use crate::log_retry;
use crate::telemetry::Streak;
use guests::{Guest, Guests};

/// How long a client may keep a connection without asking anything.
const IDLE: Duration = Duration::from_secs(60);
/// How long a client may take to read an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Answers that wait for a client to read them.
const REPLIES: usize = 256;

/// A request on its way to the daemon.
#[derive(Debug)]
pub struct Incoming {
    /// What is asked.
    pub request: Request,
    /// Where the answers go.
    pub replies: Replies,
}

/// Where the answers to one call go. Dropped without a last answer, it ends the connection.
#[derive(Debug, Clone)]
pub struct Replies(mpsc::Sender<Reply>);

impl Replies {
    /// To the owner of the other end.
    #[cfg(test)]
    pub(crate) const fn of(answers: mpsc::Sender<Reply>) -> Self {
        Self(answers)
    }

    /// Hands an answer over. False: the client is gone, or has not read the ones before yet.
    pub fn send(&self, reply: Reply) -> bool {
        self.0.try_send(reply).is_ok()
    }

    /// Answers that have not been taken to be written yet.
    pub fn waiting(&self) -> usize {
        self.0.max_capacity() - self.0.capacity()
    }

    /// Nobody waits for an answer any more.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

/// Accepts connections for ever, and sends what they ask to `daemon`.
pub async fn serve(listener: UnixListener, daemon: mpsc::Sender<Incoming>) {
    let mut connections = JoinSet::new();
    let guests = Rc::new(Guests::default());
    let mut refused = Streak::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                refused.over();
                let (uid, own) = client(&stream);
                match guests.enter(uid, own) {
                    Ok(guest) => {
                        connections.spawn_local(converse(stream, guest, daemon.clone()));
                    }
                    Err(failure) => {
                        tracing::debug!(uid, ?failure, "A connection was turned away");
                        turn_away(stream, &failure);
                    }
                }
            }
            Err(error) => {
                log_retry!(refused.again(), %error, "Connection not accepted");
                // Out of descriptors as a rule: a connection has to end first.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        yield_now().await;
    }
}

/// Says why, before there was a call, and closes. The answer fits into a fresh socket; a client that has it not is closed to anyway.
fn turn_away(stream: UnixStream, failure: &Failure) {
    if let Ok(mut stream) = stream.into_std() {
        stream.write_all(&encode(&failure.reply())).ok();
    }
}

/// One connection from its first call to its end.
async fn converse(stream: UnixStream, guest: Guest, daemon: mpsc::Sender<Incoming>) {
    let decoder = Decoder::new(longest_call(guest.is_own()));
    let mut connection = Connection { stream, decoder, guest };
    if let Err(error) = connection.run(&daemon).await {
        tracing::debug!(%error, "Connection ended");
    }
}

/// The client's uid (nobody's where the kernel does not say), and whether that is root or the daemon's own user.
fn client(stream: &UnixStream) -> (u32, bool) {
    let own = nix::unistd::geteuid().as_raw();
    let peer = stream.peer_cred().map(|peer| peer.uid());
    (peer.as_ref().map_or(u32::MAX, |uid| *uid), peer.is_ok_and(|uid| uid == 0 || uid == own))
}

struct Connection {
    stream: UnixStream,
    decoder: Decoder,
    guest: Guest,
}

impl Connection {
    async fn run(&mut self, daemon: &mpsc::Sender<Incoming>) -> io::Result<()> {
        loop {
            match self.decoder.next_message() {
                Ok(Some(message)) => {
                    self.answer(&message, daemon).await?;
                    yield_now().await;
                }
                Ok(None) => {
                    if timeout(IDLE, self.read()).await?? == 0 {
                        return Ok(());
                    }
                }
                Err(error) => {
                    self.write(&Failure::NotUnderstood(error.to_string()).reply()).await?;
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            }
        }
    }

    async fn answer(&mut self, message: &[u8], daemon: &mpsc::Sender<Incoming>) -> io::Result<()> {
        let call = match parse(message) {
            Ok(call) => call,
            Err(failure) => {
                self.write(&failure.reply()).await?;
                return Err(io::Error::new(io::ErrorKind::InvalidData, "Not a call"));
            }
        };
        let reply = match dispatch(&call) {
            Ok(Step::Ask(request)) => {
                return self.ask(request, call.oneway, daemon).await;
            }
            Ok(Step::Answer(reply)) => reply,
            Err(failure) => failure.reply(),
        };
        if call.oneway { Ok(()) } else { self.write(&reply).await }
    }

    /// Asks the daemon, and passes on what it answers.
    async fn ask(
        &mut self,
        request: Request,
        oneway: bool,
        daemon: &mpsc::Sender<Incoming>,
    ) -> io::Result<()> {
        let endless = matches!(request, Request::Monitor(_) | Request::MonitorTrap(_));
        let lasts = endless || matches!(request, Request::Wait { .. });
        let _asking = match if lasts { Ok(None) } else { self.guest.ask().map(Some) } {
            Ok(asking) => asking,
            Err(_) if oneway => return Ok(()),
            Err(failure) => return self.write(&failure.reply()).await,
        };
        let (replies, mut answers) = mpsc::channel(REPLIES);
        let incoming = Incoming { request, replies: Replies(replies) };
        let ended = || io::Error::new(io::ErrorKind::BrokenPipe, "The daemon ends");
        daemon.send(incoming).await.map_err(|_| ended())?;
        let mut speaks = true;
        loop {
            let answer = tokio::select! {
                answer = answers.recv() => answer,
                // The next calls, which wait, or the end of the connection. Nobody fills the memory meanwhile.
                read = self.read(), if speaks && !self.decoder.is_full() => {
                    speaks = read? > 0;
                    if !speaks && (endless || self.is_left()) {
                        return Ok(());
                    }
                    continue;
                }
            };
            let answer = answer.ok_or_else(ended)?;
            if !oneway {
                self.write(&answer).await?;
            }
            if !answer.continues {
                return Ok(());
            }
        }
    }

    /// The client has gone, and has not only said all it wanted to say. A write of nothing tells (`unix_stream_sendmsg`).
    fn is_left(&self) -> bool {
        nix::unistd::write(&self.stream, &[]) == Err(nix::errno::Errno::EPIPE)
    }

    /// Reads what there is into the decoder. Cancel-safe.
    async fn read(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 4096];
        loop {
            self.stream.readable().await?;
            match self.stream.try_read(&mut buffer) {
                Ok(length) => {
                    self.decoder.push(&buffer[..length]);
                    return Ok(length);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn write(&mut self, reply: &Reply) -> io::Result<()> {
        let bytes = encode(reply);
        timeout(PATIENCE, self.stream.write_all(&bytes)).await?
    }
}
