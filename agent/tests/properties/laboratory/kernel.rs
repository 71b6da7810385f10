//! The model kernel's voice: an event socket that may overflow, dumps that are no instant, answers that may fail or never come.

use std::collections::VecDeque;
use std::time::Duration;

use firsthop::engine::{Dumped, Heard, Input, Question};
use firsthop_model::topology::{Event, LinkKind, Snapshot};

use super::chance::Chance;
use crate::action::Action;
use crate::world::World;

/// How long the agent waits for a dump, as `Dumper` does.
const LIMIT: Duration = Duration::from_secs(5);

/// Tables of a dump, one after the other.
const PARTS: u32 = 4;

/// The sockets between a world and an agent.
#[derive(Debug, Clone, Default)]
pub(super) struct Kernel {
    queue: VecDeque<Event>,
    loss: Option<&'static str>,
    dump: Option<Dump>,
    question: Option<Question>,
}

/// A dump under way.
#[derive(Debug, Clone)]
struct Dump {
    seen: Snapshot,
    parts: u32,
    /// Nothing comes any more until this time.
    silent_until: Option<Duration>,
    flawed: bool,
}

/// What the laboratory's kernel answers by itself, or does not model as the agent asks for it: filters by request.
pub(super) fn is_followed(action: &Action) -> bool {
    !matches!(
        action,
        Action::Receive(..)
            | Action::ReceiveSilently(..)
            | Action::MoveAway(_)
            | Action::AwayGone(_)
            | Action::DefaultPvid(..)
    )
}

impl Kernel {
    /// What the kernel announces of an action; what the agent has to ask for is not announced.
    pub(super) fn announce(&mut self, events: Vec<Event>) {
        let asked = |event: &Event| {
            matches!(event, Event::MacList(..) | Event::FiltersSettled(_) | Event::AllVlans(_))
        };
        self.queue.extend(events.into_iter().filter(|event| !asked(event)));
    }

    /// Some of what is queued is lost, and the socket says so.
    pub(super) fn lose(&mut self, chance: &mut Chance) {
        let keep = chance.below(self.queue.len() as u64 + 1);
        self.queue.truncate(usize::try_from(keep).expect("less than its length"));
        self.loss = Some(
            ["overrun", "drops_counter", "undecodable", "truncated"]
                [usize::try_from(chance.below(4)).expect("below 4")],
        );
    }

    pub(super) fn has_news(&self) -> bool {
        !self.queue.is_empty() || self.loss.is_some()
    }

    /// What a drain finds.
    pub(super) fn drain(&mut self) -> Input {
        let events = std::mem::take(&mut self.queue).into();
        Input::Heard(Heard { events, loss: self.loss.take().map(str::to_owned) })
    }

    pub(super) fn begin_dump(&mut self, now: Duration, chance: &mut Chance, trouble: bool) {
        let silent = trouble && chance.strikes(30);
        self.dump = Some(Dump {
            seen: Snapshot::default(),
            parts: 0,
            silent_until: silent.then_some(now + LIMIT),
            flawed: false,
        });
    }

    pub(super) const fn ask(&mut self, question: Question) {
        self.question = Some(question);
    }

    /// A dump can go on.
    pub(super) fn is_dumping(&self, now: Duration) -> bool {
        self.dump.as_ref().is_some_and(|dump| dump.silent_until.is_none_or(|until| until <= now))
    }

    pub(super) const fn is_asked(&self) -> bool {
        self.question.is_some()
    }

    /// When a silent dump is given up.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.dump.as_ref()?.silent_until
    }

    /// The next table of the dump, as it is at this moment; at last the outcome.
    pub(super) fn go_on(
        &mut self,
        world: &World,
        chance: &mut Chance,
        trouble: bool,
    ) -> Option<Input> {
        let dump = self.dump.as_mut()?;
        if dump.silent_until.is_some() || trouble && chance.strikes(15) {
            self.dump = None;
            return Some(Input::Dumped(Dumped::Failed));
        }
        let Snapshot { links, addresses, vlans, mac_lists } = world.snapshot();
        match dump.parts {
            0 => dump.seen.links = links,
            1 => dump.seen.addresses = addresses,
            2 => dump.seen.vlans = vlans,
            _ => dump.seen.mac_lists = mac_lists,
        }
        dump.parts += 1;
        dump.flawed |= trouble && chance.strikes(40);
        if dump.parts < PARTS {
            return None;
        }
        let Dump { mut seen, flawed, .. } = self.dump.take()?;
        if !flawed {
            return Some(Input::Dumped(Dumped::Whole(Box::new(seen))));
        }
        // Some rows could not be decoded, or the table never held still.
        seen.links.retain(|_| !chance.strikes(300));
        seen.addresses.retain(|_| !chance.strikes(300));
        seen.vlans.retain(|_| !chance.strikes(300));
        Some(Input::Dumped(Dumped::Partial(Box::new(seen))))
    }

    /// The answer to the question.
    pub(super) fn answer(
        &mut self,
        world: &World,
        chance: &mut Chance,
        trouble: bool,
    ) -> Option<Input> {
        let question = self.question.take()?;
        if trouble && chance.strikes(50) {
            return Some(Input::Answered(question, None));
        }
        let Snapshot { links, vlans, mut mac_lists, .. } = world.snapshot();
        let events = match question {
            Question::Ipvlans => {
                let ipvlans =
                    links.into_iter().filter(|link| matches!(link.kind, LinkKind::Ipvlan { .. }));
                ipvlans.map(|link| Event::Link(Box::new(link))).collect()
            }
            Question::Vlans => vec![Event::AllVlans(vlans)],
            Question::Filters(ifindex) => {
                vec![Event::MacList(ifindex, mac_lists.remove(&ifindex).unwrap_or_default())]
            }
        };
        Some(Input::Answered(question, Some(events)))
    }
}
