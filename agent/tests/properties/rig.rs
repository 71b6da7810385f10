//! The agent and the chip in one process: the reconciler, EMAD frames, the simulated chip; no socket, no clock.
//!
//! ```text
//!   events ─▶ Reconciler ─ready─▶ outstanding ─(one at random)─▶ Session ─EMAD─▶ Chip
//!                  ▲                                │ or a planned failure         │
//!                  └────────────complete────────────┴─────────────────────◀────────┘
//! ```
//!
//! Changes complete in any order, as a back end may do it; the order is a function of the seed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use firsthop_asic::spectrum::registers::Dialect;
use firsthop_asic::spectrum::session::{Session, Settings};
use firsthop_asic::spectrum::synchronous;
use firsthop_asic::{AsicError, Class, ReadBack, Readability, readability};
use firsthop_model::chip::{Change, Entry, Key, RifIndex, VrId};
use firsthop_model::intent::{ChipIdentity, Policy, Routing};
use firsthop_model::plan::{Limits, Object};
use firsthop_model::reconcile::{Reconciler, Ticket};
use firsthop_model::retry::{Failure, FailureClass};
use firsthop_model::topology::Event;
use hwsim::chip::{
    Chip, FaultAction, FaultOp, FaultRule, LocalPort, Nanos, Personality, TraceVerdict,
};

use crate::action::{Failing, Refusal};
use crate::frames;
use crate::judge::{Way, place_name};
use crate::why::everything_says_why;
use crate::world::{CHIP_ID, EXCLUDED, PORTS, World};

/// More writes than any story needs; a plan that never ends is found by it.
const ENDLESS: usize = 20_000;

/// After that a row that a full chip refused is tried again although nothing was freed.
const LAST_RESORT: Duration = Duration::from_secs(60);

/// Agent and chip.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) reconciler: Reconciler,
    pub(crate) chip: Chip,
    personality: Personality,
    session: Session,
    session_time: Duration,
    /// The reconciler's clock: moves only when nothing else can happen.
    now: Duration,
    /// The chip's clock: moves with every frame, so that no policer is ever exhausted.
    chip_time: Duration,
    outstanding: Vec<(Ticket, Change)>,
    refusals: Vec<Refusal>,
    /// The last change that failed by plan.
    pub(crate) refused: Option<Change>,
    /// What the last failed write to a row was about.
    failed: BTreeMap<Key, Entry>,
    /// Rows for which the chip itself had no room, and has not taken since.
    pub(crate) without_room: BTreeSet<Key>,
    random: u64,
}

impl Rig {
    pub(crate) fn new(personality: &str, seed: u64) -> Self {
        Self::with(Personality::load(personality).expect("it is built in"), seed)
    }

    fn with(personality: Personality, seed: u64) -> Self {
        let mut chip = Chip::new(personality.clone(), PORTS, CHIP_ID.to_owned(), 1);
        for port in 1..=PORTS {
            chip.link(LocalPort(port), true);
        }
        let mut session = Session::new(Settings::default(), 7);
        session.speak(Dialect {
            ports: PORTS,
            vlan_rif_has_efid: personality.vlan_rif_has_efid,
            lag_members: personality.max_lag_members,
        });
        Self {
            reconciler: reconciler(&personality),
            chip,
            personality,
            session,
            session_time: Duration::ZERO,
            now: Duration::ZERO,
            chip_time: Duration::ZERO,
            outstanding: Vec::new(),
            refusals: Vec::new(),
            refused: None,
            failed: BTreeMap::new(),
            without_room: BTreeSet::new(),
            random: seed,
        }
    }

    /// What an agent and a chip have come to, to be judged.
    pub(crate) fn of(reconciler: Reconciler, chip: Chip) -> Self {
        let mut rig = Self::with(chip.personality().clone(), 0);
        (rig.reconciler, rig.chip) = (reconciler, chip);
        rig
    }

    /// The same in one go, for very many devices: whatever is ready is completed before the agent is asked again.
    pub(crate) fn started_at_once(personality: &str, world: &World) -> Self {
        let mut rig = Self::new(personality, 0);
        rig.reconciler.replace(world.snapshot());
        loop {
            rig.reconciler.recompute();
            let ready = rig.reconciler.ready(rig.now);
            if ready.is_empty() {
                return rig;
            }
            for (ticket, change) in ready {
                let result = rig.submit(&change);
                rig.reconciler.complete(ticket, &result, rig.now);
            }
        }
    }

