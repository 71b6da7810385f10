//! One conversation with the daemon: a call goes out, replies come back. Blocking; the client has nothing else to do.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};
use thiserror::Error;

use super::Options;
use super::answer::Failure;
use super::saved::Saved;
use crate::api::codec::{Decoder, encode};
use crate::api::interface::NAME;
use crate::api::{Call, Reply};
use crate::paths::{self, PathError};

/// The longest reply that is taken, bytes.
const MAX_REPLY: usize = 256 << 20;
/// How long the daemon may take beyond what was asked for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, Error)]
pub(super) enum CallError {
    /// It is not known where the daemon listens.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Nobody listens.
    #[error("No daemon at {}; start firsthopd, or say --socket PATH or -n NETNS", path.display())]
    Unreachable {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The daemon went away or does not answer.
    #[error("The daemon at {} does not answer", path.display())]
    Broken {
        /// Where it listens.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The answer is not what the interface promises.
    #[error("The answer of the daemon at {} is not understood", path.display())]
    Garbled {
        /// Where it listens.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// A connection to the daemon, or what one said before.
#[derive(Debug)]
pub(super) struct Conversation {
    path: PathBuf,
    side: OtherSide,
}

#[derive(Debug)]
enum OtherSide {
    Daemon { stream: UnixStream, decoder: Decoder },
    File(Saved),
}

/// Where the daemon listens that these options mean.
fn socket(options: &Options) -> Result<PathBuf, PathError> {
    if let Some(path) = &options.socket {
        return Ok(path.clone());
    }
    let own = || firsthop_netlink::netns_name();
    paths::agent_socket(options.netns.clone().or_else(own).as_deref())
}

impl Conversation {
    /// Connects to the daemon that the options mean.
    pub(super) fn begin(options: &Options) -> Result<Self, Failure> {
        if let Some(path) = &options.state {
            let side = OtherSide::File(Saved::open(path)?);
            return Ok(Self { path: path.clone(), side });
        }
        let path = socket(options).map_err(CallError::from)?;
        let stream = UnixStream::connect(&path)
            .map_err(|source| CallError::Unreachable { path: path.clone(), source })?;
        let side = OtherSide::Daemon { stream, decoder: Decoder::new(MAX_REPLY) };
        Ok(Self { path, side })
    }

    /// Calls a method of the agent's interface. `patience` is how long the answer may take; None: any time.
    pub(super) fn call(
        &mut self,
        method: &str,
        parameters: Map<String, Value>,
        more: bool,
        patience: Option<Duration>,
    ) -> Result<Reply, CallError> {
        let stream = match &mut self.side {
            OtherSide::Daemon { stream, .. } => stream,
            OtherSide::File(saved) => return Ok(saved.call(method, &parameters)),
        };
        let method = format!("{NAME}.{method}");
        let call = encode(&Call { method, parameters, more, oneway: false });
        let patience = patience.map(|patience| patience + PATIENCE);
        let sent = stream
            .set_read_timeout(patience)
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
            .and_then(|()| stream.write_all(&call));
        match sent {
            Ok(()) => self.next_reply(),
            // Turned away: what the daemon said before it closed is there to be read.
            Err(source) if source.kind() == io::ErrorKind::BrokenPipe => {
                self.next_reply().map_err(|_| self.broken(source))
            }
            Err(source) => Err(self.broken(source)),
        }
    }

    /// The next reply to the last call.
    pub(super) fn next_reply(&mut self) -> Result<Reply, CallError> {
        let mut buffer = [0; 16 << 10];
        let path = &self.path;
        let broken = |source| CallError::Broken { path: path.clone(), source };
        let OtherSide::Daemon { stream, decoder } = &mut self.side else {
            return Err(broken(io::ErrorKind::UnexpectedEof.into()));
        };
        loop {
            let too_long = |error| broken(io::Error::new(io::ErrorKind::InvalidData, error));
            if let Some(message) = decoder.next_message().map_err(too_long)? {
                return serde_json::from_slice(&message)
                    .map_err(|source| CallError::Garbled { path: path.clone(), source });
            }
            match stream.read(&mut buffer) {
                Ok(0) => return Err(broken(io::ErrorKind::UnexpectedEof.into())),
                Ok(length) => decoder.push(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(error)),
            }
        }
    }

    /// Where the daemon listens.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn broken(&self, source: io::Error) -> CallError {
        CallError::Broken { path: self.path.clone(), source }
    }
}
