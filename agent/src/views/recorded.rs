//! Where do what should be in the chip and a recording of its register traffic differ?
//!
//! ```text
//!   Rows ─▶ a copy of the reconciler adopts them, as it does what it reads from a chip ─▶ the same differences
//! ```
//!
//! Rows that the recording does not mention: of one that is whole they are empty; of one that begins late they are taken as the
//! daemon knows them, and nothing is told of them.

use std::collections::BTreeSet;

use firsthop_asic::spectrum::recording::{Rows, is_at_rest};
use firsthop_model::chip::{Entry, Key, Tables};
use firsthop_model::reconcile::Reconciler;

use super::Difference;
use super::diff::{is_disabling, row};

/// What a row holds that no entry says.
const FOREIGN: &str = "something else";

/// Rows that would be written if the chip were as recorded.
pub fn recorded_differences(reconciler: &Reconciler, recorded: &Rows) -> Vec<Difference> {
    let foreign: BTreeSet<&Key> = recorded.foreign.iter().collect();
    let mut mentioned: BTreeSet<Key> = recorded.held.iter().map(Entry::key).collect();
    mentioned.extend(recorded.empty.iter().chain(&recorded.foreign).cloned());
    let trial = adopted(reconciler, chip(reconciler, recorded));
    let (mut rows, mut told) = (Vec::new(), BTreeSet::new());
    for difference in trial.differences() {
        let key = difference.change.key();
        let known = recorded.whole || mentioned.contains(&key);
        // A flush leaves nothing that could differ.
        if !known || matches!(key, Key::Learnt(..)) || is_disabling(&difference) {
            continue;
        }
        let mut row = row(&trial, &difference, &mut told);
        if foreign.contains(&key) {
            row.hardware = Some(FOREIGN.to_owned());
        }
        rows.push(row);
    }
    rows
}

/// All rows of the chip.
fn chip(reconciler: &Reconciler, recorded: &Rows) -> Tables {
    let mut tables =
        if recorded.whole { Tables::new() } else { reconciler.applied().tables().clone() };
    for key in recorded.empty.iter().chain(&recorded.foreign) {
        tables.remove(key);
    }
    tables.extend(recorded.held.iter().map(|entry| (entry.key(), entry.clone())));
    tables
}

/// The reconciler as if it had read these rows from the chip, in the steps in which it reads one.
fn adopted(reconciler: &Reconciler, chip: Tables) -> Reconciler {
    let mut trial = reconciler.clone();
    let (scanned, rest): (Tables, Tables) =
        chip.into_iter().partition(|(key, _)| matches!(key, Key::Rif(_) | Key::RouterMac(..)));
    let mut landmarks = trial.adopt(scanned);
    for key in &landmarks {
        trial.settle(key, rest.get(key).cloned());
    }
    for key in trial.claim_interfaces() {
        trial.settle(&key, rest.get(&key).cloned());
        landmarks.insert(key);
    }
    let mut read = trial.claim();
    let stray = |(key, entry): &(&Key, &Entry)| {
        !landmarks.contains(*key) && counts_unwanted(key) && !is_at_rest(entry)
    };
    read.extend(rest.iter().filter(stray).map(|(key, _)| key.clone()));
    for key in &read {
        let resting = |entry: &&Entry| is_at_rest(entry) && !trial.wants(key);
        let found = rest.get(key).filter(|entry| !resting(entry)).cloned();
        trial.settle(key, found);
    }
    trial.recognise_groups();
    trial
}

