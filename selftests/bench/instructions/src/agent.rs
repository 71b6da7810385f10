//! The daemon's engine with what its loop does around it, but for the I/O: the kernel's dumps lie ready, and whatever is written is
//! acknowledged at once.

use std::collections::VecDeque;
use std::time::Duration;

use firsthop::engine::{Connected, Dumped, Engine, Found, Heard, HeardRoutes, Input, Output, Time};
use firsthop_model::chip::Change;
use firsthop_model::fib::FibSnapshot;
use firsthop_model::intent::{ChipIdentity, Policy};
use firsthop_model::plan::Limits;
use firsthop_model::topology::Snapshot;
use hwsim::chip::Personality;

use crate::kernel::{CHIP_ID, PORTS};

/// Between two turns. So short that a dump of routes, which some events lead to 50 ms later, does not belong to these.
const TICK: Duration = Duration::from_micros(100);
/// Turns until nothing is left to do, at most.
const ENDLESS: u32 = 100_000;

/// An agent, and its chip as far as it is more than answers.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    engine: Engine,
    now: Time,
    /// Answers to the next dumps: made before, so that they are nobody's work.
    links: VecDeque<Box<Snapshot>>,
    routes: VecDeque<Box<FibSnapshot>>,
    /// What it wrote, in order.
    pub(crate) written: Vec<Change>,
}

impl Agent {
    /// It is connected to an empty chip, and has not begun to look at the kernel.
    pub(crate) fn new(personality: &Personality) -> Self {
        let mut engine = Engine::new(false, Policy::default(), 7);
        let chip = ChipIdentity::Simulated { chip_id: CHIP_ID.to_owned(), ports: PORTS };
        let limits = Limits {
            rifs: personality.rifs,
            virtual_routers: personality.virtual_routers,
            mac_profiles: personality.mac_profiles,
            mac_profile_bits: personality.profile_prefix_bits,
            lags: personality.max_lag,
            adjacencies: personality.adjacencies,
            ecmp_size: personality.ecmp_sizes.iter().map(|(_, high)| *high).max().unwrap_or(1),
        };
        let connected = Connected { chip, limits, generation: 1, log: None };
        engine.take(Input::Connected(Box::new(connected)), Time::ZERO);
        let (links, routes) = (VecDeque::new(), VecDeque::new());
        Self { engine, now: Time::ZERO, links, routes, written: Vec::new() }
    }

    /// The next dumps have these answers.
    pub(crate) fn prepare(&mut self, links: &Snapshot, routes: &FibSnapshot) {
        self.links.push_back(Box::new(links.clone()));
        self.routes.push_back(Box::new(routes.clone()));
    }

    /// Something was missed: everything is to be asked for anew.
    pub(crate) fn distrust(&mut self) {
        self.engine.take(Input::Distrust("test".to_owned()), self.now);
    }

    /// What was heard, and what follows from it at once.
    pub(crate) fn hear(&mut self, links: Heard, routes: HeardRoutes) {
        self.engine.take(Input::Heard(links), self.now);
        self.engine.take(Input::HeardRoutes(routes), self.now);
        while self.turn() {}
    }

    /// Turns, until there is nothing left to do.
    pub(crate) fn settle(&mut self) {
        for _ in 0..ENDLESS {
            if self.turn() {
                continue;
            }
            if self.engine.is_settled() {
                return;
            }
            let deadline = self.engine.deadline(self.now).expect("something is due");
            self.now = deadline.max(self.now);
        }
        panic!("the engine does not come to rest");
    }

    /// One turn; true: something came of it.
    fn turn(&mut self) -> bool {
        self.now += TICK;
        self.engine.take(Input::Compute, self.now);
        let outputs = self.engine.turn(self.now);
        let acts = !outputs.is_empty();
        for output in outputs {
            self.act(output);
        }
        acts
    }

    fn act(&mut self, output: Output) {
        let answer = match output {
            Output::Dump => Input::Dumped(Dumped::Whole(self.links.pop_front().expect("prepared"))),
            Output::DumpRoutes => {
                Input::DumpedRoutes(Some(self.routes.pop_front().expect("prepared")))
            }
            Output::Scan => Input::Scanned(Ok(Found::default())),
            Output::Read(_) => Input::Rows(Ok(Found::default())),
            Output::Write(changes) => return self.write(changes),
            // the file's own work is not the engine's
            Output::Log(_) => return,
            Output::Ask(question) => panic!("{question:?} is not asked here"),
        };
        self.engine.take(answer, self.now);
    }

    fn write(&mut self, changes: Vec<(u64, Change)>) {
        for (ticket, change) in changes {
            self.written.push(change);
            self.engine.take(Input::Completed { ticket, result: Ok(()) }, self.now);
        }
    }
}
