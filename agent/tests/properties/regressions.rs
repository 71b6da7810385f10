//! Stories that once failed, and the shortest ones for faults that chance finds too rarely.

use oracle::{Kind, Protocol};

use crate::action::{Action, Dev, Failing, Lower, Refusal, Story};
use crate::judge::{all_agree, anchored};
use crate::rig::Rig;
use crate::stories::{bond_of, plain};
use crate::world::World;
use crate::writes::every_write;
use crate::{Outcome, each_step, judge_step};

const ANYCAST: [u8; 6] = [0, 0x1c, 0x73, 0, 0, 0x99];
const VRRP_5: [u8; 6] = [0, 0, 0x5e, 0, 1, 5];

/// Port 1 with 10.0.1.2, and a macvlan on it with 10.0.1.1.
fn active(mac: [u8; 6]) -> Vec<Action> {
    let dev = Dev::vmac(0);
    vec![
        Action::AddAddress(Dev::port(1), plain("10.0.1.2")),
        Action::Create { dev, lower: Lower::On(Dev::port(1)), mac: Some(mac), kind: Kind::Macvlan },
        Action::AddAddress(dev, plain("10.0.1.1")),
    ]
}

// Broken if a VRF that goes changed the lot of its slaves and not that of macvlans among them, which their lower's unit tells.
#[test]
fn vrf_of_a_macvlan_goes() {
    let mut story = active(VRRP_5);
    story.push(Action::Enslave(Dev::vmac(0), Some(Dev::vrf(0))));
    story.push(Action::Delete { dev: Dev::vrf(0), quietly: true });
    each_step("spectrum2", &Story(story)).unwrap();
}

// Broken if a macvlan that came back before the failed removal of its MAC was tried again counted as pending for ever.
#[test]
fn macvlan_returns_before_its_removal_is_retried() {
    let run = || -> Outcome {
        let mut world = World::new();
        let mut rig = Rig::started("spectrum2", &world)?;
        let play = |rig: &mut Rig, world: &mut World, story: &[Action]| {
            for action in story {
                let events = world.act(action);
                rig.feed(events);
                rig.settle()?;
            }
            Outcome::Ok(())
        };
        play(&mut rig, &mut world, &active(ANYCAST))?;
        // The macvlan's route goes first, then its MAC.
        rig.plan_refusal(Refusal { nth: 2, how: Failing::Transient });
        let dev = Dev::vmac(0);
        play(&mut rig, &mut world, &[Action::Delete { dev, quietly: true }])?;
        play(&mut rig, &mut world, &active(ANYCAST))?;
        rig.recover()?;
        judge_step(&mut rig, &world)
    };
    run().unwrap();
}

// Broken if a port whose new MAC found no profile did not get it when another port gave one up.
#[test]
fn freed_profile_is_taken() {
    let run = || -> Outcome {
        let mut world = World::new();
        let mut rig = Rig::started("tiny", &world)?;
        let another = [2, 0xaa, 0, 0, 0, 1];
        let (one, three, vmac) = (Dev::port(1), Dev::port(3), Dev::vmac(0));
        let mut story: Vec<_> =
            (1..=3).map(|port| Action::AddAddress(Dev::port(port), plain("10.0.1.2"))).collect();
        story.extend([
            // A macvlan shares the MAC, so that no record goes when the port gives it up.
            Action::Create {
                dev: vmac,
                lower: Lower::On(Dev::port(3)),
                mac: Some(another),
                kind: Kind::Macvlan,
            },
            Action::AddAddress(vmac, plain("10.0.1.2")),
            Action::SetMac(three, another),
            // Refused: both profiles are taken, and the port shares its own.
            Action::SetMac(one, VRRP_5),
            Action::SetMac(three, three.own_mac()),
        ]);
        for action in &story {
            let events = world.act(action);
            rig.feed(events);
            rig.settle()?;
        }
        rig.recover()?;
        all_agree(&mut rig, &world)
    };
    run().unwrap();
}

