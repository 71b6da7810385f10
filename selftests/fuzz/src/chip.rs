//! What the simulated chip is told: register accesses, well-formed and not, with frames, carriers and time between them.
//!
//! Input: which personality, then steps. A request that can be read is answered by a frame that can be read, about the same
//! transaction, unless a fault swallows it; a register in it decodes to what was encoded. A write that was done can be done again.

use emad::register::REGISTERS;
use emad::{Frame, Method, Operation, Register, Status};
use hwsim::chip::{Chip, LocalPort, Nanos, Output, Personality};

use crate::input::Input;

/// Front-panel ports.
const PORTS: u16 = 4;
/// Steps of one input.
const STEPS: usize = 64;

/// The target.
pub fn run(data: &[u8]) {
    let mut input = Input(data);
    let name = input.pick(&["tiny", "spectrum1", "spectrum2"]);
    let personality = Personality::load(name).expect("it is built in");
    let mut chip = Chip::new(personality, PORTS, "fuzz".into(), 1);
    let mut bench = Bench { now: 0, tid: 0, faults: false };
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        bench.step(&mut chip, &mut input);
    }
    // These cost more than all accesses.
    if data.len().is_multiple_of(16) {
        serde_json::to_string(&chip.dump()).expect("a dump is plain data");
        serde_json::to_string(&chip.counters()).expect("counters are plain data");
        chip.reset(2);
        assert!(chip.dump().rifs.iter().all(|rif| !rif.enabled), "a reset leaves nothing");
    }
}

/// What is outside the chip.
struct Bench {
    now: u64,
    tid: u64,
    faults: bool,
}

impl Bench {
    fn step(&mut self, chip: &mut Chip, input: &mut Input<'_>) {
        match input.byte() % 8 {
            0 => self.exchange(chip, input.chunk()),
            kind @ 1..=4 => {
                let (_, id, length) = input.pick(REGISTERS);
                let method = if kind == 1 { Method::Query } else { Method::Write };
                let mut payload = input.chunk().to_vec();
                payload.resize(length, 0);
                self.tid += 1;
                let operation = Operation::request(id, method, self.tid);
                let frame = Frame::new(operation, payload).expect("every register fits a frame");
                self.exchange(chip, &frame.encode());
            }
            5 => {
                let port = LocalPort(u16::from(input.byte() % 8));
                let mut out: Vec<Output> = Vec::new();
                let frame = input.chunk();
                drop(chip.trace(Nanos(self.now), port, frame));
                chip.receive(Nanos(self.now), port, frame, &mut out);
            }
            6 => {
                let word = input.word();
                self.now = self.now.saturating_add(u64::from(word) * 10_000_000);
                chip.link(LocalPort(word % 8), word & 8 == 0);
            }
            _ => {
                if let Ok(rule) = serde_json::from_slice(input.chunk()) {
                    chip.faults().inject(rule);
                    self.faults = true;
                }
            }
        }
    }

    fn exchange(&self, chip: &mut Chip, request: &[u8]) {
        let Ok(asked) = Operation::peek(request) else {
            assert!(chip.emad(Nanos(self.now), request).is_err());
            return;
        };
        let answer = chip.emad(Nanos(self.now), request).expect("its operation can be read");
        let Some(answer) = answer else {
            assert!(self.faults, "an answer is missing");
            return;
        };
        let status = check(&asked, &answer);
        let is_write = asked.method == Method::Write;
        if !is_write || status != Status::Ok || self.faults {
            return;
        }
        let register = Frame::decode(request).expect("it was executed").register();
        if matches!(register, Ok(Register::Ralue(_))) {
            return;
        }
        let again = chip.emad(Nanos(self.now), request).expect("as before").expect("no faults");
        assert_eq!(check(&asked, &again), Status::Ok, "a repeated write is refused: {register:?}");
    }
}

fn check(asked: &Operation, answer: &[u8]) -> Status {
    let frame = Frame::decode(answer).expect("an answer decodes");
    let operation = &frame.operation;
    assert!(operation.response);
    assert_eq!((operation.tid, operation.register_id), (asked.tid, asked.register_id));
    assert_eq!(Frame::decode(&frame.encode()).as_ref(), Ok(&frame));
    if operation.status == Status::Ok {
        let register = frame.register().expect("an answer has a register");
        let again = Register::decode(register.id(), &register.encode());
        assert_eq!(again.as_ref(), Ok(&register), "encoding loses something");
    }
    operation.status
}
