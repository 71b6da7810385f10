//! The client's side of the socket: ask a running simulator, print what it answers.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use serde_json::{Value, json};

use crate::control::to_hex;
use crate::error::Error;
use crate::protocol::{Assembly, MAX_DATAGRAM};
use crate::record::read::frames;

mod text;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Requests to send, and what of each answer to print.
#[derive(Debug)]
pub struct Ask {
    requests: Vec<Value>,
    member: Option<&'static str>,
    many: bool,
}

impl Ask {
    /// One request; the whole answer counts.
    pub fn object(request: Value) -> Ask {
        Ask { requests: vec![request], member: None, many: false }
    }

    /// One request; one member of the answer counts.
    pub fn member(request: Value, member: &'static str) -> Ask {
        Ask { requests: vec![request], member: Some(member), many: false }
    }

    /// One frame in hexadecimal (`-`: from standard input), or all frames of a file.
    ///
    /// # Errors
    /// [`Error::File`] when the file cannot be read, [`Error::Usage`] when it is no recording.
    pub fn trace(port: &str, hex: Option<&str>, file: Option<PathBuf>) -> Result<Ask, Error> {
        let request = |frame: String| json!({ "request": "trace", "port": port, "frame": frame });
        if let Some(path) = file {
            let bytes = std::fs::read(&path).map_err(|source| Error::File {
                what: "read",
                path: path.clone(),
                source,
            })?;
            let frames = frames(&bytes)
                .map_err(|what| Error::Usage(format!("{}: {what}", path.display())))?;
            let requests = frames.iter().map(|frame| request(to_hex(frame))).collect();
            return Ok(Ask { requests, member: None, many: true });
        }
        let frame =
            match hex {
                Some("-") | None => io::read_to_string(io::stdin()).map_err(|source| {
                    Error::File { what: "read", path: "standard input".into(), source }
                })?,
                Some(hex) => hex.to_owned(),
            };
        Ok(Ask::object(request(frame)))
    }
}

/// Sends the requests to the simulator at `socket` and prints the answers.
///
/// # Errors
/// [`Error::NotReachable`], [`Error::Timeout`], [`Error::Refused`], [`Error::Answer`].
pub fn perform(socket: &Path, ask: &Ask, json: bool) -> Result<(), Error> {
    let mut connection = Connection::open(socket)?;
    let mut answers = Vec::new();
    for request in &ask.requests {
        let mut answer = connection.ask(request)?;
        if let Some(object) = answer.as_object_mut() {
            object.remove("ok");
        }
        if let Some(member) = ask.member {
            answer = answer.get(member).cloned().ok_or_else(|| Error::Answer {
                path: socket.to_owned(),
                what: format!("it has no {member}"),
            })?;
        }
        answers.push(answer);
    }
    let document = match (ask.many, answers.pop()) {
        (false, Some(answer)) => answer,
        (_, last) => Value::Array(answers.into_iter().chain(last).collect()),
    };
    let text = if json { format!("{document}\n") } else { text::render(&document) };
    match io::stdout().write_all(text.as_bytes()) {
        // The reader had enough: `hwsim dump | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|source| Error::File {
            what: "write",
            path: "standard output".into(),
            source,
        }),
    }
}

/// A connection to a simulator.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    path: PathBuf,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// [`Error::NotReachable`].
    pub fn open(path: &Path) -> Result<Connection, Error> {
        let failed = |source: io::Error| Error::NotReachable { path: path.to_owned(), source };
        let fd = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)
            .map_err(|error| failed(error.into()))?;
        let address = UnixAddr::new(path).map_err(|error| failed(error.into()))?;
        connect(fd.as_raw_fd(), &address).map_err(|error| failed(error.into()))?;
        let stream = UnixStream::from(fd);
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
        Ok(Connection { stream, path: path.to_owned(), buffer: vec![0; MAX_DATAGRAM] })
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// [`Error::Refused`] with the simulator's reason, [`Error::Timeout`], [`Error::NotReachable`]
    /// when the simulator ends, [`Error::Answer`].
    pub fn ask(&mut self, request: &Value) -> Result<Value, Error> {
        self.send(request.to_string().as_bytes())?;
        let mut assembly = Assembly::default();
        let answer = loop {
            let datagram = self.receive()?;
            let taken = assembly.take(&datagram);
            let whole = taken.map_err(|what| Error::Answer { path: self.path.clone(), what })?;
            if let Some(answer) = whole {
                break answer;
            }
        };
        if answer.get("ok") == Some(&Value::Bool(true)) {
            return Ok(answer);
        }
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => Err(Error::Refused(error.to_owned())),
            None => Err(Error::Answer {
                path: self.path.clone(),
                what: "it is neither ok nor an error".into(),
            }),
        }
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// [`Error::NotReachable`] when the simulator has ended.
    pub fn send(&mut self, datagram: &[u8]) -> Result<(), Error> {
        (&self.stream).write(datagram).map(drop).map_err(|error| self.failed(error))
    }

    /// Waits for one datagram.
    ///
    /// # Errors
    /// [`Error::Timeout`], [`Error::NotReachable`] when the simulator has ended.
    pub fn receive(&mut self) -> Result<Vec<u8>, Error> {
        match (&self.stream).read(&mut self.buffer) {
            Ok(0) => Err(self.failed(io::ErrorKind::UnexpectedEof.into())),
            Ok(length) => Ok(self.buffer[..length].to_vec()),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn failed(&self, source: io::Error) -> Error {
        let path = self.path.clone();
        match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                Error::Timeout { path, seconds: PATIENCE.as_secs() }
            }
            _ => Error::NotReachable { path, source },
        }
    }
}
