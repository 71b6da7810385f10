use std::collections::{BTreeMap, BTreeSet};

use emad::Layout as _;
use emad::register::{Ritr, SfdOp, Sfmr};
use firsthop_model::chip::{Entry, Fid, RifIndex};
use firsthop_model::types::Family;
use firsthop_model::{LocalPort, Mac};
use proptest::prelude::*;

use super::*;
use crate::Class;
use crate::spectrum::synchronous::settle;

const START: Duration = Duration::from_secs(100);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn session() -> Session {
    Session::new(Settings::default(), 7)
}

fn fid(fid: u16) -> Entry {
    Entry::Fid { fid: Fid(fid) }
}

fn fid_rif(fid: u16, rif: u16) -> Entry {
    Entry::FidRif { fid: Fid(fid), rif: RifIndex(rif) }
}

fn router_mac(n: u8) -> Entry {
    Entry::RouterMac { fid: Fid(5120), mac: Mac([2, 0, 0, 0, 0, n]) }
}

fn add(entry: Entry) -> Change {
    Change::Add(entry)
}

/// The answer of a chip that takes everything.
fn answer(frame: &[u8], status: Status) -> Vec<u8> {
    let request = Frame::decode(frame).unwrap();
    let operation = request.operation.answer(status);
    Frame::new(operation, request.payload().to_vec()).unwrap().encode()
}

fn tid(frame: &[u8]) -> u64 {
    Frame::decode(frame).unwrap().operation.tid
}

fn transmit_all(session: &mut Session, now: Duration) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| session.transmit(now)).collect()
}

fn outcomes(session: &mut Session) -> BTreeMap<u64, Result<(), Class>> {
    let completions = std::iter::from_fn(|| session.poll());
    completions.map(|c| (c.ticket.0, c.result.map_err(|error| error.class()))).collect()
}

// Broken if a change were reported as done before, or never after, its answer.
#[test]
fn answer_completes_its_change() {
    let mut session = session();
    session.submit(Ticket(1), add(fid(1)));
    let frame = session.transmit(START).unwrap();
    assert_eq!(session.poll(), None);
    assert_eq!(session.in_flight(), 1);
    session.receive(&answer(&frame, Status::Ok), START);
    assert_eq!(session.poll(), Some(Completion { ticket: Ticket(1), result: Ok(()) }));
    assert_eq!((session.in_flight(), session.is_idle()), (0, true));
    assert_eq!(session.deadline(), None);
}

// Broken if transaction ids were not unique, or did not carry the session's high half.
#[test]
fn transaction_ids_tell_sessions_and_transactions_apart() {
    let mut session = session();
    session.next_tid |= 0xffff_ffff;
    for n in 0..3 {
        session.submit(Ticket(n), add(fid(u16::try_from(n + 1).unwrap())));
    }
    let tids: Vec<u64> = transmit_all(&mut session, START).iter().map(|frame| tid(frame)).collect();
    assert_eq!(tids, [0x7_ffff_ffff, 0x7_0000_0000, 0x7_0000_0001]);
}

// Broken if more transactions were under way than the chip is to be burdened with, or fewer than it could take.
#[test]
fn window_bounds_what_is_under_way() {
    let mut session = Session::new(Settings { window: 3, ..Settings::default() }, 0);
    for n in 0..5 {
        session.submit(Ticket(n), add(fid(u16::try_from(n + 1).unwrap())));
    }
    let frames = transmit_all(&mut session, START);
    assert_eq!(frames.len(), 3);
    session.receive(&answer(&frames[1], Status::Ok), START);
    assert_eq!(transmit_all(&mut session, START).len(), 1);
}

// Broken if a FID's router interface were written while the FID itself was still being written: both are one entry.
#[test]
fn rows_of_one_register_entry_wait_for_each_other() {
    let mut session = session();
    session.submit(Ticket(1), add(fid(1)));
    session.submit(Ticket(2), add(fid_rif(1, 0)));
    session.submit(Ticket(3), add(fid(2)));
    let frames = transmit_all(&mut session, START);
    assert_eq!(frames.len(), 2);
    session.receive(&answer(&frames[1], Status::Ok), START);
    assert_eq!(transmit_all(&mut session, START).len(), 0);
    session.receive(&answer(&frames[0], Status::Ok), START);
    let frames = transmit_all(&mut session, START);
    assert_eq!(frames.len(), 1);
    let Register::Sfmr(sfmr) = Frame::decode(&frames[0]).unwrap().register().unwrap() else {
        panic!()
    };
    assert_eq!((sfmr.fid, sfmr.irif_v), (1, true));
}

