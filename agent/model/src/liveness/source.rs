//! One router that advertises a virtual router: what it said last, and since when without a break.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::wire::{Advertisement, Checksum};
use crate::Mac;

/// Who has been silent for more intervals than this has stopped: the count after which a backup takes over
/// (RFC 9568 section 6.1, without the skew).
pub(super) const PATIENCE: u32 = 3;
/// How long a source is remembered after it stopped, at least.
const MEMORY: Duration = Duration::from_secs(60);
/// How long it is remembered in intervals, if that is longer.
const MEMORY_INTERVALS: u32 = 10;
/// Virtual addresses that are kept for people to read.
const SHOWN: usize = 4;

/// A set of virtual addresses: whether two are the same, and a few of each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    count: usize,
    digest: u64,
    shown: Vec<IpAddr>,
}

impl Addresses {
    fn of(all: &BTreeSet<IpAddr>) -> Self {
        let mut hasher = DefaultHasher::new();
        all.hash(&mut hasher);
        let shown = all.iter().take(SHOWN).copied().collect();
        Self { count: all.len(), digest: hasher.finish(), shown }
    }
}

impl std::fmt::Display for Addresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown: Vec<String> = self.shown.iter().map(IpAddr::to_string).collect();
        match self.count - self.shown.len().min(self.count) {
            _ if self.count == 0 => f.write_str("none"),
            0 => f.write_str(&shown.join(" ")),
            more => write!(f, "{} and {more} more", shown.join(" ")),
        }
    }
}

/// A router that advertises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// IP source
    pub source: IpAddr,
    /// Ethernet source
    pub mac: Mac,
    /// 2 or 3
    pub version: u8,
    /// 0: it has resigned.
    pub priority: u8,
    /// Between two of its advertisements
    pub interval: Duration,
    /// Virtual addresses
    pub addresses: Addresses,
    /// What its checksums cover
    pub checksum: Checksum,
    /// Begin of the advertisements without a break
    pub since: Duration,
    /// When the last one came
    pub last: Duration,
}

impl Source {
    /// One that was not known.
    pub(super) fn new(said: &Advertisement, now: Duration) -> Self {
        Self {
            source: said.source,
            mac: said.mac,
            version: said.version,
            priority: said.priority,
            interval: said.interval,
            addresses: Addresses::of(&said.addresses),
            checksum: said.checksum,
            since: now,
            last: now,
        }
    }

    /// It advertised again. True: it says something else than before, or had stopped.
    pub(super) fn hear(&mut self, said: &Advertisement, now: Duration) -> bool {
        let goes_on = self.is_live(now) || now.saturating_sub(self.last) <= said.interval;
        let since = if goes_on && self.priority != 0 { self.since } else { now };
        let mut former = std::mem::replace(self, Self { since, ..Self::new(said, now) });
        former.last = now;
        former != *self
    }

    /// It advertises.
    pub fn is_live(&self, now: Duration) -> bool {
        self.priority != 0 && now.saturating_sub(self.last) <= self.interval * PATIENCE
    }

    /// When it would have stopped.
    pub(super) fn lives_until(&self) -> Duration {
        self.last.saturating_add(self.interval * PATIENCE)
    }

    /// It has advertised not long ago.
    pub(super) fn is_remembered(&self, now: Duration) -> bool {
        now.saturating_sub(self.last) <= MEMORY.max(self.interval * MEMORY_INTERVALS)
    }
}

/// Something of which an interface had a few not long ago.
pub(super) fn is_recent(last: Duration, now: Duration) -> bool {
    now.saturating_sub(last) <= MEMORY
}
