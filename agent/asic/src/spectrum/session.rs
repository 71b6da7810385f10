//! In which order, how often and until when are register accesses sent? EMAD transactions without I/O and without clock.
//!
//! ```text
//!   submit, query ─▶ lanes ─▶ ready ─▶ transmit(now) ──▶ frames out
//!                    one change a      up to `window` transactions wait for their answer
//!                    row at a time     ▲                     │
//!                                      └── again: time-out, busy
//!   poll, poll_answer ◀── completions ◀── receive(frame, now) ◀── frames in
//!   poll_notices                     ◀── expire(now), lose()
//! ```
//!
//! * A transaction is sent again under the same id when nothing came back in 200 ms, then 400 ms, and so on, or when the
//!   chip says that it is busy; after five retries it is given up (`mlxsw_emad_transmit_retry`).
//! * Answers belong to the transaction of their id. Later copies belong to none and are dropped.
//! * A row with a change under way keeps later ones waiting, so that no two writes of one register entry can overtake each
//!   other. The transport has to keep the order of frames, as sockets do: then a repeated write is executed before the
//!   next one of its row.
//! * Router MACs that are ready one after the other travel in one SFD write, up to 64.
//! * Changes come before questions for rows, and these before the one for notices.
//! * A port that joins a LAG gets another place in it when the chip refuses the one before, until all were tried.
//! * A refusal that may be the echo of an earlier copy's success (a removal, or any write that was sent again), and a
//!   record that the chip left out, are looked at with a query: what counts is what the row holds.

use std::collections::btree_map::Entry::{Occupied, Vacant};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use emad::register::Sfd;
use emad::{Frame, Method, Operation, Register, Status};
use firsthop_model::chip::{Change, Key};

use super::registers::{self, Dialect};
use crate::error::{AsicError, Subject};
use crate::{Completion, Notices, Ticket};

mod flight;
mod outcome;
mod task;
#[cfg(test)]
mod tests;

use flight::{Flight, State};
use task::Task;

/// How patient and how wide a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Transactions that wait for their answer at the same time, at least 1.
    pub window: usize,
    /// How long the first copy waits; each further one twice as long as the one before.
    pub timeout: Duration,
    /// Copies after the first.
    pub retries: u32,
    /// How long a copy is held back after the chip was busy; each further one twice as long.
    pub pause: Duration,
    /// How long a control request may take, which is not sent again; and how long the chip may leave its socket full.
    pub patience: Duration,
}

impl Default for Settings {
    /// The driver's time-out and number of retries; it does not pause and has no control requests.
    fn default() -> Self {
        Self {
            window: 32,
            timeout: Duration::from_millis(200),
            retries: 5,
            pause: Duration::from_millis(1),
            patience: Duration::from_secs(5),
        }
    }
}

/// The number of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub u64);

/// What came in and was of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Strays {
    /// No EMAD frame, or no answer.
    pub malformed: u64,
    /// The answer to no transaction under way: a later copy, or somebody else's.
    pub late: u64,
}

/// The order of tasks.
type Sequence = u64;

/// What comes first of two tasks that are ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Changes, and what they still need.
    Change,
    /// A caller's questions: there may be thousands.
    Question,
}

/// Tasks that share a transaction: one, or the changes of several router MACs.
type Bundle = Vec<(Sequence, Task)>;

/// The question for notices.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Question {
    /// Nobody asks.
    None,
    /// To be sent when there is nothing else to send.
    Waiting,
    /// Sent.
    Sent,
    Answered(Result<Notices, AsicError>),
}

/// Transactions with one chip.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    dialect: Dialect,
    next_tid: u64,
    next_sequence: Sequence,
    /// Rows with a task that is ready or under way, and the tasks that wait for it.
    lanes: BTreeMap<Key, VecDeque<(Sequence, Task)>>,
    /// Tasks that may be sent, in order.
    ready: BTreeMap<(Rank, Sequence), Task>,
    /// Transactions under way, by id.
    flights: BTreeMap<u64, Flight>,
    completions: VecDeque<Completion>,
    answers: VecDeque<(QueryId, Result<Register, AsicError>)>,
    question: Question,
    open: usize,
    strays: Strays,
}

