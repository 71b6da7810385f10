//! What can go wrong in the program, and which exit code says so.

use std::io;
use std::path::PathBuf;

use crate::chip::PersonalityError;

/// Exit codes of `hwsim`; all programs of the project agree on them.
pub mod exit {
    /// Wrong arguments or files.
    pub const USAGE: u8 = 1;
    /// The kernel, the chip or another process refuses.
    pub const REFUSED: u8 = 2;
    /// Nobody answers at the socket.
    pub const NOT_REACHABLE: u8 = 4;
    /// The answer did not come in time.
    pub const TIMEOUT: u8 = 5;
}

/// An error of the program.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The arguments do not fit together.
    #[error("{0}")]
    Usage(String),
    /// The chip's description cannot be used.
    #[error("Personality not usable")]
    Personality(#[from] PersonalityError),
    /// A file cannot be read or written.
    #[error("Cannot {what} {path}")]
    File {
        /// "open", "write".
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// A feature that needs something that is not there.
    #[error("{0}")]
    Unsupported(String),
    /// The hidden network namespace cannot be made.
    #[error(
        "Cannot make a network namespace; run as root, or under `unshare --user --map-root-user --net`"
    )]
    Namespace {
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel refused a step of making or running the ports.
    #[error("Cannot {what}")]
    Kernel {
        /// The step, with the netdev's name.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// Another process answers at the socket.
    #[error("Socket {path} is taken by process {pid}")]
    Taken {
        /// The socket.
        path: PathBuf,
        /// The owner, 0 when it lives in another pid namespace.
        pid: i32,
    },
    /// The socket cannot be made.
    #[error("Cannot listen on {path}")]
    Listen {
        /// The socket.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Nobody listens.
    #[error("No simulator answers at {path}")]
    NotReachable {
        /// The socket.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// No answer in time.
    #[error("No answer from {path} within {seconds} s")]
    Timeout {
        /// The socket.
        path: PathBuf,
        /// How long the client waited.
        seconds: u64,
    },
    /// The simulator answered that it will not.
    #[error("{0}")]
    Refused(String),
    /// The simulator's answer makes no sense.
    #[error("Answer from {path} not understood: {what}")]
    Answer {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl Error {
    /// The exit code of a program that ends with this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) | Error::Personality(_) | Error::File { .. } => exit::USAGE,
            Error::Unsupported(_)
            | Error::Namespace { .. }
            | Error::Kernel { .. }
            | Error::Taken { .. }
            | Error::Listen { .. }
            | Error::Refused(_)
            | Error::Answer { .. } => exit::REFUSED,
            Error::NotReachable { .. } => exit::NOT_REACHABLE,
            Error::Timeout { .. } => exit::TIMEOUT,
        }
    }
}
