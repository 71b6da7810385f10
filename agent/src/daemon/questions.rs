//! What has to be asked because the kernel does not announce it?
//!
//! ```text
//!   a device's own MAC changed ─▶ its filters: at once, after 50 ms, after 1 s ─▶ Event::MacList, at last Event::FiltersSettled
//!   an ipvlan changed          ─▶ all ipvlans: at once                         ─▶ Event::Link of each
//!   vlan_default_pvid changed  ─▶ all VLANs of bridges: at once                ─▶ Event::AllVlans
//! ```
//!
//! A daemon that takes a virtual MAC as the device's own leaves the former one in the filters as a second receiving address,
//! by SIOCADDMULTI, after the change. An ipvlan's mode and flags are those of the device below, but a change is announced for
//! one of its ipvlans only, and with what was before for the others (`ipvlan_set_port_mode`). A bridge's new
//! `vlan_default_pvid` replaces the former one on it and its ports, which is not announced (`br_vlan_set_default_pvid`).
//!
//! What is announced while an answer is under way is newer than the answer: then the question is asked again.

use std::collections::BTreeMap;
use std::time::Duration;

use firsthop_model::IfIndex;
use firsthop_model::topology::{Event, Link, LinkKind, Topology};
use firsthop_netlink::{Dumper, OpenError, SnapshotError};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::chain;

/// After a change of its MAC, the filters of a device are asked for so much later.
const DELAYS: [Duration; 3] = [Duration::ZERO, Duration::from_millis(50), Duration::from_secs(1)];

/// What the kernel is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Question {
    /// All ipvlans.
    Ipvlans,
    /// The VLANs of all bridges and their ports.
    Vlans,
    /// The unicast MACs in the filters of a device.
    Filters(IfIndex),
}

/// An answer, as events.
pub(super) type Answer = (Dumper, Question, Result<Vec<Event>, SnapshotError>);

/// When what is asked. Pure.
#[derive(Debug, Default)]
struct Schedule {
    /// The times that are left, the next one last.
    due: BTreeMap<Question, Vec<Instant>>,
}

impl Schedule {
    fn plan(&mut self, question: Question, now: Instant) {
        let delays = match question {
            Question::Filters(_) => &DELAYS[..],
            Question::Ipvlans | Question::Vlans => &DELAYS[..1],
        };
        self.due.insert(question, delays.iter().rev().map(|delay| now + *delay).collect());
    }

    fn again(&mut self, question: Question, now: Instant) {
        self.due.entry(question).or_default().push(now);
    }

    fn next(&self) -> Option<Instant> {
        self.due.values().filter_map(|times| times.last()).min().copied()
    }

    /// A question whose time has come; what it missed in the meantime is done with the same answer.
    fn take(&mut self, now: Instant) -> Option<Question> {
        let is_due = |times: &Vec<Instant>| times.last().is_some_and(|at| *at <= now);
        let question = *self.due.iter().find(|(_, times)| is_due(times))?.0;
        let times = self.due.get_mut(&question)?;
        times.retain(|at| *at > now);
        if times.is_empty() {
            self.due.remove(&question);
        }
        Some(question)
    }
}

/// Asks one question after the other.
#[derive(Debug)]
pub(super) struct Questions {
    schedule: Schedule,
    /// None: an answer is under way.
    dumper: Option<Dumper>,
    answers: mpsc::UnboundedSender<Answer>,
    asked: Option<Question>,
    /// Something was announced about what is being asked.
    outdated: bool,
}

impl Questions {
    /// Answers come out of the receiver, and go to [`Self::take_answer`].
    pub(super) fn open() -> Result<(Self, mpsc::UnboundedReceiver<Answer>), OpenError> {
        let (answers, answered) = mpsc::unbounded_channel();
        let questions = Self {
            schedule: Schedule::default(),
            dumper: Some(Dumper::open()?),
            answers,
            asked: None,
            outdated: false,
        };
        Ok((questions, answered))
    }

    /// The own MAC of a device changed.
    pub(super) fn mac_changed(&mut self, ifindex: IfIndex) {
        self.schedule.plan(Question::Filters(ifindex), Instant::now());
    }

