//! How many instructions and allocations does a piece of the agent's work take? This is the work; who counts is `callgrind`, which
//! is told to look at what [`measured`] does and at nothing else. docs/benchmarks.md says what the pieces are.
//!
//! ```text
//!   recorded messages ─decode─▶ Snapshot ─program─▶ Engine ─▶ changes ─registers─▶ EMADs
//!                                        ─resync──▶   ▲
//!                              events ────event, storm┘
//! ```
//!
//! `instructions ROUTERS` does one piece after the other, and says how much each was: `resync 1020 link`. No threads, no clock, no
//! chance.

mod agent;
mod kernel;
mod registers;

use std::error::Error;
use std::hint::black_box;

use agent::Agent;
use firsthop::engine::{Heard, HeardRoutes};
use firsthop_model::chip::Change;
use firsthop_model::fib::{FibEvent, FibSnapshot};
use firsthop_model::topology::{Event, Snapshot};
use firsthop_netlink::decode::{decode, decode_fib};
use firsthop_netlink::{Decoded, FibReply, Message, Reply, Table, messages};
use hwsim::chip::Personality;
use kernel::{REQUEST, Said};

/// Virtual routers whose address goes and comes back.
const FLAPS: u32 = 64;
/// Containers that start and end, and how many of them between two turns.
const CONTAINERS: u32 = 256;
const BATCH: usize = 16;

/// Only what happens in here is counted.
#[inline(never)]
fn measured<T>(piece: impl FnOnce() -> T) -> T {
    piece()
}

fn main() -> Result<(), Box<dyn Error>> {
    let routers = std::env::args().nth(1).ok_or("usage: instructions ROUTERS")?;
    let scene = Scene::new(routers.parse()?)?;
    scene.decode();
    let mut agent = scene.program();
    let changes = std::mem::take(&mut agent.written);
    scene.resync(agent.clone());
    scene.event(agent.clone());
    scene.storm(agent);
    scene.registers(changes);
    Ok(())
}

/// Says what was just measured, and how many of what it was about: here the counter writes down what it counted, and begins anew.
#[inline(never)]
fn report(piece: &str, count: usize, unit: &str) {
    println!("{piece} {count} {unit}");
}

/// A switch with so many virtual routers.
struct Scene {
    routers: u32,
    personality: Personality,
    dumps: Vec<(Table, Vec<Vec<u8>>)>,
    links: Snapshot,
    routes: FibSnapshot,
}

impl Scene {
    fn new(routers: u32) -> Result<Self, Box<dyn Error>> {
        let mut personality = Personality::load("spectrum2")?;
        personality.rifs = personality.rifs.max(u16::try_from(routers)?);
        let dumps = kernel::dumps(routers);
        let (links, routes) = read(&dumps);
        Ok(Self { routers, personality, dumps, links, routes })
    }

    const fn links(&self) -> usize {
        self.links.links.len()
    }

    // --- Pieces ---------------------------------------------------------------------------------------------------

    /// From the octets of a dump of everything to what the engine takes.
    fn decode(&self) {
        let (links, routes) = measured(|| read(&self.dumps));
        let count = links.links.len() + links.addresses.len() + routes.routes.len();
        report("decode", count, "message");
    }

    /// From an empty chip, and a kernel that was never looked at, to everything written.
    fn program(&self) -> Agent {
        let mut agent = Agent::new(&self.personality);
        agent.prepare(&self.links, &self.routes);
        measured(|| agent.settle());
        assert!(agent.written.len() >= 2 * self.links(), "everything is in the chip");
        report("program", agent.written.len(), "change");
        agent
    }

    /// Everything is asked for anew, and is as it was.
    fn resync(&self, mut agent: Agent) {
        agent.prepare(&self.links, &self.routes);
        measured(|| {
            agent.distrust();
            agent.settle();
        });
        assert!(agent.written.is_empty(), "nothing is to be written");
        report("resync", self.links(), "link");
    }

