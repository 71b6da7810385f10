//! Stories that once failed, and the shortest ones for faults that chance finds too rarely.

use oracle::Kind;

use crate::action::{Action, Dev, Failing, Lower, Master, Refusal, Story};
use crate::judge::{all_agree, anchored};
use crate::rig::Rig;
use crate::stories::plain;
use crate::world::World;
use crate::{Outcome, each_step, judge_step};

const ANYCAST: [u8; 6] = [0, 0x1c, 0x73, 0, 0, 0x99];
const VRRP_5: [u8; 6] = [0, 0, 0x5e, 0, 1, 5];

/// Port 1 with 10.0.1.2, and a macvlan on it with 10.0.1.1.
fn active(mac: [u8; 6]) -> Vec<Action> {
    let dev = Dev::Vmac(0);
    vec![
        Action::AddAddress(Dev::Port(1), plain("10.0.1.2")),
        Action::Create { dev, lower: Lower::Port(1), mac, kind: Kind::Macvlan },
        Action::AddAddress(dev, plain("10.0.1.1")),
    ]
}

// Broken if a VRF that goes changed the lot of its slaves and not that of macvlans among them, which their lower's unit tells.
#[test]
fn vrf_of_a_macvlan_goes() {
    let mut story = active(VRRP_5);
    story.push(Action::Enslave(Dev::Vmac(0), Some(Master::VrfA)));
    story.push(Action::Delete { dev: Dev::Master(Master::VrfA), quietly: true });
    each_step("spectrum2", &Story(story)).unwrap();
}

// Broken if a macvlan that came back before the failed removal of its MAC was tried again counted as pending for ever.
#[test]
fn macvlan_returns_before_its_removal_is_retried() {
    let run = || -> Outcome {
        let mut world = World::new();
        let mut rig = Rig::started("spectrum2", world.snapshot())?;
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
        let dev = Dev::Vmac(0);
        play(&mut rig, &mut world, &[Action::Delete { dev, quietly: true }])?;
        play(&mut rig, &mut world, &active(ANYCAST))?;
        rig.recover()?;
        judge_step("spectrum2", &mut rig, &world)
    };
    run().unwrap();
}

// Broken if a port whose new MAC found no profile did not get it when another port gave one up.
#[test]
fn freed_profile_is_taken() {
    let run = || -> Outcome {
        let mut world = World::new();
        let mut rig = Rig::started("tiny", world.snapshot())?;
        let another = [2, 0xaa, 0, 0, 0, 1];
        let (one, three, vmac) = (Dev::Port(1), Dev::Port(3), Dev::Vmac(0));
        let mut story: Vec<_> =
            (1..=3).map(|port| Action::AddAddress(Dev::Port(port), plain("10.0.1.2"))).collect();
        story.extend([
            // A macvlan shares the MAC, so that no record goes when the port gives it up.
            Action::Create { dev: vmac, lower: Lower::Port(3), mac: another, kind: Kind::Macvlan },
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
        let mut rig = Rig::started("spectrum2", world.snapshot())?;
        // The second tree of the virtual router finds no room, the first can't be taken back; then the RIF fails, and its FID
        // is freed, which wakes the virtual router while the first tree is still in doubt.
        for (nth, how) in [(2, Failing::Capacity), (3, Failing::Transient), (5, Failing::Transient)]
        {
            rig.plan_refusal(Refusal { nth, how });
        }
        let events = world.act(&Action::AddAddress(Dev::Port(1), plain("10.0.1.1")));
        rig.feed(events);
        rig.settle()?;
        rig.recover()?;
        judge_step("spectrum2", &mut rig, &world)
    };
    run().unwrap();
}

// Broken if an agent that starts on a chip with a port's former MAC took that one away before it had written the new one, or
// gave the port a MAC profile that a router interface of a port that is gone still uses.
#[test]
fn mac_changes_while_no_agent_runs() {
    let run = || -> Outcome {
        let mut world = World::new();
        let mut rig = Rig::started("tiny", world.snapshot())?;
        for port in [1, 2] {
            let events = world.act(&Action::AddAddress(Dev::Port(port), plain("10.0.1.2")));
            rig.feed(events);
        }
        rig.settle()?;
        world.act(&Action::SetMac(Dev::Port(1), [2, 0xaa, 0, 0, 0, 1]));
        world.act(&Action::Delete { dev: Dev::Port(2), quietly: true });
        rig.restart(world.snapshot())?;
        rig.settle_watched(|rig, _| anchored(rig.reconciler.applied().tables()))?;
        judge_step("tiny", &mut rig, &world)
    };
    run().unwrap();
}
