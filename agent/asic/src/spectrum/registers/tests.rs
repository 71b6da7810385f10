use std::collections::BTreeMap;
use std::net::IpAddr;

use emad::register::TrapAction as RegisterAction;
use emad::register::{
    BridgeType, FloodTable, FloodType, HpktAction, RalueAction, RitrType, Sfd, SfdAction,
    SfdPolicy, SfdRecord, Sfdat, Sfdf, SfdfFlush, Sfgc, Sfmr, SfmrOp, Sfn, SfnEvent, SfnRecord,
    Slcor, SlcorCol, Sldr, SldrOp, Smid2, Spms, SpmsState, Svfa, SvfaMapping,
};
use firsthop_model::chip::{
    AdjacencyIndex, Bridging, Fid, FloodClass, FloodTo, FloodTraffic, LagId, MacProfile, PolicerId,
    PortOrLag, Rif, RifIndex, RifKind, RouteAction, TrapAction, TrapGroupId, TrapId, Vid, VrId,
};
use firsthop_model::types::Family;
use firsthop_model::{LocalPort, Mac, Vrid};
use ipnet::IpNet;
use proptest::prelude::*;

use super::*;
use crate::Noticed;
use crate::asic::{Readability, readability};

mod routes;

/// A chip like Spectrum-2 with as many ports as a flood vector has room for, besides the router.
const DIALECT: Dialect = Dialect { ports: 1022, vlan_rif_has_efid: true, lag_members: 32 };
const SPECTRUM1: Dialect = Dialect { ports: 56, vlan_rif_has_efid: false, lag_members: 16 };

fn write(change: &Change) -> Result<Register, AsicError> {
    super::write(change, &DIALECT)
}

fn read(key: &Key, register: &Register) -> Row {
    super::read(key, register, &DIALECT)
}

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::Ipv4), Just(Family::Ipv6)]
}

fn mac() -> impl Strategy<Value = Mac> {
    any::<[u8; 6]>().prop_map(Mac)
}

fn vrid() -> impl Strategy<Value = Option<Vrid>> {
    any::<u8>().prop_map(|id| Vrid::try_from(id).ok())
}

fn fid() -> impl Strategy<Value = Fid> {
    prop_oneof![1_u16..=5118, 5120_u16..].prop_map(Fid)
}

fn bridge_fid() -> impl Strategy<Value = Fid> {
    (1_u16..=5118).prop_map(Fid)
}

fn port_or_lag() -> impl Strategy<Value = PortOrLag> {
    prop_oneof![
        any::<u16>().prop_map(|port| PortOrLag::Port(LocalPort(port))),
        (0_u16..1024).prop_map(|lag| PortOrLag::Lag(LagId(lag))),
    ]
}

fn rif_kind() -> impl Strategy<Value = RifKind> {
    prop_oneof![
        (port_or_lag(), fid()).prop_map(|(at, fid)| RifKind::Subport { at, fid }),
        (0_u16..4096, fid()).prop_map(|(vid, fid)| RifKind::Vlan { vid: Vid(vid), fid }),
        fid().prop_map(|fid| RifKind::Fid { fid }),
    ]
}

fn rif() -> impl Strategy<Value = Rif> {
    let numbers = (any::<u16>(), rif_kind(), any::<u16>(), any::<u16>(), 0_u8..16);
    (numbers, any::<bool>(), mac(), vrid(), vrid()).prop_map(
        |((rif, kind, vr, mtu, profile), enabled, mac, vrrp_ipv4, vrrp_ipv6)| Rif {
            rif: RifIndex(rif),
            enabled,
            kind,
            vr: VrId(vr),
            mtu,
            mac,
            mac_profile: MacProfile(profile),
            vrrp_ipv4,
            vrrp_ipv6,
        },
    )
}

fn prefix() -> impl Strategy<Value = IpNet> {
    prop_oneof![
        (any::<[u8; 4]>(), 0_u8..=32).prop_map(|(ip, len)| IpNet::new(ip.into(), len).unwrap()),
        (any::<[u8; 16]>(), 0_u8..=128).prop_map(|(ip, len)| IpNet::new(ip.into(), len).unwrap()),
    ]
    .prop_map(|prefix| prefix.trunc())
}

fn ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u8; 16]>().prop_map(IpAddr::from)]
}

fn adjacency() -> impl Strategy<Value = AdjacencyIndex> {
    (0_u32..1 << 24).prop_map(AdjacencyIndex)
}

fn route_action() -> impl Strategy<Value = RouteAction> {
    prop_oneof![
        Just(RouteAction::Ip2me),
        (0_u16..0x200).prop_map(|trap| RouteAction::Trap(TrapId(trap))),
        Just(RouteAction::Discard),
        any::<u16>().prop_map(|rif| RouteAction::Local(RifIndex(rif))),
        (adjacency(), 1_u16..0x2000).prop_map(|(first, size)| RouteAction::Remote { first, size }),
    ]
}

fn trap_action() -> impl Strategy<Value = TrapAction> {
    prop_oneof![
        Just(TrapAction::Trap),
        Just(TrapAction::Mirror),
        Just(TrapAction::Forward),
        Just(TrapAction::Discard),
    ]
}

