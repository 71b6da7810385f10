//! What a service manager is told (sd_notify(3)): that the daemon is ready, how it is in a sentence, and that its loop still turns.

use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Between two sentences, at least.
const PAUSE: Duration = Duration::from_secs(1);

/// The service manager that started this process, if one did. Times are those since the start.
#[derive(Debug, Default)]
pub struct ServiceManager {
    /// NOTIFY_SOCKET
    socket: Option<OsString>,
    /// How often it wants a sign of life: twice in what WATCHDOG_USEC says.
    interval: Option<Duration>,
    next_sign: Duration,
    sentence: String,
    next_sentence: Duration,
    /// Something happened since the last sentence.
    stirred: bool,
}

impl ServiceManager {
    /// As the environment says.
    pub fn of_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let limit = number("WATCHDOG_USEC").filter(|limit| ours && *limit > 0);
        let interval = limit.map(|limit| Duration::from_micros(limit) / 2);
        Self { socket: std::env::var_os("NOTIFY_SOCKET"), interval, ..Self::default() }
    }

    /// The daemon is ready.
    pub fn announce(&self) {
        self.tell("READY=1");
    }

    /// The loop has turned: tells what is due.
    pub fn tend(&mut self, now: Duration, sentence: impl FnOnce() -> String) {
        if self.socket.is_none() {
            return;
        }
        if let Some(interval) = self.interval
            && self.next_sign <= now
        {
            self.next_sign = now + interval;
            self.tell("WATCHDOG=1");
        }
        self.stirred = now < self.next_sentence;
        if self.stirred {
            return;
        }
        let sentence = sentence();
        if sentence != self.sentence {
            self.tell(&format!("STATUS={sentence}"));
            self.sentence = sentence;
            self.next_sentence = now + PAUSE;
        }
    }

    /// When there is something to tell though nothing happens.
    pub fn deadline(&self) -> Option<Duration> {
        let sign = self.interval.map(|_| self.next_sign);
        let sentence = self.stirred.then_some(self.next_sentence);
        self.socket.as_ref().and_then(|_| sign.into_iter().chain(sentence).min())
    }

    fn tell(&self, state: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = notify(socket.as_bytes(), state.as_bytes())
        {
            tracing::debug!(%error, state, "The service manager can't be told");
        }
    }
}

fn notify(socket: &[u8], state: &[u8]) -> io::Result<()> {
    let address = match socket.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(OsString::from_vec(socket.to_vec()))?,
    };
    let socket = UnixDatagram::unbound()?;
    // a manager that does not listen is no reason to stop
    socket.set_nonblocking(true)?;
    socket.send_to_addr(state, &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Broken if a service manager waited for ever for a daemon that is ready, killed one whose loop turns, or were told every word.
    #[test]
    fn a_service_manager_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let told = || {
            let mut buffer = [0; 64];
            let length = socket.recv(&mut buffer).ok()?;
            Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
        };
        let mut manager = ServiceManager {
            socket: Some(path.into()),
            interval: Some(Duration::from_secs(10)),
            ..ServiceManager::default()
        };
        let ms = Duration::from_millis;
        manager.announce();
        assert_eq!(told().as_deref(), Some("READY=1"));
        manager.tend(ms(5), || "One".to_owned());
        assert_eq!(told().as_deref(), Some("WATCHDOG=1"));
        assert_eq!(told().as_deref(), Some("STATUS=One"));
        assert_eq!(manager.deadline(), Some(ms(10_005)));
        // too soon after the last one: it is told later
        manager.tend(ms(6), || "Two".to_owned());
        assert_eq!((told(), manager.deadline()), (None, Some(ms(1005))));
        manager.tend(ms(1005), || "Two".to_owned());
        assert_eq!(told().as_deref(), Some("STATUS=Two"));
        manager.tend(ms(3000), || "Two".to_owned());
        assert_eq!((told(), manager.deadline()), (None, Some(ms(10_005))));
        manager.tend(ms(10_005), || "Two".to_owned());
        assert_eq!((told().as_deref(), told()), (Some("WATCHDOG=1"), None));
    }

    // Broken if a daemon that nobody supervises woke up for it.
    #[test]
    fn nobody_is_told_without_a_manager() {
        let mut alone = ServiceManager::default();
        alone.tend(Duration::ZERO, || unreachable!("nobody reads it"));
        assert_eq!(alone.deadline(), None);
    }
}
