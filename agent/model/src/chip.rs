//! What a chip holds, as keyed entries: the vocabulary between `plan`, which writes them, and the back ends, which say them to a chip.
//!
//! An [`Entry`] is one thing that a chip acknowledges in one transaction; its [`Key`] says which table row it fills.
//! Chip indices (RIF, FID, virtual router, MAC profile) appear here for the first time: kernel keys end in `intent`.
//!
//! ```text
//!       {port, VID} ──PortVidFid──┐
//!               VID ──VidFid──────┴▶ FID ──Fid/FidRif──▶ RIF ──Rif──▶ virtual router ──Route──▶ CPU
//!                                     │ │                 │
//!           FloodPort: to which ports ┘ └ RouterMac      VRRP fast-path ids
//!
//!     Route ──▶ RIF ──Neighbour──▶ MAC                   a destination that is on the link
//!     Route ──▶ Adjacency, Adjacency … ──▶ RIF, MAC     a gateway, or several: Multipath says which takes a packet
//!
//!     port ──LagPort, LagCollector──▶ LAG
//!
//!     packet class ──Trap──▶ TrapGroup ──▶ Policer
//! ```

mod flood;
mod index;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use flood::{Bridging, FloodClass, FloodTo, FloodTraffic, PortOrLag};
pub use index::{
    AdjacencyIndex, Fid, FidFamily, LagId, MacProfile, PolicerId, RifIndex, TrapGroupId, TrapId,
    Vid, VrId,
};

use crate::topology::StpState;
use crate::types::Family;
use crate::{LocalPort, Mac, Vrid};

/// Which table row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// The router's global enables (RGCR).
    Router,
    /// A packet policer (QPCR).
    Policer(PolicerId),
    /// A trap group (HTGT).
    TrapGroup(TrapGroupId),
    /// What happens to a packet class (HPKT).
    Trap(TrapId),
    /// The lookup tree of a family (RALTA).
    LpmTree(Family),
    /// The prefix lengths in that tree (RALST).
    LpmTreeShape(Family),
    /// A virtual router's use of the tree (RALTB).
    VrTree(VrId, Family),
    /// What happens to multicast that no route matches (RMFT2).
    MulticastDefault(VrId, Family),
    /// A unicast route (RALUE).
    Route(VrId, IpNet),
    /// By which fields of a packet one of several next hops is taken (RECR2).
    Multipath,
    /// A next hop (RATR).
    Adjacency(AdjacencyIndex),
    /// A host on a router interface (RAUHT).
    Neighbour(RifIndex, IpAddr),
    /// A filtering identifier: one bridging domain (SFMR).
    Fid(Fid),
    /// A router interface (RITR).
    Rif(RifIndex),
    /// A MAC whose frames go to the router in a FID (SFD, action forward_ip_router).
    RouterMac(Fid, Mac),
    /// The router interface that a FID's packets enter (SFMR, irif).
    FidRif(Fid),
    /// The VID with which a router interface's packets leave a port (REIV).
    EgressVid(RifIndex, LocalPort),
    /// The VID of a port's untagged frames (SPVID).
    PortPvid(LocalPort),
    /// A port's membership of a VLAN (SPVM).
    PortVlan(LocalPort, Vid),
    /// Source-address learning of a {port, VID} (SPVMLR).
    PortLearning(LocalPort, Vid),
    /// The spanning-tree state of a {port, VID} (SPMS).
    PortStp(LocalPort, Vid),
    /// The FID and router interface of a {port, VID} (SVFA).
    PortVidFid(LocalPort, Vid),
    /// The FID and router interface of a VID on every port that has no mapping of its own (SVFA).
    VidFid(Vid),
    /// How long a learnt MAC lives without being seen (SFDAT).
    AgeingTime,
    /// Where the flood vectors of a kind of frame are (SFGC).
    FloodTable(Bridging, FloodTraffic),
    /// A destination in a flood vector of a FID (SMID2).
    FloodPort(Fid, FloodClass, FloodTo),
    /// The MACs learnt in a FID behind a port or LAG (SFDF).
    Learnt(Fid, PortOrLag),
    /// A link aggregation group (SLDR).
    Lag(LagId),
    /// A port to which a LAG distributes frames (SLDR).
    LagPort(LagId, LocalPort),
    /// The LAG from which a port collects frames (SLCOR, add port).
    LagCollector(LocalPort),
    /// The collector of a port is on (SLCOR, enable).
    LagCollecting(LocalPort),
}

