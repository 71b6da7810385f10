//! One run: what may happen next, and what then happens.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, VecDeque};
use std::hash::{Hash as _, Hasher as _};
use std::time::Duration;

use firsthop::chain;
use firsthop::engine::{Connected, Engine, Findings, Input, LogStep, Output};
use firsthop::recording::{self, Recorder, ReplayError, Replayed};
use firsthop_asic::{AsicError, ReadBack, Readability, readability};
use firsthop_model::Mac;
use firsthop_model::chip::{Change, Entry, Key, Rif};
use firsthop_model::intent::{ChipIdentity, Policy, Routing};
use firsthop_model::retry::Failure;
use hwsim::chip::Personality;

use super::chance::Chance;
use super::chip::{Line, Order, Report};
use super::kernel::Kernel;
use super::roads::{Roads, in_the_air};
use super::tally::Tally;
use crate::action::{Action, Dev, Lower, Story};
use crate::judge::has_room;
use crate::rig::{Rig, failure_class, limits};
use crate::stories::plain;
use crate::world::{CHIP_ID, EXCLUDED, PORTS, World};
use crate::{Outcome, judge_step};

/// More happenings than any story needs.
const ENDLESS: u32 = 400_000;
/// Of a thousand writes, so many go wrong; of queries, of which there are many more, fewer.
const TROUBLE: [u64; 2] = [100, 4];
/// Router interfaces that the chip has room for: more than stories need, and few enough to be read again and again.
const RIFS: u16 = 24;
/// For so long after the last action things go on going wrong.
const AFTERMATH: Duration = Duration::from_secs(3);
/// Of the engine's own chance.
const SEED: u64 = 7;
/// Before a broken connection stands again.
const RECONNECT: Duration = Duration::from_millis(25);
/// Between looks at whether the chip was reset.
const INSPECTION: u64 = 250;

/// What may go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    Nothing,
    /// The kernel loses, fails and is silent.
    Kernel,
    /// That, frames go wrong, the agent is killed and the chip reset.
    Everything,
}

/// What may happen next.
#[derive(Debug, Clone, Copy)]
enum Happening {
    Act,
    Hear,
    Dump,
    Answer,
    Drive,
    HearRoutes,
    DumpRoutes,
    Execute,
    Deliver,
    Time,
    Turn,
}

/// A world, an agent and a chip.
#[derive(Debug)]
pub(super) struct Lab {
    trouble: Trouble,
    chance: Chance,
    now: Duration,
    story: VecDeque<Action>,
    world: World,
    kernel: Kernel,
    /// None: the CPU routes.
    roads: Option<Roads>,
    engine: Engine,
    /// The engine was told something since its last turn.
    told: bool,
    log: Option<String>,
    line: Line,
    /// A chip to which nothing ever happened.
    blank: Line,
    personality: Personality,
    /// When the last action happened.
    ended: Duration,
    /// When the connection stands again; none: it stands.
    away: Option<Duration>,
    /// When it is found that the chip was reset.
    inspection: Option<Duration>,
    /// Every row that was ever written.
    written: BTreeSet<Key>,
    /// What the agent found in the air when it took the chip over: written after a reset of which it did not know.
    strays: Vec<Entry>,
    /// Writes that had been executed when tables were last compared.
    compared: u64,
    digest: DefaultHasher,
    /// Since the last start of the agent.
    recorder: Recorder<Vec<u8>>,
    pub(super) tally: Tally,
}

impl Lab {
    pub(super) fn new(story: &Story, seed: u64, trouble: Trouble) -> Self {
        let mut personality = Personality::load("spectrum2").expect("it is built in");
        personality.rifs = RIFS;
        let mut lab = Self {
            trouble,
            chance: Chance::new(seed),
            now: Duration::ZERO,
            story: story.0.iter().copied().collect(),
            world: World::new(),
            kernel: Kernel::default(),
            roads: (seed % 2 == 1).then(Roads::default),
            engine: engine(seed % 2 == 1),
            told: false,
            log: None,
            line: Line::new(&personality),
            blank: Line::new(&personality),
            personality,
            ended: Duration::ZERO,
            away: Some(Duration::ZERO),
            inspection: None,
            written: BTreeSet::new(),
            strays: Vec::new(),
            compared: 0,
            digest: DefaultHasher::new(),
            recorder: recorder(seed % 2 == 1),
            tally: Tally::default(),
        };
        lab.start();
        lab
    }

