use std::collections::BTreeMap;

use emad::register::{HpktAction, RalueAction, RitrType, Sfd, SfdAction, SfdPolicy, SfdRecord};
use firsthop_model::chip::{
    Fid, MacProfile, PolicerId, Rif, RifIndex, RifKind, RouteAction, TrapAction, TrapGroupId,
    TrapId, Vid, VrId,
};
use firsthop_model::types::Family;
use firsthop_model::{LocalPort, Mac, Vrid};
use ipnet::IpNet;
use proptest::prelude::*;

use super::*;
use crate::asic::{Readability, readability};

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::Ipv4), Just(Family::Ipv6)]
}

fn mac() -> impl Strategy<Value = Mac> {
    any::<[u8; 6]>().prop_map(Mac)
}

fn vrid() -> impl Strategy<Value = Option<Vrid>> {
    any::<u8>().prop_map(|id| Vrid::try_from(id).ok())
}

fn rif() -> impl Strategy<Value = Rif> {
    let numbers = (any::<u16>(), any::<u16>(), any::<u16>(), any::<u16>(), any::<u16>(), 0_u8..16);
    (numbers, any::<bool>(), mac(), vrid(), vrid()).prop_map(
        |((rif, port, fid, vr, mtu, profile), enabled, mac, vrrp_ipv4, vrrp_ipv6)| Rif {
            rif: RifIndex(rif),
            enabled,
            kind: RifKind::Subport { port: LocalPort(port), fid: Fid(fid) },
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

fn trap_action() -> impl Strategy<Value = TrapAction> {
    prop_oneof![
        Just(TrapAction::Trap),
        Just(TrapAction::Mirror),
        Just(TrapAction::Forward),
        Just(TrapAction::Discard),
    ]
}

fn port_vid() -> impl Strategy<Value = (LocalPort, Vid)> {
    (0_u16..1024, 0_u16..4096).prop_map(|(port, vid)| (LocalPort(port), Vid(vid)))
}

/// Entries whose values fit their fields, of every kind.
pub(crate) fn entry() -> impl Strategy<Value = Entry> {
    let fid = || any::<u16>().prop_map(Fid);
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
        (vr(), prefix(), prop::option::of(trap())).prop_map(|(vr, prefix, trap)| Entry::Route {
            vr,
            prefix,
            action: trap.map_or(RouteAction::Ip2me, RouteAction::Trap),
        }),
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
        (port_vid(), any::<bool>()).prop_map(|((port, vid), forwarding)| Entry::PortStp {
            port,
            vid,
            forwarding
        }),
        (port_vid(), fid(), prop::option::of(rif_index()))
            .prop_map(|((port, vid), fid, rif)| Entry::PortVidFid { port, vid, fid, rif }),
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
        Entry::PortStp { port, vid, .. } => Entry::PortStp { port, vid, forwarding: false },
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
        let expected = power_on(&entry).map_or(Row::Empty, Row::Holds);
        prop_assert_eq!(read(&key, &decoded(&removed)), expected);
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
        Entry::PortStp { port, vid: Vid(4096), forwarding: true },
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
    ] {
        assert!(unsayable(&Change::Add(entry.clone())), "{entry:?}");
        assert!(unsayable(&Change::Remove(entry.clone())), "{entry:?}");
    }
    let edit = Change::Edit { from: Entry::Fid { fid: Fid(1) }, to: Entry::Fid { fid: Fid(2) } };
    assert!(unsayable(&edit));
}

fn some_rif(enabled: bool) -> Rif {
    Rif {
        rif: RifIndex(3),
        enabled,
        kind: RifKind::Subport { port: LocalPort(1), fid: Fid(5123) },
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
    let mut vlan = ritr.clone();
    vlan.kind = RitrType::VlanIf { vlan_id: 1, efid: 1 };
    assert_eq!(row(vlan), Row::Foreign);
    let mut lag = ritr;
    lag.kind = RitrType::SpIf { lag: true, system_port: 1, efid: 5123, vid: 0 };
    assert_eq!(row(lag), Row::Foreign);
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
    let Register::Ralue(mut ralue) = write(&Change::Add(route.clone())).unwrap() else { panic!() };
    ralue.action = RalueAction::Local {
        trap_action: emad::register::TrapAction::Nop,
        trap_id: 0,
        local_erif: 1,
    };
    assert_eq!(read(&route.key(), &ralue.into()), Row::Foreign);

    let id = TrapId(0x59);
    let trap = Entry::Trap { id, action: TrapAction::Trap, group: TrapGroupId(20) };
    let Register::Hpkt(mut hpkt) = write(&Change::Add(trap.clone())).unwrap() else { panic!() };
    hpkt.action = HpktAction::SoftDiscard;
    assert_eq!(read(&trap.key(), &hpkt.into()), Row::Foreign);
}