impl Key {
    /// One of very many: a route, next hop or neighbour.
    pub const fn is_bulk(&self) -> bool {
        matches!(self, Self::Route(..) | Self::Adjacency(_) | Self::Neighbour(..))
    }
}

/// One row with its content. The key is part of the entry, so that a key can't be paired with another row's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// See [`Key::Router`].
    Router {
        /// Upper bound of RIF indices, from the chip's resources.
        max_rifs: u16,
    },
    /// See [`Key::Policer`].
    Policer {
        /// Index
        id: PolicerId,
        /// Packets per second.
        rate: u32,
        /// Packets; a power of two.
        burst: u32,
    },
    /// See [`Key::TrapGroup`].
    TrapGroup {
        /// Index
        id: TrapGroupId,
        /// None: no limit.
        policer: Option<PolicerId>,
        /// 0..=7, a packet that matches several traps is delivered for the group with the highest.
        priority: u8,
        /// CPU traffic class, 0..=7.
        tclass: u8,
    },
    /// See [`Key::Trap`].
    Trap {
        /// Packet class
        id: TrapId,
        /// What to do.
        action: TrapAction,
        /// Where trapped packets are counted and policed.
        group: TrapGroupId,
    },
    /// See [`Key::LpmTree`].
    LpmTree {
        /// Address family; also says the tree's index.
        family: Family,
    },
    /// See [`Key::LpmTreeShape`]: all prefix lengths of the family.
    LpmTreeShape {
        /// Address family
        family: Family,
    },
    /// See [`Key::VrTree`].
    VrTree {
        /// Virtual router
        vr: VrId,
        /// Address family
        family: Family,
    },
    /// See [`Key::MulticastDefault`]: to the CPU under this trap.
    MulticastDefault {
        /// Virtual router
        vr: VrId,
        /// Address family
        family: Family,
        /// Packet class that counts it
        trap: TrapId,
    },
    /// See [`Key::Route`].
    Route {
        /// Virtual router
        vr: VrId,
        /// Destination
        prefix: IpNet,
        /// What to do.
        action: RouteAction,
    },
    /// See [`Key::Multipath`]: addresses, protocol and ports, as Linux with `fib_multipath_hash_policy` 1.
    Multipath,
    /// See [`Key::Adjacency`].
    Adjacency {
        /// Index
        index: AdjacencyIndex,
        /// The router interface by which packets leave.
        rif: RifIndex,
        /// Its MAC. None: it is not known, and packets go to the CPU, which will ask.
        mac: Option<Mac>,
    },
    /// See [`Key::Neighbour`].
    Neighbour {
        /// Router interface
        rif: RifIndex,
        /// Its address
        ip: IpAddr,
        /// Its MAC
        mac: Mac,
    },
    /// See [`Key::Fid`]. Its number says what it is: [`Fid::family`].
    Fid {
        /// Index
        fid: Fid,
    },
    /// See [`Key::Rif`].
    Rif(Rif),
    /// See [`Key::RouterMac`].
    RouterMac {
        /// Bridging domain
        fid: Fid,
        /// Destination MAC
        mac: Mac,
    },
    /// See [`Key::FidRif`].
    FidRif {
        /// Bridging domain
        fid: Fid,
        /// An enabled router interface
        rif: RifIndex,
    },
    /// See [`Key::EgressVid`].
    EgressVid {
        /// Router interface
        rif: RifIndex,
        /// Port
        port: LocalPort,
        /// VID inside the chip
        vid: Vid,
    },
    /// See [`Key::PortPvid`].
    PortPvid {
        /// Port
        port: LocalPort,
        /// VID
        vid: Vid,
    },
    /// See [`Key::PortVlan`].
    PortVlan {
        /// Port
        port: LocalPort,
        /// VID
        vid: Vid,
        /// Frames leave without a tag.
        untagged: bool,
    },
    /// See [`Key::PortLearning`]. Power-on state: on.
    PortLearning {
        /// Port
        port: LocalPort,
        /// VID
        vid: Vid,
        /// Learn source addresses.
        enabled: bool,
    },
    /// See [`Key::PortStp`].
    PortStp {
        /// Port
        port: LocalPort,
        /// VID
        vid: Vid,
        /// State
        state: StpState,
    },
    /// See [`Key::PortVidFid`].
    PortVidFid {
        /// Port
        port: LocalPort,
        /// VID
        vid: Vid,
        /// Bridging domain
        fid: Fid,
        /// Router interface that routed packets enter.
        rif: Option<RifIndex>,
    },
    /// See [`Key::VidFid`].
    VidFid {
        /// VID
        vid: Vid,
        /// Bridging domain
        fid: Fid,
        /// Router interface that routed packets enter.
        rif: Option<RifIndex>,
    },
    /// See [`Key::AgeingTime`].
    AgeingTime {
        /// Seconds, 10..=1000000; see SFDAT.
        seconds: u32,
    },
    /// See [`Key::FloodTable`].
    FloodTable {
        /// Of FIDs of this family.
        bridging: Bridging,
        /// Kind of frame
        traffic: FloodTraffic,
    },
    /// See [`Key::FloodPort`].
    FloodPort {
        /// Bridging domain
        fid: Fid,
        /// Which of its vectors
        class: FloodClass,
        /// Who gets a copy.
        to: FloodTo,
    },
    /// See [`Key::Learnt`]: both writing and removing this row flushes them.
    Learnt {
        /// Bridging domain
        fid: Fid,
        /// Behind what
        at: PortOrLag,
    },
    /// See [`Key::Lag`].
    Lag {
        /// Index
        lag: LagId,
    },
    /// See [`Key::LagPort`].
    LagPort {
        /// LAG
        lag: LagId,
        /// Member
        port: LocalPort,
    },
    /// See [`Key::LagCollector`].
    LagCollector {
        /// Member
        port: LocalPort,
        /// LAG
        lag: LagId,
    },
    /// See [`Key::LagCollecting`].
    LagCollecting {
        /// Member
        port: LocalPort,
        /// LAG
        lag: LagId,
    },
}

