//! Does a back end keep the promises of [`Asic`]? For the tests of those who write one.
//!
//! ```text
//!   a back end of an empty chip ─▶ check ─▶ Ok, or the first promise that it broke, in a sentence
//! ```
//!
//! Tried with policers, FIDs and router MACs, which every chip that routes has. What a chip refuses can't be tried here: that its
//! failures have the right [`Class`](crate::Class) is for the back end's own tests.

use std::collections::BTreeSet;
use std::time::Duration;

use firsthop_model::Mac;
use firsthop_model::chip::{Change, Entry, Fid, Key, PolicerId};
use tokio::time::timeout;

use crate::{Asic, Event, ReadBack, Ticket};

/// How long one event may take.
const PATIENCE: Duration = Duration::from_secs(10);

const FID: Fid = Fid(5120);
const MACS: [Mac; 3] =
    [Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]), Mac([0, 0, 0x5e, 0, 1, 5])];

/// Tries the promises, one after the other. The chip holds a policer afterwards.
///
/// # Errors
/// The first promise that is broken.
pub async fn check(chip: &mut impl Asic) -> Result<(), String> {
    capabilities_are_sane(chip).await?;
    each_change_completes_once(chip).await?;
    changes_of_a_row_are_in_order(chip).await?;
    removing_what_is_absent_succeeds(chip).await?;
    questions_are_answered_in_order(chip).await
}

async fn capabilities_are_sane(chip: &mut impl Asic) -> Result<(), String> {
    let ask = "capabilities can't be had";
    let is = chip.capabilities().await.map_err(|error| format!("{ask}: {error}"))?;
    let again = chip.capabilities().await.map_err(|error| format!("{ask} twice: {error}"))?;
    promise(is == again, "capabilities change while nothing happens")?;
    promise(!is.chip_id.is_empty(), "the chip has no name")?;
    promise(is.rifs > 0 && is.virtual_routers > 0, "the chip has no router")?;
    promise((1..=16).contains(&is.mac_profiles), "the number of MAC profiles is not in 1..=16")?;
    promise((1..=48).contains(&is.mac_profile_prefix_bits), "a profile's bits are not in 1..=48")?;
    promise(is.lag_members > 0 && is.ecmp_size > 0, "a LAG or a group can have no member")?;
    promise(chip.in_flight() == 0, "something is in flight before anything was submitted")
}

async fn each_change_completes_once(chip: &mut impl Asic) -> Result<(), String> {
    write(chip, vec![Change::Add(Entry::Fid { fid: FID })]).await?;
    write(chip, MACS.map(|mac| Change::Add(router_mac(mac))).to_vec()).await?;
    let read = rows(chip, true, Vec::new()).await?;
    for mac in MACS {
        let found = read.tables.get(&Key::RouterMac(FID, mac)) == Some(&router_mac(mac));
        promise(found, "a router MAC that was acknowledged is not found")?;
    }
    write(chip, MACS.map(|mac| Change::Remove(router_mac(mac))).to_vec()).await?;
    let read = rows(chip, true, Vec::new()).await?;
    let left = MACS.iter().any(|mac| read.tables.contains_key(&Key::RouterMac(FID, *mac)));
    promise(!left, "a router MAC is found whose removal was acknowledged")?;
    write(chip, vec![Change::Remove(Entry::Fid { fid: FID })]).await
}

async fn changes_of_a_row_are_in_order(chip: &mut impl Asic) -> Result<(), String> {
    let sizes = [64, 128, 256, 512].map(policer);
    let edits =
        sizes.windows(2).map(|pair| Change::Edit { from: pair[0].clone(), to: pair[1].clone() });
    write(chip, std::iter::once(Change::Add(sizes[0].clone())).chain(edits).collect()).await?;
    let last = policer(512);
    let read = rows(chip, false, vec![last.key()]).await?;
    let holds = read.tables.get(&last.key()) == Some(&last);
    promise(
        holds || read.unreadable.contains(&last.key()),
        "the last change of a row is not what it holds",
    )
}

async fn removing_what_is_absent_succeeds(chip: &mut impl Asic) -> Result<(), String> {
    write(chip, vec![Change::Add(Entry::Fid { fid: FID })]).await?;
    write(chip, vec![Change::Remove(router_mac(MACS[0]))]).await?;
    write(chip, vec![Change::Remove(Entry::Fid { fid: FID })]).await?;
    write(chip, vec![Change::Remove(Entry::Fid { fid: FID })]).await
}

async fn questions_are_answered_in_order(chip: &mut impl Asic) -> Result<(), String> {
    let (asked, other) = (policer(512).key(), Key::RouterMac(FID, MACS[1]));
    chip.ask_rows(false, vec![asked.clone()]);
    chip.ask_rows(false, vec![other.clone()]);
    promise(chip.in_flight() == 0, "a question counts as a change in flight")?;
    let (first, second) = (answer(chip).await?, answer(chip).await?);
    promise(
        !knows(&first, &other) && !knows(&second, &asked),
        "an answer has rows that were not asked for",
    )?;
    promise(knows(&first, &asked), "questions are not answered in their order")?;
    chip.ask_activity();
    let event = next(chip).await?;
    promise(
        matches!(event, Event::Active(_)),
        "a question for activity is answered by something else",
    )?;
    chip.ask_notices();
    let event = next(chip).await?;
    promise(
        matches!(event, Event::Noticed(_)),
        "a question for notices is answered by something else",
    )
}

fn router_mac(mac: Mac) -> Entry {
    Entry::RouterMac { fid: FID, mac }
}

