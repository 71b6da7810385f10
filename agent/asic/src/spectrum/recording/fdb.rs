//! What does the forwarding database hold by a recording? Records that were written, that somebody read, and that the chip said
//! it had learnt or forgotten.
//!
//! ```text
//!   SFD edit, remove ─▶ records ◀─ SFN learnt, aged out        what ages out between two questions is seen late,
//!   SFDF flush ───────▶         ◀─ SFD list, query             by a list in which it is missing
//! ```

use std::collections::{BTreeMap, BTreeSet};

use emad::Mac;
use emad::register::{
    Sfd, SfdAction, SfdOp, SfdPolicy, SfdRecord, SfdTarget, Sfdf, SfdfFlush, Sfn, SfnEvent,
};

type Key = (u16, Mac);

/// Where a record points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Port(u16),
    Lag(u16),
}

/// A list that is being read, page after page.
#[derive(Debug, Clone)]
struct Walk {
    /// Where its next page begins.
    next: u32,
    /// Records that were there when it began, and were not in it so far nor written since.
    unseen: BTreeSet<Key>,
}

/// The records.
#[derive(Debug, Clone, Default)]
pub(super) struct Fdb {
    records: BTreeMap<Key, SfdRecord>,
    /// Keys that were there or were asked for, and are not there now.
    gone: BTreeSet<Key>,
    walk: Option<Walk>,
}

impl Fdb {
    /// By FID and MAC.
    pub(super) fn records(&self) -> impl Iterator<Item = &SfdRecord> {
        self.records.values()
    }

    /// Keys of which it is known that they are not there.
    pub(super) fn gone(&self) -> impl Iterator<Item = Key> {
        self.gone.iter().copied()
    }

    /// A write was executed, for as many records as the answer says. Returns how many have an outcome that is not known:
    /// the chip does not say which ones it left out.
    pub(super) fn write(&mut self, asked: &Sfd, answer: &Sfd) -> usize {
        let keys: BTreeSet<Key> = asked.records.iter().map(key).collect();
        let done = usize::from(answer.num_rec);
        match asked.op {
            SfdOp::WRITE_EDIT if done == asked.records.len() => {
                asked.records.iter().for_each(|record| self.put(*record));
            }
            SfdOp::WRITE_REMOVE => {
                // What was not there counts as not done.
                let there = keys.iter().filter(|key| self.records.contains_key(*key)).count();
                if done != asked.records.len() && done != there {
                    return keys.len();
                }
                keys.into_iter().for_each(|key| self.drop(key));
            }
            SfdOp::WRITE_EDIT if done > 0 => return keys.len(),
            _ => {}
        }
        0
    }

    /// A query was answered. True: there are records that the chip did not learn, and that were not written either.
    pub(super) fn read(&mut self, asked: &Sfd, answer: &Sfd) -> bool {
        let found = answer.records.iter().take(usize::from(answer.num_rec));
        let keys: BTreeSet<Key> = found.clone().map(key).collect();
        let is_page = asked.op == SfdOp::QUERY_DUMP;
        if is_page && asked.record_locator == 0 {
            let unseen = self.records.keys().copied().collect();
            self.walk = Some(Walk { next: 0, unseen });
        }
        if !is_page {
            for missing in asked.records.iter().map(key).filter(|key| !keys.contains(key)) {
                self.drop(missing);
            }
        }
        let mut unheard = false;
        for record in found {
            let of_chip = record.policy == SfdPolicy::Dynamic;
            unheard |= !of_chip
                && !self.records.contains_key(&key(record))
                && !self.gone.contains(&key(record));
            self.put(*record);
        }
        if is_page {
            self.turn_page(asked.record_locator, answer.record_locator);
        }
        unheard
    }

    /// After the last page of a list, what was in none of them is not there.
    fn turn_page(&mut self, from: u32, next: u32) {
        let Some(mut walk) = self.walk.take().filter(|walk| walk.next == from) else { return };
        if next == 0 {
            walk.unseen.into_iter().for_each(|key| self.drop(key));
        } else {
            walk.next = next;
            self.walk = Some(walk);
        }
    }

    /// Records were forgotten at once; those of router MACs point to no port.
    pub(super) fn flush(&mut self, sfdf: &Sfdf) {
        let doomed = |record: &SfdRecord| match sfdf.flush_type {
            _ if record.policy == SfdPolicy::Static && !sfdf.flush_static => false,
            SfdfFlush::PerSwid => true,
            SfdfFlush::PerFid { fid } => record.fid == fid,
            SfdfFlush::PerPort { system_port } => place(record) == Some(Place::Port(system_port)),
            SfdfFlush::PerPortAndFid { system_port, fid } => {
                record.fid == fid && place(record) == Some(Place::Port(system_port))
            }
            SfdfFlush::PerLag { lag_id } => place(record) == Some(Place::Lag(lag_id)),
            SfdfFlush::PerLagAndFid { lag_id, fid } => {
                record.fid == fid && place(record) == Some(Place::Lag(lag_id))
            }
            SfdfFlush::PerNve | SfdfFlush::PerNveAndFid { .. } | SfdfFlush::Other { .. } => false,
        };
        let keys: Vec<Key> = self.records().filter(|record| doomed(record)).map(key).collect();
        keys.into_iter().for_each(|key| self.drop(key));
    }