    /// Virtual routers become backups, one after the other, and active again.
    fn event(&self, agent: Agent) {
        let flaps = (0..FLAPS).map(|flap| flap * self.routers / FLAPS);
        let said = flaps.flat_map(|number| [kernel::goes(number), kernel::comes(number)]);
        let said: Vec<Said> = said.collect();
        let written = hear(agent, &said);
        assert!(written >= said.len(), "each event has an effect");
        report("event", said.len(), "event");
    }

    /// Containers start and end beside the switch: nothing of it is for the chip but the three routes of each, and that they go.
    fn storm(&self, agent: Agent) {
        let mut said = Vec::new();
        for first in (0..CONTAINERS).step_by(BATCH) {
            for happens in [kernel::starts, kernel::ends] {
                let mut batch = Said::default();
                (first..).take(BATCH).for_each(|number| batch.extend(happens(number)));
                said.push(batch);
            }
        }
        let count = said.iter().map(|said| said.links.len() + said.routes.len()).sum();
        let routes: usize = said.iter().map(|said| said.routes.len()).sum();
        assert_eq!(hear(agent, &said), routes, "only routes are written");
        report("storm", count, "event");
    }

    /// From changes to EMADs, and from their answers to outcomes.
    fn registers(&self, changes: Vec<Change>) {
        let answers = registers::record(&self.personality, changes.clone());
        let count = changes.len();
        measured(|| registers::replay(&self.personality, changes, &answers));
        report("registers", count, "change");
    }
}

/// Says this to an agent that has everything in the chip; how many changes came of it.
fn hear(mut agent: Agent, said: &[Said]) -> usize {
    let heard: Vec<_> = said.iter().map(|said| (links(said), routes(said))).collect();
    measured(|| {
        for (links, routes) in heard {
            agent.hear(links, routes);
        }
    });
    agent.written.len()
}

// --- From octets to what the engine takes -----------------------------------------------------------------------------

/// As `Dumper` takes it, when it has a datagram.
fn read(dumps: &[(Table, Vec<Vec<u8>>)]) -> (Snapshot, FibSnapshot) {
    let (mut links, mut routes) = (Snapshot::default(), FibSnapshot::default());
    let (sequence, port) = REQUEST;
    for (table, datagrams) in dumps {
        if *table == Table::Ipv4Routes {
            let mut reply = FibReply::new(*table, sequence, port);
            let ended = datagrams.iter().any(|datagram| reply.take(datagram).expect("no refusal"));
            assert!(ended && reply.undecodable.is_none(), "a whole dump");
            let route = |row| if let FibEvent::Route(route, _) = row { Some(route) } else { None };
            routes.routes.extend(reply.rows.into_iter().filter_map(route));
            continue;
        }
        let mut reply = Reply::new(*table, sequence, port);
        let ended = datagrams.iter().any(|datagram| reply.take(datagram).expect("no refusal"));
        assert!(ended && reply.undecodable.is_none(), "a whole dump");
        for row in reply.rows {
            match row {
                Event::Link(link) => links.links.push(*link),
                Event::Address(address) => links.addresses.push(address),
                other => panic!("{other:?} is in no table that was asked for"),
            }
        }
    }
    black_box((links, routes))
}

fn links(said: &Said) -> Heard {
    Heard { events: events(&said.links, decode), loss: None }
}

fn routes(said: &Said) -> HeardRoutes {
    HeardRoutes { events: events(&said.routes, decode_fib), loss: None }
}

fn events<E>(datagrams: &[Vec<u8>], decode: impl Fn(&Message<'_>) -> Decoded<E>) -> Vec<E> {
    let messages = datagrams.iter().flat_map(|datagram| messages(datagram));
    let decoded = messages.map(|message| decode(&message.expect("a whole message")));
    let events = decoded.map(|decoded| match decoded {
        Decoded::Events(events) => events,
        Decoded::Ignored => Vec::new(),
        Decoded::Undecodable(what) => panic!("{what}"),
    });
    events.flatten().collect()
}
