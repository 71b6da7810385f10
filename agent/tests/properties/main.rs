//! Does the chip do what the kernel's state asks for, whatever happened on the way there? Judged by somebody else (crate `oracle`).
//!
//! ```text
//!   Story (events) ─▶ World ─┬─▶ oracle ─────────────────────────────┐
//!                            ├─▶ agent + chip, event by event ───────┤ all the same
//!                            └─▶ agent + chip, from one snapshot ────┘
//! ```
//!
//! Stories are random, from fixed seeds; `PROPTEST_CASES` raises their number and `PROPTEST_RNG_SEED` changes the seed.
//! A failing story is printed as a list of commands; the ones that once failed are kept in `regressions`.

mod action;
mod daemons;
mod failures;
mod frames;
mod judge;
mod laboratory;
mod order;
mod reach;
mod regressions;
mod restarts;
mod rig;
mod scenario;
mod shortage;
mod steps;
mod stories;
mod why;
mod world;
mod writes;

use std::collections::BTreeSet;

use firsthop_model::chip::Tables;
use firsthop_model::topology::Event;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};

use action::{Action, Dev, Story};
use judge::{all_agree, bare_chip, bare_rows, has_room, nothing_foreign};
use rig::Rig;
use world::{PORTS, World};

type Outcome = Result<(), String>;

/// Runs a property on so many random values, unless the environment wants more. A value that fails is made as short as it can be.
fn check<T: std::fmt::Debug + Clone + Told>(
    cases: u32,
    seed: u64,
    values: impl Strategy<Value = T>,
    property: impl Fn(&T) -> Outcome,
) {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    let asked = std::env::var_os("PROPTEST_CASES").map_or(0, |_| config.cases);
    config.cases = asked.max(cases);
    config.max_shrink_iters = 0;
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(seed);
    }
    let outcome =
        TestRunner::new(config).run(&values, |value| property(&value).map_err(TestCaseError::fail));
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, value)) => {
            let (why, value) = shortened(why.to_string(), value, &property);
            panic!("{why}\nin the story: {value:?}");
        }
        Err(error) => panic!("{error}"),
    }
}

/// Something that consists of stories, which may become shorter.
trait Told {
    fn stories(&mut self) -> Vec<&mut Vec<Action>>;
}

impl Told for Story {
    fn stories(&mut self) -> Vec<&mut Vec<Action>> {
        vec![&mut self.0]
    }
}

/// What happens first, and then.
#[derive(Debug, Clone)]
struct Twice(Story, Story);

impl Told for Twice {
    fn stories(&mut self) -> Vec<&mut Vec<Action>> {
        vec![&mut self.0.0, &mut self.1.0]
    }
}

impl<T> Told for (Story, T) {
    fn stories(&mut self) -> Vec<&mut Vec<Action>> {
        vec![&mut self.0.0]
    }
}

impl<T, U> Told for (Story, T, U) {
    fn stories(&mut self) -> Vec<&mut Vec<Action>> {
        vec![&mut self.0.0]
    }
}

/// Leaves out as many actions as possible, first many at once, then one by one, while the property still fails.
fn shortened<T: Clone + Told>(
    mut why: String,
    mut value: T,
    property: &impl Fn(&T) -> Outcome,
) -> (String, T) {
    let mut patience = 600;
    for nth in 0..value.stories().len() {
        let length = |value: &T| value.clone().stories()[nth].len();
        let mut step = length(&value).next_power_of_two();
        while step > 0 {
            let mut at = 0;
            let mut shorter = false;
            while at < length(&value) && patience > 0 {
                patience -= 1;
                let mut trial = value.clone();
                let end = (at + step).min(length(&value));
                trial.stories()[nth].drain(at..end);
                match property(&trial) {
                    Err(again) => (why, value, shorter) = (again, trial, true),
                    Ok(()) => at += step,
                }
            }
            if !shorter || step > 1 {
                step /= 2;
            }
        }
    }
    (why, value)
}

/// Lets an action happen, and the agent hear of it, by events or by a snapshot where those were lost.
fn tell(rig: &mut Rig, world: &mut World, action: &Action, lost: &mut bool) {
    let events = world.act(action);
    match action {
        Action::Overrun => *lost = true,
        Action::Resync => rig.reconciler.replace(world.snapshot()),
        _ if std::mem::take(lost) => {
            // who asked for a MAC is in no dump
            events.iter().for_each(|event| world.nobody_heard(event));
            rig.reconciler.replace(world.snapshot());
            let own = |event: &Event| matches!(event, Event::FiltersSettled(_));
            rig.feed(events.into_iter().filter(own).collect());
        }
        _ => rig.feed(events),
    }
}

/// Plays a story to its end; the agent comes to rest after each step.
fn play(rig: &mut Rig, world: &mut World, story: &[Action]) -> Outcome {
    let mut lost = false;
    for action in story {
        tell(rig, world, action, &mut lost);
        rig.settle()?;
    }
    Ok(())
}

/// Everybody agrees after every step.
fn each_step(personality: &str, story: &Story) -> Outcome {
    let mut world = World::new();
    let mut rig = Rig::started(personality, &world)?;
    let mut lost = false;
    for (number, action) in story.0.iter().enumerate() {
        tell(&mut rig, &mut world, action, &mut lost);
        rig.settle()
            .and_then(|()| judge_step(&mut rig, &world))
            .map_err(|why| format!("After {number} ({action}): {why}"))?;
    }
    Ok(())
}

/// Everybody agrees, and a fresh start comes to the same.
fn judge_step(rig: &mut Rig, world: &World) -> Outcome {
    if !has_room(rig, world) {
        return nothing_foreign(rig, world, &macs_of_devices());
    }
    all_agree(rig, world)?;
    same_as_fresh(rig, world)
}

fn same_as_fresh(rig: &Rig, world: &World) -> Outcome {
    let fresh = rig.fresh(world)?;
    let (ours, theirs) = (bare_rows(rig), bare_rows(&fresh));
    if ours != theirs {
        let only = |a: &Tables, b: &Tables| {
            let rows = a.values().filter(|row| b.get(&row.key()) != Some(row));
            rows.map(|row| format!("\n    {row:?}")).collect::<String>()
        };
        return Err(format!(
            "Rows of the incremental state alone:{}\n  of the state from a snapshot alone:{}",
            only(&ours, &theirs),
            only(&theirs, &ours)
        ));
    }
    same_chips(rig, &fresh)
}

/// Two chips hold the same, but for the numbers.
fn same_chips(one: &Rig, other: &Rig) -> Outcome {
    let (one, other) = (bare_chip(one), bare_chip(other));
    if one == other {
        return Ok(());
    }
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| {
        a.difference(b).map(|line| format!("\n    {line}")).collect::<String>()
    };
    Err(format!(
        "Only in one chip:{}\n  only in the other:{}",
        only(&one, &other),
        only(&other, &one)
    ))
}

fn macs_of_devices() -> BTreeSet<[u8; 6]> {
    let ports = (1..=PORTS).map(|port| Dev::port(port).own_mac());
    let masters = [Dev::bridge(0), Dev::bond(0)].map(Dev::own_mac);
    ports.chain(masters).chain(stories::DEVICE_MACS).collect()
}