impl Session {
    /// A session without transactions. `seed` becomes the high half of transaction ids; a random one keeps answers to a
    /// former session from being taken for answers to this one.
    ///
    /// It speaks the default dialect until it is told another one by [`Session::speak`].
    pub fn new(settings: Settings, seed: u32) -> Self {
        Self {
            settings,
            dialect: Dialect::default(),
            next_tid: u64::from(seed) << 32,
            next_sequence: 0,
            lanes: BTreeMap::new(),
            ready: BTreeMap::new(),
            flights: BTreeMap::new(),
            completions: VecDeque::new(),
            answers: VecDeque::new(),
            question: Question::None,
            open: 0,
            strays: Strays { malformed: 0, late: 0 },
        }
    }

    /// From now on changes are said in this dialect. It has to be that of the chip.
    pub const fn speak(&mut self, dialect: Dialect) {
        self.dialect = dialect;
    }

    /// What changes are said in.
    pub const fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// Takes a change; [`Session::poll`] gives its outcome.
    pub fn submit(&mut self, ticket: Ticket, change: Change) {
        self.open += 1;
        match registers::write(&change, &self.dialect) {
            Ok(register) => {
                let lane = registers::lane(&change.key());
                self.enqueue(
                    Some(lane),
                    Task::Write { ticket, change, register, refusals: Vec::new() },
                );
            }
            Err(error) => {
                self.completions.push_back(Completion { ticket, result: Err(error) });
            }
        }
    }

    /// Takes a question; [`Session::poll_answer`] gives the answer. It waits for changes of the row it asks for.
    pub fn query(&mut self, subject: Subject, register: Register) -> QueryId {
        let id = QueryId(self.next_sequence);
        self.enqueue(lane_of(&subject), Task::Query { id, subject, register });
        id
    }

    /// Asks what the chip learnt and forgot; [`Session::poll_notices`] gives the answer. A second question before that is
    /// no other question.
    pub fn ask_notices(&mut self) {
        if self.question == Question::None {
            self.question = Question::Waiting;
        }
    }

    /// The answer to [`Session::ask_notices`].
    pub fn poll_notices(&mut self) -> Option<Result<Notices, AsicError>> {
        match std::mem::replace(&mut self.question, Question::None) {
            Question::Answered(answer) => Some(answer),
            other => {
                self.question = other;
                None
            }
        }
    }

    /// Changes whose outcome has not been taken from [`Session::poll`].
    pub const fn in_flight(&self) -> usize {
        self.open
    }

    /// Whether no transaction is under way and none is waiting.
    pub fn is_idle(&self) -> bool {
        self.flights.is_empty() && self.ready.is_empty() && self.question != Question::Waiting
    }

    /// What came in and was of no use.
    pub const fn strays(&self) -> Strays {
        self.strays
    }

    /// The outcome of a change.
    pub fn poll(&mut self) -> Option<Completion> {
        let completion = self.completions.pop_front();
        self.open -= usize::from(completion.is_some());
        completion
    }

    /// The answer to a question.
    pub fn poll_answer(&mut self) -> Option<(QueryId, Result<Register, AsicError>)> {
        self.answers.pop_front()
    }

    /// The next frame to send; its time-out starts now.
    pub fn transmit(&mut self, now: Duration) -> Option<Vec<u8>> {
        if let Some(flight) = self.flights.values_mut().find(|flight| flight.is_due(now)) {
            return Some(flight.send(now, self.settings.timeout));
        }
        if self.flights.len() >= self.settings.window.max(1) {
            return None;
        }
        let (tasks, register, method) = self.next_tasks()?;
        let tid = self.next_tid;
        // The high half stays: it is what tells this session from others.
        self.next_tid = (tid & !0xffff_ffff) | (tid + 1) & 0xffff_ffff;
        let operation = Operation::request(register.id(), method, tid);
        let frame = Frame::new(operation, register.encode())
            .expect("every layout is checked to fit a frame when emad is compiled");
        let mut flight = Flight::new(tasks, operation, frame.encode());
        let bytes = flight.send(now, self.settings.timeout);
        self.flights.insert(tid, flight);
        Some(bytes)
    }

    /// When [`Session::expire`] or [`Session::transmit`] has something to do next.
    pub fn deadline(&self) -> Option<Duration> {
        self.flights.values().map(Flight::deadline).min()
    }