fn stp_state() -> impl Strategy<Value = StpState> {
    prop_oneof![Just(StpState::Discarding), Just(StpState::Learning), Just(StpState::Forwarding),]
}

fn bridging() -> impl Strategy<Value = Bridging> {
    prop_oneof![Just(Bridging::Dot1q), Just(Bridging::Dot1d)]
}

fn flood_to() -> impl Strategy<Value = FloodTo> {
    let port = (1..=DIALECT.ports).prop_map(|port| FloodTo::Port(LocalPort(port)));
    prop_oneof![3 => port, 1 => Just(FloodTo::Router)]
}

fn member() -> impl Strategy<Value = (LocalPort, LagId)> {
    (0_u16..1024, 0_u16..1024).prop_map(|(port, lag)| (LocalPort(port), LagId(lag)))
}

fn port_vid() -> impl Strategy<Value = (LocalPort, Vid)> {
    (0_u16..1024, 0_u16..4096).prop_map(|(port, vid)| (LocalPort(port), Vid(vid)))
}

/// Entries whose values fit their fields, of every kind.
pub(crate) fn entry() -> impl Strategy<Value = Entry> {
    let flood_class = || prop::sample::select(&FloodClass::ALL[..]);
    let rif_index = || any::<u16>().prop_map(RifIndex);
    let vr = || any::<u16>().prop_map(VrId);
    let trap = || (0_u16..0x200).prop_map(TrapId);
    prop_oneof![
        any::<u16>().prop_map(|max_rifs| Entry::Router { max_rifs }),
        (0_u16..0x4000, 1_u32.., 0_u32..32).prop_map(|(id, rate, log2)| {
            Entry::Policer { id: PolicerId(id), rate, burst: 1 << log2 }
        }),
        (any::<u8>(), prop::option::of(0_u16..256), 0_u8..16, 0_u8..64).prop_map(
            |(id, policer, priority, tclass)| Entry::TrapGroup {
                id: TrapGroupId(id & 63),
                policer: policer.map(PolicerId),
                priority,
                tclass,
            }
        ),
        (0_u16..0x400, trap_action(), 0_u8..64).prop_map(|(id, action, group)| Entry::Trap {
            id: TrapId(id),
            action,
            group: TrapGroupId(group),
        }),
        family().prop_map(|family| Entry::LpmTree { family }),
        family().prop_map(|family| Entry::LpmTreeShape { family }),
        (vr(), family()).prop_map(|(vr, family)| Entry::VrTree { vr, family }),
        (vr(), family(), trap()).prop_map(|(vr, family, trap)| Entry::MulticastDefault {
            vr,
            family,
            trap
        }),
        (vr(), prefix(), route_action()).prop_map(|(vr, prefix, action)| Entry::Route {
            vr,
            prefix,
            action
        }),
        Just(Entry::Multipath),
        (adjacency(), rif_index(), prop::option::of(mac()))
            .prop_map(|(index, rif, mac)| Entry::Adjacency { index, rif, mac }),
        (rif_index(), ip(), mac()).prop_map(|(rif, ip, mac)| Entry::Neighbour { rif, ip, mac }),
        fid().prop_map(|fid| Entry::Fid { fid }),
        rif().prop_map(Entry::Rif),
        (fid(), mac()).prop_map(|(fid, mac)| Entry::RouterMac { fid, mac }),
        (fid(), rif_index()).prop_map(|(fid, rif)| Entry::FidRif { fid, rif }),
        (rif_index(), port_vid()).prop_map(|(rif, (port, vid))| Entry::EgressVid {
            rif,
            port,
            vid
        }),
        port_vid().prop_map(|(port, vid)| Entry::PortPvid { port, vid }),
        (port_vid(), any::<bool>()).prop_map(|((port, vid), untagged)| Entry::PortVlan {
            port,
            vid,
            untagged
        }),
        (port_vid(), any::<bool>()).prop_map(|((port, vid), enabled)| Entry::PortLearning {
            port,
            vid,
            enabled
        }),
        (port_vid(), stp_state()).prop_map(|((port, vid), state)| Entry::PortStp {
            port,
            vid,
            state
        }),
        (port_vid(), fid(), prop::option::of(rif_index()))
            .prop_map(|((port, vid), fid, rif)| Entry::PortVidFid { port, vid, fid, rif }),
        (0_u16..4096, fid(), prop::option::of(rif_index()))
            .prop_map(|(vid, fid, rif)| Entry::VidFid { vid: Vid(vid), fid, rif }),
        (10_u32..=1_000_000).prop_map(|seconds| Entry::AgeingTime { seconds }),
        (bridging(), prop::sample::select(&FloodTraffic::ALL[..]))
            .prop_map(|(bridging, traffic)| Entry::FloodTable { bridging, traffic }),
        (bridge_fid(), flood_class(), flood_to()).prop_map(|(fid, class, to)| Entry::FloodPort {
            fid,
            class,
            to
        }),
        (fid(), port_or_lag()).prop_map(|(fid, at)| Entry::Learnt { fid, at }),
        (0_u16..1024).prop_map(|lag| Entry::Lag { lag: LagId(lag) }),
        member().prop_map(|(port, lag)| Entry::LagPort { lag, port }),
        member().prop_map(|(port, lag)| Entry::LagCollector { port, lag }),
        member().prop_map(|(port, lag)| Entry::LagCollecting { port, lag }),
    ]
}

