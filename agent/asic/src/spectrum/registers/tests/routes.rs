//! Registers of routes, next hops, hosts, and of the choice among next hops.

use emad::register::{RalueOp, Ratr, RatrOp, RatrType, Rauht, RauhtOp, Recr2};

use super::*;

const fn some_mac() -> emad::Mac {
    emad::Mac([0xa2, 0x62, 0xfe, 0x14, 0xfa, 0xbd])
}

fn some_adjacency() -> Ratr {
    Ratr {
        op: RatrOp::WRITE_WRITE_ENTRY,
        v: true,
        adjacency_index: 7,
        egress_router_interface: 3,
        eth_destination_mac: some_mac(),
        ..Ratr::default()
    }
}

// Broken if a route led elsewhere than it says: to the CPU instead of nowhere, by another router interface, to other next hops.
#[test]
fn routes_lead_where_they_say() {
    let nop = RegisterAction::Nop;
    for (action, expected) in [
        (RouteAction::Ip2me, RalueAction::Ip2me { tunnel_ptr: None }),
        (
            RouteAction::Trap(TrapId(0x70)),
            RalueAction::Local { trap_action: RegisterAction::Trap, trap_id: 0x70, local_erif: 0 },
        ),
        (
            RouteAction::Discard,
            RalueAction::Local {
                trap_action: RegisterAction::DiscardError,
                trap_id: 0,
                local_erif: 0,
            },
        ),
        (
            RouteAction::Local(RifIndex(798)),
            RalueAction::Local { trap_action: nop, trap_id: 0, local_erif: 798 },
        ),
        (
            RouteAction::Remote { first: AdjacencyIndex(56115), size: 21 },
            RalueAction::Remote {
                trap_action: nop,
                trap_id: 0,
                adjacency_index: 56115,
                ecmp_size: 21,
            },
        ),
    ] {
        let prefix = "37.242.0.0/17".parse().unwrap();
        let [added, removed] = said(Entry::Route { vr: VrId(116), prefix, action }, &DIALECT);
        let (Register::Ralue(added), Register::Ralue(removed)) = (added, removed) else { panic!() };
        assert_eq!((added.op, added.action), (RalueOp::WRITE_WRITE, expected));
        assert_eq!((removed.op, removed.prefix_len), (RalueOp::WRITE_DELETE, 17));
    }
}

// Broken if a next hop without a MAC forwarded to some MAC instead of asking for it, a removed one stayed, or looking at one
// made it seem unused.
#[test]
fn next_hops_without_a_mac_lead_to_the_cpu() {
    let (index, rif) = (AdjacencyIndex(7), RifIndex(3));
    let resolved = Entry::Adjacency { index, rif, mac: Some(Mac(some_mac().0)) };
    let [added, removed] = said(resolved, &DIALECT);
    assert_eq!(added, some_adjacency().into());
    let op = RatrOp::WRITE_WRITE_ENTRY;
    assert_eq!(removed, Ratr { op, adjacency_index: 7, ..Ratr::default() }.into());
    let unresolved = Entry::Adjacency { index, rif, mac: None };
    let [added, _] = said(unresolved.clone(), &DIALECT);
    let trap = Ratr {
        trap_action: RegisterAction::Trap,
        trap_id: 0x80,
        eth_destination_mac: emad::Mac::default(),
        ..some_adjacency()
    };
    assert_eq!(added, trap.clone().into());
    // In the register's own code, and with a MAC that is of no use.
    let told = Ratr { trap_id: 0, eth_destination_mac: some_mac(), ..trap };
    assert_eq!(read(&unresolved.key(), &told.into()), Row::Holds(unresolved));
    let Register::Ratr(query) = query_of(&Key::Adjacency(index)) else { panic!() };
    assert_eq!((query.op, query.adjacency_index), (RatrOp::QUERY_READ, 7));
}

// Broken if packets of one flow took different next hops, or those of different flows always the same.
#[test]
fn next_hops_are_chosen_by_addresses_protocol_and_ports() {
    let [added, removed] = said(Entry::Multipath, &DIALECT);
    let (Register::Recr2(added), Register::Recr2(removed)) = (added, removed) else { panic!() };
    assert_eq!(added.outer_header_enables, (3..=8).collect());
    let ipv4 = (9..=17).collect::<Vec<_>>();
    let ipv6 = [21].into_iter().chain(29..=37).chain(45..=53);
    assert_eq!(added.outer_fields, ipv4.into_iter().chain(ipv6).chain(74..=75).collect());
    assert!(!added.sh && !added.pp && added.inner_header_enables.is_empty());
    assert_eq!(removed, Recr2::default());
}

