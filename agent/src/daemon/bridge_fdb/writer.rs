//! The task that reads and writes the kernel's forwarding tables, one batch at a time, on a socket of its own.
//!
//! ```text
//!   Order::Jobs  ─▶ for each: RTM_GETNEIGH (what is there?) ─▶ RTM_NEWNEIGH, RTM_DELNEIGH, or nothing ─▶ Answer::Jobs
//!   Order::Dump  ─▶ RTM_GETNEIGH with NLM_F_DUMP, each bridge                                         ─▶ Answer::Dump
//! ```
//!
//! It looks before each write because the kernel replaces whatever is there: an entry that is written as learnt externally
//! over a local one stays local but moves to the member (`br_fdb_external_learn_add`), and a deletion asks for nothing but
//! the device (`fdb_delete_by_addr_and_port`).

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use firsthop_model::{IfIndex, Mac};
use rtnetlink::packet_core::{DefaultNla, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE};
use rtnetlink::packet_route::neighbour::{
    NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use tokio::sync::mpsc;

use super::row::{Done, Found, Job, Row};
use crate::daemon::neighbour_table::{NeighbourTable, Refusal};

/// Numbers that the crates do not have (include/uapi/linux/netlink.h and neighbour.h).
const NLM_F_BULK: u16 = 0x200;
const NDA_NDM_STATE_MASK: u16 = 16;
const NDA_NDM_FLAGS_MASK: u16 = 17;

/// What the task is to do.
#[derive(Debug)]
pub(super) enum Order {
    Jobs(Vec<(Row, Job)>),
    /// Everything that was learnt externally in these bridges.
    Dump(BTreeSet<IfIndex>),
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Answer {
    Jobs(Vec<Done>),
    Dump(Result<Vec<(Row, IfIndex)>, Refusal>),
}

/// The loop's end of the way to the task.
#[derive(Debug)]
pub(super) struct Writer {
    orders: mpsc::UnboundedSender<Order>,
    answers: mpsc::UnboundedReceiver<Answer>,
    busy: bool,
}

impl Writer {
    /// Starts the task; it opens its socket with the first order.
    pub(super) fn open() -> Self {
        let (order, orders) = mpsc::unbounded_channel();
        let (answer, answers) = mpsc::unbounded_channel();
        tokio::task::spawn_local(serve(orders, answer));
        Self { orders: order, answers, busy: false }
    }

    /// An order is under way; another one has to wait.
    pub(super) const fn is_busy(&self) -> bool {
        self.busy
    }

    pub(super) fn order(&mut self, order: Order) {
        // The task ends only with the daemon.
        self.busy = self.orders.send(order).is_ok();
    }

    /// The answer to the order. Cancel-safe.
    pub(super) async fn answer(&mut self) -> Answer {
        match self.answers.recv().await {
            Some(answer) => {
                self.busy = false;
                answer
            }
            None => std::future::pending().await,
        }
    }
}

async fn serve(mut orders: mpsc::UnboundedReceiver<Order>, answers: mpsc::UnboundedSender<Answer>) {
    let mut tables = Tables::default();
    while let Some(order) = orders.recv().await {
        let answer = match order {
            Order::Jobs(jobs) => {
                let mut done = Vec::new();
                for (row, job) in jobs {
                    let result = tables.carry_out(row, job).await;
                    done.push(Done { row, job, result });
                }
                Answer::Jobs(done)
            }
            Order::Dump(bridges) => Answer::Dump(tables.external(&bridges).await),
        };
        // Nobody listens only when the daemon ends.
        answers.send(answer).ok();
    }
}

/// The forwarding tables of all bridges.
#[derive(Debug, Default)]
struct Tables {
    kernel: NeighbourTable,
}

impl Tables {
    async fn carry_out(&mut self, row: Row, job: Job) -> Result<Found, Refusal> {
        let found = self.look(row).await?;
        match (job, found) {
            (Job::Look, _)
            | (Job::Learn(_) | Job::Hold, Found::Static | Found::Local(_))
            | (Job::Forget(_), Found::Free | Found::Static | Found::Local(_))
            | (Job::Release, Found::Free | Found::Static | Found::External(_)) => {}
            (Job::Learn(member), Found::Free | Found::External(_)) => {
                self.put(learnt(row, member)).await?;
            }
            (Job::Forget(member), Found::External(at)) => {
                if member == at {
                    self.forget(row, member).await?;
                }
            }
            (Job::Hold, Found::Free) => self.put(local(row)).await?,
            (Job::Hold, Found::External(member)) => {
                // replaced, it would go on to be marked as learnt externally
                match self.remove(learnt(row, member)).await {
                    Ok(()) | Err(Refusal::Absent) => self.put(local(row)).await?,
                    Err(refusal) => return Err(refusal),
                }
            }
            (Job::Release, Found::Local(at)) => {
                if at == row.bridge {
                    self.remove(local(row)).await?;
                }
            }
        }
        Ok(found)
    }

    /// An entry in a VLAN that the member has left can't be named any more (`br_fdb_delete`), but it stays: then all of them go
    /// together, which Linux has since 6.0.
    async fn forget(&mut self, row: Row, member: IfIndex) -> Result<(), Refusal> {
        match (self.remove(learnt(row, member)).await, row.vlan) {
            (Err(Refusal::Invalid), Some(vlan)) => {
                let message = RouteNetlinkMessage::DelNeighbour(all_learnt(member, vlan));
                self.kernel.ask(message, NLM_F_ACK | NLM_F_BULK, drop).await
            }
            (removed, _) => removed,
        }
    }

    /// What is in a row.
    async fn look(&mut self, row: Row) -> Result<Found, Refusal> {
        let mut message = entry(IfIndex(0), row);
        message.attributes.push(NeighbourAttribute::Controller(row.bridge.0));
        let mut found = Found::Free;
        let asked = self.kernel.ask(RouteNetlinkMessage::GetNeighbour(message), 0, |answer| {
            found = judge(&answer);
        });
        match asked.await {
            Ok(()) => Ok(found),
            Err(Refusal::Absent) => Ok(Found::Free),
            Err(Refusal::Invalid) => Err(Refusal::Absent),
            Err(refusal) => Err(refusal),
        }
    }

    /// Everything in these bridges that was learnt externally, with the member behind which it is.
    async fn external(
        &mut self,
        bridges: &BTreeSet<IfIndex>,
    ) -> Result<Vec<(Row, IfIndex)>, Refusal> {
        let mut rows = Vec::new();
        for bridge in bridges {
            let mut message = NeighbourMessage::default();
            message.header.family = AddressFamily::Bridge;
            message.attributes.push(NeighbourAttribute::Controller(bridge.0));
            let take = |answer: NeighbourMessage| {
                if let (Found::External(member), Some(row)) = (judge(&answer), row_of(&answer))
                    && row.bridge == *bridge
                {
                    rows.push((row, member));
                }
            };
            self.kernel.ask(RouteNetlinkMessage::GetNeighbour(message), NLM_F_DUMP, take).await?;
        }
        Ok(rows)
    }

    async fn put(&mut self, message: NeighbourMessage) -> Result<(), Refusal> {
        let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
        self.kernel.ask(RouteNetlinkMessage::NewNeighbour(message), flags, drop).await
    }

    async fn remove(&mut self, mut message: NeighbourMessage) -> Result<(), Refusal> {
        message.header.state = NeighbourState::None;
        message.header.flags -= NeighbourFlags::ExtLearned;
        self.kernel.ask(RouteNetlinkMessage::DelNeighbour(message), NLM_F_ACK, drop).await
    }
}

/// The row with this device, and no more.
fn entry(device: IfIndex, row: Row) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = device.0;
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(row.mac.0.to_vec()));
    message.attributes.extend(row.vlan.map(NeighbourAttribute::Vlan));
    message
}

