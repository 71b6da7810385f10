//! The program `firsthopd`, from its arguments to its exit code.
//!
//! ```text
//!   arguments ─▶ configuration ─▶ socket ─▶ target ─▶ Daemon::run until a signal
//! ```
//!
//! The target is the first of: `--hwsim`, the configuration's, the default socket of the simulated chip.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser as _;
use firsthop_asic::AsicError;
use firsthop_netlink::OpenError;
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::Daemon;
use super::options::Options;
use super::reload::Source;
use crate::api::listener;
use crate::api::socket::{self, SocketError};
use crate::chain;
use crate::config::{Config, ConfigError};
use crate::paths::{self, PathError};
use crate::recording::{self, ReplayError, Replayed};
use crate::telemetry;

/// Requests that wait for the loop.
const REQUESTS: usize = 64;

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
    /// A recording can't be played again.
    #[error(transparent)]
    Replay(#[from] ReplayError),
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
    /// 1: what the operator said is wrong; 2: something refused; 3: a replay came to something else.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Replay(ReplayError::Differs { .. }) => 3,
            Self::Config(_) | Self::Path(_) | Self::Replay(_) => 1,
            Self::Socket(_) | Self::Netlink(_) | Self::Owned(_) | Self::System { .. } => 2,
        }
    }
}

/// Runs the program with these arguments (with its own name).
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
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
    let what = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let line = what.split_whitespace().collect::<Vec<_>>().join(" ");
    writeln!(io::stderr(), "firsthopd: {line}; try --help").ok();
    ExitCode::from(1)
}

fn start(options: &Options) -> Result<(), DaemonError> {
    if let Some(path) = &options.replay {
        return play(path);
    }
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

/// Decides again upon what was written down.
fn play(path: &Path) -> Result<(), DaemonError> {
    let file = File::open(path).map_err(ReplayError::Read)?;
    let Replayed { inputs, turns, writes } = recording::replay(BufReader::new(file))?;
    println!("{inputs} inputs, {turns} turns: the same {writes} writes");
    Ok(())
}

/// Runs until a signal. The chip stays as it is: a restart finds it so.
async fn run(options: &Options, config: Config) -> Result<(), DaemonError> {
    let system = |what| move |source| DaemonError::System { what, source };
    let mut signals = Signals {
        terminate: signal(SignalKind::terminate()).map_err(system("Catching SIGTERM"))?,
        interrupt: signal(SignalKind::interrupt()).map_err(system("Catching SIGINT"))?,
        hangup: signal(SignalKind::hangup()).map_err(system("Catching SIGHUP"))?,
    };

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
    let source = Source { named: options.config.clone(), config, blind: options.observe };
    let recording = options.record.as_deref();
    let mut daemon = Daemon::open(source, target, observe, directory, recording, incoming)?;
    daemon.run(&mut signals).await
}

/// What the daemon is told by signals.
#[derive(Debug)]
pub(super) struct Signals {
    pub(super) terminate: Signal,
    pub(super) interrupt: Signal,
    /// The configuration is to be read again.
    pub(super) hangup: Signal,
}

/// The chip that is to be programmed.
#[derive(Debug, Clone, Default)]
pub(super) struct Target {
    /// Its socket; None: there is no chip.
    pub(super) socket: Option<PathBuf>,
    /// Somebody named it; else it is the one that may be there.
    pub(super) named: bool,
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
