//! The way to the chip and back, frame by frame, and what goes wrong on it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use emad::{Frame, Method, Register};
use firsthop_asic::ReadBack;
use firsthop_asic::spectrum::session::{Session, Settings};
use firsthop_asic::spectrum::{Reading, registers::Dialect, synchronous};
use firsthop_model::chip::{Change, Key};
use hwsim::chip::{Chip, FaultAction, FaultOp, FaultRule, LocalPort, Nanos, Personality};

use super::chance::Chance;
use super::tally::Tally;
use crate::world::{CHIP_ID, PORTS};

/// What an agent orders of its end of the connection.
#[derive(Debug, Clone)]
pub(super) enum Order {
    Write(Vec<(u64, Change)>),
    Scan,
    Read(Vec<Key>),
}

/// What that end reports.
#[derive(Debug)]
pub(super) enum Report {
    Completed(firsthop_asic::Completion),
    Scanned(Result<ReadBack, firsthop_asic::AsicError>),
    Rows(Result<ReadBack, firsthop_asic::AsicError>),
}

/// What goes wrong with a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Fine,
    /// So many copies of the request never arrive.
    LoseRequests(u32),
    /// So many answers never arrive.
    LoseAnswers(u32),
    /// The answer arrives twice, the second time late.
    Double,
    /// The answer arrives after the next copy was sent.
    Late,
    /// The chip refuses it with this status: 1 busy, 8 table full, 0x70 internal error.
    Refuse(u8),
    /// The chip leaves the last record out.
    Short,
}

/// A chip, and the connection to it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) chip: Chip,
    personality: Personality,
    session: Session,
    orders: VecDeque<Order>,
    reading: Option<(bool, Reading)>,
    requests: VecDeque<Vec<u8>>,
    answers: VecDeque<Vec<u8>>,
    /// Answers that arrive at these times.
    late: Vec<(Duration, Vec<u8>)>,
    fates: BTreeMap<u64, Fate>,
    epochs: u32,
}

impl Line {
    pub(super) fn new(personality: &Personality) -> Self {
        let mut chip = Chip::new(personality.clone(), PORTS, CHIP_ID.to_owned(), 1);
        for port in 1..=PORTS {
            chip.link(LocalPort(port), true);
        }
        Self {
            chip,
            personality: personality.clone(),
            session: session(personality, 0),
            orders: VecDeque::new(),
            reading: None,
            requests: VecDeque::new(),
            answers: VecDeque::new(),
            late: Vec::new(),
            fates: BTreeMap::new(),
            epochs: 0,
        }
    }

    /// The connection breaks; of the requests on their way so many still arrive. A new one is there at once.
    pub(super) fn renew(&mut self, now: Duration, chance: &mut Chance) {
        let arriving = chance.below(self.requests.len() as u64 + 1);
        for _ in 0..arriving {
            let frame = self.requests.pop_front().expect("there are as many");
            let _nobody_hears_it = self.chip.emad(Nanos::from(now), &frame);
        }
        self.epochs += 1;
        self.session = session(&self.personality, self.epochs);
        self.orders.clear();
        self.reading = None;
        self.requests.clear();
        self.answers.clear();
        self.late.clear();
        self.fates.clear();
    }

    pub(super) fn order(&mut self, order: Order) {
        self.orders.push_back(order);
    }

    /// Carries orders out as far as it goes without an answer.
    pub(super) fn pump(&mut self, now: Duration) -> Vec<Report> {
        // Changes do not wait for a reading that is under way.
        for order in std::mem::take(&mut self.orders) {
            match order {
                Order::Write(changes) => {
                    for (ticket, change) in changes {
                        self.session.submit(firsthop_asic::Ticket(ticket), change);
                    }
                }
                Order::Scan if self.reading.is_none() => {
                    let rifs = Some(self.personality.rifs);
                    self.reading = Some((true, Reading::start(&mut self.session, rifs, &[])));
                }
                Order::Read(keys) if self.reading.is_none() => {
                    self.reading = Some((false, Reading::start(&mut self.session, None, &keys)));
                }
                later @ (Order::Scan | Order::Read(_)) => self.orders.push_back(later),
            }
        }
        while let Some(frame) = self.session.transmit(now) {
            self.requests.push_back(frame);
        }
        let mut reports = Vec::new();
        while let Some(completion) = self.session.poll() {
            reports.push(Report::Completed(completion));
        }
        while let Some((id, answer)) = self.session.poll_answer() {
            let Some((scan, mut reading)) = self.reading.take() else { continue };
            let report = |found| if scan { Report::Scanned(found) } else { Report::Rows(found) };
            match reading.take(&mut self.session, id, answer) {
                Err(error) => reports.push(report(Err(error))),
                Ok(()) => match reading.poll() {
                    Some(found) => reports.push(report(Ok(found))),
                    None => self.reading = Some((scan, reading)),
                },
            }
        }
        // One that asked for nothing is done at once.
        if let Some((scan, mut reading)) = self.reading.take() {
            match reading.poll() {
                Some(found) if scan => reports.push(Report::Scanned(Ok(found))),
                Some(found) => reports.push(Report::Rows(Ok(found))),
                None => self.reading = Some((scan, reading)),
            }
        }
        reports
    }

    pub(super) fn has_requests(&self) -> bool {
        !self.requests.is_empty()
    }

    pub(super) fn has_answers(&self) -> bool {
        !self.answers.is_empty()
    }