    /// A rig that starts with a snapshot and what an earlier run remembered, at rest.
    pub(crate) fn started(personality: &str, world: &World) -> Result<Self, String> {
        Self::new(personality, 0).start(world)
    }

    /// Another one on such a chip, started now.
    pub(crate) fn fresh(&self, world: &World) -> Result<Self, String> {
        Self::with(self.personality.clone(), 0).start(world)
    }

    fn start(mut self, world: &World) -> Result<Self, String> {
        let rig = &mut self;
        rig.feed(world.history());
        rig.reconciler.replace(world.snapshot());
        rig.settle()?;
        Ok(self)
    }

    pub(crate) const fn personality(&self) -> &Personality {
        &self.personality
    }

    pub(crate) fn feed(&mut self, events: Vec<Event>) {
        for event in events {
            self.reconciler.fold(event);
        }
    }

    pub(crate) fn plan_refusal(&mut self, refusal: Refusal) {
        self.refusals.push(refusal);
    }

    /// Completes one change, if there is one; gives it, if the chip acknowledged it.
    pub(crate) fn step(&mut self) -> Option<(Change, bool)> {
        self.reconciler.recompute();
        self.outstanding.extend(self.reconciler.ready(self.now));
        if self.outstanding.is_empty() {
            return None;
        }
        let at = self.draw(self.outstanding.len());
        let (ticket, change) = self.outstanding.remove(at);
        let result = self.submit(&change);
        if result.is_err() {
            let (Change::Add(entry) | Change::Remove(entry) | Change::Edit { to: entry, .. }) =
                change.clone();
            self.failed.insert(entry.key(), entry);
        }
        self.reconciler.complete(ticket, &result, self.now);
        Some((change, result.is_ok()))
    }

    /// Carries on until nothing is left to do at this time.
    pub(crate) fn settle(&mut self) -> Result<(), String> {
        self.settle_watched(|_, _| Ok(()))
    }

    /// The changes that it takes to come to rest.
    pub(crate) fn changes(&mut self) -> Result<Vec<Change>, String> {
        let mut changes = Vec::new();
        self.settle_watched(|_, change| {
            changes.push(change.clone());
            Ok(())
        })?;
        Ok(changes)
    }

    /// The same; `watch` is called after each acknowledged change.
    pub(crate) fn settle_watched(
        &mut self,
        mut watch: impl FnMut(&mut Self, &Change) -> Result<(), String>,
    ) -> Result<(), String> {
        for _ in 0..ENDLESS {
            match self.step() {
                Some((change, true)) => watch(self, &change)?,
                Some((_, false)) => {}
                None if self.reconciler.needs_read_back() => self.read_doubtful()?,
                None => return everything_says_why(&self.reconciler),
            }
        }
        Err(format!("The agent does not come to rest; still outstanding: {:#?}", self.outstanding))
    }

    /// No more failures, and time goes on until no retry is left.
    pub(crate) fn recover(&mut self) -> Result<(), String> {
        self.refusals.clear();
        for _ in 0..1000 {
            self.settle()?;
            match self.reconciler.deadline() {
                Some(deadline) if deadline < self.now + LAST_RESORT => {
                    self.now = deadline.max(self.now);
                }
                _ => return Ok(()),
            }
        }
        Err(format!("Retries never end: {:#?}", self.reconciler.differences()))
    }

    /// Waits as long as what a full table refused waits for others to free something.
    pub(crate) fn outwait(&mut self) -> Result<(), String> {
        self.now += LAST_RESORT;
        self.recover()
    }

    /// Another agent takes over the same chip, with the log of the former one: the keys of rows that it had written.
    pub(crate) fn restart(&mut self, world: &World) -> Result<(), String> {
        let former = std::mem::replace(&mut self.reconciler, reconciler(&self.personality));
        self.outstanding.clear();
        let scanned = self.read(Some(self.personality.rifs), &[])?;
        self.feed(world.history());
        self.reconciler.replace(world.snapshot());
        self.reconciler.recompute();
        let landmarks = self.reconciler.adopt(scanned.tables);
        self.settle_by_log(landmarks, &former)?;
        let mut keys = self.reconciler.claim();
        let written = former.applied().tables().keys();
        let by_key = |key: &&Key| readability(key) != Readability::Enumerable;
        keys.extend(written.filter(by_key).cloned());
        self.settle_by_log(keys, &former)
    }

