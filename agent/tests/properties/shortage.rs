//! Each table of a small chip full in turn: what is in keeps working, the newcomer says what it waits for, and gets it as soon
//! as somebody gives it up, without waiting for a clock.

use firsthop_model::IfIndex;
use firsthop_model::intent::Reason;
use oracle::{Kind, Protocol};

use crate::action::{Action, Dev, Lower};
use crate::judge::{Fates, all_agree, fates};
use crate::rig::Rig;
use crate::stories::{bond_of, plain, vlan_on, vmac_on};
use crate::world::World;

/// What a story of a full table is made of.
struct Shortage {
    name: &'static str,
    /// Fills the table.
    fill: Vec<Action>,
    /// One too many.
    newcomer: Vec<Action>,
    /// Who that is, and what it waits for.
    waits: (Dev, &'static str),
    /// Makes room.
    release: Vec<Action>,
}

/// Why a device is not in the chip, as a router interface, a macvlan, or a member of a bridge.
fn reason(rig: &Rig, dev: Dev) -> Option<&'static str> {
    let ifindex = IfIndex(dev.0);
    let link = rig.reconciler.topology().link(ifindex)?;
    let vmac = rig.reconciler.units().find_map(|(_, unit)| unit.vmacs.get(&ifindex));
    let member = link.master.and_then(|master| {
        let verdict = rig.reconciler.bridges().get(&master)?.verdicts.get(&ifindex)?;
        Some(rig.reconciler.member_standing(master, verdict))
    });
    let standing = match (vmac, member) {
        (Some(verdict), _) => rig.reconciler.vmac_standing(link, verdict),
        (None, Some(standing)) => standing,
        (None, None) => rig.reconciler.rif_standing(ifindex)?,
    };
    standing.reason.map(Reason::code)
}

fn address(dev: Dev) -> Action {
    Action::AddAddress(dev, plain("10.0.1.2"))
}

fn no_address(dev: Dev) -> Action {
    Action::DelAddress(dev, plain("10.0.1.2").ip)
}

fn shortages() -> Vec<Shortage> {
    let ports = || (1..=4).map(Dev::port);
    let vrf = |number, table| Action::Create {
        dev: Dev::vrf(number),
        lower: Lower::None,
        mac: None,
        kind: Kind::Vrf(table),
    };
    let third_vrf =
        Action::Create { dev: Dev(90), lower: Lower::None, mac: None, kind: Kind::Vrf(30) };
    let in_vrf = |port, vrf| Action::Enslave(Dev::port(port), Some(vrf));
    let vmacs = |range: std::ops::Range<u32>| {
        range.flat_map(|number| {
            let vrid = u8::try_from(number).expect("a VRID") + 1;
            vmac_on(Dev::vmac(number), Dev::port(1), [0, 0, 0x5e, 0, 1, vrid])
        })
    };
    let bridge = Dev::bridge(0);
    let tagged = |vid| Action::VlanAdd { dev: Dev::port(1), vid, pvid: false, untagged: false };
    let aware = Action::Filtering(bridge, true, Protocol::Dot1q);
    let third_bond = Dev(91);
    vec![
        Shortage {
            name: "router interfaces",
            fill: ports().map(address).collect(),
            newcomer: vlan_on(Dev::vlan(0), Dev::port(1), 5),
            waits: (Dev::vlan(0), "rif_table_full"),
            release: vec![no_address(Dev::port(3))],
        },
        Shortage {
            name: "virtual routers",
            fill: vec![in_vrf(1, Dev::vrf(0)), vrf(1, 20), in_vrf(2, Dev::vrf(1))],
            newcomer: vec![third_vrf, in_vrf(3, Dev(90))],
            waits: (Dev::port(3), "vr_table_full"),
            release: vec![Action::Enslave(Dev::port(1), None)],
        },
        Shortage {
            name: "MAC profiles",
            fill: vec![
                address(Dev::port(1)),
                Action::SetMac(Dev::port(2), [2, 0xaa, 0, 0, 0, 1]),
                address(Dev::port(2)),
            ],
            newcomer: vec![
                Action::SetMac(Dev::port(3), [2, 0xbb, 0, 0, 0, 1]),
                address(Dev::port(3)),
            ],
            waits: (Dev::port(3), "rif_mac_profiles_full"),
            release: vec![no_address(Dev::port(2))],
        },
        Shortage {
            name: "forwarding database",
            fill: [address(Dev::port(1))].into_iter().chain(vmacs(0..7)).collect(),
            newcomer: vmacs(7..8).collect(),
            waits: (Dev::vmac(7), "fdb_full"),
            release: vec![Action::DelAddress(Dev::vmac(2), plain("10.0.1.1").ip)],
        },
        Shortage {
            name: "LAGs",
            fill: [bond_of(Dev::bond(0), &[1]), bond_of(Dev::bond(1), &[2])].concat(),
            newcomer: [bond_of(third_bond, &[3]), vec![address(third_bond)]].concat(),
            waits: (third_bond, "lag_table_full"),
            release: vec![Action::Delete { dev: Dev::bond(0), quietly: false }],
        },
        Shortage {
            name: "ports of a LAG",
            fill: [bond_of(Dev::bond(0), &[1, 2]), vec![address(Dev::bond(0))]].concat(),
            newcomer: vec![Action::Enslave(Dev::port(3), Some(Dev::bond(0)))],
            waits: (Dev::bond(0), "lag_table_full"),
            release: vec![Action::Enslave(Dev::port(1), None)],
        },
        Shortage {
            name: "FIDs",
            fill: [
                vec![Action::Enslave(Dev::port(1), Some(bridge)), aware],
                (2..=8).map(tagged).collect(),
            ]
            .concat(),
            newcomer: vec![tagged(9)],
            waits: (Dev::port(1), "fid_table_full"),
            release: vec![Action::VlanDel(Dev::port(1), 4)],
        },
    ]
}

/// What was forwarded is still forwarded.
fn undisturbed(before: &Fates, now: &Fates) {
    for (way, before) in before {
        let now = &now[way];
        assert!(
            before.routed.is_subset(&now.routed) && before.copies.is_subset(&now.copies),
            "{way:?}: {before:x?}, and then {now:x?}"
        );
    }
}

// Broken if a full table disturbed what is in it, if the newcomer did not say which table it waits for, or if it needed a clock
// to get what was freed.
#[test]
fn each_table_full_in_turn() {
    let mut wrong = Vec::new();
    for Shortage { name, fill, newcomer, waits: (dev, wanted), release } in shortages() {
        let mut world = World::new();
        let mut rig = Rig::started("tiny", &world).unwrap();
        let play = |rig: &mut Rig, world: &mut World, actions: &[Action]| {
            for action in actions {
                let events = world.act(action);
                rig.feed(events);
                rig.settle().unwrap_or_else(|why| panic!("{name}, {action}: {why}"));
            }
        };
        play(&mut rig, &mut world, &fill);
        all_agree(&mut rig, &world).unwrap_or_else(|why| panic!("{name}, full: {why}"));
        let before = fates(&mut rig);
        play(&mut rig, &mut world, &newcomer);
        undisturbed(&before, &fates(&mut rig));
        let said = reason(&rig, dev);
        if said != Some(wanted) {
            wrong.push(format!("{name}: {dev} says {said:?}, not {wanted}"));
        }
        play(&mut rig, &mut world, &release);
        if let Err(why) = all_agree(&mut rig, &world) {
            wrong.push(format!("{name}, released: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
