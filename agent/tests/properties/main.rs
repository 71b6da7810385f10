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
mod frames;
mod judge;
mod regressions;
mod rig;
mod stories;
mod world;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use firsthop_model::chip::{Key, Tables};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use action::{Action, Dev, Failing, Refusal, Story};
use judge::{
    Answers, all_agree, anchored, answers, by_tables, has_room, nothing_foreign, unnumbered,
    wanted_answers,
};
use rig::Rig;
use stories::{action, refusal, story};
use world::{PORTS, World};

type Outcome = Result<(), String>;

/// Runs a property on so many random values, unless the environment wants more.
fn check<T: std::fmt::Debug>(
    cases: u32,
    seed: u64,
    values: impl Strategy<Value = T>,
    property: impl Fn(&T) -> Outcome,
) {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    let asked = std::env::var_os("PROPTEST_CASES").map_or(0, |_| config.cases);
    config.cases = asked.max(cases);
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(seed);
    }
    let outcome =
        TestRunner::new(config).run(&values, |value| property(&value).map_err(TestCaseError::fail));
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

fn each_step(personality: &str, story: &Story) -> Outcome {
    let mut world = World::new();
    let mut rig = Rig::started(personality, world.snapshot())?;
    for (number, action) in story.0.iter().enumerate() {
        let events = world.act(action);
        if *action == Action::Resync {
            rig.reconciler.replace(world.snapshot());
        }
        rig.feed(events);
        rig.settle().map_err(|why| format!("After {number} ({action}): {why}"))?;
        judge_step(personality, &mut rig, &world)
            .map_err(|why| format!("After {number} ({action}): {why}"))?;
    }
    Ok(())
}

