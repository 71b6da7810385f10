//! The session with the chip: what is asked and answered is recorded with a simulated chip, and done again with the recording, so
//! that the chip's own work is not counted.

use std::time::Duration;

use firsthop_asic::Ticket;
use firsthop_asic::spectrum::registers::Dialect;
use firsthop_asic::spectrum::session::{Session, Settings};
use firsthop_asic::spectrum::synchronous;
use firsthop_model::chip::Change;
use hwsim::chip::{Chip, LocalPort, Nanos, Personality};

use crate::kernel::{CHIP_ID, PORTS};

/// What the chip answers when these changes are made.
pub(crate) fn record(personality: &Personality, changes: Vec<Change>) -> Vec<Vec<u8>> {
    let mut chip = Chip::new(personality.clone(), PORTS, CHIP_ID.to_owned(), 1);
    (1..=PORTS).for_each(|port| chip.link(LocalPort(port), true));
    let mut answers = Vec::new();
    submit(personality, changes, |now, frame| {
        let answer = chip.emad(Nanos::from(now), frame).expect("an EMAD frame").expect("no faults");
        answers.push(answer.clone());
        answer
    });
    answers
}

/// The same with the answers that were recorded.
pub(crate) fn replay(personality: &Personality, changes: Vec<Change>, answers: &[Vec<u8>]) {
    let mut answers = answers.iter();
    submit(personality, changes, |_, _| answers.next().expect("as many as before").clone());
}

fn submit(
    personality: &Personality,
    changes: Vec<Change>,
    mut exchange: impl FnMut(Duration, &[u8]) -> Vec<u8>,
) {
    let mut session = Session::new(Settings::default(), 7);
    session.speak(Dialect {
        ports: PORTS,
        vlan_rif_has_efid: personality.vlan_rif_has_efid,
        lag_members: personality.max_lag_members,
    });
    for (number, change) in (0..).zip(changes) {
        session.submit(Ticket(number), change);
    }
    let mut now = Duration::ZERO;
    synchronous::settle(&mut session, &mut now, |now, frame| Some(exchange(now, frame)));
    while let Some(completion) = session.poll() {
        completion.result.expect("the chip takes it");
    }
    assert_eq!(session.in_flight(), 0, "each change has an outcome");
}