    /// Everything that happened, in one number.
    pub(super) fn digest(&self) -> u64 {
        self.digest.finish()
    }

    /// Lets things happen until the story has ended and everything has come to rest.
    pub(super) fn run(&mut self) -> Outcome {
        for _ in 0..ENDLESS {
            if self.story.is_empty() && self.now > self.ended + AFTERMATH {
                self.trouble = Trouble::Nothing;
            }
            if self.is_at_rest() {
                return self.compare();
            }
            self.happen()?;
        }
        Err(format!(
            "No rest: {:?}, doubtful {:?}, {:#?}",
            self.engine.phase(),
            self.engine.reconciler().applied().unknown().collect::<Vec<_>>(),
            self.engine.reconciler().differences()
        ))
    }

    /// An audit, undisturbed: what it found.
    pub(super) fn audit(&mut self) -> Result<Findings, String> {
        let before = self.engine.findings().rounds;
        self.tell(Input::Audit);
        for _ in 0..ENDLESS {
            if self.engine.findings().rounds > before && self.is_at_rest() {
                return Ok(self.engine.findings().clone());
            }
            self.happen()?;
        }
        Err("The audit does not end".to_owned())
    }

    /// Somebody else writes to the chip: forgets the first router MAC, adds one, and changes a router interface.
    pub(super) fn meddle(&mut self) -> usize {
        let tables = self.engine.reconciler().applied().tables();
        let pick = |wanted: fn(&&Entry) -> bool| tables.values().find(wanted).cloned();
        let mut changes = Vec::new();
        if let Some(mac) = pick(|entry| matches!(entry, Entry::RouterMac { .. })) {
            if let Entry::RouterMac { fid, .. } = mac {
                let mac = Mac([2, 0xff, 0, 0, 0, 1]);
                changes.push(Change::Add(Entry::RouterMac { fid, mac }));
            }
            changes.push(Change::Remove(mac));
        }
        if let Some(Entry::Rif(rif)) = pick(|entry| matches!(entry, Entry::Rif(_))) {
            let (from, to) = (rif.clone(), Rif { mtu: rif.mtu + 100, ..rif });
            changes.push(Change::Edit { from: Entry::Rif(from), to: Entry::Rif(to) });
        }
        let made = changes.len();
        self.line.write_aside(self.now, changes);
        made
    }

    /// The oracle, the tables, the chip and a fresh start agree.
    pub(super) fn judge(&mut self) -> Outcome {
        if let Some(roads) = self.roads.take() {
            let keys: Vec<Key> = self.written.iter().cloned().collect();
            let chip = self.line.look(self.now, &keys)?.tables;
            roads.judge(&self.world, self.engine.reconciler(), &chip)?;
            self.tell(Input::Policy(Box::new(policy(false))));
            self.run()?;
        }
        let mut rig = Rig::of(self.engine.reconciler().clone(), self.line.chip.clone());
        if !has_room(&rig, &self.world) {
            return Ok(());
        }
        judge_step(&mut rig, &self.world)
    }

    /// Plays what the last engine was told to another one: the same comes out.
    pub(super) fn replay(&self) -> Result<Replayed, ReplayError> {
        let text = self.recorder.clone().into_inner().expect("memory takes it");
        recording::replay(text.as_slice())
    }

    /// A router comes and goes for so long.
    pub(super) fn flap(&mut self, each: Duration, until: Duration) -> Outcome {
        let (vmac, port) = (Dev::vmac(0), Dev::port(1));
        let mac = Some([0, 0, 0x5e, 0, 1, 5]);
        let come = vec![
            Action::AddAddress(port, plain("10.0.0.1")),
            Action::Create { dev: vmac, lower: Lower::On(port), mac, kind: oracle::Kind::Macvlan },
            Action::AddAddress(vmac, plain("10.0.1.1")),
        ];
        let go = vec![
            Action::Delete { dev: vmac, quietly: false },
            Action::DelAddress(port, plain("10.0.0.1").ip),
        ];
        while self.now < until {
            for actions in [&come, &go] {
                self.story.extend(actions);
                self.run()?;
                self.now += each / 2;
            }
        }
        Ok(())
    }