// Broken if a LAG's descriptor or a port's collector were written twice at a time, or the ports of a flood vector, whose masks
// keep them apart, waited for each other.
#[test]
fn lag_is_one_entry_and_flood_vector_is_many() {
    use firsthop_model::chip::{FloodClass, FloodTo, LagId};
    let (lag, class) = (LagId(0), FloodClass::Unicast);
    let port = |n| LocalPort(n);
    let flood = |n| Entry::FloodPort { fid: Fid(1), class, to: FloodTo::Port(port(n)) };
    for (entries, together) in [
        ([Entry::Lag { lag }, Entry::LagPort { lag, port: port(1) }], false),
        ([1, 2].map(|n| Entry::LagPort { lag, port: port(n) }), false),
        (
            [
                Entry::LagCollector { port: port(1), lag },
                Entry::LagCollecting { port: port(1), lag },
            ],
            false,
        ),
        ([1, 2].map(|n| Entry::LagCollector { port: port(n), lag }), true),
        ([1, 2].map(flood), true),
    ] {
        let mut session = session();
        session.speak(Dialect { ports: 2, ..Dialect::default() });
        for (n, entry) in (0..).zip(entries.clone()) {
            session.submit(Ticket(n), add(entry));
        }
        let under_way = transmit_all(&mut session, START).len();
        assert_eq!(under_way, if together { 2 } else { 1 }, "{entries:?}");
    }
}

// Broken if a lost frame were not sent again, at other times than the driver's, under another id, or for ever.
#[test]
fn unanswered_change_is_repeated_and_then_unknown() {
    let mut session = session();
    session.submit(Ticket(1), add(fid(1)));
    session.submit(Ticket(2), add(fid_rif(1, 0)));
    let first = session.transmit(START).unwrap();
    let mut now = START;
    for wait in [200, 400, 800, 1600, 3200] {
        session.expire(now + ms(wait - 1));
        assert_eq!(session.transmit(now + ms(wait - 1)), None);
        now += ms(wait);
        assert_eq!(session.deadline(), Some(now));
        session.expire(now);
        assert_eq!(session.transmit(now).as_ref(), Some(&first));
    }
    assert_eq!(session.poll(), None);
    now += ms(6400);
    session.expire(now);
    let Some(Completion { ticket: Ticket(1), result: Err(error) }) = session.poll() else {
        panic!()
    };
    assert_eq!(error.class(), Class::Unknown);
    let transaction = error.transaction().unwrap();
    assert_eq!((transaction.register, transaction.tid), ("sfmr", tid(&first)));
    assert_eq!(transaction.subject, Subject::Write(add(fid(1))));
    assert!(matches!(error, AsicError::Timeout { attempts: 6, .. }));
    // The row is free again.
    assert!(session.transmit(now).is_some());
}

// Broken if the answer to an earlier copy did not count, or the answer to a later copy were taken for something else.
#[test]
fn late_copies_are_ignored() {
    let mut session = session();
    session.submit(Ticket(1), add(fid(1)));
    let first = session.transmit(START).unwrap();
    session.expire(START + ms(200));
    let second = session.transmit(START + ms(200)).unwrap();
    session.submit(Ticket(2), add(fid(1)));
    session.receive(&answer(&first, Status::Ok), START + ms(300));
    assert_eq!(outcomes(&mut session), BTreeMap::from([(1, Ok(()))]));
    let third = session.transmit(START + ms(300)).unwrap();
    session.receive(&answer(&second, Status::InternalError), START + ms(301));
    assert_eq!(session.strays(), Strays { malformed: 0, late: 1 });
    assert_eq!(outcomes(&mut session), BTreeMap::new());
    session.receive(&answer(&third, Status::Ok), START + ms(302));
    assert_eq!(outcomes(&mut session), BTreeMap::from([(2, Ok(()))]));
}

// Broken if an answer for another register, another method, or a request were taken for the answer.
#[test]
fn answer_has_to_fit_its_request() {
    let mut session = session();
    session.submit(Ticket(1), add(fid(1)));
    let frame = session.transmit(START).unwrap();
    let mut others = vec![frame.clone()];
    let operation = Frame::decode(&frame).unwrap().operation.answer(Status::Ok);
    for operation in [
        Operation { register_id: Ritr::ID, ..operation },
        Operation { method: Method::Query, ..operation },
    ] {
        others.push(Frame::new(operation, vec![0; Ritr::LEN]).unwrap().encode());
    }
    for other in others {
        session.receive(&other, START);
    }
    assert_eq!((session.strays().malformed, session.poll()), (3, None));
    session.receive(&answer(&frame, Status::Ok), START);
    assert!(session.poll().is_some());
}