    /// Reads rows; what can't be read is believed to be as it was acknowledged.
    fn settle_by_log(&mut self, keys: BTreeSet<Key>, former: &Reconciler) -> Result<(), String> {
        let keys: Vec<Key> = keys.into_iter().collect();
        let found = self.read(None, &keys)?;
        for key in &keys {
            let entry = match readability(key) {
                Readability::Unreadable => former.applied().get(key),
                Readability::Enumerable | Readability::ByKey => found.tables.get(key),
            };
            self.reconciler.settle(key, entry.cloned());
        }
        Ok(())
    }

    /// The chip loses power, and the agent finds it empty.
    pub(crate) fn reset_chip(&mut self) -> Result<(), String> {
        self.chip.reset(self.chip.generation() + 1);
        self.outstanding.clear();
        let found = self.read(Some(self.personality.rifs), &[])?;
        for key in self.reconciler.adopt(found.tables) {
            self.reconciler.settle(&key, None);
        }
        for key in self.reconciler.claim() {
            self.reconciler.settle(&key, None);
        }
        Ok(())
    }

    /// Of a thousand EMAD frames, so many are lost on each way.
    pub(crate) fn lose_frames(&mut self, share: u16, seed: u64) {
        for action in [FaultAction::DropReply, FaultAction::DropRequest, FaultAction::Status(1)] {
            for op in [FaultOp::Write, FaultOp::Query] {
                self.chip.faults().inject(FaultRule {
                    register: "*".to_owned(),
                    op,
                    nth: None,
                    share: Some(share),
                    seed,
                    count: None,
                    action,
                });
            }
        }
    }

    /// What the chip would do with a frame that comes in by a port with a tag.
    pub(crate) fn trace(&self, (port, tag): Way, frame: &[u8]) -> TraceVerdict {
        let frame = frames::tagged(frame, tag);
        self.chip.trace(Nanos::from(self.chip_time), LocalPort(port), &frame).verdict
    }

    /// The trap under which the CPU would get a frame.
    pub(crate) fn trap_of(&self, way: Way, frame: &[u8]) -> Option<u16> {
        self.trace(way, frame).punt.map(|punt| punt.trap_id)
    }

    /// What the router interface with this index is planned with.
    fn object_of(&self, rif: u16) -> Option<Object> {
        let allocation = self.reconciler.allocation();
        allocation.interfaces().find(|object| allocation.rif(*object) == Some(RifIndex(rif)))
    }

    /// The device whose router interface has this index.
    pub(crate) fn device_of(&self, rif: u16) -> Option<u32> {
        self.reconciler.device_of(self.object_of(rif)?).map(|ifindex| ifindex.0)
    }

    /// A name for the place of the router interface with this index; see [`crate::judge::place_name`].
    pub(crate) fn place_of(&self, rif: u16) -> Option<u32> {
        match self.object_of(rif)? {
            Object::Interface(ifindex) => Some(ifindex.0),
            Object::Domain(domain) => {
                Some(place_name(domain.bridge.0, domain.vlan.map(|vid| vid.0)))
            }
            _ => None,
        }
    }

    /// The routing table that a virtual router serves.
    pub(crate) fn table_of(&self, vr: VrId) -> u32 {
        let allocation = self.reconciler.allocation();
        allocation.tables().find(|table| allocation.vr(*table) == Some(vr)).unwrap_or(u32::MAX)
    }

    /// Executes a change, unless it is one that a story lets fail.
    fn submit(&mut self, change: &Change) -> Result<(), Failure> {
        let failure = |class| Failure { class, text: "planned failure".to_owned() };
        match self.next_failure(change) {
            None => self.write(change).map_err(|error| Failure {
                class: failure_class(error.class()),
                text: error.to_string(),
            }),
            Some(Failing::Transient) => Err(failure(FailureClass::Transient)),
            Some(Failing::Capacity) => Err(failure(FailureClass::Capacity)),
            Some(Failing::Rejected) => Err(failure(FailureClass::Rejected)),
            Some(Failing::UnknownNotDone) => Err(failure(FailureClass::Unknown)),
            Some(Failing::UnknownDone) => {
                // Whatever the chip says, nobody hears it.
                let _lost = self.write(change);
                Err(failure(FailureClass::Unknown))
            }
        }
    }