    /// What is kept anywhere.
    pub(super) fn footprint(&self) -> (usize, usize, usize, usize) {
        let reconciler = self.engine.reconciler();
        (
            self.engine.backlog(),
            self.line.backlog(),
            reconciler.applied().tables().len(),
            format!("{:?}", reconciler.allocation()).len(),
        )
    }

    // --- What happens ---------------------------------------------------------------------------------------------

    fn happen(&mut self) -> Outcome {
        let connected = self.away.is_none();
        let moves = [
            (Happening::Act, self.haste(), !self.story.is_empty()),
            (Happening::Hear, 6, self.kernel.has_news()),
            (Happening::Dump, 4, self.kernel.is_dumping(self.now)),
            (Happening::Answer, 3, self.kernel.is_asked()),
            (Happening::Drive, 1, self.roads.is_some() && self.trouble != Trouble::Nothing),
            (Happening::HearRoutes, 6, self.roads.as_ref().is_some_and(Roads::has_news)),
            (Happening::DumpRoutes, 2, self.roads.as_ref().is_some_and(Roads::is_asked)),
            (Happening::Execute, 24, connected && self.line.has_requests()),
            (Happening::Deliver, 24, connected && self.line.has_answers()),
            (Happening::Turn, 12, self.told),
        ];
        let open = moves.into_iter().filter(|(_, _, possible)| *possible);
        let open: Vec<(Happening, u64)> = open.map(|(what, weight, _)| (what, weight)).collect();
        let total: u64 = open.iter().map(|(_, weight)| weight).sum();
        // Time goes on when nothing else happens, and sometimes before.
        let mut at = self.chance.below(total + 1);
        let mut chosen = Happening::Time;
        for (what, weight) in open {
            if at < weight {
                chosen = what;
                break;
            }
            at -= weight;
        }
        self.note(&format!("{chosen:?} {:?}", self.now));
        self.now += Duration::from_micros(10);
        let trouble = self.trouble != Trouble::Nothing;
        match chosen {
            Happening::Act => self.act(),
            Happening::Hear => {
                let heard = self.kernel.drain();
                self.tell(heard);
            }
            Happening::Dump => {
                if let Some(input) = self.kernel.go_on(&self.world, &mut self.chance, trouble) {
                    self.tell(input);
                }
            }
            Happening::Answer => {
                if let Some(input) = self.kernel.answer(&self.world, &mut self.chance, trouble) {
                    self.tell(input);
                }
            }
            Happening::Drive => self.drive(),
            Happening::HearRoutes => {
                let heard = self.roads.as_mut().map(|roads| roads.drain(&mut self.chance));
                heard.into_iter().for_each(|heard| self.tell(heard));
            }
            Happening::DumpRoutes => {
                let answer =
                    self.roads.as_mut().map(|roads| roads.answer(&mut self.chance, trouble));
                answer.into_iter().for_each(|answer| self.tell(answer));
            }
            Happening::Execute => {
                let share = if self.trouble == Trouble::Everything { TROUBLE } else { [0; 2] };
                self.line.execute(self.now, share, &mut self.chance, &mut self.tally);
            }
            Happening::Deliver => self.line.deliver(self.now),
            Happening::Time => self.pass(),
            Happening::Turn => self.turn(),
        }
        if self.trouble == Trouble::Everything {
            self.strike();
        }
        self.pump();
        if self.tally.executed != self.compared && self.is_quiet() && self.chance.strikes(300) {
            self.compared = self.tally.executed;
            self.compare()?;
        }
        Ok(())
    }

    /// The next action of the story; what the kernel says of it may be lost.
    fn act(&mut self) {
        let Some(action) = self.story.pop_front() else { return };
        self.ended = self.now;
        let events = self.world.act(&action);
        self.kernel.announce(events);
        let lost = match action {
            Action::Overrun => true,
            Action::Resync => {
                self.tell(Input::Distrust("test".to_owned()));
                false
            }
            _ => self.trouble != Trouble::Nothing && self.chance.strikes(30),
        };
        if lost {
            self.tally.losses += 1;
            self.kernel.lose(&mut self.chance);
        }
    }

