//! Does it matter in which order things happen, or are told? For each scenario every order of its steps, and of the messages
//! that tell its end.
//!
//! ```text
//!   begin, setup ─▶ agent at rest ─▶ steps in the order of the file ─────┐
//!                              └──▶ in every other order ────────────────┤ the same chip, but for the numbers
//!                              └──▶ messages of the end in every order ──┘
//! ```
//!
//! An order that ends in another kernel state (a PVID that another one replaced) says nothing and is left out.

use std::collections::BTreeSet;

use firsthop_model::chip::Tables;
use firsthop_model::topology::Event;

use crate::action::Action;
use crate::judge::{all_agree, bare_chip, bare_rows};
use crate::rig::Rig;
use crate::scenario::{Scenario, Scenarios, actions};
use crate::world::World;

/// All orders of at most so many; of more, so many at random.
const ALL: usize = 6;
const SOME: usize = 1000;

/// What a chip holds, without numbers.
type Held = (Tables, BTreeSet<String>);

/// An agent at rest after a scenario's setup, to which it can be brought back.
struct Lab {
    base: World,
    rig: Rig,
    steps: Vec<Vec<Action>>,
}

impl Lab {
    fn new(scenarios: &Scenarios, scenario: &Scenario) -> Self {
        let mut base = World::new();
        for step in scenarios.begin.iter().chain(&scenario.setup) {
            for action in actions(step) {
                base.act(&action);
            }
        }
        let rig = Rig::started("spectrum2", &base).expect("the setup comes to rest");
        Self { base, rig, steps: scenario.steps.iter().map(|step| actions(step)).collect() }
    }

    /// The kernel after the steps in this order.
    fn world(&self, order: &[usize]) -> World {
        let mut world = self.base.clone();
        for action in order.iter().flat_map(|step| &self.steps[*step]) {
            world.act(action);
        }
        world
    }

    /// Lets the steps happen in this order, while the agent works.
    fn play(&mut self, order: &[usize]) {
        let mut world = self.base.clone();
        for action in order.iter().flat_map(|step| &self.steps[*step]) {
            let events = world.act(action);
            self.rig.feed(events);
            for _ in 0..order[0] {
                self.rig.step();
            }
        }
        self.rig.settle().expect("the agent comes to rest");
    }

    /// The acknowledged rows; and, of every tenth, what the chip itself says.
    fn held(&self, nth: usize) -> Held {
        let chip = if nth.is_multiple_of(10) { bare_chip(&self.rig) } else { BTreeSet::new() };
        (bare_rows(&self.rig), chip)
    }

    /// Back to what the setup made.
    fn reset(&mut self) {
        self.rig.reconciler.replace(self.base.snapshot());
        self.rig.settle().expect("the agent comes to rest");
    }
}

fn difference((rows, chip): &Held, (other_rows, other_chip): &Held) -> String {
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| {
        a.difference(b).map(|line| format!("\n  {line}")).collect::<String>()
    };
    let lines = |rows: &Tables| rows.values().map(|row| format!("{row:?}")).collect();
    let (rows, other_rows): (BTreeSet<String>, BTreeSet<String>) = (lines(rows), lines(other_rows));
    format!(
        "only in the first:{}{}\nonly in the other:{}{}",
        only(&rows, &other_rows),
        only(chip, other_chip),
        only(&other_rows, &rows),
        only(other_chip, chip)
    )
}

/// Every order of `count` things, or some of them.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count > ALL {
        return (0..SOME).map(|seed| shuffled((0..count).collect(), seed)).collect();
    }
    let mut orders = vec![Vec::new()];
    for next in 0..count {
        let longer = |order: &Vec<usize>| {
            let places = 0..=order.len();
            let at = |place| [&order[..place], &[next], &order[place..]].concat();
            places.map(at).collect::<Vec<_>>()
        };
        orders = orders.iter().flat_map(longer).collect();
    }
    orders
}

