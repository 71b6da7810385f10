//! What a chip answers: register accesses and control requests, whole, damaged, late, twice and never.
//!
//! Input: control answers in chunks, then steps. Every change has exactly one outcome, whatever comes, and after a lost connection
//! nothing is under way.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use firsthop_asic::spectrum::Reading;
use firsthop_asic::spectrum::control::{Control, Members};
use firsthop_asic::spectrum::registers;
use firsthop_asic::spectrum::session::{Session, Settings};
use firsthop_asic::{Capabilities, Subject, Ticket};
use firsthop_model::chip::Change;
use hwsim::chip::{Chip, Nanos, Personality};

use crate::entry::entry;
use crate::input::Input;

/// Steps of one input.
const STEPS: usize = 128;
/// Router interfaces that a reading asks for, if the chip claims more.
const RIFS: u16 = 16;

/// The target.
pub fn run(data: &[u8]) {
    let mut input = Input(data);
    let capabilities = greeting(&mut input);
    let settings = Settings { window: 3, ..Settings::default() };
    let mut session = Session::new(settings, 7);
    if let Some(capabilities) = &capabilities {
        session.speak(capabilities.dialect());
    }
    let personality = Personality::load("tiny").expect("it is built in");
    let mut bench = Bench {
        session,
        chip: Chip::new(personality, 4, "fuzz".into(), 1),
        rifs: capabilities.map_or(RIFS, |found| found.rifs.min(RIFS)),
        reading: None,
        wire: VecDeque::new(),
        now: Duration::from_secs(1),
        submitted: 0,
        completed: BTreeSet::new(),
    };
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        bench.step(&mut input);
    }
    bench.end();
}

/// Up to three control answers, each in one or more datagrams.
fn greeting(input: &mut Input<'_>) -> Option<Capabilities> {
    let mut answer = |request| -> Option<Members> {
        let mut control = Control::default();
        control.ask(request);
        for _ in 0..input.byte() % 4 {
            let datagram = input.chunk();
            if Control::is_document(datagram) {
                control.take(datagram);
            }
            if let Some(found) = control.poll(request) {
                return found.ok();
            }
        }
        None
    };
    let (hello, resources, ports) = (answer("hello"), answer("resources"), answer("ports"));
    Capabilities::from_answers(&hello?, &resources?, &ports?).ok()
}

/// A session, a chip, and the wire between them.
struct Bench {
    session: Session,
    chip: Chip,
    rifs: u16,
    reading: Option<Reading>,
    /// Requests on their way.
    wire: VecDeque<Vec<u8>>,
    now: Duration,
    submitted: u64,
    completed: BTreeSet<u64>,
}

impl Bench {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() % 12 {
            kind @ 0..=2 => {
                let entry = entry(input);
                let change = match kind {
                    0 => Change::Add(entry),
                    1 => Change::Remove(entry),
                    _ => Change::Edit { from: entry.clone(), to: entry },
                };
                self.session.submit(Ticket(self.submitted), change);
                self.submitted += 1;
            }
            3 => {
                let key = entry(input).key();
                if let Some(register) = registers::query(&key) {
                    self.session.query(Subject::Read(key), register);
                }
            }
            4 => {
                let keys = [entry(input).key(), entry(input).key()];
                self.reading = Some(Reading::start(&mut self.session, Some(self.rifs), &keys));
            }
            5 => self.session.ask_notices(),
            6 => self.session.receive(input.chunk(), self.now),
            7 => {
                self.now += Duration::from_millis(input.word().into());
                self.session.expire(self.now);
            }
            8 => drop(self.wire.pop_front()),
            9 => self.session.lose(),
            kind => self.deliver(input, kind == 10),
        }
        self.wire.extend(std::iter::from_fn(|| self.session.transmit(self.now)));
        self.collect();
    }

    /// The chip answers a request, and the answer is damaged on its way.
    fn deliver(&mut self, input: &mut Input<'_>, damaged: bool) {
        let Some(request) = self.wire.pop_front() else { return };
        let now = Nanos(u64::try_from(self.now.as_nanos()).unwrap_or(u64::MAX));
        let Ok(Some(mut answer)) = self.chip.emad(now, &request) else { return };
        if damaged {
            for _ in 0..input.byte() % 8 {
                let (place, value) = (usize::from(input.word()) % answer.len(), input.byte());
                answer[place] = value;
            }
            answer.truncate(answer.len() - usize::from(input.byte() % 8));
        }
        self.session.receive(&answer, self.now);
    }

    fn collect(&mut self) {
        while let Some(completion) = self.session.poll() {
            let Ticket(ticket) = completion.ticket;
            assert!(ticket < self.submitted, "the outcome of nothing");
            assert!(self.completed.insert(ticket), "two outcomes");
        }
        while let Some((id, answer)) = self.session.poll_answer() {
            if let Some(mut reading) = self.reading.take()
                && reading.take(&mut self.session, id, answer).is_ok()
            {
                self.reading = reading.poll().is_none().then_some(reading);
            }
        }
        self.session.poll_notices();
    }

    fn end(mut self) {
        self.session.lose();
        self.collect();
        // Those that reading asked for meanwhile.
        self.session.lose();
        self.collect();
        assert!(self.session.is_idle() && self.session.in_flight() == 0);
        assert_eq!(u64::try_from(self.completed.len()), Ok(self.submitted), "no outcome");
    }
}