// Broken if a busy chip were hammered at once, given up early, or its refusal called unknown.
#[test]
fn busy_chip_is_asked_again_after_a_pause() {
    let mut session = session();
    session.submit(Ticket(1), add(fid(1)));
    let mut now = START;
    for pause in [1, 2, 4, 8, 16] {
        let frame = session.transmit(now).unwrap();
        session.receive(&answer(&frame, Status::Busy), now);
        assert_eq!(session.transmit(now), None);
        now += ms(pause);
        assert_eq!(session.deadline(), Some(now));
    }
    let frame = session.transmit(now).unwrap();
    session.receive(&answer(&frame, Status::Busy), now);
    assert_eq!(outcomes(&mut session), BTreeMap::from([(1, Err(Class::Transient))]));
}

// Broken if a chip that becomes free after a while lost the change, or did it twice.
#[test]
fn busy_chip_that_becomes_free_does_it() {
    let mut session = session();
    session.submit(Ticket(1), add(fid(1)));
    let (mut now, mut busy, mut done) = (START, 3, 0);
    settle(&mut session, &mut now, |_, frame| {
        if busy > 0 {
            busy -= 1;
            return Some(answer(frame, Status::MessageReceiptAck));
        }
        done += 1;
        Some(answer(frame, Status::Ok))
    });
    assert_eq!((done, outcomes(&mut session)), (1, BTreeMap::from([(1, Ok(()))])));
}

// Broken if the refusal of a copy were believed though an earlier copy may have done it, or a look at the row were not.
#[test]
fn refusal_of_a_copy_is_checked() {
    let unreadable = Entry::LpmTree { family: Family::Ipv4 };
    for (entry, there, expected) in [
        (fid(1), true, Ok(())),
        (fid(1), false, Err(Class::Rejected)),
        (unreadable, true, Err(Class::Unknown)),
    ] {
        let mut session = session();
        session.submit(Ticket(1), add(entry));
        let mut writes = 0;
        settle(&mut session, &mut START.clone(), |_, frame| {
            let request = Frame::decode(frame).unwrap();
            if request.operation.method == Method::Write {
                writes += 1;
                return (writes > 1).then(|| answer(frame, Status::BadParameter));
            }
            let sfmr = Sfmr { fid: 1, fid_offset: there.into(), ..Sfmr::default() };
            Some(request.answer(&sfmr).encode())
        });
        assert_eq!((writes, outcomes(&mut session)), (2, [(1, expected)].into()));
    }
}

// Broken if a refused batch were believed to have left out every record.
#[test]
fn refusal_of_a_batch_is_checked_by_record() {
    let mut session = session();
    let mut chip = Small { macs: BTreeSet::from([1]), room: 2, frames: 0 };
    for n in 0..3 {
        session.submit(Ticket(n.into()), add(router_mac(n)));
    }
    settle(&mut session, &mut START.clone(), |_, frame| {
        let write = Frame::decode(frame).unwrap().operation.method == Method::Write;
        let refused = answer(frame, Status::InternalError);
        Some(if write { refused } else { chip.exchange(frame) })
    });
    let unknown = Err(Class::Unknown);
    assert_eq!(outcomes(&mut session), [(0, unknown), (1, Ok(())), (2, unknown)].into());
}

// Broken if a broken connection left changes without an outcome, or told "not done" of what may be done.
#[test]
fn lost_connection_ends_everything() {
    let mut session = Session::new(Settings { window: 1, ..Settings::default() }, 0);
    session.submit(Ticket(1), add(fid(1)));
    session.submit(Ticket(2), add(fid(1)));
    session.submit(Ticket(3), add(fid(2)));
    let query = session.query(Subject::Dump, registers::query_router_macs(0));
    session.transmit(START).unwrap();
    session.lose();
    let expected = [(1, Class::Unknown), (2, Class::Gone), (3, Class::Gone)];
    assert_eq!(outcomes(&mut session), expected.map(|(n, class)| (n, Err(class))).into());
    let (id, result) = session.poll_answer().unwrap();
    assert_eq!((id, result.map_err(|error| error.class())), (query, Err(Class::Gone)));
    assert!(session.is_idle());
    assert!(session.lanes.is_empty());
}