fn shuffled(mut order: Vec<usize>, seed: usize) -> Vec<usize> {
    let mut random = u64::try_from(seed).unwrap_or(0);
    for left in (1..order.len()).rev() {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(left, usize::try_from(random >> 33).unwrap_or(0) % (left + 1));
    }
    order
}

/// Every second scenario, so that two threads share the work.
fn half(which: usize, examine: impl Fn(&Scenarios, &Scenario) -> usize) {
    let all = Scenarios::about_order();
    let counted: usize =
        all.scenarios.iter().skip(which).step_by(2).map(|scenario| examine(&all, scenario)).sum();
    assert!(
        counted > 500,
        "Only {counted} orders end as the file's do: the scenarios are too strict"
    );
}

/// Every order of the steps; returns how many ended in the same kernel state.
fn every_order_of_steps(all: &Scenarios, scenario: &Scenario) -> usize {
    let mut lab = Lab::new(all, scenario);
    let first: Vec<usize> = (0..lab.steps.len()).collect();
    let world = lab.world(&first);
    let end = world.settled();
    lab.play(&first);
    all_agree(&mut lab.rig, &world).unwrap_or_else(|why| panic!("{}: {why}", scenario.name));
    let wanted = lab.held(0);
    lab.reset();
    let mut counted = 0;
    for order in orders(first.len()) {
        if lab.world(&order).settled() != end {
            continue;
        }
        counted += 1;
        lab.play(&order);
        let held = lab.held(counted);
        assert!(
            held.0 == wanted.0 && (held.1.is_empty() || held.1 == wanted.1),
            "{}, in the order {order:?}: {}",
            scenario.name,
            difference(&held, &wanted)
        );
        lab.reset();
    }
    assert!(counted > 1, "{}: no other order ends in the same kernel state", scenario.name);
    counted
}

/// Every order of the messages that tell how the scenario ends.
fn every_order_of_messages(all: &Scenarios, scenario: &Scenario) -> usize {
    let mut lab = Lab::new(all, scenario);
    let end = lab.world(&(0..lab.steps.len()).collect::<Vec<_>>());
    let messages = end.news_since(&lab.base);
    let mut wanted = None;
    // A thousand of each would take too long in a debug build.
    let orders = orders(messages.len());
    let few = orders.len().min(if messages.len() > ALL { 60 } else { SOME });
    for (nth, order) in orders[..few].iter().enumerate() {
        for message in order {
            lab.rig.feed(messages[*message].clone());
            for _ in 0..order[0] % 3 {
                lab.rig.step();
            }
        }
        lab.rig.settle().expect("the agent comes to rest");
        let held = lab.held(nth);
        if wanted.is_none() {
            all_agree(&mut lab.rig, &end).unwrap_or_else(|why| panic!("{}: {why}", scenario.name));
        }
        let wanted = wanted.get_or_insert_with(|| held.clone());
        let told = || order.iter().map(|at| format!("\n  {:?}", messages[*at])).collect::<String>();
        assert!(
            held.0 == wanted.0 && (held.1.is_empty() || held.1 == wanted.1),
            "{}, told in the order {}: {}",
            scenario.name,
            told(),
            difference(&held, wanted)
        );
        lab.reset();
    }
    few
}

// Broken if the chip depended on the order in which people and daemons do things. (Scenarios 1, 3, 5, …)
#[test]
fn every_order_of_steps_of_odd_scenarios() {
    half(0, every_order_of_steps);
}

// The same of scenarios 2, 4, 6, …
#[test]
fn every_order_of_steps_of_even_scenarios() {
    half(1, every_order_of_steps);
}

// Broken if the chip depended on the order in which the kernel's messages arrive. (Scenarios 1, 3, 5, …)
#[test]
fn every_order_of_messages_of_odd_scenarios() {
    half(0, every_order_of_messages);
}

