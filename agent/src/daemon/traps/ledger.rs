//! Counters over time: since when does each count, how fast does it move, and did it begin anew?
//!
//! ```text
//!   reading, registration ─▶ the same registration and no less than before ─▶ rate
//!                         └▶ another one, or less: begun anew ─▶ since now, no rate
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

/// The shortest time over which a rate is told.
const SHORTEST: Duration = Duration::from_millis(200);

/// What counts packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Trap,
    Group,
    Policer,
}

/// A counter: device, what it is, name.
pub(super) type Name = (String, Kind, String);

/// One counter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Course {
    /// Packets, or where only those are counted, dropped ones.
    pub(super) count: u64,
    /// Seconds since 1970: since then it was seen. It began there at 0 if it was reset before our eyes.
    pub(super) since: u64,
    /// What it was then.
    pub(super) base: u64,
    /// Times that it began anew before our eyes.
    pub(super) resets: u64,
    /// A second; None: there is no second reading yet.
    pub(super) rate: Option<f64>,
    /// When it last moved, or was first seen.
    pub(super) moved: Duration,
    registration: u64,
    at: Duration,
}

/// What a reading showed of one counter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// So many more.
    More(u64),
    /// It began anew.
    Reset,
}

/// All counters.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    rows: BTreeMap<Name, Course>,
    /// What the last reading showed.
    steps: Vec<(Name, Step)>,
}

impl Ledger {
    /// A reading begins: `wall` in seconds since 1970.
    pub(super) fn begin(&mut self) {
        self.steps.clear();
    }

    /// One counter of the reading. `registration` names the time that the device was registered.
    pub(super) fn take(
        &mut self,
        name: Name,
        count: u64,
        registration: u64,
        now: Duration,
        wall: u64,
    ) {
        let Some(row) = self.rows.get_mut(&name) else {
            let row = Course {
                count,
                since: wall,
                base: count,
                resets: 0,
                rate: None,
                moved: now,
                registration,
                at: now,
            };
            self.rows.insert(name, row);
            return;
        };
        if row.registration != registration || count < row.count {
            let resets = row.resets + 1;
            *row = Course {
                count,
                since: wall,
                base: 0,
                resets,
                rate: None,
                moved: now,
                registration,
                at: now,
            };
            self.steps.push((name, Step::Reset));
            return;
        }
        let more = count - row.count;
        if more > 0 {
            row.moved = now;
            self.steps.push((name, Step::More(more)));
        }
        row.count = count;
        let past = now.saturating_sub(row.at);
        if past >= SHORTEST {
            row.rate = Some(per_second(more, past));
        }
        row.at = now;
    }

    /// Forgets what a device does not have any more.
    pub(super) fn keep(&mut self, is_there: impl Fn(&Name) -> bool) {
        self.rows.retain(|name, _| is_there(name));
    }

    pub(super) fn course(&self, device: &str, kind: Kind, name: &str) -> Option<&Course> {
        self.rows.get(&(device.to_owned(), kind, name.to_owned()))
    }

    /// What the last reading showed.
    pub(super) fn steps(&self) -> &[(Name, Step)] {
        &self.steps
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn per_second(count: u64, past: Duration) -> f64 {
    (count as f64 / past.as_secs_f64() * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> Name {
        ("pci/0".to_owned(), Kind::Trap, "ipv4_vrrp".to_owned())
    }

    fn at(ledger: &Ledger) -> Course {
        *ledger.course("pci/0", Kind::Trap, "ipv4_vrrp").unwrap()
    }

    // Broken if a reset gave a negative or absurd rate, or packets from before it counted as after it.
    #[test]
    fn resets_are_told_and_never_counted_backwards() {
        let second = Duration::from_secs;
        let mut ledger = Ledger::default();
        let take = |ledger: &mut Ledger, count, registration, now| {
            ledger.begin();
            ledger.take(name(), count, registration, second(now), 1000 + now);
        };
        take(&mut ledger, 50, 0, 0);
        assert_eq!((at(&ledger).since, at(&ledger).base, at(&ledger).rate), (1000, 50, None));
        assert_eq!(ledger.steps(), []);
        take(&mut ledger, 60, 0, 4);
        assert_eq!(
            (at(&ledger).rate, ledger.steps()),
            (Some(2.5), &[(name(), Step::More(10))][..])
        );
        take(&mut ledger, 3, 0, 5);
        let anew = at(&ledger);
        assert_eq!((anew.since, anew.base, anew.resets, anew.rate), (1005, 0, 1, None));
        assert_eq!(ledger.steps(), [(name(), Step::Reset)]);
        // more packets than before, but of another registration
        take(&mut ledger, 500, 1, 6);
        assert_eq!((at(&ledger).resets, at(&ledger).rate), (2, None));
        take(&mut ledger, 500, 1, 7);
        assert_eq!((at(&ledger).rate, at(&ledger).moved), (Some(0.0), second(6)));
    }
}