/// Everybody agrees, and a fresh start comes to the same.
fn judge_step(personality: &str, rig: &mut Rig, world: &World) -> Outcome {
    if !has_room(rig, world) {
        let macs = macs_of_ports();
        return nothing_foreign(rig, world, &macs);
    }
    all_agree(rig, world)?;
    let fresh = Rig::started(personality, world.snapshot())?;
    if unnumbered(rig) != unnumbered(&fresh) {
        let (ours, theirs) = (unnumbered(rig), unnumbered(&fresh));
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
    Ok(())
}

fn macs_of_ports() -> BTreeSet<[u8; 6]> {
    let own = (1..=PORTS).map(|port| Dev::Port(port).own_mac());
    own.chain(stories::PORT_MACS).collect()
}

// Broken if stories no longer came by some verdict or shortage, so that the properties below would judge nothing.
#[test]
fn stories_reach_everything() {
    let seen = RefCell::new(BTreeMap::<String, u32>::new());
    check(300, 1, story(action(), 30), |story| {
        let mut seen = seen.borrow_mut();
        let mut note = |what: String| *seen.entry(what).or_default() += 1;
        let mut world = World::new();
        let tiny = Rig::new("tiny", 0);
        for action in &story.0 {
            world.act(action);
            for ifindex in world.kernel.devices.keys() {
                if let Some(verdict) = oracle::verdict(&world.kernel, *ifindex) {
                    note(format!("{} {}", verdict.state, verdict.reason.unwrap_or("-")));
                }
            }
            let ports = oracle::router_ports(&world.kernel);
            note(format!("room {}", has_room(&tiny, &world)));
            note(format!("{} rifs", ports.len()));
            if ports.values().any(|port| port.answers.values().any(|owners| owners.len() > 1)) {
                note("two owners of one MAC".to_owned());
            }
            if ports.values().any(|port| port.vrrp_ipv4.is_some() && port.vrrp_ipv6.is_some()) {
                note("both slots held".to_owned());
            }
        }
        Ok(())
    });
    let seen = seen.into_inner();
    for what in [
        "not_offloaded foreign_netns",
        "not_offloaded lower_not_asic",
        "not_offloaded excluded_by_config",
        "not_offloaded macvlan_enslaved",
        "not_offloaded macvlan_passthru",
        "not_offloaded mac_multicast",
        "not_offloaded ipvlan_shares_mac",
        "not_offloaded ipvlan_vepa_reflection",
        "held no_rif",
        "held macvlan_down",
        "held protodown",
        "held lower_down",
        "held no_address",
        "held linklocal_only",
        "refused vrf_mismatch",
        "offload -",
        "offload vrid_conflict",
        "two owners of one MAC",
        "both slots held",
        "room true",
        "room false",
        "0 rifs",
        "3 rifs",
    ] {
        assert!(seen.get(what).is_some_and(|times| *times >= 10), "{what} is too rare: {seen:#?}");
    }
}

// Broken if events led the agent anywhere else than the rules say, or than a fresh start leads, at any step of any story.
#[test]
fn every_step_agrees_with_the_oracle() {
    check(40, 1, story(action(), 30), |story| each_step("spectrum2", story));
}

// Broken if a chip that was full, and is not any more, stayed behind; or if a full one answered for MACs that nobody wants.
#[test]
fn every_step_agrees_on_a_small_chip() {
    check(50, 2, story(action(), 30), |story| each_step("tiny", story));
}

// Broken if a MAC that stays were ever interrupted, one that goes came back, one that nobody wants were answered, or a
// router interface or a fast-path slot were without its record: at any write.
#[test]
fn no_write_breaks_what_stays() {
    check(40, 3, story(action(), 15), every_write);
}

fn every_write(story: &Story) -> Outcome {
    let mut world = World::new();
    let mut rig = Rig::started("spectrum2", world.snapshot())?;
    for (number, action) in story.0.iter().enumerate() {
        let before = (wanted_answers(&world.kernel), oracle::router_ports(&world.kernel));
        let events = world.act(action);
        rig.feed(events);
        let after = (wanted_answers(&world.kernel), oracle::router_ports(&world.kernel));
        let stays = |port: &u16| match (before.1.get(port), after.1.get(port)) {
            (Some(before), Some(after)) => before.vrf == after.vrf,
            _ => false,
        };
        if !has_room(&rig, &world) {
            return Ok(());
        }
        let mut last = before.0.clone();
        rig.settle_watched(|rig, change| {
            let now = answers(rig)?;
            step_is_sound(&before.0, &last, &now, &after.0, stays)
                .and_then(|()| anchored(rig.reconciler.applied().tables()))
                .map_err(|why| format!("In {number} ({action}) after {change:?}: {why}"))?;
            last = now;
            Ok(())
        })?;
    }
    Ok(())
}

/// What is answered moves from `before` to `after`, each MAC once and in one direction.
fn step_is_sound(
    before: &Answers,
    last: &Answers,
    now: &Answers,
    after: &Answers,
    stays: impl Fn(&u16) -> bool,
) -> Outcome {
    for port in 1..=PORTS {
        let [before, last, now, after] = [before, last, now, after].map(|answers| &answers[&port]);
        for mac in last.union(now) {
            let (was, is) = (last.contains(mac), now.contains(mac));
            let (wanted_then, wanted) = (before.contains(mac), after.contains(mac));
            let interrupted = was && !is && wanted && stays(&port);
            let came_back = !was && is && !wanted;
            if is && !wanted && !wanted_then || interrupted || came_back {
                return Err(format!(
                    "Port {port}, {mac:x?}: answered {was} then {is}; wanted {wanted_then} then {wanted}"
                ));
            }
        }
    }
    Ok(())
}

// Broken if an agent that starts again on a chip that is right wrote anything, or forgot what it has to look after.
#[test]
fn restart_writes_nothing() {
    check(20, 4, story(action(), 20), |story| {
        let mut world = World::new();
        let mut rig = Rig::started("tiny", world.snapshot())?;
        for action in &story.0 {
            let events = world.act(action);
            rig.feed(events);
            rig.settle()?;
        }
        if !has_room(&rig, &world) {
            return Ok(());
        }
        rig.restart(world.snapshot())?;
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

// Broken if what changed while no agent ran stayed in the chip, or were not found missing.
#[test]
fn restart_after_changes() {
    check(30, 8, (story(action(), 15), story(action(), 15)), |(before, meanwhile)| {
        let mut world = World::new();
        let mut rig = Rig::started("tiny", world.snapshot())?;
        for action in &before.0 {
            let events = world.act(action);
            rig.feed(events);
            rig.settle()?;
        }
        for action in &meanwhile.0 {
            world.act(action);
        }
        rig.restart(world.snapshot())?;
        rig.settle_watched(|rig, change| {
            anchored(rig.reconciler.applied().tables())
                .map_err(|why| format!("After {change:?}: {why}"))
        })?;
        rig.recover()?;
        judge_step("tiny", &mut rig, &world)
    });
}

// Broken if a chip that lost power were not programmed again in full, or the agent waited for writes that it had forgotten.
#[test]
fn reset_chip_is_programmed_again() {
    check(20, 9, (story(action(), 15), 0..20_usize), |(story, writes)| {
        let mut world = World::new();
        let mut rig = Rig::started("spectrum2", world.snapshot())?;
        for action in &story.0 {
            let events = world.act(action);
            rig.feed(events);
        }
        for _ in 0..*writes {
            rig.step();
        }
        rig.reset_chip()?;
        rig.settle()?;
        judge_step("spectrum2", &mut rig, &world)
    });
}

// Broken if lost or late answers, or a busy chip, led to anything else than retries.
#[test]
fn lost_frames_do_not_matter() {
    check(20, 10, (story(action(), 15), any::<u64>()), |(story, seed)| {
        let mut world = World::new();
        let mut rig = Rig::started("spectrum2", world.snapshot())?;
        rig.lose_frames(100, *seed);
        for action in &story.0 {
            let events = world.act(action);
            rig.feed(events);
            rig.recover()?;
            judge_step("spectrum2", &mut rig, &world)?;
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
        let mut rig = Rig::started("spectrum2", world.snapshot())?;
        for action in &story.0 {
            if let Action::Refuse(refusal) = action {
                rig.plan_refusal(*refusal);
            }
            let events = world.act(action);
            rig.feed(events);
            rig.settle()?;
        }
        rig.recover()?;
        release_something(&mut rig, &mut world)?;
        rig.outwait()?;
        if !has_room(&rig, &world) {
            return Ok(());
        }
        judge_step("spectrum2", &mut rig, &world)
    });
}

// Broken if a refused write that others stand on left half of a change in the chip until it is tried again.
#[test]
fn refused_changes_are_undone() {
    check(100, 11, (story(action(), 12), action(), 1..12_u32), |(story, last, nth)| {
        let mut world = World::new();
        let mut rig = Rig::started("spectrum2", world.snapshot())?;
        for action in &story.0 {
            let events = world.act(action);
            rig.feed(events);
            rig.settle()?;
        }
        // To another VRF it is two changes, one after the other.
        if matches!(last, Action::Enslave(..)) || matches!(last.dev(), Some(Dev::Master(_))) {
            return Ok(());
        }
        let before = (answers(&mut rig)?, by_tables(rig.reconciler.applied().tables()));
        rig.plan_refusal(Refusal { nth: *nth, how: Failing::Rejected });
        let events = world.act(last);
        // What goes need not come back because a step of its removal failed.
        let wanted = oracle::router_ports(&world.kernel);
        if before.1.keys().any(|port| !wanted.contains_key(port)) {
            return Ok(());
        }
        rig.feed(events);
        rig.settle()?;
        let carries_others = |key: &&Key| {
            use Key::{
                EgressVid, Fid, FidRif, PortLearning, PortPvid, PortStp, PortVidFid, PortVlan,
            };
            matches!(key, Key::Rif(_) | Fid(_) | FidRif(_) | EgressVid(..) | PortVidFid(..))
                || matches!(key, PortPvid(_) | PortVlan(..) | PortLearning(..) | PortStp(..))
        };
        let after = (answers(&mut rig)?, by_tables(rig.reconciler.applied().tables()));
        match rig.refused.as_ref().filter(carries_others) {
            Some(key) if before != after => Err(format!(
                "After {last}, of which {key:?} was refused: {after:x?}\n  before it: {before:x?}"
            )),
            _ => Ok(()),
        }
    });
}

/// What the chip refused for want of room waits until a row is freed: on each router interface an address comes and goes.
fn release_something(rig: &mut Rig, world: &mut World) -> Outcome {
    let address = stories::plain("10.99.0.1");
    for port in oracle::router_ports(&world.kernel).into_keys().map(Dev::Port) {
        for action in [Action::AddAddress(port, address), Action::DelAddress(port, address.ip)] {
            let events = world.act(&action);
            rig.feed(events);
            rig.recover()?;
        }
    }
    Ok(())
}

// Broken if events that arrive while writes are under way led elsewhere than those that find the agent at rest.
#[test]
fn events_overtake_writes() {
    let stories = (story(action(), 40), any::<u64>());
    let property = |story: &Story, seed: u64| {
        let mut world = World::new();
        let mut rig = Rig::new("spectrum2", seed);
        rig.reconciler.replace(world.snapshot());
        for (number, action) in story.0.iter().enumerate() {
            let events = world.act(action);
            rig.feed(events);
            for _ in 0..(seed >> (number % 60)) & 7 {
                rig.step();
            }
        }
        rig.settle()?;
        judge_step("spectrum2", &mut rig, &world)
    };
    check(80, 6, stories, |(story, seed)| property(story, *seed));
}

// Broken if the outcome depended on the order in which things happened to different devices.
#[test]
fn order_of_devices_does_not_matter() {
    let stories = (story(action(), 25), any::<u64>());
    check(40, 7, stories, |(story, seed)| {
        let other = reordered(story, *seed);
        let [(first, one), (second, two)] = [story, &other].map(|story| {
            let mut world = World::new();
            let mut rig = Rig::new("spectrum2", *seed);
            rig.reconciler.replace(world.snapshot());
            for action in &story.0 {
                let events = world.act(action);
                rig.feed(events);
                rig.step();
            }
            let rest = rig.settle();
            (world, rest.map(|()| rig))
        });
        let (mut one, two) = (one?, two?);
        if !has_room(&one, &first) {
            return Ok(());
        }
        if oracle::router_ports(&first.kernel) != oracle::router_ports(&second.kernel) {
            return Err("The orders are not equivalent: the test is wrong".to_owned());
        }
        all_agree(&mut one, &first)?;
        if unnumbered(&one) != unnumbered(&two) {
            return Err(format!("Another order comes to another state: {other:?}"));
        }
        Ok(())
    });
}

/// The same story in another order; what happens to one device keeps its order.
fn reordered(story: &Story, seed: u64) -> Story {
    let mut queues: BTreeMap<Option<Dev>, VecDeque<Action>> = BTreeMap::new();
    for action in &story.0 {
        queues.entry(action.dev()).or_default().push_back(*action);
    }
    let mut order = Vec::new();
    let mut random = seed;
    while !queues.is_empty() {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pick = usize::try_from(random >> 33).unwrap_or(0) % queues.len();
        let Some(dev) = queues.keys().nth(pick).copied() else { break };
        if let Some(queue) = queues.get_mut(&dev) {
            order.extend(queue.pop_front());
            if queue.is_empty() {
                queues.remove(&dev);
            }
        }
    }
    Story(order)
}