fn decoded(register: &Register) -> Register {
    Register::decode(register.id(), &register.encode()).unwrap()
}

/// What a row holds that no removal empties: it always has a value.
fn power_on(entry: &Entry) -> Option<Entry> {
    Some(match *entry {
        Entry::EgressVid { rif, port, .. } => Entry::EgressVid { rif, port, vid: Vid(0) },
        Entry::PortPvid { port, .. } => Entry::PortPvid { port, vid: Vid(1) },
        Entry::PortLearning { port, vid, .. } => Entry::PortLearning { port, vid, enabled: true },
        Entry::PortStp { port, vid, .. } => {
            Entry::PortStp { port, vid, state: StpState::Discarding }
        }
        Entry::AgeingTime { .. } => Entry::AgeingTime { seconds: 300 },
        Entry::Policer { id, .. } => Entry::Policer { id, rate: 1, burst: 16 },
        Entry::TrapGroup { id, .. } => {
            Entry::TrapGroup { id, policer: None, priority: 0, tclass: 0 }
        }
        _ => return None,
    })
}

proptest! {
    // Broken if any entry were written so that it reads back as another one, or a removal left it there.
    #[test]
    fn what_is_written_reads_back(entry in entry()) {
        let key = entry.key();
        let added = write(&Change::Add(entry.clone())).unwrap();
        prop_assert_eq!(read(&key, &decoded(&added)), Row::Holds(entry.clone()));
        let from = Box::new(entry.clone());
        let edited = write(&Change::Edit { from: *from, to: entry.clone() }).unwrap();
        prop_assert_eq!(read(&key, &decoded(&edited)), Row::Holds(entry.clone()));
        let removed = write(&Change::Remove(entry.clone())).unwrap();
        let expected = match &entry {
            // Both flush.
            Entry::Learnt { .. } => Row::Holds(entry),
            entry => power_on(entry).map_or(Row::Empty, Row::Holds),
        };
        prop_assert_eq!(read(&key, &decoded(&removed)), expected);
    }

    // Broken if a recording of a write told of other rows than the one that was written, or not of that one.
    #[test]
    fn a_write_tells_of_its_row(entry in entry()) {
        let key = entry.key();
        let in_database = matches!(key, Key::RouterMac(..) | Key::Learnt(..));
        for change in [Change::Add(entry.clone()), Change::Remove(entry.clone())] {
            let told = rows(&decoded(&write(&change).unwrap()), Told::Write, &DIALECT);
            prop_assert_eq!(told.contains(&key), !in_database, "{:?}", told);
            prop_assert!(told.iter().all(|other| lane(other) == lane(&key)), "{told:?}");
        }
    }

    // Broken if a router interface came back as one of another kind on a chip that derives the egress FID of a VLAN.
    #[test]
    fn router_interfaces_read_back_on_spectrum1(mut rif in rif()) {
        if let RifKind::Vlan { vid, fid } = &mut rif.kind {
            *fid = Fid::of_vlan(*vid);
        }
        let entry = Entry::Rif(rif);
        let added = super::write(&Change::Add(entry.clone()), &SPECTRUM1).unwrap();
        let row = super::read(&entry.key(), &decoded(&added), &SPECTRUM1);
        prop_assert_eq!(row, Row::Holds(entry));
    }

    // Broken if a query asked for another register than the one that was written, or the table of what is readable lied.
    #[test]
    fn query_is_of_the_written_register(entry in entry()) {
        let key = entry.key();
        let written = write(&Change::Add(entry)).unwrap();
        prop_assert_eq!(
            query(&key).map(|query| query.id()),
            (readability(&key) != Readability::Unreadable).then(|| written.id())
        );
    }
}

proptest! {
    // Each case compares many pairs.
    #![proptest_config(ProptestConfig::with_cases(64))]

    // Broken if the answer for one row were taken for another row's content.
    #[test]
    fn a_row_is_not_read_from_another(entries in prop::collection::vec(entry(), 24)) {
        let mut registers: BTreeMap<u16, Vec<(&Entry, Register)>> = BTreeMap::new();
        for entry in &entries {
            let register = decoded(&write(&Change::Add(entry.clone())).unwrap());
            registers.entry(register.id()).or_default().push((entry, register));
        }
        for rows in registers.values() {
            for (one, register) in rows {
                for (other, _) in rows.iter().filter(|(other, _)| lane(&other.key()) != lane(&one.key())) {
                    let row = read(&other.key(), register);
                    // Registers with records of many ports tell of rows that were not written, too.
                    let untouched = power_on(other).as_ref() == Some(other);
                    prop_assert!(untouched || row != Row::Holds((*other).clone()), "{one:?} {other:?}");
                }
            }
        }
    }
}

fn unsayable(change: &Change) -> bool {
    matches!(write(change), Err(AsicError::Unsayable { .. }))
}