/// The records of an SFD frame, by last octet of their MAC, and the operation.
fn records(frame: &[u8]) -> (SfdOp, Vec<u8>) {
    let Register::Sfd(sfd) = Frame::decode(frame).unwrap().register().unwrap() else { panic!() };
    (sfd.op, sfd.records.iter().map(|record| record.mac.0[5]).collect())
}

// Broken if a failover of many virtual routers cost a transaction for each MAC, or additions overtook removals.
#[test]
fn router_macs_travel_together() {
    let mut session = session();
    for n in 0..70 {
        session.submit(Ticket(n.into()), add(router_mac(n)));
    }
    session.submit(Ticket(70), Change::Remove(router_mac(100)));
    session.submit(Ticket(71), add(router_mac(101)));
    let frames = transmit_all(&mut session, START);
    let batches: Vec<_> = frames.iter().map(|frame| records(frame)).collect();
    assert_eq!(
        batches,
        [
            (SfdOp::WRITE_EDIT, (0..64).collect()),
            (SfdOp::WRITE_EDIT, (64..70).collect()),
            (SfdOp::WRITE_REMOVE, vec![100]),
            (SfdOp::WRITE_EDIT, vec![101]),
        ]
    );
    for frame in frames {
        session.receive(&answer(&frame, Status::Ok), START);
    }
    assert_eq!(outcomes(&mut session).len(), 72);
}

/// A chip with room for so many router MACs.
struct Small {
    macs: BTreeSet<u8>,
    room: usize,
    frames: usize,
}

impl Small {
    fn exchange(&mut self, frame: &[u8]) -> Vec<u8> {
        self.frames += 1;
        let request = Frame::decode(frame).unwrap();
        let Register::Sfd(mut sfd) = request.register().unwrap() else { panic!() };
        let write = request.operation.method == Method::Write;
        let op = sfd.op;
        sfd.records.retain(|record| {
            let mac = record.mac.0[5];
            match (write, op) {
                (true, SfdOp::WRITE_REMOVE) => self.macs.remove(&mac),
                (true, _) if self.macs.len() < self.room => {
                    self.macs.insert(mac);
                    true
                }
                (_, _) => self.macs.contains(&mac),
            }
        });
        sfd.num_rec = u8::try_from(sfd.records.len()).unwrap();
        request.answer(&sfd).encode()
    }
}

// Broken if a full table made a whole batch fail, or let the MACs that did not fit pass for programmed.
#[test]
fn short_write_is_told_apart_by_record() {
    let mut session = session();
    let mut chip = Small { macs: BTreeSet::new(), room: 2, frames: 0 };
    for n in 0..4 {
        session.submit(Ticket(n.into()), add(router_mac(n)));
    }
    settle(&mut session, &mut START.clone(), |_, frame| Some(chip.exchange(frame)));
    let full = Err(Class::Capacity);
    assert_eq!(outcomes(&mut session), [(0, Ok(())), (1, Ok(())), (2, full), (3, full)].into());
    assert_eq!(chip.frames, 5);
}

// Broken if the removal of an absent MAC were a failure that is retried for ever.
#[test]
fn removal_of_what_is_absent_succeeds() {
    let mut session = session();
    let mut chip = Small { macs: BTreeSet::from([1]), room: 2, frames: 0 };
    for n in 0..2 {
        session.submit(Ticket(n.into()), Change::Remove(router_mac(n)));
    }
    settle(&mut session, &mut START.clone(), |_, frame| Some(chip.exchange(frame)));
    assert_eq!(outcomes(&mut session), [(0, Ok(())), (1, Ok(()))].into());
    assert!(chip.macs.is_empty());
}

// Broken if a chip that neither did it nor lets look were believed either way.
#[test]
fn short_write_that_cannot_be_checked_is_unknown() {
    let mut session = session();
    session.submit(Ticket(0), add(router_mac(0)));
    let mut chip = Small { macs: BTreeSet::new(), room: 0, frames: 0 };
    settle(&mut session, &mut START.clone(), |_, frame| {
        let query = Frame::decode(frame).unwrap().operation.method == Method::Query;
        Some(if query { answer(frame, Status::InternalError) } else { chip.exchange(frame) })
    });
    assert_eq!(outcomes(&mut session), [(0, Err(Class::Unknown))].into());
}

