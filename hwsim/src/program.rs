//! `hwsim run`: the chip, its ports and its socket, from the first netdev to the last.
//!
//! ```text
//! socket ─ ports ─ recordings ─▶ "ready" ─▶ Switch::turn until a signal ─▶ all is removed
//! ```

use std::io::Write;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::chip::{Chip, Personality};
use crate::control::{Core, HostCounters};
use crate::error::Error;
use crate::port::{self, Layout};
use crate::record::pcap::Pcap;
use crate::record::pcapng::PcapNg;
use crate::server::Server;

mod outbox;
mod recordings;
mod reports;
mod source;
mod switch;

use recordings::Recordings;
use switch::Switch;

/// What to simulate, and where.
#[derive(Debug, Clone)]
pub struct Plan {
    /// A built-in personality, or a file.
    pub personality: String,
    /// The netdevs.
    pub layout: Layout,
    /// Where to listen.
    pub socket: PathBuf,
    /// Where to record all frames.
    pub pcap: Option<PathBuf>,
    /// Where to record EMAD requests and answers.
    pub emad_pcap: Option<PathBuf>,
}

/// Runs until SIGTERM, SIGINT or SIGHUP, then removes all that it made.
///
/// # Errors
/// Whatever keeps the simulator from starting, or the kernel's refusal of its event loop.
pub fn run(plan: &Plan) -> Result<(), Error> {
    let kernel = |what: &str| {
        let what = what.to_owned();
        move |error: nix::Error| Error::Kernel { what, source: error.into() }
    };
    let personality = Personality::load(&plan.personality)?;
    // Before the first thread: threads inherit the mask.
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]);
    signals.thread_block().map_err(kernel("block signals"))?;
    let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .map_err(kernel("make a signalfd"))?;
    allow_many_files();

    let server = Server::listen(&plan.socket)?;
    let ports = port::create(&plan.layout)?;
    let names: Vec<String> =
        ports.ports.iter().flat_map(|port| [port.wire_name.clone(), port.ifname.clone()]).collect();
    let recordings = Recordings {
        frames: plan.pcap.as_deref().map(|path| PcapNg::create(path, &names)).transpose()?,
        emads: plan.emad_pcap.as_deref().map(Pcap::create).transpose()?,
    };
    let Layout { ports: count, ref chip_id, .. } = plan.layout;
    let chip = Chip::new(personality, count, chip_id.clone(), generation());
    let core = Core { chip, host: HostCounters::default() };
    tracing::info!(
        socket = %plan.socket.display(),
        ports = plan.layout.ports,
        personality = core.chip.personality().name,
        "Ready"
    );
    let mut switch = Switch::new(core, ports, server, recordings, signals)?;
    announce();
    switch.run()
}

/// Tells scripts that ports and socket are there.
fn announce() {
    let mut out = std::io::stdout();
    if let Err(error) = writeln!(out, "ready").and_then(|()| out.flush()) {
        tracing::warn!(%error, "Nobody reads that the simulator is ready");
    }
}

/// A number that no earlier start of the chip had: nanoseconds since 1970. Resets count up from it.
fn generation() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Three descriptors a port: the usual limit of 1,024 is too low for many ports.
fn allow_many_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::debug!(%error, "Limit of open files stays");
    }
}