// Broken if an index with more bits than its field were cut and hit another row, or a burst were rounded silently.
#[test]
fn values_that_do_not_fit_are_refused() {
    let port = LocalPort(1);
    for entry in [
        Entry::PortPvid { port: LocalPort(1024), vid: Vid(1) },
        Entry::PortPvid { port, vid: Vid(4096) },
        Entry::PortStp { port, vid: Vid(4096), state: StpState::Forwarding },
        Entry::VidFid { vid: Vid(4096), fid: Fid(1), rif: None },
        Entry::AgeingTime { seconds: 9 },
        Entry::AgeingTime { seconds: 1_000_001 },
        Entry::Fid { fid: Fid(0) },
        Entry::Fid { fid: Fid(5119) },
        Entry::FidRif { fid: Fid(5119), rif: RifIndex(0) },
        flooded(0, FloodTo::Router),
        flooded(5119, FloodTo::Router),
        flooded(5120, FloodTo::Router),
        flooded(1, FloodTo::Port(LocalPort(0))),
        // That is the router's number.
        flooded(1, FloodTo::Port(LocalPort(1023))),
        Entry::Learnt { fid: Fid(1), at: PortOrLag::Lag(LagId(1024)) },
        Entry::Lag { lag: LagId(1024) },
        Entry::LagPort { lag: LagId(1024), port },
        Entry::LagCollector { port: LocalPort(1024), lag: LagId(0) },
        Entry::LagCollecting { port, lag: LagId(1024) },
        Entry::EgressVid { rif: RifIndex(0), port, vid: Vid(4096) },
        Entry::EgressVid { rif: RifIndex(0), port: LocalPort(4096), vid: Vid(1) },
        Entry::Policer { id: PolicerId(0), rate: 1, burst: 1000 },
        Entry::Policer { id: PolicerId(0), rate: 1, burst: 0 },
        Entry::Policer { id: PolicerId(0), rate: 0, burst: 16 },
        Entry::Policer { id: PolicerId(0x4000), rate: 1, burst: 16 },
        Entry::TrapGroup {
            id: TrapGroupId(0),
            policer: Some(PolicerId(256)),
            priority: 0,
            tclass: 0,
        },
        Entry::TrapGroup { id: TrapGroupId(0), policer: None, priority: 16, tclass: 0 },
        Entry::Trap { id: TrapId(1024), action: TrapAction::Trap, group: TrapGroupId(0) },
        Entry::Trap { id: TrapId(0), action: TrapAction::Trap, group: TrapGroupId(64) },
        Entry::MulticastDefault { vr: VrId(0), family: Family::Ipv4, trap: TrapId(0x200) },
        Entry::Route {
            vr: VrId(0),
            prefix: "192.0.2.1/24".parse().unwrap(),
            action: RouteAction::Ip2me,
        },
        remote(1 << 24, 1),
        remote(0, 0),
        remote(0, 0x2000),
        Entry::Adjacency { index: AdjacencyIndex(1 << 24), rif: RifIndex(0), mac: None },
    ] {
        assert!(unsayable(&Change::Add(entry.clone())), "{entry:?}");
        assert!(unsayable(&Change::Remove(entry.clone())), "{entry:?}");
    }
    let edit = Change::Edit { from: Entry::Fid { fid: Fid(1) }, to: Entry::Fid { fid: Fid(2) } };
    assert!(unsayable(&edit));
    let in_lag = |lag| Entry::LagCollector { port, lag: LagId(lag) };
    assert!(unsayable(&Change::Edit { from: in_lag(1), to: in_lag(2) }));
    // A chip that takes the VLAN's FID can't be told another one.
    let vlan = Rif { kind: RifKind::Vlan { vid: Vid(10), fid: Fid(11) }, ..some_rif(true) };
    assert!(!unsayable(&Change::Add(Entry::Rif(vlan.clone()))));
    let refused = super::write(&Change::Add(Entry::Rif(vlan)), &SPECTRUM1);
    assert!(matches!(refused, Err(AsicError::Unsayable { .. })), "{refused:?}");
    // Who does not know the number of ports does not know the router's.
    let refused = super::write(&Change::Add(flooded(1, FloodTo::Router)), &Dialect::default());
    assert!(matches!(refused, Err(AsicError::Unsayable { .. })), "{refused:?}");
}

fn remote(first: u32, size: u16) -> Entry {
    let prefix = "198.51.100.0/24".parse().unwrap();
    let action = RouteAction::Remote { first: AdjacencyIndex(first), size };
    Entry::Route { vr: VrId(0), prefix, action }
}

fn flooded(fid: u16, to: FloodTo) -> Entry {
    Entry::FloodPort { fid: Fid(fid), class: FloodClass::Broadcast, to }
}

/// The registers of an addition and of a removal.
fn said(entry: Entry, dialect: &Dialect) -> [Register; 2] {
    [Change::Add(entry.clone()), Change::Remove(entry)]
        .map(|change| super::write(&change, dialect).unwrap())
}