/// A router interface of the chip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rif {
    /// Index
    pub rif: RifIndex,
    /// A disabled one exists only between the first and the last step of its removal.
    pub enabled: bool,
    /// Where its packets come from.
    pub kind: RifKind,
    /// Virtual router
    pub vr: VrId,
    /// Bytes of IP packet
    pub mtu: u16,
    /// Source MAC of routed packets.
    pub mac: Mac,
    /// The profile whose prefix `mac` shares.
    pub mac_profile: MacProfile,
    /// VRRP fast path, IPv4.
    pub vrrp_ipv4: Option<Vrid>,
    /// VRRP fast path, IPv6.
    pub vrrp_ipv6: Option<Vrid>,
}

/// The hardware type of a router interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RifKind {
    /// A port or LAG, or a VLAN of one (SP_IF).
    Subport {
        /// Port or LAG
        at: PortOrLag,
        /// The router FID of the interface.
        fid: Fid,
    },
    /// A VLAN of the VLAN-aware bridge (VLAN_IF).
    Vlan {
        /// VID
        vid: Vid,
        /// The 802.1Q FID of the VLAN.
        fid: Fid,
    },
    /// A VLAN-unaware bridge (FID_IF).
    Fid {
        /// The 802.1D FID of the bridge.
        fid: Fid,
    },
}

impl RifKind {
    /// The FID in which the router interface's MACs are.
    pub const fn fid(self) -> Fid {
        match self {
            Self::Subport { fid, .. } | Self::Vlan { fid, .. } | Self::Fid { fid } => fid,
        }
    }
}

/// HPKT action, as far as Firsthop uses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrapAction {
    /// To the CPU only.
    Trap,
    /// To the CPU, and forwarded.
    Mirror,
    /// Forwarded as if there were no trap.
    Forward,
    /// Dropped.
    Discard,
}

/// RALUE action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteAction {
    /// The CPU is the destination.
    Ip2me,
    /// To the CPU for this reason.
    Trap(TrapId),
    /// Dropped.
    Discard,
    /// To the host of that address on a router interface.
    Local(RifIndex),
    /// To a next hop of a group.
    Remote {
        /// Its first adjacency.
        first: AdjacencyIndex,
        /// How many there are, one after the other; at least 1.
        size: u16,
    },
}

