//! Where does this MAC live in this FID? The forwarding database (register SFD), learning and ageing.
//!
//! ```text
//!   (FID, MAC) ──index──▶ slot 0 │ record │   a record keeps its slot for life; a dump walks the slots,
//!                         slot 1 │  free  │   so a locator (the next slot) stays good while records come
//!                         slot 2 │ record │   and go: what is there all the time is seen exactly once
//!
//!   unseen for the ageing time (SFDAT) ─▶ a dynamic record goes, SFN says so
//!   learnt, or moved                   ─▶ SFN says where it is now
//! ```

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use emad::Mac;
use emad::register::{SfdAction, SfdPolicy, SfdRecord, SfdTarget, Sfdat, SfnEvent, SfnRecord};

use super::keyed::Keyed;
use super::time::Nanos;

/// How many notifications wait for SFN at most; the oldest are lost first.
const NOTIFICATIONS: usize = 4096;

/// Ageing looks at the table so often, in nanoseconds.
const AGEING_INTERVAL: u64 = 1_000_000_000;

/// Where a MAC can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Behind a port.
    Port(u16),
    /// Behind a LAG.
    Lag(u16),
}

impl Place {
    /// Where a record points; `None` if not to one place, as those of router MACs and groups.
    #[must_use]
    pub(crate) fn of(record: &SfdRecord) -> Option<Self> {
        match record.target {
            _ if record.action == SfdAction::ForwardIpRouter => None,
            SfdTarget::Unicast { system_port, .. } => Some(Self::Port(system_port)),
            SfdTarget::UnicastLag { lag_id, .. } => Some(Self::Lag(lag_id)),
            SfdTarget::Multicast { .. } | SfdTarget::Other { .. } => None,
        }
    }

    fn noted(event: &SfnEvent) -> Option<Self> {
        match event {
            SfnEvent::LearnedMac { system_port, .. } | SfnEvent::AgedOutMac { system_port, .. } => {
                Some(Self::Port(*system_port))
            }
            SfnEvent::LearnedMacLag { lag_id, .. } | SfnEvent::AgedOutMacLag { lag_id, .. } => {
                Some(Self::Lag(*lag_id))
            }
            SfnEvent::Other { .. } => None,
        }
    }
}

/// What a source address means to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Learning {
    /// Nothing: it is fixed elsewhere, finds no room, or is not to be learnt.
    #[default]
    Nothing,
    /// Its record is right and was used just now: the slot.
    Seen(usize),
    /// A record for it.
    New(SfdRecord),
}

/// A record in its slot.
#[derive(Debug, Clone)]
struct Slot {
    record: SfdRecord,
    /// When a frame last came from there.
    seen: Nanos,
}

/// The table. Records are kept as SFD has them.
#[derive(Debug, Clone)]
pub(crate) struct Fdb {
    size: usize,
    index: Keyed<u64, usize>,
    slots: Vec<Option<Slot>>,
    free: BinaryHeap<Reverse<usize>>,
    notifications: VecDeque<SfnRecord>,
    age_time: u32,
    aged_at: Nanos,
}

