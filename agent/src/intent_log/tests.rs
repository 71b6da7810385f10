use firsthop_model::applied::Applied;
use firsthop_model::chip::{Fid, PortOrLag, Rif, RifIndex, RifKind, Vid, VrId};
use firsthop_model::types::Family;
use firsthop_model::{LocalPort, Mac};

use super::*;

fn tree(vr: u16) -> Entry {
    Entry::VrTree { vr: VrId(vr), family: Family::Ipv4 }
}

fn pvid(vid: u16) -> Entry {
    Entry::PortPvid { port: LocalPort(1), vid: Vid(vid) }
}

fn acknowledged(entry: Entry) -> Logged {
    Logged { acknowledged: Some(entry), doubtful: None }
}

/// The file, as it is after each flush.
#[derive(Default)]
struct Text(Option<String>);

impl Text {
    fn open(&mut self) -> IntentLog {
        let mut log = IntentLog::open(self.0.as_deref(), "0", 7);
        self.flush(&mut log);
        log
    }

    fn flush(&mut self, log: &mut IntentLog) {
        match log.flush() {
            Some(LogStep::Replace(text)) => self.0 = Some(text),
            Some(LogStep::Append(text)) => self.0.as_mut().unwrap().push_str(&text),
            None => {}
        }
    }

    fn len(&self) -> usize {
        self.0.as_ref().unwrap().len()
    }
}

fn rows(log: &IntentLog) -> Vec<(Key, Logged)> {
    log.rows().map(|(key, row)| (key.clone(), row.clone())).collect()
}

// Broken if a restarted daemon did not know what its predecessor had written and the chip had acknowledged.
#[test]
fn a_successor_knows_what_was_acknowledged() {
    let mut file = Text::default();
    let mut log = file.open();
    log.announce(1, &Change::Add(tree(0)));
    log.announce(2, &Change::Add(tree(1)));
    log.announce(3, &Change::Add(pvid(4095)));
    file.flush(&mut log);
    log.acknowledge(1);
    log.acknowledge(2);
    log.withdraw(3);
    file.flush(&mut log);
    log.announce(4, &Change::Remove(tree(1)));
    file.flush(&mut log);
    let successor = file.open();
    let doubtful = Logged { acknowledged: Some(tree(1)), doubtful: Some(tree(1)) };
    let expected = vec![(tree(0).key(), acknowledged(tree(0))), (tree(1).key(), doubtful)];
    assert_eq!(rows(&successor), expected);
    // And once more, from the compact file that the successor wrote.
    assert_eq!(rows(&file.open()), expected);
}

// Broken if a change were sent before the file said so, or each line cost a system call.
#[test]
fn lines_reach_the_file_at_the_flush() {
    let mut file = Text::default();
    let mut log = file.open();
    let before = file.len();
    log.announce(1, &Change::Add(tree(0)));
    file.flush(&mut log);
    assert!(file.len() > before);
    assert_eq!(log.flush(), None);
}

// Broken if rows that a scan finds filled the log.
#[test]
fn enumerable_rows_are_not_logged() {
    let mut file = Text::default();
    let mut log = file.open();
    let rif = Rif {
        rif: RifIndex(0),
        enabled: true,
        kind: RifKind::Subport { at: PortOrLag::Port(LocalPort(1)), fid: Fid(5120) },
        vr: VrId(0),
        mtu: 1500,
        mac: Mac([2, 0, 0, 0, 0, 1]),
        mac_profile: firsthop_model::chip::MacProfile(0),
        vrrp_ipv4: None,
        vrrp_ipv6: None,
    };
    log.announce(1, &Change::Add(Entry::Rif(rif.clone())));
    log.announce(2, &Change::Add(Entry::RouterMac { fid: Fid(5120), mac: rif.mac }));
    assert_eq!(rows(&log), []);
    let entries = [Entry::Rif(rif), tree(3)].map(|entry| (entry.key(), entry));
    log.restart(&Applied::from_tables(entries.into()));
    assert_eq!(rows(&log), [(tree(3).key(), acknowledged(tree(3)))]);
}

// Broken if what may be in the chip, or not, were taken for certain by the next daemon, or forgotten by it; or if the change that makes
// an end of it made the file useless.
#[test]
fn what_is_presumed_stays_in_doubt() {
    let mut file = Text::default();
    let mut log = file.open();
    let mut applied = Applied::default();
    applied.presume(tree(0));
    log.restart(&applied);
    log.announce(0, &Change::Add(tree(1)));
    log.acknowledge(0);
    file.flush(&mut log);
    let doubtful = Logged { acknowledged: None, doubtful: Some(tree(0)) };
    let first = (tree(0).key(), doubtful);
    assert_eq!(rows(&file.open()), [first.clone(), (tree(1).key(), acknowledged(tree(1)))]);
    log.announce(1, &Change::Add(tree(0)));
    file.flush(&mut log);
    assert_eq!(rows(&file.open())[0], first);
    log.acknowledge(1);
    file.flush(&mut log);
    assert_eq!(rows(&file.open())[0], (tree(0).key(), acknowledged(tree(0))));
}