/// Rows by key.
pub type Tables = BTreeMap<Key, Entry>;

impl Entry {
    /// The content that a row has without anybody's doing, or after its removal: it counts as empty unless it is wanted.
    pub fn is_neutral(&self) -> bool {
        match self {
            Self::PortStp { state, .. } => *state == StpState::Discarding,
            Self::PortLearning { enabled, .. } => *enabled,
            Self::PortPvid { vid, .. } => *vid == Vid::POWER_ON,
            Self::EgressVid { vid, .. } => *vid == Vid(0),
            // What can't be switched off is as good as off.
            Self::Policer { rate, burst, .. } => (*rate, *burst) == (1, 16),
            _ => false,
        }
    }

    /// The row that this entry fills.
    pub fn key(&self) -> Key {
        match *self {
            Self::Router { .. } => Key::Router,
            Self::Policer { id, .. } => Key::Policer(id),
            Self::TrapGroup { id, .. } => Key::TrapGroup(id),
            Self::Trap { id, .. } => Key::Trap(id),
            Self::LpmTree { family } => Key::LpmTree(family),
            Self::LpmTreeShape { family } => Key::LpmTreeShape(family),
            Self::VrTree { vr, family } => Key::VrTree(vr, family),
            Self::MulticastDefault { vr, family, .. } => Key::MulticastDefault(vr, family),
            Self::Route { vr, prefix, .. } => Key::Route(vr, prefix),
            Self::Multipath => Key::Multipath,
            Self::Adjacency { index, .. } => Key::Adjacency(index),
            Self::Neighbour { rif, ip, .. } => Key::Neighbour(rif, ip),
            Self::Fid { fid } => Key::Fid(fid),
            Self::Rif(ref rif) => Key::Rif(rif.rif),
            Self::RouterMac { fid, mac } => Key::RouterMac(fid, mac),
            Self::FidRif { fid, .. } => Key::FidRif(fid),
            Self::EgressVid { rif, port, .. } => Key::EgressVid(rif, port),
            Self::PortPvid { port, .. } => Key::PortPvid(port),
            Self::PortVlan { port, vid, .. } => Key::PortVlan(port, vid),
            Self::PortLearning { port, vid, .. } => Key::PortLearning(port, vid),
            Self::PortStp { port, vid, .. } => Key::PortStp(port, vid),
            Self::PortVidFid { port, vid, .. } => Key::PortVidFid(port, vid),
            Self::VidFid { vid, .. } => Key::VidFid(vid),
            Self::AgeingTime { .. } => Key::AgeingTime,
            Self::FloodTable { bridging, traffic } => Key::FloodTable(bridging, traffic),
            Self::FloodPort { fid, class, to } => Key::FloodPort(fid, class, to),
            Self::Learnt { fid, at } => Key::Learnt(fid, at),
            Self::Lag { lag } => Key::Lag(lag),
            Self::LagPort { lag, port } => Key::LagPort(lag, port),
            Self::LagCollector { port, .. } => Key::LagCollector(port),
            Self::LagCollecting { port, .. } => Key::LagCollecting(port),
        }
    }
}

/// One step: a row from one content to another. Its inverse is the two exchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// The row gets this content; it was absent or unknown.
    Add(Entry),
    /// The row's content changes in place.
    Edit {
        /// What is there.
        from: Entry,
        /// What shall be there.
        to: Entry,
    },
    /// The row is emptied.
    Remove(Entry),
}

impl Change {
    /// The row that changes.
    pub fn key(&self) -> Key {
        match self {
            Self::Add(entry) | Self::Remove(entry) | Self::Edit { to: entry, .. } => entry.key(),
        }
    }

    /// The row's content afterwards.
    pub const fn after(&self) -> Option<&Entry> {
        match self {
            Self::Add(entry) | Self::Edit { to: entry, .. } => Some(entry),
            Self::Remove(_) => None,
        }
    }

    /// The step back.
    pub fn inverse(&self) -> Self {
        match self {
            Self::Add(entry) => Self::Remove(entry.clone()),
            Self::Remove(entry) => Self::Add(entry.clone()),
            Self::Edit { from, to } => Self::Edit { from: to.clone(), to: from.clone() },
        }
    }
}
