//! Which router MACs are made the bridge's own in the kernel? A frame that the chip traps enters the kernel through a bridge
//! member. If the kernel's bridge had learnt its destination behind another member, it would send it there, where members are
//! isolated from one another: lost. An own (local) entry is delivered upwards, and keeps the bridge from learning the MAC.
//!
//! ```text
//!            wanted            Free, External             done
//!   (none) ─────────▶ Looking ───────────────▶ Writing ─────────▶ Ours ──not wanted──▶ Leaving ──done──▶ (none)
//!           Local │      │ Static                │ refused                                 ▲
//!                 ▼      ▼                       ▼                                         │
//!             Theirs    Taken                 Refused                   Recorded ──────────┘ an earlier daemon's
//! ```
//!
//! Where Linux bridges for itself, such an entry ends flooding: then it is all that is programmed.
//!
//! Only for MACs of macvlans that the chip acknowledged, or that are admitted where there is none: a backup's MAC has to stay learnable. What somebody else made local is
//! used and never removed; what an earlier daemon made local is known from a file.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use firsthop_model::{IfIndex, Mac};

use super::row::{Done, Found, Job, Row};
use crate::daemon::neighbour_table::Refusal;

/// How far a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// It is being looked up what is there.
    Looking,
    /// It is being written.
    Writing,
    /// It is there, and was made here.
    Ours,
    /// It was there already.
    Theirs,
    /// A static entry leads elsewhere.
    Taken,
    /// The kernel refused; tried again when the bridge changes.
    Refused,
    /// An earlier daemon made it, or was about to.
    Recorded,
    /// It is being removed.
    Leaving,
    /// The kernel refused to remove it; tried again when the bridge changes.
    Stuck,
}

impl Hold {
    /// Its end is waited for.
    pub(super) const fn is_moving(self) -> bool {
        matches!(self, Self::Looking | Self::Writing | Self::Recorded | Self::Leaving)
    }

    /// The row may be in the kernel because of us.
    const fn is_ours(self) -> bool {
        match self {
            Self::Writing | Self::Ours | Self::Recorded | Self::Leaving | Self::Stuck => true,
            Self::Looking | Self::Theirs | Self::Taken | Self::Refused => false,
        }
    }
}

/// Local entries of kernel bridges.
#[derive(Debug, Default)]
pub(super) struct Locals {
    rows: BTreeMap<Row, Hold>,
}

impl Locals {
    /// Takes over what an earlier daemon wrote down.
    pub(super) fn recall(&mut self, rows: impl IntoIterator<Item = Row>) {
        for row in rows {
            self.rows.entry(row).or_insert(Hold::Recorded);
        }
    }

    /// The rows that may be in the kernel because of us; what has to be written down before the jobs are done.
    pub(super) fn ours(&self) -> impl Iterator<Item = Row> {
        self.rows.iter().filter(|(_, hold)| hold.is_ours()).map(|(row, _)| *row)
    }

    /// Whether an entry of a bridge is due to us.
    pub(super) fn made(&self, bridge: IfIndex, mac: Mac) -> bool {
        self.of(bridge).any(|(row, hold)| row.mac == mac && hold.is_ours())
    }

    /// Whether a row is there, or on its way.
    pub(super) fn has(&self, row: Row) -> bool {
        self.rows.contains_key(&row)
    }

    /// Compares with what should be there. `pinned`: the kernel itself needs the entry by now.
    pub(super) fn want(
        &mut self,
        wanted: &BTreeSet<Row>,
        pinned: impl Fn(Row) -> bool,
    ) -> Vec<(Row, Job)> {
        let mut jobs = Vec::new();
        for row in wanted.iter().filter(|row| !self.rows.contains_key(row)) {
            jobs.push((*row, Job::Look));
        }
        self.rows.retain(|row, hold| {
            match (*hold, wanted.contains(row)) {
                (Hold::Recorded | Hold::Stuck, true) => {
                    *hold = Hold::Writing;
                    jobs.push((*row, Job::Hold));
                }
                (Hold::Writing | Hold::Ours | Hold::Recorded, false) if !pinned(*row) => {
                    *hold = Hold::Leaving;
                    jobs.push((*row, Job::Release));
                }
                (Hold::Looking | Hold::Theirs | Hold::Taken | Hold::Refused, false) => {
                    return false;
                }
                _ => {}
            }
            true
        });
        let looks = jobs.iter().filter(|(_, job)| *job == Job::Look);
        self.rows.extend(looks.map(|(row, _)| (*row, Hold::Looking)));
        jobs
    }

