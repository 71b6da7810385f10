//! Which MACs has the chip learnt, and where do they belong in the kernel's bridges? Without them the kernel floods every
//! unicast frame that it sends into an offloaded bridge.
//!
//! ```text
//!   learnt, moved ─▶ known ── Learn ─▶ `bridge fdb replace MAC dev MEMBER master extern_learn [vlan VID]`
//!   aged ──────────▶ gone ─── Forget ▶ `bridge fdb del …`
//!   flushed in the chip: as aged, for all MACs behind a port or LAG in a domain
//! ```
//!
//! What was known may be wrong after nobody listened for a while: a host may have moved. Then all is forgotten, and what the
//! kernel has beyond what the chip has told since is deleted (a sweep); the kernel floods until the chip tells again.

use std::collections::{BTreeMap, BTreeSet};

use firsthop_asic::{Notice, Noticed};
use firsthop_model::IfIndex;
use firsthop_model::chip::{Fid, PortOrLag};

use super::row::{Job, Row};

/// Where a port or LAG of the chip is in the kernel, for one domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) bridge: IfIndex,
    /// None: the bridge does not tell VLANs apart.
    pub(super) vlan: Option<u16>,
    /// A port, a bond or team, or a VLAN device of one of these.
    pub(super) member: IfIndex,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    member: IfIndex,
    fid: Fid,
    at: PortOrLag,
}

/// The MACs that the chip told about and still has.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    known: BTreeMap<Row, Known>,
}

impl Mirror {
    /// Takes what the chip told; None: the kernel's table has nothing to do with it, or already has it.
    pub(super) fn notice(&mut self, notice: &Notice, seat: Option<Seat>) -> Option<(Row, Job)> {
        let Seat { bridge, vlan, member } = seat?;
        let row = Row { bridge, vlan, mac: notice.mac };
        match notice.what {
            Noticed::Learnt => {
                let known = Known { member, fid: notice.fid, at: notice.at };
                self.known.insert(row, known);
                Some((row, Job::Learn(member)))
            }
            Noticed::Aged => {
                // it was learnt elsewhere since
                if self.known.get(&row).is_some_and(|known| known.at != notice.at) {
                    return None;
                }
                self.known.remove(&row);
                Some((row, Job::Forget(member)))
            }
        }
    }

    /// The chip was told to forget all MACs of these domains behind these ports or LAGs; it does not say which.
    pub(super) fn flush(&mut self, flushed: &BTreeSet<(Fid, PortOrLag)>) -> Vec<(Row, Job)> {
        if flushed.is_empty() {
            return Vec::new();
        }
        let mut jobs = Vec::new();
        self.known.retain(|row, known| {
            let stays = !flushed.contains(&(known.fid, known.at));
            jobs.extend((!stays).then_some((*row, Job::Forget(known.member))));
            stays
        });
        jobs
    }

    /// Nothing is known any more.
    pub(super) fn clear(&mut self) {
        self.known.clear();
    }

    /// Whether the chip told about this entry of the kernel. On a bridge that does not tell VLANs apart the kernel copies an
    /// entry without a VLAN into its own default VLAN.
    pub(super) fn knows(&self, row: Row) -> bool {
        self.known.contains_key(&row) || self.known.contains_key(&Row { vlan: None, ..row })
    }
}

#[cfg(test)]
mod tests {
    use firsthop_model::chip::LagId;
    use firsthop_model::{LocalPort, Mac};

    use super::*;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 9]);
    const FID: Fid = Fid(10);

    fn notice(what: Noticed, port: u16) -> Notice {
        Notice { what, mac: MAC, fid: FID, at: PortOrLag::Port(LocalPort(port)) }
    }

    const fn seat(member: u32) -> Option<Seat> {
        Some(Seat { bridge: IfIndex(7), vlan: Some(10), member: IfIndex(member) })
    }

    const ROW: Row = Row { bridge: IfIndex(7), vlan: Some(10), mac: MAC };

    // Broken if a learnt MAC were not mirrored, one that moved stayed behind, or the late word that it aged at its former
    // place took the new entry away.
    #[test]
    fn a_mac_is_where_it_was_learnt_last() {
        let mut mirror = Mirror::default();
        let learnt = mirror.notice(&notice(Noticed::Learnt, 1), seat(31));
        assert_eq!(learnt, Some((ROW, Job::Learn(IfIndex(31)))));
        let moved = mirror.notice(&notice(Noticed::Learnt, 2), seat(32));
        assert_eq!(moved, Some((ROW, Job::Learn(IfIndex(32)))));
        assert_eq!(mirror.notice(&notice(Noticed::Aged, 1), seat(31)), None);
        assert!(mirror.knows(ROW));
        let aged = mirror.notice(&notice(Noticed::Aged, 2), seat(32));
        assert_eq!(aged, Some((ROW, Job::Forget(IfIndex(32)))));
        assert!(!mirror.knows(ROW));
    }

    // Broken if a MAC of an earlier run, of which only its ageing is told, stayed in the kernel for ever.
    #[test]
    fn an_unknown_mac_ages_as_well() {
        let aged = Mirror::default().notice(&notice(Noticed::Aged, 1), seat(31));
        assert_eq!(aged, Some((ROW, Job::Forget(IfIndex(31)))));
    }

    // Broken if a router port's MACs got into a bridge.
    #[test]
    fn what_has_no_seat_is_nobodys() {
        let mut mirror = Mirror::default();
        assert_eq!(mirror.notice(&notice(Noticed::Learnt, 1), None), None);
        assert!(!mirror.knows(ROW));
    }

    // Broken if MACs that the chip was told to forget stayed in the kernel, or others went with them.
    #[test]
    fn a_flush_takes_one_domain_of_one_port() {
        let mut mirror = Mirror::default();
        mirror.notice(&notice(Noticed::Learnt, 1), seat(31));
        let port = PortOrLag::Port(LocalPort(1));
        let others = BTreeSet::from([(Fid(11), port), (FID, PortOrLag::Lag(LagId(1)))]);
        assert_eq!(mirror.flush(&others), []);
        let flushed = BTreeSet::from([(FID, port)]);
        assert_eq!(mirror.flush(&flushed), [(ROW, Job::Forget(IfIndex(31)))]);
        assert_eq!(mirror.flush(&flushed), []);
    }

    // Broken if a sweep deleted the kernel's copies of right entries.
    #[test]
    fn a_copy_in_the_default_vlan_is_known() {
        let mut mirror = Mirror::default();
        let seat = Some(Seat { vlan: None, ..seat(31).unwrap() });
        mirror.notice(&notice(Noticed::Learnt, 1), seat);
        assert!(mirror.knows(Row { vlan: Some(1), ..ROW }));
        assert!(mirror.knows(Row { vlan: None, ..ROW }));
        assert!(!mirror.knows(Row { vlan: None, bridge: IfIndex(8), ..ROW }));
    }
}
