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

fn rows(log: &IntentLog) -> Vec<(Key, Logged)> {
    log.rows().map(|(key, row)| (key.clone(), row.clone())).collect()
}

// Broken if a restarted daemon did not know what its predecessor had written and the chip had acknowledged.
#[test]
fn a_successor_knows_what_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = IntentLog::open(dir.path(), "0", 7);
    log.announce(1, &Change::Add(tree(0)));
    log.announce(2, &Change::Add(tree(1)));
    log.announce(3, &Change::Add(pvid(4095)));
    log.flush();
    log.acknowledge(1);
    log.acknowledge(2);
    log.withdraw(3);
    log.flush();
    log.announce(4, &Change::Remove(tree(1)));
    log.flush();
    let successor = IntentLog::open(dir.path(), "0", 7);
    let doubtful = Logged { acknowledged: Some(tree(1)), doubtful: Some(tree(1)) };
    let expected = vec![(tree(0).key(), acknowledged(tree(0))), (tree(1).key(), doubtful)];
    assert_eq!(rows(&successor), expected);
    // And once more, from the compact file that the successor wrote.
    assert_eq!(rows(&IntentLog::open(dir.path(), "0", 7)), expected);
}

// Broken if a change were sent before the file said so, or each line cost a system call.
#[test]
fn lines_reach_the_file_at_the_flush() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = IntentLog::open(dir.path(), "0", 7);
    let length = || fs::metadata(dir.path().join("0.intent")).unwrap().len();
    let before = length();
    log.announce(1, &Change::Add(tree(0)));
    assert_eq!(length(), before);
    log.flush();
    assert!(length() > before);
}

// Broken if rows that a scan finds filled the log.
#[test]
fn enumerable_rows_are_not_logged() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = IntentLog::open(dir.path(), "0", 7);
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
    log.restart(&[Entry::Rif(rif), tree(3)]);
    assert_eq!(rows(&log), [(tree(3).key(), acknowledged(tree(3)))]);
}

// Broken if the log of a chip that was reset since, or of another chip, were believed.
#[test]
fn another_chip_or_generation_is_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let write = || {
        let mut log = IntentLog::open(dir.path(), "0", 7);
        log.announce(1, &Change::Add(tree(0)));
        log.acknowledge(1);
        log.flush();
    };
    write();
    assert_eq!(rows(&IntentLog::open(dir.path(), "0", 8)), []);
    write();
    fs::rename(dir.path().join("0.intent"), dir.path().join("1.intent")).unwrap();
    assert_eq!(rows(&IntentLog::open(dir.path(), "1", 7)), []);
}

// Broken if a file that a crash cut, or that is garbage, were half believed or stopped the daemon.
#[test]
fn cut_and_garbled_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("0.intent");
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
        fs::write(&path, &text).unwrap();
        let log = IntentLog::open(dir.path(), "0", 7);
        assert_eq!(log.get(&tree(0).key()).is_some(), known, "{text:?}");
    }
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert_eq!(rows(&IntentLog::open(dir.path(), "0", 7)), []);
}

// Broken if the file grew without end under churn, or compaction lost a change under way.
#[test]
fn churn_does_not_fill_the_memory() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = IntentLog::open(dir.path(), "0", 7);
    for ticket in 0..20_000 {
        log.announce(ticket, &Change::Add(pvid(4095)));
        log.acknowledge(ticket);
        log.flush();
    }
    log.announce(20_000, &Change::Add(tree(0)));
    log.flush();
    let length = fs::metadata(dir.path().join("0.intent")).unwrap().len();
    assert!(length < 1 << 20, "{length}");
    let successor = IntentLog::open(dir.path(), "0", 7);
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
        let dir = tempfile::tempdir().unwrap();
        let mut log = IntentLog::open(dir.path(), "0", 7);
        log.announce(1, &Change::Add(pvid(4095)));
        log.acknowledge(1);
        log.announce(2, &change);
        log.announce(3, &Change::Add(tree(0)));
        log.flush();
        log.correct(&pvid(0).key(), found.as_ref());
        log.flush();
        let successor = IntentLog::open(dir.path(), "0", 7);
        let row = successor.get(&pvid(0).key()).cloned().unwrap_or_default();
        assert_eq!(row, Logged { acknowledged: found, doubtful: None });
        assert!(successor.get(&tree(0).key()).unwrap().doubtful.is_some());
    }
}

// Broken if a chip could choose a file outside the directory.
#[test]
fn a_chip_id_is_no_path() {
    assert_eq!(file_name("../../etc/x"), "______etc_x.intent");
    assert_eq!(file_name("0"), "0.intent");
}

// Broken if a number that a damaged file has led to an overflow, or hid a doubt when it was used once more.
#[test]
fn any_number_may_be_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("0.intent");
    let header = "{\"chip\":\"0\",\"generation\":7}\n";
    let write = |ticket, entry| {
        let line = Line::Write { write: Step { ticket, entry } };
        serde_json::to_string(&line).unwrap() + "\n"
    };
    let doubtful = |entry: Entry| Logged { acknowledged: None, doubtful: Some(entry) };
    let done = write(1, tree(0)) + "{\"done\":[1]}\n";
    fs::write(&path, [header, &done, &write(u64::MAX, tree(1))].concat()).unwrap();
    let expected = vec![(tree(0).key(), acknowledged(tree(0))), (tree(1).key(), doubtful(tree(1)))];
    let mut log = IntentLog::open(dir.path(), "0", 7);
    assert_eq!(rows(&log), expected);
    log.correct(&pvid(1).key(), Some(&pvid(1)));
    log.flush();
    let expected = [&expected[..], &[(pvid(1).key(), acknowledged(pvid(1)))]].concat();
    assert_eq!(rows(&IntentLog::open(dir.path(), "0", 7)), expected);
    // Nobody writes two under one number, or of one row.
    for (ticket, entry) in [(1, tree(1)), (2, tree(0))] {
        fs::write(&path, [header, &write(1, tree(0)), &write(ticket, entry)].concat()).unwrap();
        assert_eq!(rows(&IntentLog::open(dir.path(), "0", 7)), []);
    }
}

// Broken if the answer to a change that is written down after the row's next change, as both come in one turn, settled that one too.
#[test]
fn an_answer_settles_no_later_change() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = IntentLog::open(dir.path(), "0", 7);
    log.announce(1, &Change::Add(pvid(1)));
    log.flush();
    log.acknowledge(1);
    log.announce(2, &Change::Add(pvid(9)));
    log.flush();
    let row = Logged { acknowledged: Some(pvid(1)), doubtful: Some(pvid(9)) };
    assert_eq!(rows(&log), [(pvid(0).key(), row)]);
    assert_eq!(rows(&IntentLog::open(dir.path(), "0", 7)), rows(&log));
}
