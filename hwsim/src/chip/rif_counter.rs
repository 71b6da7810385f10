//! How much came through the router interfaces? Counted for each of them, and in the sets of counters to which RITR points (RICNT).
//!
//! | counted as | on the way in | on the way out |
//! |---|---|---|
//! | good | routed, or to the CPU | routed |
//! | error | a damaged header | |
//! | discard | everything else that came to nothing | |
//!
//! Bytes are those of layer 3. What the CPU sends passes no router interface.

use emad::register::Ricnt;
use serde::Serialize;

use super::keyed::Keyed;

/// A packet that entered the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passage {
    /// The router interface by which it came.
    pub(crate) rif: u16,
    /// Bytes of layer 3.
    pub(crate) len: u32,
    /// Its header is damaged.
    pub(crate) error: bool,
}

/// What a packet counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    /// Unicast that passed.
    Unicast,
    /// Multicast that passed.
    Multicast,
    /// Broadcast that passed.
    Broadcast,
    /// A damaged header.
    Error,
    /// Dropped.
    Discard,
}

/// Packets and bytes of layer 3 through a router interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct RifCounters {
    /// Packets that came in, and were routed or went to the CPU.
    pub rx_packets: u64,
    /// Their bytes.
    pub rx_bytes: u64,
    /// Packets that came in with a damaged header.
    pub rx_errors: u64,
    /// Other packets that came in and were dropped.
    pub rx_dropped: u64,
    /// Packets that were routed out of it.
    pub tx_packets: u64,
    /// Their bytes.
    pub tx_bytes: u64,
}

/// All counters of router interfaces.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    rifs: Vec<RifCounters>,
    sets: Keyed<u32, Ricnt>,
}

impl Counted {
    /// Zeros for so many router interfaces.
    #[must_use]
    pub(crate) fn new(rifs: u16) -> Self {
        Self { rifs: vec![RifCounters::default(); rifs.into()], sets: Keyed::default() }
    }

    /// The counters of a router interface.
    #[must_use]
    pub(crate) fn of(&self, rif: u16) -> RifCounters {
        self.rifs.get(usize::from(rif)).copied().unwrap_or_default()
    }

    /// A router interface is gone: the next of its index begins at zero.
    pub(crate) fn forget(&mut self, rif: u16) {
        if let Some(counters) = self.rifs.get_mut(usize::from(rif)) {
            *counters = RifCounters::default();
        }
    }

    /// A set of counters; of one that never counted all are zero.
    #[must_use]
    pub(crate) fn set(&self, index: u32) -> Ricnt {
        self.sets.get(&index).cloned().unwrap_or_default()
    }

    /// Sets of counters that have counted.
    #[must_use]
    pub(crate) fn sets(&self) -> usize {
        self.sets.len()
    }

    /// A set of counters begins at zero.
    pub(crate) fn clear(&mut self, index: u32) {
        self.sets.remove(&index);
    }

    /// A packet came in; `set`: it counts there as well.
    pub(crate) fn came(&mut self, rif: u16, set: Option<u32>, count: Count, len: u32) {
        if let Some(counters) = self.rifs.get_mut(usize::from(rif)) {
            match count {
                Count::Error => counters.rx_errors += 1,
                Count::Discard => counters.rx_dropped += 1,
                Count::Unicast | Count::Multicast | Count::Broadcast => {
                    counters.rx_packets += 1;
                    counters.rx_bytes += u64::from(len);
                }
            }
        }
        self.add(set, count, len);
    }

    /// A packet was routed out of it; `set`: it counts there as well.
    pub(crate) fn left(&mut self, rif: u16, set: Option<u32>, len: u32) {
        if let Some(counters) = self.rifs.get_mut(usize::from(rif)) {
            counters.tx_packets += 1;
            counters.tx_bytes += u64::from(len);
        }
        self.add(set, Count::Unicast, len);
    }

    fn add(&mut self, set: Option<u32>, count: Count, len: u32) {
        let Some(index) = set else { return };
        let set = self.sets.entry(index).or_default();
        let (packets, bytes) = match count {
            Count::Unicast => (&mut set.good_unicast_packets, &mut set.good_unicast_bytes),
            Count::Multicast => (&mut set.good_multicast_packets, &mut set.good_multicast_bytes),
            Count::Broadcast => (&mut set.good_broadcast_packets, &mut set.good_broadcast_bytes),
            Count::Error => (&mut set.error_packets, &mut set.error_bytes),
            Count::Discard => (&mut set.discard_packets, &mut set.discard_bytes),
        };
        *packets += 1;
        *bytes += u64::from(len);
    }
}