// The same of scenarios 2, 4, 6, …
#[test]
fn every_order_of_messages_of_even_scenarios() {
    half(1, every_order_of_messages);
}

// Broken if the file promised other router interfaces or MACs to the scripts that read it than the rules give.
#[test]
fn the_file_says_what_the_rules_say() {
    let all = Scenarios::about_order();
    let names = |world: &World, of: &dyn Fn(u32) -> bool| -> Vec<String> {
        let devices = world.kernel.devices.iter();
        devices.filter(|(i, _)| of(**i)).map(|(_, device)| device.name.clone()).collect()
    };
    let mut wrong = Vec::new();
    for scenario in &all.scenarios {
        let lab = Lab::new(&all, scenario);
        let world = lab.world(&(0..lab.steps.len()).collect::<Vec<_>>());
        let kernel = &world.kernel;
        let rifs = names(&world, &|ifindex| oracle::shape(kernel, ifindex).is_ok());
        let vmacs = names(&world, &|ifindex| {
            oracle::verdict(kernel, ifindex).is_some_and(|verdict| verdict.state == "offload")
        });
        if (&scenario.rifs, &scenario.vmacs) != (&rifs, &vmacs) {
            wrong.push(format!(
                "{{\"name\": {:?}, \"rifs\": {rifs:?}, \"vmacs\": {vmacs:?}}}",
                scenario.name
            ));
        }
    }
    assert!(wrong.is_empty(), "The rules say:\n{}", wrong.join("\n"));
}

/// What the messages say of a world that differs from another one.
impl World {
    /// What is told together keeps its order: a look at a device's filters follows the news of its MAC.
    fn news_since(&self, before: &Self) -> Vec<Vec<Event>> {
        let (now, then) = (self.snapshot(), before.snapshot());
        let (mut together, mut news) = (Vec::new(), Vec::new());
        for link in &now.links {
            if !then.links.contains(link) {
                let looked = Event::FiltersSettled(link.ifindex);
                together.push(vec![Event::Link(Box::new(link.clone())), looked]);
            }
        }
        let gone = |address: &&firsthop_model::topology::Address| !now.addresses.contains(address);
        news.extend(then.addresses.iter().filter(gone).cloned().map(Event::AddressGone));
        let new = |address: &&firsthop_model::topology::Address| !then.addresses.contains(address);
        news.extend(now.addresses.iter().filter(new).cloned().map(Event::Address));
        let vlan_gone = |range: &&firsthop_model::topology::VlanRange| {
            !now.vlans
                .iter()
                .any(|other| (other.ifindex, other.first) == (range.ifindex, range.first))
        };
        news.extend(then.vlans.iter().filter(vlan_gone).copied().map(Event::VlansGone));
        news.extend(
            now.vlans.iter().filter(|r| !then.vlans.contains(r)).copied().map(Event::Vlans),
        );
        for (ifindex, filters) in &self.kernel.filters {
            let asked = filters.announced.iter().map(|mac| firsthop_model::Mac(*mac));
            news.extend(asked.map(|mac| Event::Receives(firsthop_model::IfIndex(*ifindex), mac)));
        }
        for (ifindex, macs) in &now.mac_lists {
            if then.mac_lists.get(ifindex) != Some(macs) {
                news.push(Event::MacList(*ifindex, macs.clone()));
            }
        }
        together.extend(news.into_iter().map(|event| vec![event]));
        together
    }

    /// The kernel's state without traces of how it came about.
    fn settled(&self) -> oracle::Kernel {
        let mut kernel = self.kernel.clone();
        for addresses in kernel.addresses.values_mut() {
            addresses.sort_by_key(|address| (address.ip, address.prefix_len));
        }
        for filters in kernel.filters.values_mut() {
            let listed = filters.listed.clone();
            filters.former.retain(|mac| listed.contains(mac));
        }
        kernel.filters.retain(|_, filters| *filters != oracle::Filters::default());
        kernel
    }
}