    /// A route changes; what the kernel says of it may be lost.
    fn drive(&mut self) {
        let Some(roads) = &mut self.roads else { return };
        roads.change(&self.world, &mut self.chance);
        if self.chance.strikes(30) {
            self.tally.losses += 1;
            roads.lose(&mut self.chance);
        }
    }

    /// Time jumps to the next thing that it brings.
    fn pass(&mut self) {
        let next = self.deadline();
        self.now = next.map_or(self.now + Duration::from_millis(10), |at| at.max(self.now));
        self.line.expire(self.now);
        if self.inspection.is_some_and(|at| at <= self.now) {
            self.part();
        }
        if self.away.is_some_and(|at| at <= self.now) {
            self.connect();
        }
        self.told = true;
    }

    /// Actions come one after the other, some while the chip is being read or written, and seldom before that.
    fn haste(&self) -> u64 {
        if self.line.is_idle() { 8 } else { 1 }
    }

    fn deadline(&self) -> Option<Duration> {
        let times = [
            self.engine.deadline(self.now),
            self.line.deadline().filter(|_| self.away.is_none()),
            self.kernel.deadline(),
            self.away,
            self.inspection,
        ];
        times.into_iter().flatten().min()
    }

    /// The agent is killed, or the chip loses power, or the connection.
    fn strike(&mut self) {
        match self.chance.below(4000) {
            0..3 => self.crash(),
            3..6 => self.reset(),
            6 if self.away.is_none() => self.part(),
            _ => {}
        }
    }

    // --- The agent ------------------------------------------------------------------------------------------------

    fn start(&mut self) {
        self.engine = engine(self.roads.is_some());
        self.recorder = recorder(self.roads.is_some());
        self.kernel = Kernel::default();
        self.roads.iter_mut().for_each(Roads::reopen);
        self.away = Some(self.now);
        self.told = true;
    }

    fn crash(&mut self) {
        self.tally.crashes += 1;
        self.line.renew(self.now, &mut self.chance);
        self.inspection = None;
        self.start();
    }

    fn tell(&mut self, input: Input) {
        self.note(&format!("{input:?}"));
        if let Input::Completed { result: Err(failure), .. } = &input {
            self.tally.failures += 1;
            let unknown = failure.class == firsthop_model::retry::FailureClass::Unknown;
            self.tally.unknown += u64::from(unknown);
        }
        if self.trouble == Trouble::Kernel {
            self.recorder.input(self.now, &input);
        }
        self.engine.take(input, self.now);
        self.told = true;
    }