    /// Deals with transactions whose time is up: sends them again or gives them up.
    pub fn expire(&mut self, now: Duration) {
        let late: Vec<u64> = self
            .flights
            .iter()
            .filter(|(_, flight)| flight.is_late(now))
            .map(|(tid, _)| *tid)
            .collect();
        for tid in late {
            let Some(mut flight) = self.flights.remove(&tid) else { continue };
            flight.timed_out = true;
            if flight.attempts <= self.settings.retries {
                flight.state = State::Due(now);
                self.flights.insert(tid, flight);
            } else {
                let attempts = flight.attempts;
                self.fail(flight, |transaction| AsicError::Timeout { transaction, attempts });
            }
        }
    }

    /// Takes what came in. Anything is allowed; what is no answer to a transaction is counted and dropped.
    pub fn receive(&mut self, bytes: &[u8], now: Duration) {
        let Ok(frame) = Frame::decode(bytes) else {
            self.strays.malformed += 1;
            return;
        };
        let operation = &frame.operation;
        if !operation.response {
            self.strays.malformed += 1;
            return;
        }
        let Some(flight) = self.flights.remove(&operation.tid) else {
            self.strays.late += 1;
            return;
        };
        if !flight.is_answered_by(operation) {
            self.strays.malformed += 1;
            self.flights.insert(operation.tid, flight);
            return;
        }
        match operation.status {
            Status::Ok => self.succeed(flight, &frame),
            status if status.is_transient() => self.postpone(flight, &frame, now),
            _ => self.refuse(flight, &frame),
        }
    }

    /// The connection is gone: everything ends, as unknown if it was sent.
    pub fn lose(&mut self) {
        for flight in std::mem::take(&mut self.flights).into_values() {
            self.fail(flight, |transaction| AsicError::Lost { transaction });
        }
        // Each end makes its row's next task ready.
        while let Some((_, task)) = self.ready.pop_first() {
            let transaction = task.transaction(0);
            self.end(task, Err(AsicError::NotSent { transaction }));
        }
        if self.question == Question::Waiting {
            let task = Task::notices();
            let transaction = task.transaction(0);
            self.end(task, Err(AsicError::NotSent { transaction }));
        }
    }

    fn enqueue(&mut self, lane: Option<Key>, task: Task) {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        match lane.map(|lane| self.lanes.entry(lane)) {
            Some(Occupied(mut waiting)) => {
                waiting.get_mut().push_back((sequence, task));
                return;
            }
            Some(Vacant(free)) => {
                free.insert(VecDeque::new());
            }
            None => {}
        }
        self.make_ready(sequence, task);
    }

    fn make_ready(&mut self, sequence: Sequence, task: Task) {
        let rank = match task {
            Task::Write { .. } | Task::Verify { .. } => Rank::Change,
            Task::Query { .. } | Task::Notices { .. } => Rank::Question,
        };
        self.ready.insert((rank, sequence), task);
    }

    /// Takes the next tasks that fit one transaction.
    fn next_tasks(&mut self) -> Option<(Bundle, Register, Method)> {
        let Some(((_, sequence), first)) = self.ready.pop_first() else {
            if self.question != Question::Waiting {
                return None;
            }
            self.question = Question::Sent;
            let task = Task::notices();
            let (register, method) = (task.register().clone(), task.method());
            return Some((vec![(Sequence::MAX, task)], register, method));
        };
        let mut register = first.register().clone();
        let method = first.method();
        let mut tasks = vec![(sequence, first)];
        while tasks.len() < Sfd::MAX_RECORDS
            && let Some(next) = self.ready.first_entry()
            && matches!(next.get(), Task::Write { .. })
            && method == Method::Write
            && let Some(both) = registers::router_mac_batch([&register, next.get().register()])
        {
            register = both;
            let ((_, sequence), task) = next.remove_entry();
            tasks.push((sequence, task));
        }
        Some((tasks, register, method))
    }

    /// The row's next task becomes ready.
    fn release(&mut self, lane: &Key) {
        let Some(waiting) = self.lanes.get_mut(lane) else { return };
        match waiting.pop_front() {
            Some((sequence, task)) => {
                self.make_ready(sequence, task);
            }
            None => {
                self.lanes.remove(lane);
            }
        }
    }
}

/// The row that a question is about.
fn lane_of(subject: &Subject) -> Option<Key> {
    match subject {
        Subject::Read(key) => Some(registers::lane(key)),
        Subject::Write(_) | Subject::Dump | Subject::Notices | Subject::Activity => None,
    }
}