// Broken if a question were answered from before the change that was submitted first.
#[test]
fn question_waits_for_the_changes_of_its_row() {
    let mut session = session();
    session.submit(Ticket(1), add(fid(1)));
    let key = Key::FidRif(Fid(1));
    let id = session.query(Subject::Read(key.clone()), registers::query(&key).unwrap());
    let write = session.transmit(START).unwrap();
    assert_eq!(session.transmit(START), None);
    session.receive(&answer(&write, Status::Ok), START);
    let query = session.transmit(START).unwrap();
    assert_eq!(Frame::decode(&query).unwrap().operation.method, Method::Query);
    session.receive(&answer(&query, Status::Ok), START);
    assert_eq!(session.poll_answer().map(|(id, result)| (id, result.is_ok())), Some((id, true)));
    assert!(session.lanes.is_empty());
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A change of that row.
    Submit(u16),
    /// The n-th frame on its way is answered.
    Answer(usize, Status),
    /// It is lost.
    Drop(usize),
    /// It stays on its way, though answered.
    Duplicate(usize),
    /// Milliseconds pass.
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let status = prop_oneof![
        4 => Just(Status::Ok),
        1 => Just(Status::Busy),
        1 => Just(Status::BadParameter),
    ];
    prop_oneof![
        4 => (1_u16..5).prop_map(Step::Submit),
        4 => (any::<usize>(), status).prop_map(|(n, status)| Step::Answer(n, status)),
        1 => any::<usize>().prop_map(Step::Drop),
        1 => any::<usize>().prop_map(Step::Duplicate),
        1 => (0_u64..500).prop_map(Step::Wait),
    ]
}

proptest! {
    // Broken if two writes of one register entry were ever under way together, if they overtook each other, if the
    // window were exceeded, or if a change had no outcome or two.
    #[test]
    fn rows_are_written_one_at_a_time_and_in_order(steps in prop::collection::vec(step(), 0..120)) {
        let mut session = Session::new(Settings { window: 3, ..Settings::default() }, 0);
        let mut now = START;
        let mut wire: Vec<Vec<u8>> = Vec::new();
        let mut submitted = 0_u64;
        let mut completed = BTreeSet::new();
        // By row: the tickets in order, told by the router interface that each one writes.
        let mut last: BTreeMap<u16, u16> = BTreeMap::new();
        let drain = steps.iter().copied().chain(std::iter::repeat_n(Step::Wait(20_000), 2000));
        for step in drain {
            match step {
                Step::Submit(row) => {
                    let rif = u16::try_from(submitted).unwrap();
                    session.submit(Ticket(submitted), add(fid_rif(row, rif)));
                    submitted += 1;
                }
                Step::Answer(n, status) if !wire.is_empty() => {
                    let frame = wire.remove(n % wire.len());
                    session.receive(&answer(&frame, status), now);
                }
                Step::Duplicate(n) if !wire.is_empty() => {
                    let frame = wire[n % wire.len()].clone();
                    session.receive(&answer(&frame, Status::Ok), now);
                }
                Step::Drop(n) if !wire.is_empty() => drop(wire.remove(n % wire.len())),
                Step::Wait(time) => {
                    now += ms(time);
                    session.expire(now);
                }
                _ => {}
            }
            while let Some(frame) = session.transmit(now) {
                let Ok(Register::Sfmr(sfmr)) = Frame::decode(&frame).unwrap().register() else { panic!() };
                if Frame::decode(&frame).unwrap().operation.method == Method::Write {
                    let before = last.insert(sfmr.fid, sfmr.irif);
                    prop_assert!(before.is_none_or(|before| before <= sfmr.irif), "overtaken");
                }
                wire.push(frame);
            }
            prop_assert!(session.flights.len() <= 3);
            let rows: Vec<Key> = session.flights.values()
                .flat_map(|flight| &flight.tasks)
                .map(|(_, task)| match task {
                    Task::Write { change, .. } | Task::Verify { change, .. } => registers::lane(&change.key()),
                    Task::Query { .. } | Task::Notices { .. } => panic!(),
                })
                .collect();
            prop_assert_eq!(rows.iter().collect::<BTreeSet<_>>().len(), rows.len(), "two on one row");
            while let Some(completion) = session.poll() {
                prop_assert!(completed.insert(completion.ticket));
            }
            if submitted == completed.len() as u64 && matches!(step, Step::Wait(20_000)) {
                break;
            }
        }
        prop_assert_eq!(completed.len() as u64, submitted);
        prop_assert!(session.is_idle() && session.lanes.is_empty() && session.in_flight() == 0);
    }

    // Broken if anything that a socket can bring were a panic, or completed a change.
    #[test]
    fn noise_is_counted_and_dropped(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut session = session();
        session.submit(Ticket(1), add(fid(1)));
        session.transmit(START).unwrap();
        session.receive(&noise, START);
        prop_assert_eq!((session.strays().malformed, session.poll()), (1, None));
    }

    // Broken if an answer with any payload, status or cut could make the session panic.
    #[test]
    fn damaged_answers_do_not_panic(
        bits in prop::collection::vec((any::<usize>(), any::<u8>()), 0..8), length in any::<usize>(), which in 0_usize..3,
    ) {
        let mut session = session();
        session.submit(Ticket(1), add(router_mac(1)));
        session.submit(Ticket(2), Change::Remove(fid(1)));
        let key = Key::Rif(RifIndex(1));
        session.query(Subject::Read(key.clone()), registers::query(&key).unwrap());
        let frames = transmit_all(&mut session, START);
        let mut bytes = answer(&frames[which], Status::Ok);
        let at = bytes.len();
        for (place, value) in bits {
            bytes[place % at] = value;
        }
        bytes.truncate(at - length % 8);
        session.receive(&bytes, START);
        transmit_all(&mut session, START);
        session.lose();
        prop_assert!(session.is_idle());
    }
}