/// As `bridge fdb replace MAC dev MEMBER master extern_learn dynamic [vlan VID]`.
fn learnt(row: Row, member: IfIndex) -> NeighbourMessage {
    let mut message = entry(member, row);
    message.header.flags = NeighbourFlags::Controller | NeighbourFlags::ExtLearned;
    message.header.state = NeighbourState::Reachable;
    message
}

/// As `bridge fdb flush dev MEMBER master vlan VID extern_learn nopermanent nostatic`.
fn all_learnt(member: IfIndex, vlan: u16) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = member.0;
    message.header.flags = NeighbourFlags::Controller | NeighbourFlags::ExtLearned;
    let states = u16::from(NeighbourState::Permanent) | u16::from(NeighbourState::Noarp);
    let flags = NeighbourFlags::ExtLearned.bits();
    message.attributes = vec![
        NeighbourAttribute::Vlan(vlan),
        NeighbourAttribute::Other(DefaultNla::new(NDA_NDM_STATE_MASK, states.to_ne_bytes().into())),
        NeighbourAttribute::Other(DefaultNla::new(NDA_NDM_FLAGS_MASK, vec![flags])),
    ];
    message
}

/// As `bridge fdb replace MAC dev BRIDGE self local [vlan VID]`.
fn local(row: Row) -> NeighbourMessage {
    let mut message = entry(row.bridge, row);
    message.header.flags = NeighbourFlags::Own;
    message.header.state = NeighbourState::Permanent;
    message
}

/// What an entry of a bridge is; see `fdb_to_nud` and `fdb_fill_info` in net/bridge/br_fdb.c.
fn judge(entry: &NeighbourMessage) -> Found {
    let at = IfIndex(entry.header.ifindex);
    match entry.header.state {
        NeighbourState::Permanent => Found::Local(at),
        NeighbourState::Noarp => Found::Static,
        _ if entry.header.flags.contains(NeighbourFlags::ExtLearned) => Found::External(at),
        _ => Found::Free,
    }
}

fn row_of(entry: &NeighbourMessage) -> Option<Row> {
    let (mut bridge, mut vlan, mut mac) = (None, None, None);
    for attribute in &entry.attributes {
        match attribute {
            NeighbourAttribute::Controller(index) => bridge = Some(IfIndex(*index)),
            NeighbourAttribute::Vlan(vid) => vlan = Some(*vid),
            NeighbourAttribute::LinkLayerAddress(octets) => {
                mac = octets.as_slice().try_into().ok().map(Mac);
            }
            _ => {}
        }
    }
    Some(Row { bridge: bridge?, vlan, mac: mac? })
}