    /// Takes the end of a job.
    pub(super) fn done(&mut self, done: &Done) -> Option<(Row, Job)> {
        let hold = self.rows.get_mut(&done.row)?;
        let next = match (*hold, done.job, &done.result) {
            (Hold::Looking, Job::Look, Ok(Found::Local(_))) => Hold::Theirs,
            (Hold::Looking, Job::Look, Ok(Found::Static)) => Hold::Taken,
            (Hold::Looking, Job::Look, Ok(Found::Free | Found::External(_))) => Hold::Writing,
            (Hold::Writing, Job::Hold, Ok(_) | Err(Refusal::Silence)) => Hold::Ours,
            (Hold::Looking, Job::Look, Err(_)) | (Hold::Writing, Job::Hold, Err(_)) => {
                Hold::Refused
            }
            (Hold::Leaving, Job::Release, Ok(_) | Err(Refusal::Absent)) => {
                self.rows.remove(&done.row);
                return None;
            }
            (Hold::Leaving, Job::Release, Err(_)) => Hold::Stuck,
            // an answer to what is not asked any more
            _ => return None,
        };
        *hold = next;
        (next == Hold::Writing).then_some((done.row, Job::Hold))
    }

    /// Somebody removed a local entry of a bridge: ours is put back, and what was somebody else's is looked at again.
    pub(super) fn removed(&mut self, bridge: IfIndex, mac: Mac) -> Vec<(Row, Job)> {
        self.again(bridge, |row, hold| match hold {
            Hold::Ours if row.mac == mac => Some((Hold::Writing, Job::Hold)),
            Hold::Theirs | Hold::Taken if row.mac == mac => Some((Hold::Looking, Job::Look)),
            _ => None,
        })
    }

    /// A bridge or its VLANs changed: what the kernel refused is tried again.
    pub(super) fn changed(&mut self, bridge: IfIndex) -> Vec<(Row, Job)> {
        self.again(bridge, |_, hold| match hold {
            Hold::Refused | Hold::Taken => Some((Hold::Looking, Job::Look)),
            Hold::Stuck => Some((Hold::Leaving, Job::Release)),
            _ => None,
        })
    }

    /// A bridge is gone, and its table with it.
    pub(super) fn gone(&mut self, bridge: IfIndex) {
        self.rows.retain(|row, _| row.bridge != bridge);
    }

    /// The bridges that have rows here.
    pub(super) fn bridges(&self) -> BTreeSet<IfIndex> {
        self.rows.keys().map(|row| row.bridge).collect()
    }

    /// How far each row is.
    pub(super) fn holds(&self) -> impl Iterator<Item = (Row, Hold)> {
        self.rows.iter().map(|(row, hold)| (*row, *hold))
    }

    fn of(&self, bridge: IfIndex) -> impl Iterator<Item = (&Row, &Hold)> {
        let first = Row { bridge, vlan: None, mac: Mac::default() };
        self.rows.range(first..).take_while(move |(row, _)| row.bridge == bridge)
    }

    fn again(
        &mut self,
        bridge: IfIndex,
        next: impl Fn(&Row, Hold) -> Option<(Hold, Job)>,
    ) -> Vec<(Row, Job)> {
        let mut jobs = Vec::new();
        let first = Row { bridge, vlan: None, mac: Mac::default() };
        let rows = self.rows.range_mut(first..).take_while(|(row, _)| row.bridge == bridge);
        for (row, hold) in rows {
            if let Some((state, job)) = next(row, *hold) {
                *hold = state;
                jobs.push((*row, job));
            }
        }
        jobs
    }
}
