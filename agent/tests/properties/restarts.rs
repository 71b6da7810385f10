//! An agent starts again, or the chip does.

use proptest::prelude::*;

use crate::judge::{all_agree, anchored, has_room};
use crate::rig::Rig;
use crate::stories::{action, story};
use crate::world::World;
use crate::{Twice, check, judge_step, play, tell};

// Broken if an agent that starts again on a chip that is right wrote anything, or forgot what it has to look after.
#[test]
fn restart_writes_nothing() {
    for (personality, cases) in [("tiny", 20), ("spectrum2", 20)] {
        check(cases, 4, story(action(), 20), |story| {
            let mut world = World::new();
            let mut rig = Rig::started(personality, &world)?;
            play(&mut rig, &mut world, &story.0)?;
            if !has_room(&rig, &world) {
                return Ok(());
            }
            rig.restart(&world)?;
            if let Some(write) = rig.step() {
                return Err(format!("The new agent writes {write:?}"));
            }
            all_agree(&mut rig, &world).map_err(|why| format!("After the restart: {why}"))?;
            // The new agent takes everything down again.
            rig.reconciler.replace(World::new().snapshot());
            rig.settle()?;
            all_agree(&mut rig, &World::new()).map_err(|why| format!("After the end: {why}"))
        });
    }
}

// Broken if what changed while no agent ran stayed in the chip, or were not found missing.
#[test]
fn restart_after_changes() {
    let stories = (story(action(), 15), story(action(), 15));
    check(30, 8, stories.prop_map(|(one, two)| Twice(one, two)), |Twice(before, meanwhile)| {
        let mut world = World::new();
        let mut rig = Rig::started("tiny", &world)?;
        play(&mut rig, &mut world, &before.0)?;
        for action in &meanwhile.0 {
            world.act(action);
        }
        rig.restart(&world)?;
        rig.settle_watched(|rig, change| {
            anchored(rig).map_err(|why| format!("After {change:?}: {why}"))
        })?;
        rig.recover()?;
        judge_step(&mut rig, &world)
    });
}

// Broken if a chip that lost power were not programmed again in full, or the agent waited for writes that it had forgotten.
#[test]
fn reset_chip_is_programmed_again() {
    check(20, 9, (story(action(), 15), 0..20_usize), |(story, writes)| {
        let mut world = World::new();
        let mut rig = Rig::started("spectrum2", &world)?;
        let mut lost = false;
        for action in &story.0 {
            tell(&mut rig, &mut world, action, &mut lost);
        }
        for _ in 0..*writes {
            rig.step();
        }
        rig.reset_chip()?;
        rig.settle()?;
        judge_step(&mut rig, &world)
    });
}
