//! What does the agent do when a chip fails? A wrapper that makes any back end fail in a planned, repeatable way.
//!
//! ```text
//!   submit ──picked?──no──▶ inner ──▶ completion
//!             │yes
//!             ├ transient, capacity, rejected: not passed on; fails
//!             ├ unknown: a coin says whether it is passed on; fails either way
//!             └ gone: nothing is passed on any more; what is under way ends as unknown, then Disconnected
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;

use firsthop_model::chip::{Change, Key};

use crate::{Asic, AsicError, Capabilities, Class, Completion, Event, Ticket};

/// Which changes fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// The n-th submitted change, counted from 1, and no other.
    Nth(u64),
    /// So many of a thousand, at random.
    Share(u16),
}

/// Which changes fail, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Which.
    pub pick: Pick,
    /// How.
    pub class: Class,
    /// At most so many; none: without end.
    pub limit: Option<u64>,
    /// What the random choices start from: the same seed and the same changes give the same failures.
    pub seed: u64,
}

/// A back end of which some changes fail.
#[derive(Debug)]
pub struct Faulty<B> {
    inner: B,
    plan: Plan,
    random: u64,
    submitted: u64,
    failed: u64,
    /// Failures that wait to be reported.
    failures: VecDeque<(Ticket, AsicError)>,
    /// What the inner back end works on. For the picked ones its answer is replaced by that failure.
    under_way: BTreeMap<Ticket, (Change, Option<AsicError>)>,
    connection: Connection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connection {
    Up,
    /// Broken, and not reported yet.
    Broken,
    Down,
}

impl<B> Faulty<B> {
    /// `inner`, with failures after this plan.
    pub const fn new(inner: B, plan: Plan) -> Self {
        Self {
            inner,
            plan,
            random: plan.seed,
            submitted: 0,
            failed: 0,
            failures: VecDeque::new(),
            under_way: BTreeMap::new(),
            connection: Connection::Up,
        }
    }

    /// The back end below.
    pub const fn inner(&self) -> &B {
        &self.inner
    }

    /// How many changes failed by plan so far.
    pub const fn failed(&self) -> u64 {
        self.failed
    }

    fn picked(&mut self) -> bool {
        self.submitted += 1;
        let picked = match self.plan.pick {
            Pick::Nth(n) => self.submitted == n,
            Pick::Share(share) => self.draw() % 1000 < u64::from(share),
        };
        picked && self.plan.limit.is_none_or(|limit| self.failed < limit)
    }

    /// The next random number (splitmix64, public domain).
    const fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.random ^ self.random >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn fail(&mut self, ticket: Ticket, change: Change, class: Class) {
        self.failures.push_back((ticket, injected(change, class)));
    }

    fn check_connection(&self) -> Result<(), AsicError> {
        match self.connection {
            Connection::Up => Ok(()),
            Connection::Broken | Connection::Down => Err(AsicError::Closed),
        }
    }

    fn break_connection(&mut self) {
        self.connection = Connection::Broken;
        for (ticket, (change, _)) in std::mem::take(&mut self.under_way) {
            self.fail(ticket, change, Class::Unknown);
        }
    }
}

fn injected(change: Change, class: Class) -> AsicError {
    AsicError::Injected { class, change: Box::new(change) }
}

impl<B: Asic> Asic for Faulty<B> {
    fn submit(&mut self, ticket: Ticket, change: Change) {
        if self.connection != Connection::Up {
            return self.fail(ticket, change, Class::Gone);
        }
        if !self.picked() {
            self.under_way.insert(ticket, (change.clone(), None));
            return self.inner.submit(ticket, change);
        }
        self.failed += 1;
        let passed_on = self.plan.class == Class::Unknown && self.draw() & 1 == 1;
        match self.plan.class {
            Class::Unknown if passed_on => {
                let failure = Some(injected(change.clone(), Class::Unknown));
                self.under_way.insert(ticket, (change.clone(), failure));
                self.inner.submit(ticket, change);
            }
            Class::Gone => {
                self.fail(ticket, change, Class::Gone);
                self.break_connection();
            }
            class => self.fail(ticket, change, class),
        }
    }

    /// Questions don't fail by plan.
    fn ask_notices(&mut self) {
        if self.connection == Connection::Up {
            self.inner.ask_notices();
        }
    }

    /// Questions don't fail by plan.
    fn ask_rows(&mut self, enumerate: bool, keys: Vec<Key>) {
        if self.connection == Connection::Up {
            self.inner.ask_rows(enumerate, keys);
        }
    }

    /// Questions don't fail by plan.
    fn ask_activity(&mut self) {
        if self.connection == Connection::Up {
            self.inner.ask_activity();
        }
    }

    fn in_flight(&self) -> usize {
        self.failures.len() + self.under_way.len()
    }

    async fn next(&mut self) -> Event {
        if let Some((ticket, error)) = self.failures.pop_front() {
            return Event::Completed(Completion { ticket, result: Err(error) });
        }
        match self.connection {
            Connection::Up => {}
            Connection::Broken => {
                self.connection = Connection::Down;
                return Event::Disconnected(AsicError::Closed);
            }
            Connection::Down => pending::<()>().await,
        }
        match self.inner.next().await {
            Event::Completed(Completion { ticket, result }) => {
                let planned = self.under_way.remove(&ticket).and_then(|(_, failure)| failure);
                let result = planned.map_or(result, Err);
                Event::Completed(Completion { ticket, result })
            }
            Event::Disconnected(error) => {
                self.connection = Connection::Down;
                Event::Disconnected(error)
            }
            answer @ (Event::Noticed(_) | Event::Rows(_) | Event::Active(_)) => answer,
        }
    }