// Broken if a row whose content was in doubt stayed empty once it had been read back, and the agent called itself synced.
#[test]
fn doubtful_row_is_written_after_its_read_back() {
    let run = || -> Outcome {
        let mut world = World::new();
        let mut rig = Rig::started("spectrum2", &world)?;
        // The second tree of the virtual router finds no room, the first can't be taken back; then the RIF fails, and its FID
        // is freed, which wakes the virtual router while the first tree is still in doubt.
        for (nth, how) in [(2, Failing::Capacity), (3, Failing::Transient), (5, Failing::Transient)]
        {
            rig.plan_refusal(Refusal { nth, how });
        }
        let events = world.act(&Action::AddAddress(Dev::port(1), plain("10.0.1.1")));
        rig.feed(events);
        rig.settle()?;
        rig.recover()?;
        judge_step(&mut rig, &world)
    };
    run().unwrap();
}

// Broken if an agent that starts on a chip with a port's former MAC took that one away before it had written the new one, or
// gave the port a MAC profile that a router interface of a port that is gone still uses.
#[test]
fn mac_changes_while_no_agent_runs() {
    let run = || -> Outcome {
        let mut world = World::new();
        let mut rig = Rig::started("tiny", &world)?;
        for port in [1, 2] {
            let events = world.act(&Action::AddAddress(Dev::port(port), plain("10.0.1.2")));
            rig.feed(events);
        }
        rig.settle()?;
        world.act(&Action::SetMac(Dev::port(1), [2, 0xaa, 0, 0, 0, 1]));
        world.act(&Action::Delete { dev: Dev::port(2), quietly: true });
        rig.restart(&world)?;
        rig.settle_watched(|rig, _| anchored(rig))?;
        judge_step(&mut rig, &world)
    };
    run().unwrap();
}

// Broken if a LAG with more ports than the chip allows were tried for ever, or its first ports lost.
#[test]
fn lag_with_too_many_ports() {
    let run = || -> Outcome {
        let mut world = World::new();
        let mut rig = Rig::started("tiny", &world)?;
        for action in bond_of(Dev::bond(0), &[1, 2, 3]) {
            let events = world.act(&action);
            rig.feed(events);
            rig.settle()?;
        }
        for action in [
            Action::AddAddress(Dev::bond(0), plain("10.0.1.2")),
            Action::Enslave(Dev::port(1), None),
        ] {
            let events = world.act(&action);
            rig.feed(events);
            rig.settle()?;
        }
        all_agree(&mut rig, &world)
    };
    run().unwrap();
}

// Broken if the chip's bridging stayed set up once no bridge is left for it.
#[test]
fn last_bridge_goes() {
    let bridge = Dev::bridge(0);
    let story = vec![
        Action::Enslave(Dev::port(1), Some(bridge)),
        Action::AddAddress(bridge, plain("10.0.1.2")),
        Action::Filtering(bridge, true, Protocol::Dot1ad),
        Action::Filtering(bridge, false, Protocol::Dot1q),
        Action::Delete { dev: bridge, quietly: false },
    ];
    each_step("spectrum2", &Story(story)).unwrap();
}

// Broken if a port that moves from a LAG to a bridge left rows of the LAG behind, or the LAG took rows that are the bridge's now.
#[test]
fn port_moves_from_lag_to_bridge() {
    let (bond, bridge) = (Dev::bond(0), Dev::bridge(0));
    let mut story = bond_of(bond, &[1, 2]);
    story.push(Action::AddAddress(bond, plain("10.0.1.2")));
    story.push(Action::AddAddress(bridge, plain("10.0.1.2")));
    story.push(Action::Enslave(Dev::port(1), Some(bridge)));
    each_step("spectrum2", &Story(story)).unwrap();
}