// Broken if a FID of one family flooded by the tables of another, or at another place than its ports are put.
#[test]
fn fids_flood_by_their_family() {
    let plain = |fid| Sfmr { fid, ..Sfmr::default() };
    for (fid, expected) in [
        (1, Sfmr { fid_offset: 1, ..plain(1) }),
        (4094, Sfmr { fid_offset: 4094, ..plain(4094) }),
        (4095, Sfmr { bridge_type: true, ..plain(4095) }),
        (5118, Sfmr { bridge_type: true, fid_offset: 1023, ..plain(5118) }),
        (5120, Sfmr { flood_rsp: true, ..plain(5120) }),
    ] {
        let [added, removed] = said(Entry::Fid { fid: Fid(fid) }, &DIALECT);
        assert_eq!(added, expected.clone().into());
        assert_eq!(removed, Sfmr { op: SfmrOp::Destroy, ..expected.clone() }.into());
        let [bound, unbound] = said(Entry::FidRif { fid: Fid(fid), rif: RifIndex(7) }, &DIALECT);
        assert_eq!(bound, Sfmr { irif_v: true, irif: 7, ..expected.clone() }.into());
        assert_eq!(unbound, expected.into());
    }
}

// Broken if a FID that floods elsewhere were claimed, or the answer for one that does not exist taken for one.
#[test]
fn fid_that_floods_elsewhere_is_foreign() {
    let (key, bound) = (Key::Fid(Fid(10)), Key::FidRif(Fid(10)));
    let sfmr = Sfmr { fid: 10, ..Sfmr::default() };
    assert_eq!(read(&key, &sfmr.clone().into()), Row::Empty);
    for other in [
        Sfmr { fid_offset: 11, ..sfmr.clone() },
        Sfmr { fid_offset: 10, bridge_type: true, ..sfmr.clone() },
        Sfmr { flood_rsp: true, ..sfmr },
    ] {
        assert_eq!(read(&key, &other.clone().into()), Row::Foreign, "{other:?}");
        assert_eq!(read(&bound, &other.clone().into()), Row::Empty);
        assert_eq!(read(&bound, &Sfmr { irif_v: true, ..other }.into()), Row::Foreign);
    }
}

// Broken if a VLAN's mapping were written to one port alone, or its removal left it valid.
#[test]
fn vid_is_mapped_on_every_port() {
    let entry = Entry::VidFid { vid: Vid(10), fid: Fid(10), rif: Some(RifIndex(3)) };
    let [added, removed] = said(entry, &DIALECT);
    let mapping = SvfaMapping::VidToFid;
    let expected = Svfa { mapping, fid: 10, vid: 10, ..Svfa::default() };
    let valid = Svfa { valid: true, irif_v: true, irif: 3, ..expected.clone() };
    assert_eq!((added, removed), (valid.into(), expected.into()));
    let query = Svfa { mapping, vid: 10, ..Svfa::default() };
    assert_eq!(query_of(&Key::VidFid(Vid(10))), query.into());
}

fn query_of(key: &Key) -> Register {
    query(key).unwrap()
}

// Broken if the ageing time were in other units, or stayed after its removal.
#[test]
fn ageing_time_is_in_seconds() {
    let [added, removed] = said(Entry::AgeingTime { seconds: 600 }, &DIALECT);
    let time = |age_time| Sfdat { swid: 0, age_time }.into();
    assert_eq!((added, removed), (time(600), time(300)));
}

// Broken if a kind of frame were flooded to the ports of another kind, or by a removed table to anybody.
#[test]
fn flood_tables_are_where_the_vectors_are() {
    use FloodTraffic as Traffic;
    let rows = [
        (Traffic::UnknownUnicast, FloodType::UnknownUnicast, [0, 12288]),
        (Traffic::Broadcast, FloodType::Broadcast, [8192, 14336]),
        (Traffic::Ipv4LinkLocal, FloodType::Ipv4LinkLocal, [4096, 13312]),
        (Traffic::Ipv6AllHosts, FloodType::Ipv6AllHost, [4096, 13312]),
        (Traffic::Ipv4Multicast, FloodType::UnregisteredMulticastIpv4, [4096, 13312]),
        (Traffic::Ipv6Multicast, FloodType::UnregisteredMulticastIpv6, [4096, 13312]),
        (Traffic::NonIpMulticast, FloodType::UnregisteredMulticastNonIp, [4096, 13312]),
    ];
    assert_eq!(rows.map(|(traffic, ..)| traffic), Traffic::ALL);
    for (traffic, kind, bases) in rows {
        let types = [(Bridging::Dot1q, BridgeType::Type0), (Bridging::Dot1d, BridgeType::Type1)];
        for ((bridging, bridge_type), mid_base) in types.into_iter().zip(bases) {
            let [added, removed] = said(Entry::FloodTable { bridging, traffic }, &DIALECT);
            let table_type = FloodTable::FidOffset;
            let sfgc = Sfgc { kind, bridge_type, table_type, mid_base, ..Sfgc::default() };
            assert_eq!(added, sfgc.clone().into());
            assert_eq!(removed, Sfgc { mid_base: 15360, ..sfgc.clone() }.into());
            // As some chips answer for a table that was never set.
            let key = Key::FloodTable(bridging, traffic);
            let never = Sfgc { kind, bridge_type, ..Sfgc::default() };
            assert_eq!(query_of(&key), never.clone().into());
            assert_eq!(read(&key, &never.into()), Row::Empty);
            let elsewhere = Sfgc { mid_base: mid_base + 1, ..sfgc };
            assert_eq!(read(&key, &elsewhere.into()), Row::Foreign);
        }
    }
}