    /// Nothing is under way, and nothing is ordered.
    pub(super) fn is_idle(&self) -> bool {
        self.session.is_idle()
            && self.orders.is_empty()
            && self.reading.is_none()
            && self.requests.is_empty()
            && self.answers.is_empty()
            && self.late.is_empty()
    }

    /// Things in queues.
    pub(super) fn backlog(&self) -> usize {
        self.requests.len() + self.answers.len() + self.late.len() + self.orders.len()
    }

    /// When something happens by time alone.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let late = self.late.iter().map(|(at, _)| *at);
        late.chain(self.session.deadline()).min()
    }

    /// Time went on.
    pub(super) fn expire(&mut self, now: Duration) {
        let (due, late) =
            std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= now);
        self.late = late;
        for (_, frame) in due {
            self.session.receive(&frame, now);
        }
        self.session.expire(now);
    }

    /// The chip takes the next request; of a thousand writes, and of a thousand queries, so many go wrong.
    pub(super) fn execute(
        &mut self,
        now: Duration,
        trouble: [u64; 2],
        chance: &mut Chance,
        tally: &mut Tally,
    ) {
        let Some(bytes) = self.requests.pop_front() else { return };
        let frame = Frame::decode(&bytes).expect("the session sends EMAD frames");
        let tid = frame.operation.tid;
        let writes = frame.operation.method == Method::Write;
        let fate = match self.fates.get(&tid) {
            Some(fate) => *fate,
            None => {
                tally.transactions += u64::from(writes && trouble != [0; 2]);
                tally.executed += u64::from(writes);
                let share = trouble[usize::from(!writes)];
                let fate = if chance.strikes(share) { draw(chance, &frame) } else { Fate::Fine };
                tally.note(fate != Fate::Fine);
                fate
            }
        };
        let left = match fate {
            Fate::LoseRequests(n @ 1..) => {
                self.fates.insert(tid, Fate::LoseRequests(n - 1));
                return;
            }
            Fate::LoseAnswers(n @ 1..) => Fate::LoseAnswers(n - 1),
            Fate::Double | Fate::Late => Fate::Fine,
            other => other,
        };
        self.fates.insert(tid, left);
        let rule = match fate {
            Fate::Refuse(status) => Some(FaultAction::Status(status)),
            Fate::Short => Some(FaultAction::ShortNumRec),
            _ => None,
        };
        if let Some(action) = rule {
            let op = if writes { FaultOp::Write } else { FaultOp::Query };
            let rule = FaultRule {
                register: "*".to_owned(),
                op,
                nth: None,
                share: None,
                seed: 0,
                count: None,
                action,
            };
            self.chip.faults().inject(rule);
        }
        let answer =
            self.chip.emad(Nanos::from(now), &bytes).expect("the session sends EMAD frames");
        self.chip.faults().clear();
        let Some(answer) = answer else { return };
        match fate {
            Fate::LoseAnswers(1..) => {}
            Fate::Double => {
                self.late.push((now + Duration::from_millis(chance.below(900)), answer.clone()));
                self.answers.push_back(answer);
            }
            Fate::Late => {
                self.late.push((now + Duration::from_millis(100 + chance.below(700)), answer));
            }
            _ => self.answers.push_back(answer),
        }
    }

    /// The agent gets the next answer.
    pub(super) fn deliver(&mut self, now: Duration) {
        if let Some(frame) = self.answers.pop_front() {
            self.session.receive(&frame, now);
        }
    }

    /// Changes the chip beside the connection.
    pub(super) fn write_aside(&mut self, now: Duration, changes: Vec<Change>) {
        let mut aside = session(&self.personality, u32::MAX);
        for change in changes {
            aside.submit(firsthop_asic::Ticket(1), change);
        }
        synchronous::settle(&mut aside, &mut { now }, |_, frame| {
            self.chip.emad(Nanos::from(now), frame).expect("the session sends EMAD frames")
        });
    }

    /// What the chip holds, asked beside the connection.
    pub(super) fn look(&mut self, now: Duration, keys: &[Key]) -> Result<ReadBack, String> {
        let mut aside = session(&self.personality, u32::MAX);
        let mut time = now;
        let rifs = Some(self.personality.rifs);
        synchronous::read(&mut aside, &mut time, rifs, keys, |_, frame| {
            self.chip.emad(Nanos::from(now), frame).expect("the session sends EMAD frames")
        })
        .map_err(|error| error.to_string())
    }
}

fn session(personality: &Personality, epoch: u32) -> Session {
    let mut session = Session::new(Settings::default(), epoch);
    session.speak(Dialect {
        ports: PORTS,
        vlan_rif_has_efid: personality.vlan_rif_has_efid,
        lag_members: personality.max_lag_members,
    });
    session
}

fn draw(chance: &mut Chance, frame: &Frame) -> Fate {
    // Six copies: more is a transaction of unknown outcome.
    let copies = [1, 2, 6][usize::try_from(chance.below(3)).expect("below 3")];
    let full = matches!(frame.register(), Ok(Register::Sfd(_)));
    match chance.below(10) {
        0 | 1 => Fate::LoseRequests(copies),
        2 | 3 => Fate::LoseAnswers(copies),
        4 => Fate::Double,
        5 => Fate::Late,
        6 => Fate::Refuse(1),
        7 => Fate::Refuse(8),
        8 if full => Fate::Short,
        _ => Fate::Refuse(0x70),
    }
}