// Broken if a port that moves from a LAG to another was routed again, as a port of its own, after it had left the former one.
#[test]
fn port_moves_from_lag_to_lag() {
    let (one, two, vlan) = (Dev::bond(0), Dev::bond(1), Dev::vlan(1));
    let mut story = bond_of(one, &[1, 4]);
    let tagged = Kind::Vlan { vid: 10, protocol: Protocol::Dot1q };
    story.push(Action::Create { dev: vlan, lower: Lower::On(one), mac: None, kind: tagged });
    story.push(Action::AddAddress(vlan, plain("10.0.1.2")));
    story.push(Action::Create {
        dev: two,
        lower: Lower::None,
        mac: None,
        kind: Kind::Bond { hashes: true },
    });
    story.push(Action::Enslave(Dev::port(4), Some(two)));
    every_write(&Story(story)).unwrap();
}

// Broken if a VLAN on a port of a bridge that the chip can't bridge for were refused because the bridge lists the VLAN.
#[test]
fn vlan_on_a_port_of_a_bridge_of_unknown_protocol() {
    let (bridge, vlan) = (Dev::bridge(0), Dev::vlan(0));
    let tagged = Kind::Vlan { vid: 1, protocol: Protocol::Dot1q };
    let lower = Lower::On(Dev::port(1));
    let story = vec![
        Action::Create { dev: vlan, lower, mac: None, kind: tagged },
        Action::Enslave(Dev::port(1), Some(bridge)),
        Action::Filtering(bridge, true, Protocol::Other),
        Action::AddAddress(vlan, plain("10.0.1.2")),
    ];
    each_step("spectrum2", &Story(story)).unwrap();
}

// Broken if a port that left its LAG while no agent ran got no router interface of its own.
#[test]
fn port_leaves_its_lag_while_no_agent_runs() {
    let run = || -> Outcome {
        let mut world = World::new();
        let mut rig = Rig::started("tiny", &world)?;
        let (bond, port) = (Dev::bond(1), Dev::port(1));
        let mut story = bond_of(bond, &[1]);
        story.push(Action::AddAddress(bond, plain("10.0.1.2")));
        for action in &story {
            let events = world.act(action);
            rig.feed(events);
            rig.settle()?;
        }
        world.act(&Action::AddAddress(port, plain("10.0.1.2")));
        world.act(&Action::Enslave(port, None));
        rig.restart(&world)?;
        rig.settle()?;
        judge_step(&mut rig, &world)
    };
    run().unwrap();
}

// Broken if a port that moves from a LAG to a bridge stayed where it was because the bridge was compared before the LAG's router
// interface, which waits for the LAG, had let go of the port.
#[test]
fn bridge_is_compared_before_the_lag_lets_go() {
    let run = |seed| -> Outcome {
        let (bond, aware) = (Dev::bond(0), Dev::bridge(1));
        let filtering = Kind::Bridge { filtering: true, protocol: Protocol::Dot1q };
        let mut story = bond_of(bond, &[2, 3]);
        story.extend([
            Action::AddAddress(bond, plain("10.0.1.2")),
            // Flooding is set up already, so that the other bridge has nothing to wait for.
            Action::Create { dev: aware, lower: Lower::None, mac: None, kind: filtering },
            Action::Enslave(Dev::port(1), Some(aware)),
            Action::Enslave(Dev::port(2), Some(Dev::bridge(0))),
        ]);
        let mut world = World::new();
        let mut rig = Rig::new("spectrum2", seed);
        rig.reconciler.replace(world.snapshot());
        for action in &story {
            let events = world.act(action);
            rig.feed(events);
            rig.settle()?;
        }
        all_agree(&mut rig, &world)
    };
    for seed in 0..16 {
        run(seed).unwrap_or_else(|why| panic!("Seed {seed}: {why}"));
    }
}