    /// The chip told what it learnt and forgot. It does neither with records that were written as static.
    pub(super) fn notices(&mut self, sfn: &Sfn) {
        for note in sfn.records.iter().take(usize::from(sfn.num_rec)) {
            let key = (note.fid, note.mac);
            if self.records.get(&key).is_some_and(|record| record.policy == SfdPolicy::Static) {
                continue;
            }
            let target = match note.event {
                SfnEvent::LearnedMac { sub_port, system_port } => {
                    SfdTarget::Unicast { sub_port, set_vid: false, vid: 0, system_port }
                }
                SfnEvent::LearnedMacLag { sub_port, lag_id } => {
                    SfdTarget::UnicastLag { sub_port, set_vid: false, lag_vid: 0, lag_id }
                }
                SfnEvent::AgedOutMac { .. } | SfnEvent::AgedOutMacLag { .. } => {
                    self.drop(key);
                    continue;
                }
                SfnEvent::Other { .. } => continue,
            };
            let learnt =
                SfdRecord::unicast(SfdPolicy::Dynamic, note.mac, note.fid, 0, SfdAction::Nop, 0);
            self.put(SfdRecord { target, ..learnt });
        }
    }

    fn put(&mut self, record: SfdRecord) {
        self.touch(key(&record));
        self.gone.remove(&key(&record));
        self.records.insert(key(&record), record);
    }

    fn drop(&mut self, key: Key) {
        self.touch(key);
        self.records.remove(&key);
        self.gone.insert(key);
    }

    /// A list that began before says nothing about this record.
    fn touch(&mut self, key: Key) {
        if let Some(walk) = &mut self.walk {
            walk.unseen.remove(&key);
        }
    }
}

const fn key(record: &SfdRecord) -> Key {
    (record.fid, record.mac)
}

fn place(record: &SfdRecord) -> Option<Place> {
    match record.target {
        _ if record.action == SfdAction::ForwardIpRouter => None,
        SfdTarget::Unicast { system_port, .. } => Some(Place::Port(system_port)),
        SfdTarget::UnicastLag { lag_id, .. } => Some(Place::Lag(lag_id)),
        SfdTarget::Multicast { .. } | SfdTarget::Other { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(last: u8) -> Mac {
        Mac([2, 0, 0, 0, 0, last])
    }

    fn router(last: u8) -> SfdRecord {
        SfdRecord::router(mac(last), 1)
    }

    fn edit(fdb: &mut Fdb, records: Vec<SfdRecord>, done: u8) -> usize {
        let asked = Sfd::new(SfdOp::WRITE_EDIT, records);
        fdb.write(&asked, &Sfd { num_rec: done, ..asked.clone() })
    }

    fn page(fdb: &mut Fdb, from: u32, next: u32, records: Vec<SfdRecord>) -> bool {
        let answer = Sfd { record_locator: next, ..Sfd::new(SfdOp::QUERY_DUMP, records) };
        fdb.read(&Sfd::dump(from), &answer)
    }

    fn macs(fdb: &Fdb) -> Vec<u8> {
        fdb.records().map(|record| record.mac.octets()[5]).collect()
    }

    // Broken if a record that the chip left out, and nobody can tell which, were taken for done.
    #[test]
    fn what_was_done_in_part_is_not_known() {
        let mut fdb = Fdb::default();
        assert_eq!(edit(&mut fdb, vec![router(1), router(2)], 1), 2);
        assert_eq!(edit(&mut fdb, vec![router(1), router(2)], 0), 0, "none was done");
        assert!(macs(&fdb).is_empty());
        assert_eq!(edit(&mut fdb, vec![router(1)], 1), 0);
        let asked = Sfd::new(SfdOp::WRITE_REMOVE, vec![router(1), router(2)]);
        let done = |num_rec| Sfd { num_rec, ..asked.clone() };
        assert_eq!(fdb.write(&asked, &done(0)), 2, "one of them was there");
        assert_eq!(fdb.write(&asked, &done(1)), 0);
        assert!(macs(&fdb).is_empty());
    }

    // Broken if what aged out unseen stayed for ever, or what was written while somebody read the list went.
    #[test]
    fn a_whole_list_tells_what_is_not_there() {
        let mut fdb = Fdb::default();
        edit(&mut fdb, vec![router(1), router(2), router(3)], 3);
        assert!(!page(&mut fdb, 0, 64, vec![router(1)]));
        edit(&mut fdb, vec![router(4)], 1);
        edit(&mut fdb, vec![router(3)], 1);
        assert_eq!(macs(&fdb), [1, 2, 3, 4]);
        assert!(page(&mut fdb, 64, 0, vec![router(5)]), "nobody wrote it");
        assert_eq!(macs(&fdb), [1, 3, 4, 5]);
        page(&mut fdb, 64, 0, vec![]);
        assert_eq!(macs(&fdb), [1, 3, 4, 5], "a page of no list says nothing");
    }

    // Broken if learning touched a router MAC, or a flush of a port took it.
    #[test]
    fn router_macs_are_neither_learnt_nor_flushed() {
        let mut fdb = Fdb::default();
        edit(&mut fdb, vec![router(1)], 1);
        let note =
            |last, event| emad::register::SfnRecord { swid: 0, mac: mac(last), fid: 1, event };
        let learnt = SfnEvent::LearnedMac { sub_port: 0, system_port: 3 };
        fdb.notices(&Sfn::answer(vec![note(1, learnt), note(2, learnt), note(3, learnt)]));
        assert_eq!(macs(&fdb), [1, 2, 3]);
        let aged = SfnEvent::AgedOutMac { sub_port: 0, system_port: 3 };
        fdb.notices(&Sfn::answer(vec![note(1, aged), note(3, aged)]));
        assert_eq!(macs(&fdb), [1, 2]);
        fdb.flush(&Sfdf::new(SfdfFlush::PerPortAndFid { system_port: 3, fid: 1 }));
        assert_eq!(macs(&fdb), [1]);
    }
}
