//! May this packet still go to the CPU? Token buckets, one for each policer id (register QPCR).
//!
//! ```text
//!   rate · Δt ──▶ ┌────────┐ capacity 2^burst packets, full at the first write
//!                 │ tokens │──▶ one packet takes one token; none left: dropped and counted
//!                 └────────┘
//! ```
//!
//! Integers only: the level is kept in billionths of a token, so `rate` tokens a second are exactly
//! `rate` billionths a nanosecond, and nothing is lost to rounding however short the steps are.

use std::collections::BTreeMap;

use serde::Serialize;

use super::time::Nanos;

/// Billionths of a token in a token.
const TOKEN: u64 = 1_000_000_000;

/// What QPCR sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct PolicerSettings {
    /// Packets a second.
    pub(crate) rate: u32,
    /// Capacity is 2^this packets.
    pub(crate) burst_log2: u8,
}

/// One token bucket.
#[derive(Debug, Clone)]
pub(crate) struct Policer {
    settings: PolicerSettings,
    level: u64,
    filled_at: Nanos,
    dropped: u64,
}

impl Policer {
    /// A full bucket.
    fn new(settings: PolicerSettings, now: Nanos) -> Self {
        let mut policer = Self { settings, level: 0, filled_at: now, dropped: 0 };
        policer.level = policer.capacity();
        policer
    }

    fn capacity(&self) -> u64 {
        (1_u64 << self.settings.burst_log2.min(32)) * TOKEN
    }

    /// The level at `now`.
    fn level_at(&self, now: Nanos) -> u64 {
        let gained = u128::from(self.settings.rate) * u128::from(now.since(self.filled_at));
        let level = u128::from(self.level) + gained;
        u64::try_from(level).unwrap_or(u64::MAX).min(self.capacity())
    }

    fn refill(&mut self, now: Nanos) {
        self.level = self.level_at(now);
        self.filled_at = self.filled_at.max(now);
    }

    /// Would a packet pass at `now`? Takes nothing.
    #[must_use]
    pub(crate) fn would_pass(&self, now: Nanos) -> bool {
        self.level_at(now) >= TOKEN
    }

    /// Takes a token for one packet; counts a drop and answers false if there is none.
    pub(crate) fn pass(&mut self, now: Nanos) -> bool {
        self.refill(now);
        let passes = self.level >= TOKEN;
        if passes {
            self.level -= TOKEN;
        } else {
            self.dropped += 1;
        }
        passes
    }

    /// What it was last set to.
    #[must_use]
    pub(crate) fn settings(&self) -> PolicerSettings {
        self.settings
    }

    /// Packets dropped since the counter was cleared.
    #[must_use]
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// All policers that were ever written, by id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policers {
    policers: BTreeMap<u16, Policer>,
}

impl Policers {
    /// Sets a policer. A new one starts full; of an old one the tokens above the new capacity are lost, and
    /// its counter goes on unless `clear`.
    pub(crate) fn set(&mut self, pid: u16, settings: PolicerSettings, clear: bool, now: Nanos) {
        let policer = self.policers.entry(pid).or_insert_with(|| Policer::new(settings, now));
        policer.refill(now);
        policer.settings = settings;
        policer.level = policer.level.min(policer.capacity());
        if clear {
            policer.dropped = 0;
        }
    }

    /// The policer of that id, if it was ever written.
    #[must_use]
    pub(crate) fn get(&self, pid: u16) -> Option<&Policer> {
        self.policers.get(&pid)
    }

    /// Takes a token from policer `pid`; a policer that was never written passes everything.
    pub(crate) fn pass(&mut self, pid: u16, now: Nanos) -> bool {
        self.policers.get_mut(&pid).is_none_or(|policer| policer.pass(now))
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &Policer)> {
        self.policers.iter().map(|(pid, policer)| (*pid, policer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn policers(rate: u32, burst_log2: u8) -> Policers {
        let mut policers = Policers::default();
        policers.set(1, PolicerSettings { rate, burst_log2 }, true, Nanos(0));
        policers
    }

    // Would break: operators size policers by numbers that the chip does not keep (burst + rate · time).
    #[test]
    fn five_seconds_of_five_thousand_pass_the_burst_and_five_times_the_rate() {
        let mut policers = policers(1024, 10);
        let passed =
            (0..25_000_u64).filter(|n| policers.pass(1, Nanos(n * SECOND / 5_000))).count();
        assert!((6_144 - 2..=6_144).contains(&passed), "{passed} passed");
        assert_eq!(policers.get(1).unwrap().dropped(), 25_000 - passed as u64);
    }

    // Would break: a rate that does not divide a second drifts when the bucket is filled in small steps.
    #[test]
    fn odd_rates_do_not_drift() {
        let mut policers = policers(7, 4);
        for _ in 0..16 {
            assert!(policers.pass(1, Nanos(0)));
        }
        // one step each microsecond for ten seconds: 70 tokens, to the token
        let passed = (1..=10_000_000_u64).filter(|n| policers.pass(1, Nanos(n * 1_000))).count();
        assert_eq!(passed, 70);
    }

    // Would break: changing a policer while it works hands out a second burst or loses the drop count.
    #[test]
    fn a_rewrite_clamps_the_level_and_keeps_the_counter() {
        let mut policers = policers(1, 4);
        for _ in 0..20 {
            policers.pass(1, Nanos(0));
        }
        assert_eq!(policers.get(1).unwrap().dropped(), 4);
        policers.set(1, PolicerSettings { rate: 1, burst_log2: 10 }, false, Nanos(0));
        assert!(!policers.pass(1, Nanos(0)), "a larger bucket is not a full one");
        assert_eq!(policers.get(1).unwrap().dropped(), 5);
        policers.set(1, PolicerSettings { rate: 1, burst_log2: 4 }, true, Nanos(2_000 * SECOND));
        let passed = (0..100).filter(|_| policers.pass(1, Nanos(2_000 * SECOND))).count();
        assert_eq!(passed, 16, "tokens above the new capacity are lost");
        assert_eq!(policers.get(1).unwrap().dropped(), 84, "the clear bit cleared the old five");
    }

    // Would break: a caller whose clock steps back empties or overfills a bucket.
    #[test]
    fn time_that_runs_backwards_gives_nothing() {
        let mut policers = policers(1_000, 4);
        for _ in 0..16 {
            assert!(policers.pass(1, Nanos(SECOND)));
        }
        assert!(!policers.pass(1, Nanos(0)));
        assert!(!policers.pass(1, Nanos(SECOND)));
    }
}