// Broken if a port of a bridge that went while no agent ran were taken for the holder of the bridge's router interface.
#[test]
fn bridge_goes_while_no_agent_runs() {
    let run = || -> Outcome {
        let mut world = World::new();
        let mut rig = Rig::started("tiny", &world)?;
        let (bridge, port) = (Dev::bridge(0), Dev::port(2));
        let story =
            [Action::Enslave(port, Some(bridge)), Action::AddAddress(bridge, plain("10.0.1.2"))];
        for action in &story {
            let events = world.act(action);
            rig.feed(events);
            rig.settle()?;
        }
        world.act(&Action::Delete { dev: bridge, quietly: true });
        world.act(&Action::AddAddress(port, plain("10.0.1.2")));
        rig.restart(&world)?;
        rig.settle()?;
        judge_step(&mut rig, &world)
    };
    run().unwrap();
}

// Broken if what hangs on a router interface were written while nobody knows whether that one is there, again and again.
#[test]
fn bridge_whose_router_interface_is_in_doubt() {
    let run = |nth| -> Outcome {
        let mut world = World::new();
        let mut rig = Rig::started("spectrum2", &world)?;
        let bridge = Dev::bridge(0);
        for action in [
            Action::Enslave(Dev::port(1), Some(bridge)),
            Action::AddAddress(bridge, plain("10.0.1.2")),
            Action::Filtering(bridge, true, Protocol::Dot1q),
        ] {
            let events = world.act(&action);
            rig.feed(events);
            rig.settle()?;
        }
        rig.plan_refusal(Refusal { nth, how: Failing::UnknownNotDone });
        let events = world.act(&Action::Filtering(bridge, false, Protocol::Dot1q));
        rig.feed(events);
        rig.settle()?;
        rig.recover()?;
        judge_step(&mut rig, &world)
    };
    for nth in 1..40 {
        run(nth).unwrap_or_else(|why| panic!("Write {nth}: {why}"));
    }
}

// Broken if a bridge whose protocol the chip does not know were said to have no port of the chip, because its only one is a VLAN.
#[test]
fn vlan_in_a_bridge_of_unknown_protocol() {
    let (bridge, vlan) = (Dev::bridge(0), Dev::vlan(1));
    let tagged = Kind::Vlan { vid: 5, protocol: Protocol::Dot1q };
    for protocol in [Protocol::Other, Protocol::Dot1ad] {
        let lower = Lower::On(Dev::port(1));
        let story = vec![
            Action::Filtering(bridge, true, protocol),
            Action::AddAddress(bridge, plain("10.0.1.2")),
            Action::Create { dev: vlan, lower, mac: None, kind: tagged },
            Action::Enslave(vlan, Some(bridge)),
        ];
        each_step("spectrum2", &Story(story)).unwrap();
    }
}

// Broken if a LAG that can't go, because a port of it could not be taken out, were asked to go again and again without a pause.
#[test]
fn port_is_not_let_out_of_a_lag_that_goes() {
    let run = |nth, how| -> Outcome {
        let mut world = World::new();
        let mut rig = Rig::started("spectrum2", &world)?;
        let bond = Dev::bond(1);
        for action in bond_of(bond, &[4]) {
            let events = world.act(&action);
            rig.feed(events);
            rig.settle()?;
        }
        rig.plan_refusal(Refusal { nth, how });
        let events = world.act(&Action::Enslave(Dev::port(4), None));
        rig.feed(events);
        rig.settle()?;
        rig.recover()?;
        judge_step(&mut rig, &world)
    };
    for nth in 1..6 {
        for how in [Failing::Transient, Failing::Rejected, Failing::UnknownNotDone] {
            run(nth, how).unwrap_or_else(|why| panic!("Write {nth}, {how:?}: {why}"));
        }
    }
}

// Broken if a port for which one LAG had no room waited for that before it joined another LAG.
#[test]
fn port_that_a_full_lag_refused_joins_another() {
    let (full, other) = (Dev::bond(1), Dev::bond(0));
    let mut story = bond_of(full, &[2, 3, 4]);
    for port in [2, 3, 4] {
        let mut story = story.clone();
        story.extend(bond_of(other, &[port]));
        each_step("tiny", &Story(story)).unwrap();
    }
    story.push(Action::Enslave(Dev::port(4), None));
    each_step("tiny", &Story(story)).unwrap();
}