const fn policer(rate: u32) -> Entry {
    Entry::Policer { id: PolicerId(3), rate, burst: 64 }
}

fn promise(kept: bool, otherwise: &str) -> Result<(), String> {
    kept.then_some(()).ok_or_else(|| otherwise.to_owned())
}

fn knows(read: &ReadBack, key: &Key) -> bool {
    read.tables.contains_key(key) || read.unreadable.contains(key)
}

async fn next(chip: &mut impl Asic) -> Result<Event, String> {
    timeout(PATIENCE, chip.next()).await.map_err(|_| "an event is due and does not come".to_owned())
}

async fn rows(chip: &mut impl Asic, enumerate: bool, keys: Vec<Key>) -> Result<ReadBack, String> {
    chip.ask_rows(enumerate, keys);
    answer(chip).await
}

async fn answer(chip: &mut impl Asic) -> Result<ReadBack, String> {
    match next(chip).await? {
        Event::Rows(read) => read.map_err(|error| format!("rows can't be read: {error}")),
        other => Err(format!("a question for rows is answered by {other:?}")),
    }
}

/// Submits all of them at once; each must succeed, and be reported once.
async fn write(chip: &mut impl Asic, changes: Vec<Change>) -> Result<(), String> {
    let mut waiting = BTreeSet::new();
    for (ticket, change) in (1..).map(Ticket).zip(changes) {
        waiting.insert(ticket);
        chip.submit(ticket, change);
    }
    while !waiting.is_empty() {
        promise(chip.in_flight() == waiting.len(), "in_flight does not count what is in flight")?;
        match next(chip).await? {
            Event::Completed(done) => {
                promise(
                    waiting.remove(&done.ticket),
                    "a ticket is reported twice, or was never given",
                )?;
                done.result
                    .map_err(|error| format!("a change that any chip can do failed: {error}"))?;
            }
            other => return Err(format!("changes are in flight, and the next event is {other:?}")),
        }
    }
    promise(chip.in_flight() == 0, "something is in flight after everything was reported")
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::{AsicError, Capabilities, Class, Completion, DryRun, Faulty, Pick, Plan};

    fn dry() -> DryRun {
        DryRun::new(Capabilities {
            chip_id: "dry".to_owned(),
            rifs: 4,
            virtual_routers: 1,
            mac_profiles: 1,
            mac_profile_prefix_bits: 38,
            lag_members: 1,
            ecmp_size: 1,
            ..Capabilities::default()
        })
    }

    // Broken if a back end of this crate did not keep the promises, or the check asked for more than they are.
    #[tokio::test(flavor = "current_thread")]
    async fn back_ends_without_a_chip_keep_them() {
        assert_eq!(check(&mut dry()).await, Ok(()));
        let plan = Plan { pick: Pick::Nth(1000), class: Class::Transient, limit: None, seed: 1 };
        assert_eq!(check(&mut Faulty::new(dry(), plan)).await, Ok(()));
    }

    /// How a [`Liar`] breaks its promises.
    #[derive(Debug, Clone, Copy)]
    enum Lie {
        Twice,
        LastFirst,
        Nothing,
        CountsQuestions,
    }

    struct Liar {
        inner: DryRun,
        lie: Lie,
        held: VecDeque<(Ticket, Change)>,
        repeated: Option<Completion>,
        questions: usize,
    }

    impl Asic for Liar {
        fn submit(&mut self, ticket: Ticket, change: Change) {
            match self.lie {
                Lie::LastFirst => self.held.push_front((ticket, change)),
                Lie::Nothing => {
                    let absent = Change::Remove(router_mac(MACS[0]));
                    self.inner.submit(ticket, absent);
                }
                _ => self.inner.submit(ticket, change),
            }
        }
        fn ask_notices(&mut self) {
            self.inner.ask_notices();
        }
        fn ask_rows(&mut self, enumerate: bool, keys: Vec<Key>) {
            self.questions += 1;
            self.inner.ask_rows(enumerate, keys);
        }
        fn ask_activity(&mut self) {
            self.inner.ask_activity();
        }
        fn in_flight(&self) -> usize {
            let asked = if matches!(self.lie, Lie::CountsQuestions) { self.questions } else { 0 };
            self.inner.in_flight() + self.held.len() + asked
        }
        async fn next(&mut self) -> Event {
            while let Some((ticket, change)) = self.held.pop_front() {
                self.inner.submit(ticket, change);
            }
            if let Some(repeated) = self.repeated.take() {
                return Event::Completed(repeated);
            }
            let event = self.inner.next().await;
            match (&event, self.lie) {
                (Event::Completed(done), Lie::Twice) => self.repeated = Some(done.clone()),
                (Event::Rows(_), _) => self.questions -= 1,
                _ => {}
            }
            event
        }
        async fn capabilities(&mut self) -> Result<Capabilities, AsicError> {
            self.inner.capabilities().await
        }
    }

    // Broken if a back end could break a promise unnoticed.
    #[tokio::test(flavor = "current_thread")]
    async fn lies_are_found() {
        for (lie, expected) in [
            (Lie::Twice, "in_flight does not count"),
            (Lie::LastFirst, "the last change of a row"),
            (Lie::Nothing, "acknowledged is not found"),
            (Lie::CountsQuestions, "a question counts"),
        ] {
            let (held, repeated) = (VecDeque::new(), None);
            let mut liar = Liar { inner: dry(), lie, held, repeated, questions: 0 };
            let found = check(&mut liar).await.unwrap_err();
            assert!(found.contains(expected), "{lie:?}: {found}");
        }
    }
}
