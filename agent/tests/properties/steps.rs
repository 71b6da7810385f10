//! After every step, and in whatever order things happened, everybody says the same.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use crate::action::{Action, Dev, Story};
use crate::judge::{all_agree, bare_rows, has_room};
use crate::rig::Rig;
use crate::stories::{action, of_one_vendor, story};
use crate::world::World;
use crate::{Outcome, check, each_step, judge_step, same_chips, tell};

// Broken if events led the agent anywhere else than the rules say, or than a fresh start leads, at any step of any story.
#[test]
fn every_step_agrees_with_the_oracle() {
    check(24, 1, story(action(), 25), |story| each_step("spectrum2", story));
}

// Broken if a VLAN interface without egress FID, or a single MAC profile, led anywhere else.
#[test]
fn every_step_agrees_on_spectrum1() {
    let stories = story(action(), 25).prop_map(of_one_vendor);
    check(16, 12, stories, |story| each_step("spectrum1", story));
}

// Broken if a chip that was full, and is not any more, stayed behind; or if a full one answered for MACs that nobody wants.
#[test]
fn every_step_agrees_on_a_small_chip() {
    check(30, 2, story(action(), 25), |story| each_step("tiny", story));
}

// Broken if events that arrive while writes are under way led elsewhere than those that find the agent at rest.
#[test]
fn events_overtake_writes() {
    let stories = (story(action(), 40), any::<u64>());
    let property = |story: &Story, seed: u64| {
        let mut world = World::new();
        let mut rig = Rig::new("spectrum2", seed);
        rig.reconciler.replace(world.snapshot());
        let mut lost = false;
        for (number, action) in story.0.iter().enumerate() {
            tell(&mut rig, &mut world, action, &mut lost);
            for _ in 0..(seed >> (number % 60)) & 7 {
                rig.step();
            }
        }
        rig.settle()?;
        judge_step(&mut rig, &world)
    };
    check(80, 6, stories, |(story, seed)| property(story, *seed));
}

// Broken if the order in which messages about different devices arrive mattered to the outcome.
#[test]
fn order_of_messages_does_not_matter() {
    let stories = (story(action(), 25), any::<u64>());
    check(50, 7, stories, |(story, seed)| {
        let mut world = World::new();
        let [mut one, mut two] = [0, 1].map(|_| Rig::new("spectrum2", *seed));
        for rig in [&mut one, &mut two] {
            rig.reconciler.replace(world.snapshot());
        }
        for (number, action) in story.0.iter().enumerate() {
            let events = world.act(action);
            let seed = seed.wrapping_mul(u64::try_from(number).unwrap_or(0) + 1);
            two.feed(shuffled(events.clone(), seed));
            one.feed(events);
            one.step();
            two.step();
        }
        one.settle()?;
        two.settle()?;
        if !has_room(&one, &world) {
            return Ok(());
        }
        all_agree(&mut one, &world)?;
        all_agree(&mut two, &world).map_err(|why| format!("In another order: {why}"))?;
        if bare_rows(&one) != bare_rows(&two) {
            return Err("Another order comes to other rows".to_owned());
        }
        same_chips(&one, &two)
    });
}

/// In another order; what is told of one device keeps its order.
fn shuffled(
    events: Vec<firsthop_model::topology::Event>,
    seed: u64,
) -> Vec<firsthop_model::topology::Event> {
    use firsthop_model::topology::Event;
    let about = |event: &Event| match event {
        Event::Link(link) => link.ifindex,
        Event::Slave(ifindex, _) => *ifindex,
        Event::Address(address) | Event::AddressGone(address) => address.ifindex,
        Event::Vlans(range) | Event::VlansGone(range) => range.ifindex,
        // nobody tells it here
        Event::AllVlans(_) => firsthop_model::IfIndex(0),
        Event::LinkGone(ifindex)
        | Event::FiltersSettled(ifindex)
        | Event::Receives(ifindex, _)
        | Event::ReceivesNoMore(ifindex, _)
        | Event::MacList(ifindex, _) => *ifindex,
    };
    let mut queues: BTreeMap<_, VecDeque<Event>> = BTreeMap::new();
    for event in events {
        queues.entry(about(&event)).or_default().push_back(event);
    }
    interleaved(queues, seed)
}

/// Takes from the queues at random until all are empty.
fn interleaved<K: Ord + Copy, T>(mut queues: BTreeMap<K, VecDeque<T>>, seed: u64) -> Vec<T> {
    let mut order = Vec::new();
    let mut random = seed;
    while !queues.is_empty() {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pick = usize::try_from(random >> 33).unwrap_or(0) % queues.len();
        let Some(key) = queues.keys().nth(pick).copied() else { break };
        if let Some(queue) = queues.get_mut(&key) {
            order.extend(queue.pop_front());
            if queue.is_empty() {
                queues.remove(&key);
            }
        }
    }
    order
}

// Broken if the outcome depended on the order in which things happened to different devices, where the kernel's does not.
#[test]
fn order_of_devices_does_not_matter() {
    let stories = (story(action(), 25), any::<u64>());
    check(60, 7, stories, |(story, seed)| {
        let other = reordered(story, *seed);
        let run = |story: &Story| -> Result<(World, Rig), String> {
            let mut world = World::new();
            let mut rig = Rig::new("spectrum2", *seed);
            rig.reconciler.replace(world.snapshot());
            let mut lost = false;
            for action in &story.0 {
                tell(&mut rig, &mut world, action, &mut lost);
                rig.step();
            }
            rig.settle()?;
            Ok((world, rig))
        };
        let ((first, mut one), (second, two)) = (run(story)?, run(&other)?);
        if first.kernel != second.kernel || !has_room(&one, &first) {
            return Outcome::Ok(());
        }
        all_agree(&mut one, &first)?;
        if bare_rows(&one) != bare_rows(&two) {
            return Err(format!("Another order comes to another state: {other:?}"));
        }
        same_chips(&one, &two)
    });
}

/// The same story in another order; what happens to one device keeps its order.
fn reordered(story: &Story, seed: u64) -> Story {
    let mut queues: BTreeMap<Option<Dev>, VecDeque<Action>> = BTreeMap::new();
    for action in &story.0 {
        queues.entry(action.dev()).or_default().push_back(*action);
    }
    Story(interleaved(queues, seed))
}