// Broken if a destination were put into the vector of another FID or class, if its write touched another destination, or if
// the router had another number.
#[test]
fn flood_vectors_are_written_one_bit_at_a_time() {
    let port = FloodTo::Port(LocalPort(5));
    for (fid, class, mid) in [
        (1, FloodClass::Unicast, 1),
        (10, FloodClass::Multicast, 4106),
        (4094, FloodClass::Broadcast, 12286),
        (4095, FloodClass::Unicast, 12288),
        (4095, FloodClass::Multicast, 13312),
        (5118, FloodClass::Broadcast, 15359),
    ] {
        for (to, number) in [(port, 5), (FloodTo::Router, 57)] {
            let [added, removed] = said(Entry::FloodPort { fid: Fid(fid), class, to }, &SPECTRUM1);
            let bit = [number].into();
            let leave = Smid2 { mid, port_mask: bit, ..Smid2::default() };
            let join = Smid2 { port: [number].into(), ..leave.clone() };
            assert_eq!((added, removed), (join.into(), leave.into()));
            let query = Smid2 { mid, ..Smid2::default() };
            assert_eq!(query_of(&Key::FloodPort(Fid(fid), class, to)), query.into());
        }
    }
}

// Broken if the answer to a query were taken for one port's, or a write of one port told something of another.
#[test]
fn flood_vector_tells_of_every_port() {
    let row = |port, smid2: &Smid2| {
        let to = FloodTo::Port(LocalPort(port));
        let row = read(&flooded(1, to).key(), &smid2.clone().into());
        (row == Row::Holds(flooded(1, to)), row == Row::Empty)
    };
    let (member, absent, untold) = ((true, false), (false, true), (false, false));
    let answer = Smid2 { mid: 8193, port: [2, 3].into(), ..Smid2::default() };
    assert_eq!([1, 2, 3].map(|port| row(port, &answer)), [absent, member, member]);
    let write = Smid2 { port_mask: [1, 2].into(), ..answer };
    assert_eq!([1, 2, 3].map(|port| row(port, &write)), [absent, member, untold]);
}

// Broken if more were forgotten than one port's or LAG's MACs of one FID, or static ones left.
#[test]
fn flush_is_of_one_fid_and_place() {
    let (fid, at) = (Fid(10), PortOrLag::Port(LocalPort(3)));
    let flush = |flush_type| Register::from(Sfdf { swid: 0, flush_type, flush_static: true });
    let port = flush(SfdfFlush::PerPortAndFid { system_port: 3, fid: 10 });
    assert_eq!(said(Entry::Learnt { fid, at }, &DIALECT), [port.clone(), port]);
    let at = PortOrLag::Lag(LagId(3));
    let lag = flush(SfdfFlush::PerLagAndFid { lag_id: 3, fid: 10 });
    assert_eq!(said(Entry::Learnt { fid, at }, &DIALECT), [lag.clone(), lag]);
}

// Broken if a LAG were made of other ports than it has, or its members received when they only send.
#[test]
fn lag_is_descriptor_and_collectors() {
    let (lag, port) = (LagId(3), LocalPort(5));
    let sldr =
        |op, num_ports, system_port| Register::from(Sldr { op, lag_id: 3, num_ports, system_port });
    let slcor =
        |col, port_index| Register::from(Slcor { col, local_port: 5, lag_id: 3, port_index });
    for (entry, expected) in [
        (Entry::Lag { lag }, [sldr(SldrOp::Create, 0, 0), sldr(SldrOp::Destroy, 0, 0)]),
        (
            Entry::LagPort { lag, port },
            [sldr(SldrOp::AddPortList, 1, 5), sldr(SldrOp::RemovePortList, 1, 5)],
        ),
        (
            Entry::LagCollector { port, lag },
            [slcor(SlcorCol::AddPort, 4), slcor(SlcorCol::RemovePort, 0)],
        ),
        (
            Entry::LagCollecting { port, lag },
            [slcor(SlcorCol::CollectorEnabled, 0), slcor(SlcorCol::CollectorDisabled, 0)],
        ),
    ] {
        assert_eq!(said(entry, &DIALECT), expected);
    }
}

// Broken if a port that found its place in a LAG taken were not given each other place once.
#[test]
fn every_place_in_a_lag_is_tried() {
    let join = Entry::LagCollector { port: LocalPort(15), lag: LagId(0) };
    let [mut register, leave] = said(join, &SPECTRUM1);
    let mut places = Vec::new();
    for _ in 0..phrasings(&SPECTRUM1) {
        let Register::Slcor(slcor) = &register else { panic!() };
        places.push(slcor.port_index);
        register = rephrase(&register, &SPECTRUM1).unwrap();
    }
    assert_eq!(places, (14..16).chain(0..14).collect::<Vec<_>>());
    assert_eq!(rephrase(&leave, &SPECTRUM1), None);
}

