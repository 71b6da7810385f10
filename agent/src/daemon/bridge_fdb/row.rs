//! The words between what should be in a kernel bridge's forwarding table and the task that writes it.

use firsthop_model::{IfIndex, Mac};
use serde::{Deserialize, Serialize};

use crate::daemon::neighbour_table::Refusal;

/// A row of a bridge's forwarding table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The bridge.
    pub(crate) bridge: IfIndex,
    /// The VLAN, 1..=4094; None: the bridge does not tell VLANs apart.
    pub(crate) vlan: Option<u16>,
    /// The MAC.
    pub(crate) mac: Mac,
}

/// Something to do about a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    /// The chip learnt the MAC behind this member. What an operator or the bridge itself put there stays.
    Learn(IfIndex),
    /// The chip forgot it. Only an entry that was learnt externally, behind this member, goes.
    Forget(IfIndex),
    /// Says what is there.
    Look,
    /// The MAC becomes the bridge's own.
    Hold,
    /// The MAC is not the bridge's own any more. Only a local entry goes.
    Release,
}

impl Job {
    /// About a router's MAC, and not about one among many that the chip learnt.
    pub(super) const fn is_urgent(self) -> bool {
        !matches!(self, Self::Learn(_) | Self::Forget(_))
    }
}

/// What is in a row, as far as it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// No entry, or one that the bridge learnt by itself: it may be replaced.
    Free,
    /// Learnt by a chip, behind this member.
    External(IfIndex),
    /// Put there by an operator, to stay, but not the bridge's own.
    Static,
    /// The MAC of the bridge or of a member, or made the bridge's own; this device has it.
    Local(IfIndex),
}

/// A job that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) row: Row,
    pub(crate) job: Job,
    /// What was there before.
    pub(crate) result: Result<Found, Refusal>,
}