    async fn capabilities(&mut self) -> Result<Capabilities, AsicError> {
        self.check_connection()?;
        self.inner.capabilities().await
    }
}

#[cfg(test)]
mod tests {
    use firsthop_model::chip::{Entry, Fid};

    use super::*;
    use crate::DryRun;

    fn add(fid: u16) -> Change {
        Change::Add(Entry::Fid { fid: Fid(fid) })
    }

    /// Classes by ticket, and whether the connection broke.
    async fn run(chip: &mut Faulty<DryRun>, count: u16) -> (BTreeMap<u64, Option<Class>>, bool) {
        for n in 1..=count {
            chip.submit(Ticket(n.into()), add(n));
        }
        let mut outcome = BTreeMap::new();
        while chip.in_flight() > 0 {
            let Event::Completed(Completion { ticket, result }) = chip.next().await else {
                panic!()
            };
            assert!(outcome.insert(ticket.0, result.err().map(|e| e.class())).is_none());
        }
        let broken = chip.connection == Connection::Broken;
        if broken {
            assert!(matches!(chip.next().await, Event::Disconnected(_)));
        }
        (outcome, broken)
    }

    fn plan(pick: Pick, class: Class) -> Plan {
        Plan { pick, class, limit: None, seed: 7 }
    }

    // Broken if a test that lets the third change fail let another one fail, or wrote the failed one.
    #[tokio::test(flavor = "current_thread")]
    async fn nth_change_fails_and_is_not_written() {
        let mut chip =
            Faulty::new(DryRun::new(Capabilities::default()), plan(Pick::Nth(3), Class::Capacity));
        let (outcome, _) = run(&mut chip, 5).await;
        let failed: Vec<_> = outcome.into_iter().filter(|(_, class)| class.is_some()).collect();
        assert_eq!(failed, [(3, Some(Class::Capacity))]);
        assert!(!chip.inner().tables().contains_key(&Key::Fid(Fid(3))));
        assert_eq!(chip.inner().tables().len(), 4);
    }

    // Broken if an unknown outcome always meant the same, so that no test sees the other case; or if a seed did not repeat.
    #[tokio::test(flavor = "current_thread")]
    async fn unknown_outcomes_are_both_done_and_not_done() {
        let mut chips = [0, 1].map(|_| {
            Faulty::new(
                DryRun::new(Capabilities::default()),
                plan(Pick::Share(300), Class::Unknown),
            )
        });
        let (first, _) = run(&mut chips[0], 200).await;
        let (second, _) = run(&mut chips[1], 200).await;
        assert_eq!(first, second);
        assert_eq!(chips[0].inner().tables(), chips[1].inner().tables());
        let failed: Vec<_> = first.iter().filter(|(_, class)| class.is_some()).collect();
        assert!((30..90).contains(&failed.len()), "{}", failed.len());
        let written = |n: u64| {
            chips[0].inner().tables().contains_key(&Key::Fid(Fid(u16::try_from(n).unwrap())))
        };
        assert!(failed.iter().any(|(n, _)| written(**n)));
        assert!(failed.iter().any(|(n, _)| !written(**n)));
    }

    // Broken if a limit on failures were ignored: a retry test would never converge.
    #[tokio::test(flavor = "current_thread")]
    async fn limit_ends_the_failures() {
        let plan = Plan { limit: Some(2), ..plan(Pick::Share(1000), Class::Transient) };
        let mut chip = Faulty::new(DryRun::new(Capabilities::default()), plan);
        let (outcome, _) = run(&mut chip, 10).await;
        assert_eq!(outcome.values().filter(|class| class.is_some()).count(), 2);
    }

    // Broken if a wrapped chip could not tell what it learnt or holds, or told it after its connection broke.
    #[tokio::test(flavor = "current_thread")]
    async fn answers_pass() {
        let mut chip =
            Faulty::new(DryRun::new(Capabilities::default()), plan(Pick::Nth(1), Class::Gone));
        chip.ask_notices();
        assert_eq!(chip.next().await, Event::Noticed(Ok(crate::Notices::default())));
        chip.ask_rows(true, Vec::new());
        assert_eq!(chip.next().await, Event::Rows(Ok(crate::ReadBack::default())));
        run(&mut chip, 1).await;
        chip.ask_notices();
        chip.ask_rows(true, Vec::new());
        tokio::select! {
            biased;
            event = chip.next() => panic!("{event:?}"),
            () = tokio::task::yield_now() => {}
        }
    }

    // Broken if a lost chip left tickets without an outcome, or kept taking writes.
    #[tokio::test(flavor = "current_thread")]
    async fn lost_connection_ends_everything() {
        let mut chip =
            Faulty::new(DryRun::new(Capabilities::default()), plan(Pick::Nth(2), Class::Gone));
        let (outcome, broken) = run(&mut chip, 3).await;
        assert!(broken);
        let expected = [(1, Class::Unknown), (2, Class::Gone), (3, Class::Gone)];
        assert_eq!(outcome, expected.map(|(n, class)| (n, Some(class))).into());
        assert_eq!(chip.capabilities().await, Err(AsicError::Closed));
    }
}