// Broken if a router interface were put on something else than it is meant for.
#[test]
fn router_interfaces_say_what_lies_below() {
    let sp_if = |lag| RitrType::SpIf { lag, system_port: 2, efid: 5123, vid: 0 };
    let subport = |at| RifKind::Subport { at, fid: Fid(5123) };
    let vlan = RifKind::Vlan { vid: Vid(10), fid: Fid(10) };
    for (kind, dialect, expected) in [
        (subport(PortOrLag::Port(LocalPort(2))), DIALECT, sp_if(false)),
        (subport(PortOrLag::Lag(LagId(2))), DIALECT, sp_if(true)),
        (vlan, DIALECT, RitrType::VlanIf { vlan_id: 10, efid: 10 }),
        (vlan, SPECTRUM1, RitrType::VlanIf { vlan_id: 10, efid: 0 }),
        (RifKind::Fid { fid: Fid(4095) }, DIALECT, RitrType::FidIf { fid: 4095 }),
    ] {
        let [added, removed] = said(Entry::Rif(Rif { kind, ..some_rif(true) }), &dialect);
        let (Register::Ritr(added), Register::Ritr(removed)) = (added, removed) else { panic!() };
        assert_eq!((added.kind, added.enable), (expected.clone(), true));
        assert_eq!((removed.kind, removed.enable), (expected, false));
    }
}

// Broken if a port in the learning state were taken for a forwarding or a blocked one.
#[test]
fn spanning_tree_has_three_states() {
    let (port, vid) = (LocalPort(1), Vid(10));
    for (state, expected) in [
        (StpState::Discarding, SpmsState::Discarding),
        (StpState::Learning, SpmsState::Learning),
        (StpState::Forwarding, SpmsState::Forwarding),
    ] {
        let [added, removed] = said(Entry::PortStp { port, vid, state }, &DIALECT);
        assert_eq!(added, Spms { local_port: 1, states: [(10, expected)].into() }.into());
        let blocked = [(10, SpmsState::Discarding)].into();
        assert_eq!(removed, Spms { local_port: 1, states: blocked }.into());
    }
}

// Broken if a MAC were told to be elsewhere, a forgotten one to be learnt, or a full answer taken for all there is.
#[test]
fn notices_say_what_happened_where() {
    let mac = emad::Mac([2, 0, 0, 0, 0, 1]);
    let record = |event| SfnRecord { swid: 0, mac, fid: 10, event };
    let (sub_port, system_port, lag_id) = (0, 3, 4);
    let records = vec![
        record(SfnEvent::LearnedMac { sub_port, system_port }),
        record(SfnEvent::LearnedMacLag { sub_port, lag_id }),
        record(SfnEvent::AgedOutMac { sub_port, system_port }),
        record(SfnEvent::AgedOutMacLag { sub_port, lag_id }),
        record(SfnEvent::Other { code: 13, high: 0, low: 0 }),
    ];
    let (port, lag) = (PortOrLag::Port(LocalPort(3)), PortOrLag::Lag(LagId(4)));
    let notice = |(what, at)| Notice { what, mac: Mac(mac.0), fid: Fid(10), at };
    let (learnt, aged) = (Noticed::Learnt, Noticed::Aged);
    let expected = [(learnt, port), (learnt, lag), (aged, port), (aged, lag)].map(notice);
    let mut answer = Sfn::answer(records.clone());
    assert_eq!(notices(&decoded(&answer.clone().into())), (expected.to_vec(), false));
    // What lies behind the count is left over from something else.
    answer.num_rec = 1;
    assert_eq!(notices(&answer.into()).0, expected[..1]);
    assert!(notices(&Sfn::answer(vec![records[0]; 64]).into()).1);
    let query = Sfn { swid: 0, end: false, num_rec: 64, records: vec![] };
    assert_eq!(query_notices(), query.into());
}

fn some_rif(enabled: bool) -> Rif {
    Rif {
        rif: RifIndex(3),
        enabled,
        kind: RifKind::Subport { at: PortOrLag::Port(LocalPort(1)), fid: Fid(5123) },
        vr: VrId(1),
        mtu: 1500,
        mac: "02:00:00:00:00:01".parse().unwrap(),
        mac_profile: MacProfile(0),
        vrrp_ipv4: Some(Vrid::try_from(10).unwrap()),
        vrrp_ipv6: None,
    }
}

// Broken if a new policer started with an old counter, or a change of rate lost the count of dropped packets.
#[test]
fn counter_is_cleared_when_added_only() {
    let policer = |rate| Entry::Policer { id: PolicerId(13), rate, burst: 128 };
    let clears = |change: &Change| match write(change).unwrap() {
        Register::Qpcr(qpcr) => qpcr.clear_counter,
        other => panic!("{other:?}"),
    };
    assert!(clears(&Change::Add(policer(256))));
    assert!(!clears(&Change::Edit { from: policer(256), to: policer(512) }));
    assert!(!clears(&Change::Remove(policer(256))));
}

// Broken if a router interface that somebody tampered with looked right, or a counter bound to it looked wrong.
#[test]
fn tampered_router_interface_is_foreign() {
    let rif = Entry::Rif(some_rif(true));
    let Register::Ritr(ritr) = write(&Change::Add(rif.clone())).unwrap() else { panic!() };
    let row = |ritr: emad::register::Ritr| read(&rif.key(), &ritr.into());
    let mut counted = ritr.clone();
    counted.ingress_counter.set_type = 9;
    assert_eq!(row(counted), Row::Holds(rif.clone()));
    let mut deaf = ritr.clone();
    deaf.ipv6_fe = false;
    assert_eq!(row(deaf), Row::Foreign);
    let mut tagged = ritr.clone();
    tagged.kind = RitrType::SpIf { lag: false, system_port: 1, efid: 5123, vid: 1 };
    assert_eq!(row(tagged), Row::Foreign);
    let mut tunnel = ritr;
    tunnel.kind = RitrType::Loopback { raw: [0; 0x2c] };
    assert_eq!(row(tunnel), Row::Foreign);
    assert_eq!(row(emad::register::Ritr::query(3)), Row::Empty);
}

