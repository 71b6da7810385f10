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

use super::input::{Question, Time};

/// After a change of its MAC, the filters of a device are asked for so much later.
const DELAYS: [Duration; 3] = [Duration::ZERO, Duration::from_millis(50), Duration::from_secs(1)];
/// What was not answered is asked again so much later.
const PATIENCE: Duration = Duration::from_secs(1);

/// When what is asked.
#[derive(Debug, Clone, Default)]
struct Schedule {
    /// The times that are left, the next one last.
    due: BTreeMap<Question, Vec<Time>>,
}

impl Schedule {
    fn plan(&mut self, question: Question, now: Time) {
        let delays = match question {
            Question::Filters(_) => &DELAYS[..],
            Question::Ipvlans | Question::Vlans => &DELAYS[..1],
        };
        self.due.insert(question, delays.iter().rev().map(|delay| now + *delay).collect());
    }

    fn again(&mut self, question: Question, now: Time) {
        self.due.entry(question).or_default().push(now);
    }

    fn next(&self) -> Option<Time> {
        self.due.values().filter_map(|times| times.last()).min().copied()
    }

    /// A question whose time has come; what it missed in the meantime is done with the same answer.
    fn take(&mut self, now: Time) -> Option<Question> {
        let is_due = |times: &Vec<Time>| times.last().is_some_and(|at| *at <= now);
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
#[derive(Debug, Clone, Default)]
pub(super) struct Questions {
    schedule: Schedule,
    /// An answer is under way.
    asked: Option<Question>,
    /// Something was announced about what is being asked.
    outdated: bool,
}

impl Questions {
    /// The own MAC of a device changed.
    pub(super) fn mac_changed(&mut self, ifindex: IfIndex, now: Time) {
        self.schedule.plan(Question::Filters(ifindex), now);
    }

    /// Something was missed, or the view comes from a dump: what is being asked may be answered with what was before.
    pub(super) const fn distrust(&mut self) {
        self.outdated = self.asked.is_some();
    }

    /// Looks at an event before it is folded into what was known.
    pub(super) fn notice(&mut self, event: &Event, known: &Topology, now: Time) {
        match event {
            Event::Receives(ifindex, _) | Event::ReceivesNoMore(ifindex, _) => {
                self.outdated |= self.asked == Some(Question::Filters(*ifindex));
            }
            Event::Link(link)
                if matches!(link.kind, LinkKind::Ipvlan { .. })
                    && known.link(link.ifindex) != Some(link) =>
            {
                self.outdated |= self.asked == Some(Question::Ipvlans);
                self.schedule.plan(Question::Ipvlans, now);
            }
            Event::Link(link)
                if known
                    .link(link.ifindex)
                    .is_some_and(|former| default_pvid(former) != default_pvid(link)) =>
            {
                self.schedule.plan(Question::Vlans, now);
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

    /// The next question, if it is time and nothing is being asked; it counts as asked.
    pub(super) fn ask_if_due(&mut self, now: Time) -> Option<Question> {
        if self.asked.is_some() {
            return None;
        }
        self.asked = self.schedule.take(now);
        self.outdated = false;
        self.asked
    }

    /// When [`Self::ask_if_due`] has something to ask.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.schedule.next().filter(|_| self.asked.is_none())
    }

    /// What is known of links may be older than what the kernel acknowledged.
    pub(super) fn are_links_open(&self) -> bool {
        let is_open =
            |question| self.asked == Some(question) || self.schedule.due.contains_key(&question);
        is_open(Question::Ipvlans) || is_open(Question::Vlans)
    }

    /// Takes an answer, if it is one; events if it is worth any.
    pub(super) fn take_answer(
        &mut self,
        question: Question,
        answer: Option<Vec<Event>>,
        now: Time,
    ) -> Vec<Event> {
        self.asked = None;
        if std::mem::take(&mut self.outdated) {
            self.schedule.again(question, now);
            return Vec::new();
        }
        let last = !self.schedule.due.contains_key(&question);
        let Some(mut events) = answer else {
            if last {
                self.schedule.again(question, now + PATIENCE);
            }
            return Vec::new();
        };
        if let Question::Filters(ifindex) = question
            && last
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
        let (mut schedule, start) = (Schedule::default(), Time::ZERO);
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
        let (mut schedule, start) = (Schedule::default(), Time::ZERO);
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
        let (mut schedule, start) = (Schedule::default(), Time::ZERO);
        schedule.plan(SWP1, start);
        schedule.take(start);
        schedule.again(SWP1, start);
        assert_eq!(schedule.take(start), Some(SWP1));
        assert_eq!(schedule.next(), Some(start + DELAYS[1]));
    }

    // Broken if ipvlans were asked for again and again, or what waits for the answer went on without it.
    #[test]
    fn ipvlans_are_asked_for_once() {
        let (mut schedule, start) = (Schedule::default(), Time::ZERO);
        schedule.plan(Question::Ipvlans, start);
        schedule.plan(Question::Ipvlans, start);
        assert_eq!(schedule.take(start), Some(Question::Ipvlans));
        assert_eq!(schedule.next(), None);
    }
}
