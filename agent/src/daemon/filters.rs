//! Which devices have to be asked what is in their filters? A daemon that takes a virtual MAC as the device's own leaves the
//! former one there as a second receiving address, by SIOCADDMULTI, which the kernel never announces.
//!
//! ```text
//!   a device's own MAC changed ─▶ asked at once, after 50 ms, after 1 s ─▶ Event::MacList, at last Event::FiltersSettled
//! ```
//!
//! Asked more than once because the call comes after the change. What is announced while an answer is under way is newer than
//! the answer: then the device is asked again.

use std::collections::BTreeMap;
use std::time::Duration;

use firsthop_model::IfIndex;
use firsthop_model::topology::Event;
use firsthop_netlink::{Dumper, OpenError, SnapshotError};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::chain;

/// After a change, a device is asked so much later.
const DELAYS: [Duration; 3] = [Duration::ZERO, Duration::from_millis(50), Duration::from_secs(1)];

/// An answer: the unicast MACs in the filters of a device.
pub(super) type Listed =
    (Dumper, IfIndex, Result<std::collections::BTreeSet<firsthop_model::Mac>, SnapshotError>);

/// When which device is asked. Pure.
#[derive(Debug, Default)]
struct Schedule {
    /// The times that are left, the next one last.
    due: BTreeMap<IfIndex, Vec<Instant>>,
}

impl Schedule {
    fn changed(&mut self, ifindex: IfIndex, now: Instant) {
        self.due.insert(ifindex, DELAYS.iter().rev().map(|delay| now + *delay).collect());
    }

    fn again(&mut self, ifindex: IfIndex, now: Instant) {
        self.due.entry(ifindex).or_default().push(now);
    }

    fn next(&self) -> Option<Instant> {
        self.due.values().filter_map(|times| times.last()).min().copied()
    }

    /// A device whose time has come; what it missed in the meantime is done with the same answer.
    fn take(&mut self, now: Instant) -> Option<IfIndex> {
        let is_due = |times: &Vec<Instant>| times.last().is_some_and(|at| *at <= now);
        let ifindex = *self.due.iter().find(|(_, times)| is_due(times))?.0;
        let times = self.due.get_mut(&ifindex)?;
        times.retain(|at| *at > now);
        if times.is_empty() {
            self.due.remove(&ifindex);
        }
        Some(ifindex)
    }
}

/// Asks one device after the other.
#[derive(Debug)]
pub(super) struct Filters {
    schedule: Schedule,
    /// None: an answer is under way.
    dumper: Option<Dumper>,
    answers: mpsc::UnboundedSender<Listed>,
    asked: Option<IfIndex>,
    /// Something was announced about the device that is being asked.
    outdated: bool,
}

impl Filters {
    /// Answers come out of the receiver, and go to [`Self::take_answer`].
    pub(super) fn open() -> Result<(Self, mpsc::UnboundedReceiver<Listed>), OpenError> {
        let (answers, listed) = mpsc::unbounded_channel();
        let filters = Self {
            schedule: Schedule::default(),
            dumper: Some(Dumper::open()?),
            answers,
            asked: None,
            outdated: false,
        };
        Ok((filters, listed))
    }

    /// The own MAC of a device changed.
    pub(super) fn changed(&mut self, ifindex: IfIndex) {
        self.schedule.changed(ifindex, Instant::now());
    }

    /// Looks at an event before it is folded in.
    pub(super) fn notice(&mut self, event: &Event) {
        let (Event::Receives(ifindex, _) | Event::ReceivesNoMore(ifindex, _)) = event else {
            return;
        };
        self.outdated |= self.asked == Some(*ifindex);
    }

    /// Asks the next device if it is time and nobody is being asked.
    pub(super) fn ask_if_due(&mut self) {
        if self.dumper.is_none() {
            return;
        }
        let Some(ifindex) = self.schedule.take(Instant::now()) else { return };
        let Some(mut dumper) = self.dumper.take() else { return };
        self.asked = Some(ifindex);
        self.outdated = false;
        let answers = self.answers.clone();
        tokio::task::spawn_local(async move {
            let listed = dumper.mac_list(ifindex).await;
            // Nobody listens only when the daemon ends.
            answers.send((dumper, ifindex, listed)).ok();
        });
    }

    /// When [`Self::ask_if_due`] has something to do.
    pub(super) fn next_time(&self) -> Option<Instant> {
        self.schedule.next().filter(|_| self.dumper.is_some())
    }

    /// Takes an answer; events if it is worth any.
    pub(super) fn take_answer(&mut self, (dumper, ifindex, listed): Listed) -> Vec<Event> {
        self.dumper = Some(dumper);
        self.asked = None;
        if std::mem::take(&mut self.outdated) {
            self.schedule.again(ifindex, Instant::now());
            return Vec::new();
        }
        let last = !self.schedule.due.contains_key(&ifindex);
        let settled = last.then_some(Event::FiltersSettled(ifindex));
        let listed = match listed {
            Ok(macs) => Some(Event::MacList(ifindex, macs)),
            Err(error) => {
                tracing::debug!(%ifindex, "Filters can't be read: {}", chain(&error));
                None
            }
        };
        listed.into_iter().chain(settled).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SWP1: IfIndex = IfIndex(3);

    // Broken if a MAC that is put into the filters a little after the change were never seen, or a device were asked for ever.
    #[test]
    fn a_device_is_asked_three_times() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        schedule.changed(SWP1, start);
        let mut asked = Vec::new();
        while let Some(at) = schedule.next() {
            assert_eq!(schedule.take(at), Some(SWP1));
            assert_eq!(schedule.take(at), None);
            asked.push(at - start);
        }
        assert_eq!(asked, DELAYS);
    }

    // Broken if a slow answer made the next ones pile up, or a second change did not count from then.
    #[test]
    fn what_was_missed_is_asked_once() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        schedule.changed(SWP1, start);
        let late = start + Duration::from_millis(60);
        assert_eq!(schedule.take(late), Some(SWP1));
        assert_eq!(schedule.next(), Some(start + DELAYS[2]));
        schedule.changed(SWP1, late);
        assert_eq!(schedule.take(late), Some(SWP1));
        assert_eq!(schedule.next(), Some(late + DELAYS[1]));
    }

    // Broken if an answer older than an announcement were folded in after it.
    #[test]
    fn an_outdated_answer_is_asked_for_again() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        schedule.changed(SWP1, start);
        schedule.take(start);
        schedule.again(SWP1, start);
        assert_eq!(schedule.take(start), Some(SWP1));
        assert_eq!(schedule.next(), Some(start + DELAYS[1]));
    }
}
