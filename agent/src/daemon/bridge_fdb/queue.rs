//! What is to be written next? One job a row, the newest; those of router MACs first.
//!
//! ```text
//!   Hold, Release, Look ─▶ urgent ──┐
//!                                   ├─▶ batch of at most 64 ─▶ the task that writes, one batch at a time
//!   Learn, Forget ───────▶ bulk ────┘
//! ```
//!
//! The bulk is bounded: what does not fit is dropped, and the queue says so, as its owner has to look at the table then.

use std::collections::{BTreeMap, VecDeque};

use super::row::{Job, Row};

/// Jobs that the writing task gets at once.
const BATCH: usize = 64;
/// Rows that may wait in the bulk.
const BULK: usize = 16_384;

/// Rows in the order in which they came, each with its newest job.
#[derive(Debug, Default)]
struct Lane {
    order: VecDeque<Row>,
    jobs: BTreeMap<Row, Job>,
}

impl Lane {
    fn put(&mut self, row: Row, job: Job) {
        if self.jobs.insert(row, job).is_none() {
            self.order.push_back(row);
        }
    }

    fn take(&mut self) -> Option<(Row, Job)> {
        let row = self.order.pop_front()?;
        Some((row, self.jobs.remove(&row)?))
    }
}

/// Everything that waits to be written.
#[derive(Debug, Default)]
pub(super) struct Queue {
    urgent: Lane,
    bulk: Lane,
}

impl Queue {
    /// Adds a job in place of an older one for the row. False: there was no room.
    pub(super) fn put(&mut self, row: Row, job: Job) -> bool {
        if job.is_urgent() {
            self.urgent.put(row, job);
            return true;
        }
        let room = self.bulk.jobs.len() < BULK || self.bulk.jobs.contains_key(&row);
        if room {
            self.bulk.put(row, job);
        }
        room
    }

    /// The next jobs; what gives a row free comes before what takes one, as a row of no VLAN stands for all of them.
    pub(super) fn batch(&mut self) -> Vec<(Row, Job)> {
        let mut batch = Vec::new();
        while batch.len() < BATCH
            && let Some(next) = self.urgent.take().or_else(|| self.bulk.take())
        {
            batch.push(next);
        }
        batch.sort_by_key(|(_, job)| (!job.is_urgent(), *job != Job::Release));
        batch
    }

    /// The bulk is given up.
    pub(super) fn drop_bulk(&mut self) {
        self.bulk = Lane::default();
    }
}

#[cfg(test)]
mod tests {
    use firsthop_model::{IfIndex, Mac};

    use super::*;

    fn row(mac: u16) -> Row {
        let [high, low] = mac.to_be_bytes();
        Row { bridge: IfIndex(7), vlan: None, mac: Mac([2, 0, 0, 0, high, low]) }
    }

    const PORT: IfIndex = IfIndex(3);

    // Broken if a MAC that moves ten times cost ten writes, or the last word about it were not the one written.
    #[test]
    fn the_newest_job_of_a_row_counts() {
        let mut queue = Queue::default();
        for member in 1..=10 {
            queue.put(row(1), Job::Learn(IfIndex(member)));
        }
        queue.put(row(2), Job::Learn(PORT));
        queue.put(row(2), Job::Forget(PORT));
        let batch = queue.batch();
        assert_eq!(batch, [(row(1), Job::Learn(IfIndex(10))), (row(2), Job::Forget(PORT))]);
        assert_eq!(queue.batch(), []);
    }

    // Broken if a router's MAC waited behind thousands of hosts', or a row were given free after it was taken again.
    #[test]
    fn router_macs_overtake_and_go_before_they_come() {
        let mut queue = Queue::default();
        for mac in 0..1000 {
            queue.put(row(mac), Job::Learn(PORT));
        }
        queue.put(row(2000), Job::Look);
        queue.put(row(2001), Job::Release);
        let batch = queue.batch();
        assert_eq!(batch.len(), BATCH);
        assert_eq!(batch[..2], [(row(2001), Job::Release), (row(2000), Job::Look)]);
        assert_eq!(batch[2], (row(0), Job::Learn(PORT)));
    }

    // Broken if a storm of learnt MACs grew the queue without end, or nobody was told what was dropped.
    #[test]
    fn the_bulk_is_bounded() {
        let mut queue = Queue::default();
        let put = (0..u16::MAX).filter(|mac| queue.put(row(*mac), Job::Learn(PORT))).count();
        assert_eq!(put, BULK);
        assert!(queue.put(row(0), Job::Forget(PORT)), "a row that waits already needs no room");
        assert!(queue.put(row(u16::MAX), Job::Hold), "router MACs have a lane of their own");
        queue.drop_bulk();
        assert_eq!(queue.batch(), [(row(u16::MAX), Job::Hold)]);
    }
}