    /// The agent does what it wants; it may be killed after any step.
    fn turn(&mut self) {
        self.told = false;
        let outputs = self.engine.turn(self.now);
        self.note(&format!("{outputs:?}"));
        if self.trouble == Trouble::Kernel {
            self.recorder.turn(self.now, &outputs);
        }
        for output in outputs {
            if self.trouble == Trouble::Everything && self.chance.strikes(2) {
                self.crash();
                return;
            }
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: Output) {
        let order = match output {
            Output::Dump => {
                self.tally.resyncs += 1;
                let trouble = self.trouble != Trouble::Nothing;
                return self.kernel.begin_dump(self.now, &mut self.chance, trouble);
            }
            Output::Ask(question) => return self.kernel.ask(question),
            Output::DumpRoutes => return self.roads.iter_mut().for_each(Roads::ask),
            Output::Log(LogStep::Replace(text)) => return self.log = Some(text),
            Output::Log(LogStep::Append(text)) => {
                return self.log.as_mut().expect("it was begun").push_str(&text);
            }
            Output::Write(changes) => {
                self.written.extend(changes.iter().map(|(_, change)| change.key()));
                Order::Write(changes)
            }
            Output::Scan => Order::Scan,
            Output::Read(keys) => Order::Read(keys),
        };
        if self.away.is_none() {
            self.line.order(order);
        }
    }

    /// The agent's end of the connection goes as far as it can.
    fn pump(&mut self) {
        if self.away.is_some() {
            return;
        }
        let found = |found: Result<ReadBack, AsicError>| match found {
            Ok(found) => Ok(found.into()),
            Err(error) => Err(chain(&error)),
        };
        for report in self.line.pump(self.now) {
            let input = match report {
                Report::Scanned(result) => Input::Scanned(found(result)),
                Report::Rows(result) => Input::Rows(found(result)),
                Report::Completed(completion) => Input::Completed {
                    ticket: completion.ticket.0,
                    result: completion.result.map_err(|error| Failure {
                        class: failure_class(error.class()),
                        text: chain(&error),
                    }),
                },
            };
            self.tell(input);
        }
    }

    fn connect(&mut self) {
        self.away = None;
        let keys: Vec<Key> = self.written.iter().cloned().collect();
        let found = self.line.look(self.now, &keys).expect("the chip answers");
        self.strays = in_the_air(&found.tables).cloned().collect();
        self.tell(Input::Connected(Box::new(Connected {
            chip: ChipIdentity::Simulated { chip_id: CHIP_ID.to_owned(), ports: PORTS },
            limits: limits(&self.personality),
            generation: self.line.chip.generation(),
            log: self.log.clone(),
        })));
    }

    /// The connection is found broken.
    fn part(&mut self) {
        self.inspection = None;
        self.line.renew(self.now, &mut self.chance);
        self.away = Some(self.now + RECONNECT);
        self.tell(Input::Disconnected);
    }

    /// The chip loses power, which is found out a little later.
    fn reset(&mut self) {
        self.tally.resets += 1;
        self.line.chip.reset(self.line.chip.generation() + 1);
        let later = Duration::from_millis(self.chance.below(INSPECTION));
        if self.away.is_none() {
            self.inspection.get_or_insert(self.now + later);
        }
    }

    // --- What is true ---------------------------------------------------------------------------------------------

    /// Nothing is under way between agent and chip, and the agent thinks that it knows the chip.
    fn is_quiet(&self) -> bool {
        self.away.is_none()
            && self.inspection.is_none()
            && self.engine.is_ready()
            && self.line.is_idle()
    }

    fn is_at_rest(&self) -> bool {
        self.trouble == Trouble::Nothing
            && self.story.is_empty()
            && !self.told
            && !self.kernel.has_news()
            && !self.kernel.is_asked()
            && !self.roads.as_ref().is_some_and(|roads| roads.has_news() || roads.is_asked())
            && self.is_quiet()
            && self.engine.is_settled()
            && self.deadline().is_none()
    }

    /// The chip holds what the agent believes, but for the rows that it names as unknown.
    fn compare(&mut self) -> Outcome {
        self.tally.comparisons += 1;
        let keys: Vec<Key> = self.written.iter().cloned().collect();
        let found = self.line.look(self.now, &keys)?;
        let blank = self.blank.look(self.now, &keys)?;
        let applied = self.engine.reconciler().applied();
        let scanned = found.tables.keys().cloned();
        let readable = |key: &Key| readability(key) != Readability::Unreadable;
        if let Some(entry) = in_the_air(&found.tables).find(|entry| !self.strays.contains(entry)) {
            return Err(format!("{entry:?} leads to a router interface that is not there"));
        }
        for key in keys.into_iter().chain(scanned).filter(readable) {
            let (believed, holds) = (applied.get(&key), found.tables.get(&key));
            let neutral = holds == blank.tables.get(&key) || holds.is_some_and(Entry::is_neutral);
            let empty = believed.is_none() && neutral;
            if believed != holds && !empty && !applied.is_unknown(&key) {
                return Err(format!(
                    "The agent believes {key:?} to hold {believed:?}, the chip holds {holds:?}"
                ));
            }
        }
        Ok(())
    }

    fn note(&mut self, what: &str) {
        if std::env::var_os("LAB_TRACE").is_some() {
            println!("{:?} {what}", self.now);
        }
        what.hash(&mut self.digest);
    }
}

/// `routes`: the chip routes.
fn policy(routes: bool) -> Policy {
    let routing = if routes { Routing::Hardware } else { Routing::Cpu };
    Policy { exclude: [EXCLUDED.to_owned()].into(), routing, ..Policy::default() }
}

fn engine(routes: bool) -> Engine {
    Engine::new(false, policy(routes), SEED)
}

fn recorder(routes: bool) -> Recorder<Vec<u8>> {
    Recorder::begin(Vec::new(), false, &policy(routes), SEED)
}