    fn next_failure(&mut self, change: &Change) -> Option<Failing> {
        let readable = readability(&change.key()) != Readability::Unreadable;
        for refusal in &mut self.refusals {
            refusal.nth = refusal.nth.saturating_sub(1);
        }
        let at = self.refusals.iter().position(|refusal| refusal.nth == 0)?;
        let how = self.refusals.remove(at).how;
        self.refused = Some(change.clone());
        Some(match how {
            // A row that can't be read back can't be settled either.
            Failing::UnknownDone | Failing::UnknownNotDone if !readable => Failing::Transient,
            // Only what comes needs room.
            Failing::Capacity if !matches!(change, Change::Add(_)) => Failing::Transient,
            how => how,
        })
    }

    fn write(&mut self, change: &Change) -> Result<(), AsicError> {
        self.session.submit(firsthop_asic::Ticket(1), change.clone());
        let (chip, time) = (&mut self.chip, Nanos::from(self.chip_time));
        synchronous::settle(&mut self.session, &mut self.session_time, |_, frame| {
            chip.emad(time, frame).expect("the session sends EMAD frames")
        });
        let result = self.session.poll().expect("every change is answered").result;
        if result.as_ref().is_err_and(|error| error.class() == Class::Capacity) {
            self.without_room.insert(change.key());
        } else {
            self.without_room.remove(&change.key());
        }
        result
    }

    fn read(&mut self, enumerate: Option<u16>, keys: &[Key]) -> Result<ReadBack, String> {
        let (chip, time) = (&mut self.chip, Nanos::from(self.chip_time));
        synchronous::read(&mut self.session, &mut self.session_time, enumerate, keys, |_, frame| {
            chip.emad(time, frame).expect("the session sends EMAD frames")
        })
        .map_err(|error| format!("Reading back failed: {error}"))
    }

    fn read_doubtful(&mut self) -> Result<(), String> {
        let keys: Vec<Key> = self.reconciler.applied().unknown().cloned().collect();
        let found = self.read(None, &keys)?;
        for key in &keys {
            // As the daemon does it by its log: a write is made again, and a removal as well.
            match self.failed.get(key).filter(|_| readability(key) == Readability::Unreadable) {
                Some(entry) => self.reconciler.presume(entry.clone()),
                None => self.reconciler.settle(key, found.tables.get(key).cloned()),
            }
        }
        Ok(())
    }

    /// A number below `bound` (splitmix64).
    fn draw(&mut self, bound: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.random ^ self.random >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound).expect("a usize fits");
        usize::try_from((z ^ z >> 31) % bound).expect("below a usize")
    }
}

/// Sizes of a chip's tables.
pub(crate) const fn limits(personality: &Personality) -> Limits {
    Limits {
        rifs: personality.rifs,
        virtual_routers: personality.virtual_routers,
        mac_profiles: personality.mac_profiles,
        mac_profile_bits: personality.profile_prefix_bits,
        lags: personality.max_lag,
        adjacencies: personality.adjacencies,
        ecmp_size: 4,
    }
}

fn reconciler(personality: &Personality) -> Reconciler {
    // a state of links has no routes
    let (exclude, routing) = ([EXCLUDED.to_owned()].into(), Routing::Cpu);
    let policy = Policy { exclude, routing, ..Policy::default() };
    let identity = ChipIdentity::Simulated { chip_id: CHIP_ID.to_owned(), ports: PORTS };
    Reconciler::new(policy, identity, limits(personality))
}

pub(crate) fn failure_class(class: Class) -> FailureClass {
    match class {
        Class::Transient | Class::Gone => FailureClass::Transient,
        Class::Capacity => FailureClass::Capacity,
        Class::Rejected => FailureClass::Rejected,
        Class::Unknown => FailureClass::Unknown,
    }
}
