//! Where does this MAC live in this FID? The forwarding database (register SFD) and learning.
//!
//! ```text
//!   (FID, MAC) ──index──▶ slot 0 │ record │   a record keeps its slot for life; a dump walks the slots,
//!                         slot 1 │  free  │   so a locator (the next slot) stays good while records come
//!                         slot 2 │ record │   and go: what is there all the time is seen exactly once
//! ```

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use emad::Mac;
use emad::register::{SfdAction, SfdPolicy, SfdRecord, SfdTarget, SfnEvent, SfnRecord};

/// How many learning notifications wait for SFN at most; the oldest are lost first.
const NOTIFICATIONS: usize = 4096;

/// The table. Records are kept as SFD has them.
#[derive(Debug, Clone)]
pub(crate) struct Fdb {
    size: usize,
    index: HashMap<(u16, Mac), usize>,
    slots: Vec<Option<SfdRecord>>,
    free: BinaryHeap<Reverse<usize>>,
    notifications: VecDeque<SfnRecord>,
}

/// The table is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

impl Fdb {
    /// An empty table for `size` records.
    #[must_use]
    pub(crate) fn new(size: u32) -> Self {
        Self {
            size: usize::try_from(size).unwrap_or(usize::MAX),
            index: HashMap::new(),
            slots: Vec::new(),
            free: BinaryHeap::new(),
            notifications: VecDeque::new(),
        }
    }