// Broken if a port stayed in a LAG that is nobody's any more, because the LAG that it belongs to now has another one's number.
#[test]
fn lags_exchange_ports_while_no_agent_runs() {
    let run = || -> Outcome {
        let mut world = World::new();
        let mut rig = Rig::started("tiny", &world)?;
        let (one, two) = (Dev::bond(0), Dev::bond(1));
        for action in bond_of(one, &[4]).iter().chain(&bond_of(two, &[2])) {
            let events = world.act(action);
            rig.feed(events);
            rig.settle()?;
        }
        world.act(&Action::Enslave(Dev::port(2), Some(one)));
        rig.restart(&world)?;
        rig.settle()?;
        judge_step(&mut rig, &world)
    };
    run().unwrap();
}

// Broken if a device over a bridge whose only member the chip can't bridge were said to stand on the chip.
#[test]
fn stack_on_a_bridge_of_a_macvlan() {
    let (bridge, vmac) = (Dev::bridge(0), Dev::vmac(0));
    let stacked = Action::Create {
        dev: Dev::MACSEC,
        lower: Lower::On(bridge),
        mac: None,
        kind: Kind::Stacked,
    };
    let lower = Lower::On(Dev::port(2));
    let story = vec![
        stacked,
        Action::AddAddress(Dev::MACSEC, plain("10.0.3.1")),
        Action::Create { dev: vmac, lower, mac: Some(VRRP_5), kind: Kind::Macvlan },
        Action::Enslave(vmac, Some(bridge)),
    ];
    each_step("spectrum2", &Story(story)).unwrap();
}

// Broken if a LAG that goes were asked to go before another one, to which its port goes, had taken that out.
#[test]
fn lag_goes_after_its_port_was_taken_out() {
    let run = |writes| -> Outcome {
        let mut world = World::new();
        let mut rig = Rig::new("spectrum2", 0);
        rig.reconciler.replace(world.snapshot());
        rig.settle()?;
        let taken = |rig: &mut Rig, writes| {
            for (change, done) in std::iter::from_fn(|| rig.step()).take(writes) {
                if !done {
                    return Err(format!("The chip refused {change:?}"));
                }
            }
            Ok(())
        };
        for (bond, writes) in [(Dev::bond(0), writes), (Dev::bond(1), usize::MAX)] {
            for action in bond_of(bond, &[1]) {
                let events = world.act(&action);
                rig.feed(events);
            }
            taken(&mut rig, writes)?;
        }
        judge_step(&mut rig, &world)
    };
    for writes in 0..6 {
        run(writes).unwrap_or_else(|why| panic!("After {writes} writes: {why}"));
    }
}

// Broken if a macvlan over an 802.1ad bridge were told something else because the VLAN device between them has 802.1ad tags as well.
#[test]
fn macvlan_on_an_8021ad_vlan_of_an_8021ad_bridge() {
    let (bridge, vlan, vmac) = (Dev::bridge(0), Dev::vlan(3), Dev::vmac(2));
    let tagged = Kind::Vlan { vid: 10, protocol: Protocol::Dot1ad };
    let (on_bridge, on_vlan) = (Lower::On(bridge), Lower::On(vlan));
    let story = vec![
        Action::Create { dev: vlan, lower: on_bridge, mac: None, kind: tagged },
        Action::Create { dev: vmac, lower: on_vlan, mac: Some(VRRP_5), kind: Kind::Macvlan },
        Action::Enslave(Dev::port(1), Some(bridge)),
        Action::Filtering(bridge, true, Protocol::Dot1ad),
    ];
    each_step("spectrum2", &Story(story)).unwrap();
}
