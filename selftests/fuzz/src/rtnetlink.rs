//! What the kernel says: datagrams of events, and of dumps.
//!
//! Input: messages one after the other, as in a datagram. The low bits of a message's sequence number say how the chip answers the
//! writes that follow from it, those of the first message's port which admission policy is set, and who routes. Events that come one by one
//! must lead to the same intent as the same events at once.

use std::time::Duration;

use firsthop::views;
use firsthop_model::intent::{ChipIdentity, Policy, Routing, VmacPolicy};
use firsthop_model::plan::Limits;
use firsthop_model::reconcile::Reconciler;
use firsthop_model::retry::{Failure, FailureClass};
use firsthop_netlink::decode::{decode, decode_fib};
use firsthop_netlink::{Decoded, FibReply, Message, Reply, Table, messages};

/// Times that what is due is asked for, until nothing is.
const ROUNDS: usize = 1000;

const TABLES: [Table; 5] =
    [Table::Links, Table::Ipv4Addresses, Table::Ipv6Addresses, Table::Vlans, Table::MacLists];

const FIB_TABLES: [Table; 5] = [
    Table::Ipv4Routes,
    Table::Ipv6Routes,
    Table::NextHops,
    Table::Ipv4Neighbours,
    Table::Ipv6Neighbours,
];

/// The target.
pub fn run(data: &[u8]) {
    let Some(Ok(first)) = messages(data).next() else { return };
    for table in TABLES {
        let mut reply = Reply::new(table, first.sequence, first.port);
        // A refusal is an end as well.
        if matches!(reply.take(data), Ok(false)) {
            reply.take(data).ok();
        }
    }
    for table in FIB_TABLES {
        let mut reply = FibReply::new(table, first.sequence, first.port);
        reply.take(data).ok();
    }
    events(data, &first);
}

fn events(data: &[u8], first: &Message<'_>) {
    let [policy, ..] = first.port.to_ne_bytes();
    let vmac_policy = VmacPolicy::ALL[usize::from(policy) % VmacPolicy::ALL.len()];
    let routing = if policy & 4 == 0 { Routing::Hardware } else { Routing::Cpu };
    let policy = Policy { vmac_policy, routing, ..Policy::default() };
    let chip = ChipIdentity::Simulated { chip_id: "sw0".to_owned(), ports: 4 };
    let limits = Limits {
        rifs: 4,
        virtual_routers: 2,
        mac_profiles: 2,
        mac_profile_bits: 36,
        lags: 2,
        adjacencies: 8,
        ecmp_size: 4,
    };
    let mut stepwise = Reconciler::new(policy, chip, limits);
    let mut at_once = stepwise.clone();
    let mut now = Duration::from_secs(1);
    for message in messages(data).flatten() {
        if let Decoded::Events(events) = decode(&message) {
            for event in events {
                at_once.fold(event.clone());
                stepwise.fold(event);
            }
        }
        if let Decoded::Events(events) = decode_fib(&message) {
            for event in events {
                at_once.fold_fib(event.clone());
                stepwise.fold_fib(event);
            }
        }
        stepwise.recompute();
        now += Duration::from_millis(10);
        program(&mut stepwise, message.sequence, now);
    }
    at_once.recompute();
    assert!(stepwise.units().eq(at_once.units()), "intent depends on when it was computed");
    assert!(stepwise.ways().eq(at_once.ways()), "routes depend on when they were computed");
    settle(&mut stepwise, now);
    look(&stepwise);
}

/// Answers what is ready. Bits of `fate`: each of them the next answer, and once they are used up everything works.
fn program(reconciler: &mut Reconciler, mut fate: u32, now: Duration) {
    for (ticket, _) in reconciler.ready(now) {
        let class = match fate & 7 {
            1 => Some(FailureClass::Transient),
            2 => Some(FailureClass::Capacity),
            3 => Some(FailureClass::Rejected),
            4 => Some(FailureClass::Unknown),
            _ => None,
        };
        fate >>= 3;
        let failure = class.map(|class| Failure { class, text: "fuzz".to_owned() });
        reconciler.complete(ticket, &failure.map_or(Ok(()), Err), now);
    }
}

/// The chip takes everything: it must come to an end.
fn settle(reconciler: &mut Reconciler, mut now: Duration) {
    for _ in 0..ROUNDS {
        let unknown: Vec<_> = reconciler.applied().unknown().cloned().collect();
        for key in unknown {
            reconciler.settle(&key, None);
        }
        let ready = reconciler.ready(now);
        for (ticket, _) in &ready {
            reconciler.complete(*ticket, &Ok(()), now);
        }
        if ready.is_empty() {
            match reconciler.deadline() {
                Some(deadline) => now = deadline.max(now),
                None => return,
            }
        }
    }
    panic!("a chip that takes everything is still written to");
}

/// Everything that can be asked about this state.
fn look(reconciler: &Reconciler) {
    let filter = firsthop::api::Filter::default();
    let devices = views::Devices::of(reconciler, &std::collections::BTreeMap::new());
    devices.rifs(reconciler, &filter);
    devices.vmacs(reconciler, &filter);
    devices.ports(reconciler, &filter);
    views::differences(reconciler);
    for link in reconciler.topology().links() {
        devices.explain(reconciler, link);
    }
}
