//! What does the daemon tell whoever started it? Its log, and once that it is ready.
//!
//! | where stderr leads | form |
//! |---|---|
//! | the journal | native fields of journald, `FIRSTHOP_` before our names |
//! | a terminal | lines for people |
//! | a file or a pipe | logfmt: `ts=… level=info message="…" ifname=vrrp5` |
//!
//! The levels mean what `docs/operator.md` says; [`Streak`] is how a line finds its own.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd;

use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// Before the names of our fields in the journal, so that they are nobody else's.
const PREFIX: &str = "FIRSTHOP";

/// Starts the log: `RUST_LOG` says which lines; without it `verbosity` does (0: info, 1: debug, 2: trace).
pub fn init(verbosity: u8) {
    let fallback = match verbosity {
        0 => "info",
        1 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(fallback));
    tracing_subscriber::registry().with(output().with_filter(filter)).init();
}

fn output() -> Box<dyn Layer<Registry> + Send + Sync> {
    let stderr = io::stderr();
    if leads_to_journal(&stderr, env::var("JOURNAL_STREAM").ok().as_deref())
        && let Ok(journal) = tracing_journald::layer()
    {
        // syslog(3)'s own words for our levels
        let priorities = PriorityMappings {
            info: Priority::Informational,
            debug: Priority::Debug,
            ..PriorityMappings::new()
        };
        return journal
            .with_field_prefix(Some(PREFIX.to_owned()))
            .with_priority_mappings(priorities)
            .boxed();
    }
    if stderr.is_terminal() {
        return tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false).boxed();
    }
    tracing_logfmt::builder().with_target(false).layer().with_writer(io::stderr).boxed()
}

/// `JOURNAL_STREAM` is the device and inode of what systemd gave its service as stderr (systemd.exec(5)); the service may have
/// led it elsewhere since.
fn leads_to_journal(stderr: impl AsFd, stream: Option<&str>) -> bool {
    let Some((device, inode)) = stream.and_then(|stream| stream.split_once(':')) else {
        return false;
    };
    let Ok(found) = nix::sys::stat::fstat(stderr) else { return false };
    device.parse() == Ok(found.st_dev) && inode.parse() == Ok(found.st_ino)
}

/// How often in a row something went wrong that is tried again: what heals within one retry is no warning.
#[derive(Debug, Clone, Default)]
pub struct Streak(u32);

impl Streak {
    /// It went wrong. True: the last attempt did as well.
    pub const fn again(&mut self) -> bool {
        self.0 = self.0.saturating_add(1);
        self.0 > 1
    }

    /// It went wrong more than twice: both levels have told it.
    pub const fn is_old(&self) -> bool {
        self.0 > 2
    }

    /// It went well.
    pub const fn over(&mut self) {
        self.0 = 0;
    }
}

/// A line about something that is tried again: a warning if `again`, else at level info.
#[macro_export]
macro_rules! log_retry {
    ($again:expr, $($line:tt)+) => {
        if $again {
            ::tracing::warn!($($line)+)
        } else {
            ::tracing::info!($($line)+)
        }
    };
}

/// Says `ready` on stdout.
pub fn announce_ready() {
    let mut out = io::stdout();
    if let Err(error) = writeln!(out, "ready").and_then(|()| out.flush()) {
        tracing::debug!(%error, "Nobody reads that the daemon is ready");
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    // Broken if lines went to the journal that somebody had led elsewhere, or the other way round.
    #[test]
    fn the_journal_is_known_by_device_and_inode() {
        let file = File::open("/proc/self/exe").unwrap();
        let found = nix::sys::stat::fstat(&file).unwrap();
        let (device, inode) = (found.st_dev, found.st_ino);
        assert!(leads_to_journal(&file, Some(&format!("{device}:{inode}"))));
        assert!(!leads_to_journal(&file, Some(&format!("{device}:{}", inode + 1))));
        assert!(!leads_to_journal(&file, Some("journal")));
        assert!(!leads_to_journal(&file, None));
    }

    // Broken if the first failure were a warning, or one after a success.
    #[test]
    fn a_streak_begins_with_the_second() {
        let mut streak = Streak::default();
        assert_eq!([streak.again(), streak.again(), streak.again()], [false, true, true]);
        streak.over();
        assert!(!streak.again());
    }
}