    /// How many records there are.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.index.len()
    }

    /// The record of that MAC in that FID.
    #[must_use]
    pub(crate) fn get(&self, fid: u16, mac: Mac) -> Option<&SfdRecord> {
        self.slots[*self.index.get(&(fid, mac))?].as_ref()
    }

    /// The same, to change it; key and slot must stay.
    pub(crate) fn get_mut(&mut self, fid: u16, mac: Mac) -> Option<&mut SfdRecord> {
        self.slots[*self.index.get(&(fid, mac))?].as_mut()
    }

    /// Would a record of that key find room?
    #[must_use]
    pub(crate) fn has_room(&self, fid: u16, mac: Mac) -> bool {
        self.count() < self.size || self.index.contains_key(&(fid, mac))
    }

    /// Adds a record or replaces the one with the same key, whatever its policy.
    ///
    /// # Errors
    /// [`Full`] for a new key when the table has no room.
    pub(crate) fn write(&mut self, record: SfdRecord) -> Result<(), Full> {
        let key = (record.fid, record.mac);
        if !self.has_room(record.fid, record.mac) {
            return Err(Full);
        }
        let slot = match self.index.get(&key) {
            Some(slot) => *slot,
            None => self.free.pop().map_or(self.slots.len(), |Reverse(slot)| slot),
        };
        if slot == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[slot] = Some(record);
        self.index.insert(key, slot);
        Ok(())
    }

    /// Takes a record out; false if there was none.
    pub(crate) fn remove(&mut self, fid: u16, mac: Mac) -> bool {
        let Some(slot) = self.index.remove(&(fid, mac)) else { return false };
        self.slots[slot] = None;
        self.free.push(Reverse(slot));
        true
    }

    /// What learning makes of a frame from `mac` on `port`: `None` when the record is there already, is
    /// static, or finds no room.
    #[must_use]
    pub(crate) fn learnt(&self, fid: u16, mac: Mac, port: u16) -> Option<SfdRecord> {
        let learnt = SfdRecord {
            a: true,
            ..SfdRecord::unicast(SfdPolicy::Dynamic, mac, fid, 0, SfdAction::Nop, port)
        };
        match self.get(fid, mac) {
            None => self.has_room(fid, mac).then_some(learnt),
            Some(old) if old.policy == SfdPolicy::Static => None,
            Some(old) => (old.target != learnt.target).then_some(learnt),
        }
    }

    /// Writes what [`Fdb::learnt`] made, and notes it for SFN.
    pub(crate) fn learn(&mut self, record: SfdRecord) {
        let SfdTarget::Unicast { sub_port, system_port, .. } = record.target else { return };
        if self.write(record).is_ok() {
            if self.notifications.len() == NOTIFICATIONS {
                self.notifications.pop_front();
            }
            let event = SfnEvent::LearnedMac { sub_port, system_port };
            let note = SfnRecord { swid: 0, mac: record.mac, fid: record.fid, event };
            self.notifications.push_back(note);
        }
    }

    /// Takes at most `max` learning notifications, oldest first.
    pub(crate) fn take_notifications(&mut self, max: usize) -> Vec<SfnRecord> {
        self.notifications.drain(..max.min(self.notifications.len())).collect()
    }

    /// Removes all records for which `doomed` says so.
    pub(crate) fn flush(&mut self, mut doomed: impl FnMut(&SfdRecord) -> bool) {
        let keys: Vec<_> =
            self.iter().filter(|record| doomed(record)).map(|r| (r.fid, r.mac)).collect();
        for (fid, mac) in keys {
            self.remove(fid, mac);
        }
    }

    /// At most `max` records from slot `locator` on, and the locator of the next page: 0 after the last.
    #[must_use]
    pub(crate) fn page(&self, locator: u32, max: usize) -> (Vec<SfdRecord>, u32) {
        let start = usize::try_from(locator).unwrap_or(usize::MAX).min(self.slots.len());
        let mut records = Vec::new();
        for (slot, record) in self.slots.iter().enumerate().skip(start) {
            let Some(record) = record else { continue };
            if records.len() == max {
                return (records, u32::try_from(slot).unwrap_or(0));
            }
            records.push(*record);
        }
        (records, 0)
    }

    /// All records, in the order of slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &SfdRecord> {
        self.slots.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn record(policy: SfdPolicy, fid: u16, last: u8, port: u16) -> SfdRecord {
        SfdRecord::unicast(policy, mac(last), fid, 0, SfdAction::Nop, port)
    }

    fn mac(last: u8) -> Mac {
        Mac([2, 0, 0, 0, 0, last])
    }

    fn port_of(record: &SfdRecord) -> u16 {
        match record.target {
            SfdTarget::Unicast { system_port, .. } => system_port,
            other => unreachable!("{other:?}"),
        }
    }

    proptest! {
        // Would break: the table finds, loses or overfills other records than a plain ordered map would.
        #[test]
        fn agrees_with_a_map(
            steps in prop::collection::vec((0..4_u8, 0..3_u16, 0..6_u8, 1..4_u16), 0..200),
        ) {
            let mut fdb = Fdb::new(8);
            let mut naive: BTreeMap<(u16, Mac), (SfdPolicy, u16)> = BTreeMap::new();
            for (op, fid, last, port) in steps {
                let key = (fid, mac(last));
                let room = naive.len() < 8 || naive.contains_key(&key);
                match op {
                    0 => {
                        let record = record(SfdPolicy::Static, fid, last, port);
                        prop_assert_eq!(fdb.write(record).is_ok(), room);
                        if room { naive.insert(key, (SfdPolicy::Static, port)); }
                    }
                    1 => {
                        prop_assert_eq!(fdb.remove(fid, mac(last)), naive.remove(&key).is_some());
                    }
                    2 => {
                        if let Some(record) = fdb.learnt(fid, mac(last), port) {
                            fdb.learn(record);
                        }
                        let fixed = naive.get(&key).is_some_and(|(p, _)| *p == SfdPolicy::Static);
                        if room && !fixed { naive.insert(key, (SfdPolicy::Dynamic, port)); }
                    }
                    _ => {
                        fdb.flush(|record| port_of(record) == port);
                        naive.retain(|_, (_, of)| *of != port);
                    }
                }
                prop_assert_eq!(fdb.count(), naive.len());
                let sorted: BTreeMap<_, _> =
                    fdb.iter().map(|r| ((r.fid, r.mac), (r.policy, port_of(r)))).collect();
                prop_assert_eq!(&sorted, &naive);
                for ((fid, mac), (_, port)) in &naive {
                    prop_assert_eq!(fdb.get(*fid, *mac).map(port_of), Some(*port));
                }
            }
        }

        // Would break: a read-back misses records, or sees one twice, because others come and go meanwhile.
        #[test]
        fn a_paged_dump_sees_what_stays_exactly_once(
            before in prop::collection::btree_set(0..60_u8, 0..40),
            gone in prop::collection::btree_set(0..60_u8, 0..20),
            page in 1..7_usize,
        ) {
            let mut fdb = Fdb::new(100);
            for last in &before {
                fdb.write(record(SfdPolicy::Static, 1, *last, 1)).unwrap();
            }
            let mut seen = Vec::new();
            let mut locator = 0;
            let mut doomed = gone.iter();
            loop {
                let (records, next) = fdb.page(locator, page);
                seen.extend(records.iter().map(|r| r.mac.octets()[5]));
                if next == 0 { break; }
                locator = next;
                if let Some(last) = doomed.next() {
                    fdb.remove(1, mac(*last));
                    fdb.write(record(SfdPolicy::Static, 2, *last, 1)).unwrap();
                }
            }
            for last in before.difference(&gone) {
                prop_assert_eq!(seen.iter().filter(|s| *s == last).count(), 1);
            }
        }
    }
}
