//! What does the daemon tell whoever started it? Log lines on stderr, and once that it is ready.

use std::io::{self, IsTerminal as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

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

/// Says `ready` on stdout and to a service manager that asked for it (sd_notify(3)).
pub fn announce_ready() {
    let mut out = io::stdout();
    if let Err(error) = writeln!(out, "ready").and_then(|()| out.flush()) {
        tracing::debug!(%error, "Nobody reads that the daemon is ready");
    }
    if let Some(socket) = std::env::var_os("NOTIFY_SOCKET")
        && let Err(error) = notify(socket.as_bytes(), b"READY=1")
    {
        tracing::warn!(%error, "Service manager could not be told that the daemon is ready");
    }
}

fn notify(socket: &[u8], state: &[u8]) -> io::Result<()> {
    let address = match socket.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(socket))?,
    };
    UnixDatagram::unbound()?.send_to_addr(state, &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Broken if a service manager waited for ever for a daemon that is ready.
    #[test]
    fn a_service_manager_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        notify(path.as_os_str().as_bytes(), b"READY=1").unwrap();
        let mut buffer = [0; 16];
        let length = manager.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"READY=1");
    }
}