/// The answer of a chip that learnt so many MACs.
fn told(frame: &[u8], learnt: usize) -> Vec<u8> {
    let event = emad::register::SfnEvent::LearnedMac { sub_port: 0, system_port: 1 };
    let record = emad::register::SfnRecord { swid: 0, mac: emad::Mac::ZERO, fid: 1, event };
    let sfn = emad::register::Sfn::answer(vec![record; learnt]);
    Frame::decode(frame).unwrap().answer(&sfn).encode()
}

fn is_sfn(frame: &[u8]) -> bool {
    Frame::decode(frame).unwrap().operation.register_id == emad::register::Sfn::ID
}

// Broken if a question for notices delayed a change that could be sent, took the window beyond its size, or was never sent.
#[test]
fn notices_give_way_to_changes() {
    let mut session = Session::new(Settings { window: 2, ..Settings::default() }, 0);
    session.ask_notices();
    for n in 0..3 {
        session.submit(Ticket(n), add(fid(u16::try_from(n + 1).unwrap())));
    }
    let frames = transmit_all(&mut session, START);
    assert_eq!(frames.iter().map(|frame| is_sfn(frame)).collect::<Vec<_>>(), [false, false]);
    session.receive(&answer(&frames[0], Status::Ok), START);
    assert!(!is_sfn(&session.transmit(START).unwrap()));
    session.receive(&answer(&frames[1], Status::Ok), START);
    let frames = transmit_all(&mut session, START);
    assert!(frames.len() == 1 && is_sfn(&frames[0]));
    assert_eq!(session.poll_notices(), None);
    session.receive(&told(&frames[0], 3), START);
    let notices = session.poll_notices().unwrap().unwrap();
    assert_eq!((notices.list.len(), notices.more, notices.lost), (3, false, false));
    assert_eq!(session.poll_notices(), None);
    assert_eq!(outcomes(&mut session).len(), 2);
}

// Broken if two questions were under way at once, of which the later's answer may overtake the earlier's, or if an answer that
// nobody took yet were replaced by the next.
#[test]
fn one_question_for_notices_at_a_time() {
    let mut session = session();
    session.ask_notices();
    session.ask_notices();
    let frames = transmit_all(&mut session, START);
    assert_eq!(frames.len(), 1);
    session.ask_notices();
    assert_eq!(session.transmit(START), None);
    session.receive(&told(&frames[0], 64), START);
    session.ask_notices();
    assert_eq!(session.transmit(START), None);
    let notices = session.poll_notices().unwrap().unwrap();
    assert_eq!((notices.list.len(), notices.more), (64, true));
    session.ask_notices();
    assert_eq!(transmit_all(&mut session, START).len(), 1);
}

// Broken if a lost connection left the question open, so that no other could ever be asked.
#[test]
fn question_for_notices_ends_with_the_connection() {
    for sent in [false, true] {
        let mut session = session();
        session.ask_notices();
        assert!(!session.is_idle());
        assert!(!sent || session.transmit(START).is_some());
        session.lose();
        let error = session.poll_notices().unwrap().unwrap_err();
        assert_eq!(error.class(), Class::Gone);
        assert!(session.is_idle());
        session.ask_notices();
        assert!(session.transmit(START).is_some());
    }
}
