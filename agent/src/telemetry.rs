//! What does the daemon tell whoever started it? Log lines on stderr, and once that it is ready.

use std::io::{self, IsTerminal as _, Write as _};

use tracing_subscriber::EnvFilter;

/// Sends log lines to stderr: `RUST_LOG` says which; without it `verbosity` does (0: info, 1: debug, 2: trace).
pub fn init(verbosity: u8) {
    let fallback = match verbosity {
        0 => "info",
        1 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(fallback));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal())
        .init();
}

/// Says `ready` on stdout.
pub fn announce_ready() {
    let mut out = io::stdout();
    if let Err(error) = writeln!(out, "ready").and_then(|()| out.flush()) {
        tracing::debug!(%error, "Nobody reads that the daemon is ready");
    }
}