// Broken if the step before a removal were taken for the removal.
#[test]
fn disabled_router_interface_is_still_there() {
    let rif = Entry::Rif(some_rif(false));
    let register = write(&Change::Add(rif.clone())).unwrap();
    assert_eq!(read(&rif.key(), &register), Row::Holds(rif));
}

// Broken if a learned or bridged MAC were claimed as a router MAC, or a router MAC overlooked.
#[test]
fn only_static_router_records_are_ours() {
    let mac = emad::Mac([2, 0, 0, 0, 0, 1]);
    let ours = SfdRecord::router(mac, 5120);
    let router = SfdAction::ForwardIpRouter;
    let others = [
        SfdRecord::unicast(SfdPolicy::Dynamic, mac, 5120, 0, router, 0),
        SfdRecord::unicast(SfdPolicy::Static, mac, 5120, 0, SfdAction::Nop, 1),
        SfdRecord::unicast_lag(SfdPolicy::Static, mac, 5120, 1, router, 1),
        SfdRecord::multicast(mac, 5120, router, 1),
    ];
    let key = Key::RouterMac(Fid(5120), Mac(mac.0));
    let answer = |records: &[SfdRecord]| {
        Register::from(Sfd::new(emad::register::SfdOp::QUERY, records.to_vec()))
    };
    for other in others {
        assert_eq!(read(&key, &answer(&[other])), Row::Empty, "{other:?}");
    }
    // What the chip saw of the MAC is no part of the entry.
    let seen = SfdRecord { a: true, ..ours };
    let entry = Entry::RouterMac { fid: Fid(5120), mac: Mac(mac.0) };
    assert_eq!(read(&key, &answer(&[seen])), Row::Holds(entry.clone()));

    let mut page = Sfd::new(emad::register::SfdOp::QUERY_DUMP, [&others[..], &[seen]].concat());
    assert_eq!(router_macs(&page.clone().into()), (vec![entry.clone()], None));
    page.record_locator = 7;
    assert_eq!(router_macs(&page.clone().into()), (vec![entry], Some(7)));
    page.num_rec = 4;
    assert_eq!(router_macs(&page.into()), (vec![], Some(7)));
}

// Broken if one SFD write mixed additions with removals, or had more records than fit.
#[test]
fn batches_are_of_one_operation_and_bounded() {
    let mac = |n: u8| Entry::RouterMac { fid: Fid(1), mac: Mac([2, 0, 0, 0, 0, n]) };
    let add = |n| write(&Change::Add(mac(n))).unwrap();
    let remove = |n| write(&Change::Remove(mac(n))).unwrap();
    let both = router_mac_batch([&add(1), &add(2)]).unwrap();
    let Register::Sfd(sfd) = &both else { panic!() };
    assert_eq!((sfd.records.len(), sfd.num_rec), (2, 2));
    assert_eq!(router_mac_batch([&add(1), &remove(2)]), None);
    let fid = write(&Change::Add(Entry::Fid { fid: Fid(1) })).unwrap();
    assert_eq!(router_mac_batch([&add(1), &fid]), None);
    let many: Vec<_> = (0..65).map(add).collect();
    assert!(router_mac_batch(&many[..64]).is_some());
    assert_eq!(router_mac_batch(&many), None);
}

// Broken if a route or trap of another kind were taken for one of ours.
#[test]
fn other_actions_are_foreign() {
    let (vr, prefix) = (VrId(0), "192.0.2.0/24".parse().unwrap());
    let route = Entry::Route { vr, prefix, action: RouteAction::Ip2me };
    let Register::Ralue(ralue) = write(&Change::Add(route.clone())).unwrap() else { panic!() };
    let (mirror, nop) = (RegisterAction::MirrorToCpu, RegisterAction::Nop);
    for action in [
        RalueAction::Local { trap_action: mirror, trap_id: 0x70, local_erif: 1 },
        RalueAction::Remote {
            trap_action: mirror,
            trap_id: 0x70,
            adjacency_index: 1,
            ecmp_size: 1,
        },
        RalueAction::Remote { trap_action: nop, trap_id: 0, adjacency_index: 1, ecmp_size: 0 },
        RalueAction::Ip2me { tunnel_ptr: Some(1) },
    ] {
        let other = emad::register::Ralue { action, ..ralue.clone() };
        assert_eq!(read(&route.key(), &other.into()), Row::Foreign);
    }

    let id = TrapId(0x59);
    let trap = Entry::Trap { id, action: TrapAction::Trap, group: TrapGroupId(20) };
    let Register::Hpkt(mut hpkt) = write(&Change::Add(trap.clone())).unwrap() else { panic!() };
    hpkt.action = HpktAction::SoftDiscard;
    assert_eq!(read(&trap.key(), &hpkt.into()), Row::Foreign);
}