/// Whether a row that nobody wants should not be there. The others every chip has in some state.
const fn counts_unwanted(key: &Key) -> bool {
    match key {
        Key::Router
        | Key::VrTree(..)
        | Key::MulticastDefault(..)
        | Key::Route(..)
        | Key::Adjacency(_)
        | Key::Neighbour(..)
        | Key::Fid(_)
        | Key::Rif(_)
        | Key::RouterMac(..)
        | Key::FidRif(_)
        | Key::PortVlan(..)
        | Key::PortVidFid(..)
        | Key::VidFid(_)
        | Key::FloodPort(..)
        | Key::Lag(_)
        | Key::LagPort(..)
        | Key::LagCollector(_)
        | Key::LagCollecting(_) => true,
        Key::Policer(_)
        | Key::TrapGroup(_)
        | Key::Trap(_)
        | Key::LpmTree(_)
        | Key::LpmTreeShape(_)
        | Key::Multipath
        | Key::EgressVid(..)
        | Key::PortPvid(_)
        | Key::PortLearning(..)
        | Key::PortStp(..)
        | Key::AgeingTime
        | Key::FloodTable(..)
        | Key::Learnt(..) => false,
    }
}

#[cfg(test)]
mod tests {
    use firsthop_model::Mac;
    use firsthop_model::chip::Fid;

    use super::*;
    use crate::views::tests::switch;

    fn whole(reconciler: &Reconciler) -> Rows {
        let held = reconciler.applied().tables().values().cloned().collect();
        Rows { whole: true, held, ..Rows::default() }
    }

    fn objects(rows: &[Difference]) -> Vec<&str> {
        rows.iter().map(|row| row.object.as_str()).collect()
    }

    const STRAY: Entry = Entry::RouterMac { fid: Fid(5120), mac: Mac([2, 9, 9, 9, 9, 9]) };

    // Broken if a chip that holds what it should were found to differ, or one row more, less or other were not.
    #[test]
    fn only_rows_that_differ_are_told() {
        let bench = switch();
        let right = whole(&bench.reconciler);
        assert_eq!(recorded_differences(&bench.reconciler, &right), []);

        let mut more = right.clone();
        more.held.push(STRAY);
        let told = recorded_differences(&bench.reconciler, &more);
        assert_eq!(objects(&told), ["mac fid 5120 02:09:09:09:09:09"]);
        assert_eq!(told[0].change.as_deref(), Some("remove"));

        for gone in &right.held {
            if matches!(gone, Entry::Learnt { .. }) {
                continue;
            }
            let mut less = right.clone();
            less.held.retain(|entry| entry != gone);
            let told = recorded_differences(&bench.reconciler, &less);
            assert!(!told.is_empty(), "{gone:?}");
        }

        let mut other = right;
        for entry in &mut other.held {
            if let Entry::Rif(rif) = entry {
                rif.mtu = 9000;
            }
        }
        let told = recorded_differences(&bench.reconciler, &other);
        assert_eq!(objects(&told), ["rif swp1"]);
        assert_eq!(told[0].change.as_deref(), Some("edit"));
        assert!(told[0].hardware.as_ref().unwrap().contains("mtu 9000"), "{told:?}");
    }

    // Broken if a recording that begins late were taken for a chip without the rows that it does not mention, or what it does
    // mention were not looked at.
    #[test]
    fn what_a_late_recording_does_not_mention_is_not_told() {
        let bench = switch();
        let mut late = Rows::default();
        assert_eq!(recorded_differences(&bench.reconciler, &late), []);
        late.held.push(STRAY);
        let macs = |entry: &&Entry| matches!(entry, Entry::RouterMac { .. });
        let there = whole(&bench.reconciler).held;
        let mac = there.iter().find(macs).unwrap();
        late.empty.push(mac.key());
        let fid = there.iter().find(|entry| matches!(entry, Entry::Fid { .. })).unwrap();
        late.foreign.push(fid.key());
        let told = recorded_differences(&bench.reconciler, &late);
        let changes: Vec<_> = told.iter().map(|row| row.change.as_deref().unwrap()).collect();
        assert_eq!(changes, ["add", "add", "remove"], "{told:?}");
        assert_eq!(told[0].hardware.as_deref(), Some(FOREIGN));
    }
}