/// FID and MAC in one word.
fn key(fid: u16, mac: Mac) -> u64 {
    let [a, b, c, d, e, f] = mac.octets();
    let [high, low] = fid.to_be_bytes();
    u64::from_be_bytes([high, low, a, b, c, d, e, f])
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
            index: Keyed::default(),
            slots: Vec::new(),
            free: BinaryHeap::new(),
            notifications: VecDeque::new(),
            age_time: Sfdat::POWER_ON,
            aged_at: Nanos::default(),
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
        Some(&self.slots[*self.index.get(&key(fid, mac))?].as_ref()?.record)
    }

    /// The same, to change it; key and slot must stay.
    pub(crate) fn get_mut(&mut self, fid: u16, mac: Mac) -> Option<&mut SfdRecord> {
        Some(&mut self.slots[*self.index.get(&key(fid, mac))?].as_mut()?.record)
    }

    /// Would a record of that key find room?
    #[must_use]
    pub(crate) fn has_room(&self, fid: u16, mac: Mac) -> bool {
        self.count() < self.size || self.index.contains_key(&key(fid, mac))
    }

    /// Adds a record or replaces the one with the same key, whatever its policy. What SFN had to say of the learning
    /// of that key is forgotten (mlxsw `reg.h`, SFD); the activity is that of the old record, and set in a new static one.
    ///
    /// # Errors
    /// [`Full`] for a new key when the table has no room.
    pub(crate) fn write(&mut self, mut record: SfdRecord, now: Nanos) -> Result<(), Full> {
        record.a = match self.get(record.fid, record.mac) {
            Some(old) => old.a,
            None => record.policy == SfdPolicy::Static,
        };
        self.put(record, now)?;
        self.forget(record.fid, record.mac, |event| {
            matches!(event, SfnEvent::LearnedMac { .. } | SfnEvent::LearnedMacLag { .. })
        });
        Ok(())
    }

    fn put(&mut self, record: SfdRecord, now: Nanos) -> Result<(), Full> {
        let key = key(record.fid, record.mac);
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
        self.slots[slot] = Some(Slot { record, seen: now });
        self.index.insert(key, slot);
        Ok(())
    }

    /// Takes a record out, and all that SFN had to say of it; false if there was none.
    pub(crate) fn remove(&mut self, fid: u16, mac: Mac) -> bool {
        self.forget(fid, mac, |_| true);
        self.take(fid, mac)
    }

    fn forget(&mut self, fid: u16, mac: Mac, doomed: impl Fn(&SfnEvent) -> bool) {
        self.notifications
            .retain(|note| (note.fid, note.mac) != (fid, mac) || !doomed(&note.event));
    }

    fn take(&mut self, fid: u16, mac: Mac) -> bool {
        let Some(slot) = self.index.remove(&key(fid, mac)) else { return false };
        self.slots[slot] = None;
        self.free.push(Reverse(slot));
        true
    }

    /// What learning makes of a frame from `mac` that came in at `place`.
    #[must_use]
    pub(crate) fn learnt(&self, fid: u16, mac: Mac, place: Place) -> Learning {
        let target = match place {
            Place::Port(system_port) => {
                SfdTarget::Unicast { sub_port: 0, set_vid: false, vid: 0, system_port }
            }
            Place::Lag(lag_id) => {
                SfdTarget::UnicastLag { sub_port: 0, set_vid: false, lag_vid: 0, lag_id }
            }
        };
        let learnt = SfdRecord {
            a: true,
            target,
            ..SfdRecord::unicast(SfdPolicy::Dynamic, mac, fid, 0, SfdAction::Nop, 0)
        };
        let Some(&slot) = self.index.get(&key(fid, mac)) else {
            let room = self.count() < self.size;
            return if room { Learning::New(learnt) } else { Learning::Nothing };
        };
        let Some(Slot { record, .. }) = &self.slots[slot] else { return Learning::Nothing };
        if record.policy == SfdPolicy::Static || Place::of(record) == Some(place) {
            Learning::Seen(slot)
        } else {
            Learning::New(learnt)
        }
    }

    /// Carries out what [`Fdb::learnt`] said; what is new is noted for SFN.
    #[inline]
    pub(crate) fn learn(&mut self, learning: &Learning, now: Nanos) {
        match *learning {
            Learning::Nothing => {}
            Learning::Seen(slot) => {
                if let Some(Some(slot)) = self.slots.get_mut(slot) {
                    slot.seen = now;
                    slot.record.a = true;
                }
            }
            Learning::New(record) => {
                let event = match record.target {
                    SfdTarget::UnicastLag { sub_port, lag_id, .. } => {
                        SfnEvent::LearnedMacLag { sub_port, lag_id }
                    }
                    SfdTarget::Unicast { sub_port, system_port, .. } => {
                        SfnEvent::LearnedMac { sub_port, system_port }
                    }
                    SfdTarget::Multicast { .. } | SfdTarget::Other { .. } => return,
                };
                if self.put(record, now).is_ok() {
                    self.note(&record, event);
                }
            }
        }
    }

    fn note(&mut self, record: &SfdRecord, event: SfnEvent) {
        if self.notifications.len() == NOTIFICATIONS {
            self.notifications.pop_front();
        }
        let note = SfnRecord { swid: 0, mac: record.mac, fid: record.fid, event };
        self.notifications.push_back(note);
    }

    /// After how many seconds a dynamic record goes that was not seen.
    #[must_use]
    pub(crate) fn age_time(&self) -> u32 {
        self.age_time
    }

    /// Sets it; it counts for records that are there already, too.
    pub(crate) fn set_age_time(&mut self, seconds: u32) {
        self.age_time = seconds;
    }

    /// Lets go of dynamic records that were not seen for the ageing time, and notes them for SFN. Looks once a
    /// second, whoever asks how often.
    #[inline]
    pub(crate) fn age(&mut self, now: Nanos) {
        if now.since(self.aged_at) >= AGEING_INTERVAL {
            self.age_all(now);
        }
    }

    fn age_all(&mut self, now: Nanos) {
        self.aged_at = now;
        let limit = u64::from(self.age_time).saturating_mul(1_000_000_000);
        let old =
            |slot: &Slot| slot.record.policy == SfdPolicy::Dynamic && now.since(slot.seen) >= limit;
        let aged: Vec<_> =
            self.slots.iter().flatten().filter(|slot| old(slot)).map(|slot| slot.record).collect();
        for record in aged {
            let event = match Place::of(&record) {
                Some(Place::Port(system_port)) => SfnEvent::AgedOutMac { sub_port: 0, system_port },
                Some(Place::Lag(lag_id)) => SfnEvent::AgedOutMacLag { sub_port: 0, lag_id },
                None => continue,
            };
            self.take(record.fid, record.mac);
            self.note(&record, event);
        }
    }

    /// Takes at most `max` notifications, oldest first.
    pub(crate) fn take_notifications(&mut self, max: usize) -> Vec<SfnRecord> {
        self.notifications.drain(..max.min(self.notifications.len())).collect()
    }

    /// Removes all records for which `doomed` says so, by FID, place and whether they are static, and what SFN had to
    /// say of such (mlxsw `reg.h`, SFDF). Nothing is noted.
    pub(crate) fn flush(&mut self, doomed: impl Fn(u16, Option<Place>, bool) -> bool) {
        let is_doomed = |record: &&SfdRecord| {
            doomed(record.fid, Place::of(record), record.policy == SfdPolicy::Static)
        };
        let keys: Vec<_> = self.iter().filter(is_doomed).map(|r| (r.fid, r.mac)).collect();
        for (fid, mac) in keys {
            self.take(fid, mac);
        }
        self.notifications.retain(|note| !doomed(note.fid, Place::noted(&note.event), false));
    }

    /// At most `max` records from slot `locator` on, and the locator of the next page: 0 after the last.
    #[must_use]
    pub(crate) fn page(&self, locator: u32, max: usize) -> (Vec<SfdRecord>, u32) {
        let start = usize::try_from(locator).unwrap_or(usize::MAX).min(self.slots.len());
        let mut records = Vec::new();
        for (slot, record) in self.slots.iter().enumerate().skip(start) {
            let Some(Slot { record, .. }) = record else { continue };
            if records.len() == max {
                return (records, u32::try_from(slot).unwrap_or(0));
            }
            records.push(*record);
        }
        (records, 0)
    }

    /// All records, in the order of slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &SfdRecord> {
        self.slots.iter().flatten().map(|slot| &slot.record)
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
                        prop_assert_eq!(fdb.write(record, Nanos(0)).is_ok(), room);
                        if room { naive.insert(key, (SfdPolicy::Static, port)); }
                    }
                    1 => {
                        prop_assert_eq!(fdb.remove(fid, mac(last)), naive.remove(&key).is_some());
                    }
                    2 => {
                        let learning = fdb.learnt(fid, mac(last), Place::Port(port));
                        fdb.learn(&learning, Nanos(0));
                        let fixed = naive.get(&key).is_some_and(|(p, _)| *p == SfdPolicy::Static);
                        if room && !fixed { naive.insert(key, (SfdPolicy::Dynamic, port)); }
                    }
                    _ => {
                        fdb.flush(|_, place, _| place == Some(Place::Port(port)));
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
                fdb.write(record(SfdPolicy::Static, 1, *last, 1), Nanos(0)).unwrap();
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
                    fdb.write(record(SfdPolicy::Static, 2, *last, 1), Nanos(0)).unwrap();
                }
            }
            for last in before.difference(&gone) {
                prop_assert_eq!(seen.iter().filter(|s| *s == last).count(), 1);
            }
        }
    }
}