// Broken if an entry had other bytes than the driver's packers make of the same values (hwsim/emad/vectors).
#[test]
fn bytes_are_those_of_the_driver() {
    let rauht = |entry| {
        let [added, removed] = said(entry, &DIALECT);
        [hex(&added), hex(&removed)]
    };
    let [added, removed] = rauht(Entry::Neighbour {
        rif: RifIndex(759),
        ip: [107, 31, 25, 245].into(),
        mac: Mac(some_mac().0),
    });
    assert_eq!(added, known("rauht", "000002f7"));
    assert_eq!(removed, known("rauht", "000002f7").replacen("000002f7", "003002f7", 1));
    let [_, removed] = rauht(Entry::Neighbour {
        rif: RifIndex(390),
        ip: "2001:d813:59b4:700b:3034:d2f2:5a82:f7a7".parse().unwrap(),
        mac: "d6:17:b1:c0:3e:1f".parse().unwrap(),
    });
    assert_eq!(removed, known("rauht", "01300186"));
    let action = RouteAction::Local(RifIndex(798));
    let prefix = "37.242.0.0/17".parse().unwrap();
    let [added, _] = said(Entry::Route { vr: VrId(116), prefix, action }, &DIALECT);
    assert_eq!(hex(&added), known("ralue", "000000000074"));
    let adjacency =
        Entry::Adjacency { index: AdjacencyIndex(9_902_247), rif: RifIndex(17506), mac: None };
    let [Register::Ratr(added), _] = said(adjacency, &DIALECT) else { panic!() };
    // That one has the other trap id, and the MAC.
    let mac = "f8:e4:cd:1f:a2:0b".parse::<Mac>().unwrap();
    let same = Ratr { trap_id: 1, eth_destination_mac: emad::Mac(mac.0), ..added };
    assert_eq!(hex(&same.into()), known("ratr", "11000000000018a7"));
}

fn hex(register: &Register) -> String {
    register.encode().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The known encoding of a register that begins with these digits.
fn known(register: &str, begins: &str) -> String {
    let lines = [
        include_str!("../../../../../../hwsim/emad/vectors/registers.jsonl"),
        include_str!("../../../../../../hwsim/emad/vectors/layouts.jsonl"),
    ];
    let sample = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let mut found = lines.iter().flat_map(|text| text.lines()).map(sample).filter(|sample| {
        sample["reg"] == register && sample["hex"].as_str().unwrap().starts_with(begins)
    });
    found.next().unwrap()["hex"].as_str().unwrap().to_owned()
}

// Broken if next hops or hosts that do something else were taken for ours, or a hash of other fields for the right one.
#[test]
fn what_forwards_otherwise_is_foreign() {
    let (key, ratr) = (Key::Adjacency(AdjacencyIndex(7)), some_adjacency());
    assert!(matches!(read(&key, &ratr.clone().into()), Row::Holds(_)));
    for other in [
        Ratr { trap_action: RegisterAction::DiscardError, ..ratr.clone() },
        Ratr { trap_action: RegisterAction::MirrorToCpu, ..ratr.clone() },
        Ratr { trap_action: RegisterAction::Trap, trap_id: 1, ..ratr.clone() },
        Ratr { kind: RatrType::Ipip, ..ratr.clone() },
        Ratr { adjacency_index: 8, ..ratr },
    ] {
        assert_eq!(read(&key, &other.into()), Row::Foreign);
    }

    let host = Rauht::new(RauhtOp::QUERY_READ, 3, some_mac(), [192, 0, 2, 9].into());
    let key = Key::Neighbour(RifIndex(3), host.dip);
    let discard = Rauht { trap_action: RegisterAction::DiscardError, ..host.clone() };
    assert!(matches!(read(&key, &host.into()), Row::Holds(_)));
    assert_eq!(read(&key, &discard.into()), Row::Foreign);

    let Register::Recr2(recr2) = write(&Change::Add(Entry::Multipath)).unwrap() else { panic!() };
    for other in [
        Recr2 { seed: 1, ..recr2.clone() },
        Recr2 { sh: true, ..recr2.clone() },
        Recr2 { pp: true, ..recr2 },
    ] {
        assert_eq!(read(&Key::Multipath, &other.into()), Row::Foreign);
    }
}