// Broken if the log of another chip were believed; or that of one that was reset since, or its rows forgotten, as some may have been
// written after the reset.
#[test]
fn another_chip_is_ignored_and_another_generation_doubted() {
    let mut file = Text::default();
    let mut log = file.open();
    log.announce(1, &Change::Add(tree(0)));
    log.acknowledge(1);
    file.flush(&mut log);
    let text = file.0.clone();
    let reopened = |chip, generation| rows(&IntentLog::open(text.as_deref(), chip, generation));
    assert_eq!(reopened("0", 7).len(), 1);
    let doubtful = Logged { acknowledged: None, doubtful: Some(tree(0)) };
    assert_eq!(reopened("0", 8), [(tree(0).key(), doubtful.clone())]);
    let mut after = IntentLog::open(file.0.as_deref(), "0", 8);
    file.flush(&mut after);
    assert_eq!(rows(&IntentLog::open(file.0.as_deref(), "0", 8)), [(tree(0).key(), doubtful)]);
    assert_eq!(reopened("1", 7), []);
}

// Broken if a file that a crash cut, or that is garbage, were half believed or stopped the daemon.
#[test]
fn cut_and_garbled_files() {
    let mut file = Text::default();
    let header = "{\"chip\":\"0\",\"generation\":7}\n";
    let line = serde_json::to_string(&Line::Write { write: Step { ticket: 1, entry: tree(0) } });
    let line = line.unwrap();
    for (text, known) in [
        (format!("{header}{line}\n{{\"done\":[1]}}\n"), true),
        (format!("{header}{line}\n{{\"done\":[1]}}\n{{\"wri"), true),
        (format!("{header}{line}\n{{\"done\":[1]}}\nnonsense\n"), false),
        (format!("{line}\n{{\"done\":[1]}}\n"), false),
        (format!("{header}{header}{line}\n{{\"done\":[1]}}\n"), false),
        ("\u{0}\u{0}".to_owned(), false),
        (String::new(), false),
    ] {
        file.0 = Some(text.clone());
        let log = file.open();
        assert_eq!(log.get(&tree(0).key()).is_some(), known, "{text:?}");
    }
}

// Broken if the file grew without end under churn, or compaction lost a change under way.
#[test]
fn churn_does_not_fill_the_memory() {
    let mut file = Text::default();
    let mut log = file.open();
    for ticket in 0..20_000 {
        log.announce(ticket, &Change::Add(pvid(4095)));
        log.acknowledge(ticket);
        file.flush(&mut log);
    }
    log.announce(20_000, &Change::Add(tree(0)));
    file.flush(&mut log);
    assert!(file.len() < 1 << 20, "{}", file.len());
    let successor = file.open();
    assert_eq!(successor.get(&tree(0).key()).unwrap().doubtful, Some(tree(0)));
    assert_eq!(successor.get(&pvid(0).key()).unwrap(), &acknowledged(pvid(4095)));
}

// Broken if a row that was read after a write of unknown outcome stayed in doubt, or was remembered with another content.
#[test]
fn a_doubt_is_settled() {
    for (change, found) in [
        (Change::Add(pvid(9)), Some(pvid(9))),
        (Change::Add(pvid(9)), Some(pvid(4095))),
        (Change::Add(pvid(9)), None),
        (Change::Remove(pvid(4095)), None),
    ] {
        let mut file = Text::default();
        let mut log = file.open();
        log.announce(1, &Change::Add(pvid(4095)));
        log.acknowledge(1);
        log.announce(2, &change);
        log.announce(3, &Change::Add(tree(0)));
        file.flush(&mut log);
        log.correct(&pvid(0).key(), found.as_ref());
        file.flush(&mut log);
        let successor = file.open();
        let row = successor.get(&pvid(0).key()).cloned().unwrap_or_default();
        assert_eq!(row, Logged { acknowledged: found, doubtful: None });
        assert!(successor.get(&tree(0).key()).unwrap().doubtful.is_some());
    }
}

// Broken if a number that a damaged file has led to an overflow, or hid a doubt when it was used once more.
#[test]
fn any_number_may_be_open() {
    let header = "{\"chip\":\"0\",\"generation\":7}\n";
    let write = |ticket, entry| {
        let line = Line::Write { write: Step { ticket, entry } };
        serde_json::to_string(&line).unwrap() + "\n"
    };
    let doubtful = |entry: Entry| Logged { acknowledged: None, doubtful: Some(entry) };
    let done = write(1, tree(0)) + "{\"done\":[1]}\n";
    let mut file = Text(Some([header, &done, &write(u64::MAX, tree(1))].concat()));
    let expected = vec![(tree(0).key(), acknowledged(tree(0))), (tree(1).key(), doubtful(tree(1)))];
    let mut log = file.open();
    assert_eq!(rows(&log), expected);
    log.correct(&pvid(1).key(), Some(&pvid(1)));
    file.flush(&mut log);
    let expected = [&expected[..], &[(pvid(1).key(), acknowledged(pvid(1)))]].concat();
    assert_eq!(rows(&file.open()), expected);
    // Nobody writes two under one number, or of one row.
    for (ticket, entry) in [(1, tree(1)), (2, tree(0))] {
        let mut file = Text(Some([header, &write(1, tree(0)), &write(ticket, entry)].concat()));
        assert_eq!(rows(&file.open()), []);
    }
}

// Broken if the answer to a change that is written down after the row's next change, as both come in one turn, settled that one too.
#[test]
fn an_answer_settles_no_later_change() {
    let mut file = Text::default();
    let mut log = file.open();
    log.announce(1, &Change::Add(pvid(1)));
    file.flush(&mut log);
    log.acknowledge(1);
    log.announce(2, &Change::Add(pvid(9)));
    file.flush(&mut log);
    let row = Logged { acknowledged: Some(pvid(1)), doubtful: Some(pvid(9)) };
    assert_eq!(rows(&log), [(pvid(0).key(), row)]);
    assert_eq!(rows(&file.open()), rows(&log));
}