    /// Looks at an event before it is folded into what was known.
    pub(super) fn notice(&mut self, event: &Event, known: &Topology) {
        match event {
            Event::Receives(ifindex, _) | Event::ReceivesNoMore(ifindex, _) => {
                self.outdated |= self.asked == Some(Question::Filters(*ifindex));
            }
            Event::Link(link)
                if matches!(link.kind, LinkKind::Ipvlan { .. })
                    && known.link(link.ifindex) != Some(link) =>
            {
                self.outdated |= self.asked == Some(Question::Ipvlans);
                self.schedule.plan(Question::Ipvlans, Instant::now());
            }
            Event::Link(link)
                if known
                    .link(link.ifindex)
                    .is_some_and(|former| default_pvid(former) != default_pvid(link)) =>
            {
                self.schedule.plan(Question::Vlans, Instant::now());
            }
            Event::Vlans(_) | Event::VlansGone(_) => {
                self.outdated |= self.asked == Some(Question::Vlans);
            }
            Event::LinkGone(_) => {
                let shows_links = matches!(self.asked, Some(Question::Ipvlans | Question::Vlans));
                self.outdated |= shows_links;
            }
            _ => {}
        }
    }

    /// Asks the next question if it is time and nobody is being asked.
    pub(super) fn ask_if_due(&mut self) {
        if self.dumper.is_none() {
            return;
        }
        let Some(question) = self.schedule.take(Instant::now()) else { return };
        let Some(mut dumper) = self.dumper.take() else { return };
        self.asked = Some(question);
        self.outdated = false;
        let answers = self.answers.clone();
        tokio::task::spawn_local(async move {
            let answer = match question {
                Question::Ipvlans => dumper.ipvlans().await.map(|links| {
                    links.into_iter().map(|link| Event::Link(Box::new(link))).collect()
                }),
                Question::Vlans => dumper.vlans().await.map(|vlans| vec![Event::AllVlans(vlans)]),
                Question::Filters(ifindex) => {
                    dumper.mac_list(ifindex).await.map(|macs| vec![Event::MacList(ifindex, macs)])
                }
            };
            // Nobody listens only when the daemon ends.
            answers.send((dumper, question, answer)).ok();
        });
    }

    /// When [`Self::ask_if_due`] has something to do.
    pub(super) fn next_time(&self) -> Option<Instant> {
        self.schedule.next().filter(|_| self.dumper.is_some())
    }

    /// What is known of links may be older than what the kernel acknowledged.
    pub(super) fn are_links_open(&self) -> bool {
        let is_open =
            |question| self.asked == Some(question) || self.schedule.due.contains_key(&question);
        is_open(Question::Ipvlans) || is_open(Question::Vlans)
    }

    /// Takes an answer; events if it is worth any.
    pub(super) fn take_answer(&mut self, (dumper, question, answer): Answer) -> Vec<Event> {
        self.dumper = Some(dumper);
        self.asked = None;
        if std::mem::take(&mut self.outdated) {
            self.schedule.again(question, Instant::now());
            return Vec::new();
        }
        let mut events = answer.unwrap_or_else(|error| {
            tracing::debug!(?question, "Not answered: {}", chain(&error));
            Vec::new()
        });
        if let Question::Filters(ifindex) = question
            && !self.schedule.due.contains_key(&question)
        {
            events.push(Event::FiltersSettled(ifindex));
        }
        events
    }
}

/// What a bridge gives ports that join.
const fn default_pvid(link: &Link) -> Option<u16> {
    match link.kind {
        LinkKind::Bridge { default_pvid, .. } => Some(default_pvid),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SWP1: Question = Question::Filters(IfIndex(3));

    // Broken if a MAC that is put into the filters a little after the change were never seen, or a device were asked for ever.
    #[test]
    fn a_device_is_asked_three_times() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        schedule.plan(SWP1, start);
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
        schedule.plan(SWP1, start);
        let late = start + Duration::from_millis(60);
        assert_eq!(schedule.take(late), Some(SWP1));
        assert_eq!(schedule.next(), Some(start + DELAYS[2]));
        schedule.plan(SWP1, late);
        assert_eq!(schedule.take(late), Some(SWP1));
        assert_eq!(schedule.next(), Some(late + DELAYS[1]));
    }

    // Broken if an answer older than an announcement were folded in after it.
    #[test]
    fn an_outdated_answer_is_asked_for_again() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        schedule.plan(SWP1, start);
        schedule.take(start);
        schedule.again(SWP1, start);
        assert_eq!(schedule.take(start), Some(SWP1));
        assert_eq!(schedule.next(), Some(start + DELAYS[1]));
    }

    // Broken if ipvlans were asked for again and again, or what waits for the answer went on without it.
    #[test]
    fn ipvlans_are_asked_for_once() {
        let (mut schedule, start) = (Schedule::default(), Instant::now());
        schedule.plan(Question::Ipvlans, start);
        schedule.plan(Question::Ipvlans, start);
        assert_eq!(schedule.take(start), Some(Question::Ipvlans));
        assert_eq!(schedule.next(), None);
    }
}
