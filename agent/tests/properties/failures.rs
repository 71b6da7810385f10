//! Writes that fail, answers that are lost.

use firsthop_model::chip::{Change, Key};
use proptest::prelude::*;

use crate::action::{Action, Failing, Refusal};
use crate::judge::{Fates, View, any_way_moves, by_oracle, by_tables, fates, has_room};
use crate::rig::Rig;
use crate::stories::{action, plain, refusal, story};
use crate::world::World;
use crate::{Outcome, check, judge_step, play, tell};

// Broken if lost or late answers, or a busy chip, led to anything else than retries.
#[test]
fn lost_frames_do_not_matter() {
    check(16, 10, (story(action(), 15), any::<u64>()), |(story, seed)| {
        let mut world = World::new();
        let mut rig = Rig::started("spectrum2", &world)?;
        rig.lose_frames(100, *seed);
        let mut lost = false;
        for action in &story.0 {
            tell(&mut rig, &mut world, action, &mut lost);
            rig.recover()?;
            if !lost {
                judge_step(&mut rig, &world).map_err(|why| format!("After {action}: {why}"))?;
            }
        }
        Ok(())
    });
}

// Broken if a refused, failed or unanswered write left anything behind once the chip works again.
#[test]
fn failures_heal() {
    let actions = prop_oneof![3 => action(), 1 => refusal()];
    check(80, 5, story(actions, 20), |story| {
        let mut world = World::new();
        let mut rig = Rig::started("spectrum2", &world)?;
        let mut lost = false;
        for action in &story.0 {
            if let Action::Refuse(refusal) = action {
                rig.plan_refusal(*refusal);
            }
            tell(&mut rig, &mut world, action, &mut lost);
            rig.settle()?;
        }
        if lost {
            return Ok(());
        }
        rig.recover()?;
        release_something(&mut rig, &mut world)?;
        rig.outwait()?;
        if !has_room(&rig, &world) {
            return Ok(());
        }
        judge_step(&mut rig, &world)
    });
}

/// What the chip refused for want of room waits until a row is freed: on each router interface an address comes and goes.
fn release_something(rig: &mut Rig, world: &mut World) -> Outcome {
    let address = plain("10.99.0.1");
    for device in oracle::router_interfaces(&world.kernel).into_keys().map(crate::action::Dev) {
        for action in [Action::AddAddress(device, address), Action::DelAddress(device, address.ip)]
        {
            let events = world.act(&action);
            rig.feed(events);
            rig.recover()?;
        }
    }
    Ok(())
}

// Broken if a refused write that others stand on left half of a change in the chip until it is tried again.
#[test]
fn refused_changes_are_undone() {
    check(100, 11, (story(action(), 12), action(), 1..12_u32), |(story, last, nth)| {
        let mut world = World::new();
        let mut rig = Rig::started("spectrum2", &world)?;
        play(&mut rig, &mut world, &story.0)?;
        // What goes need not come back because a step of its removal failed, and what moves, a router interface or
        // a port's frames from one VLAN to another, is two changes, one after the other.
        let before = oracle::router_interfaces(&world.kernel);
        let mut trial = world.clone();
        trial.act(last);
        let after = oracle::router_interfaces(&trial.kernel);
        let stays = |(ifindex, rif): (&u32, &oracle::RouterInterface)| {
            let same = |other: &oracle::RouterInterface| {
                (&other.shape, other.table) == (&rif.shape, rif.table)
            };
            after.get(ifindex).is_some_and(same)
        };
        if !before.iter().all(stays) || matches!(last, Action::Overrun | Action::Resync) {
            return Ok(());
        }
        let state = |rig: &mut Rig, world: &World| -> Result<(Fates, View), String> {
            Ok((fates(rig), by_tables(rig, world)?))
        };
        let switch = oracle::Switch::of(&world.kernel);
        let moves = any_way_moves(&switch, &oracle::Switch::of(&trial.kernel));
        if moves || by_tables(&rig, &world)? != by_oracle(&world.kernel, &switch) {
            return Ok(());
        }
        let was = state(&mut rig, &world)?;
        rig.plan_refusal(Refusal { nth: *nth, how: Failing::Rejected });
        let events = world.act(last);
        rig.feed(events);
        rig.settle()?;
        let carries_others = |change: &Change| {
            let key = change.key();
            matches!(key, Key::Rif(_) | Key::Fid(_) | Key::FidRif(_) | Key::EgressVid(..))
        };
        // A port that goes need not come back either.
        let comes = |change: &Change| !matches!(change, Change::Remove(_));
        match rig.refused.clone().filter(|change| carries_others(change) && comes(change)) {
            Some(change) => {
                let is = state(&mut rig, &world);
                if is.as_ref() == Ok(&was) {
                    return Ok(());
                }
                Err(format!(
                    "After {last}, of which {change:?} was refused: {is:x?}\n  before it: {was:x?}"
                ))
            }
            None => Ok(()),
        }
    });
}
