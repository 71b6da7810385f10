//! What has the daemon to keep in step besides the chip: the kernel's bridges, devices' filters, and the record for the next
//! daemon.
//!
//! ```text
//!   event ─▶ fold ─┬─ own MAC changed ─▶ Questions, Record
//!                  └─ an entry of our own ─▶ not folded in
//!   once a turn:   answers ─▶ what should be in bridges ─▶ Record ─▶ the kernel
//! ```

use std::collections::BTreeSet;

use firsthop_model::IfIndex;
use firsthop_model::intent::{LinuxBridges, Reason, judge};
use firsthop_model::topology::{Event, LinkKind, Snapshot, Topology};

use super::Daemon;
use super::adoption::Phase;
use super::bridge_fdb::BridgeFdb;
use super::chip_link::Order;
use super::record::{Facts, Former, Record};

/// In the place of a chip's id in the name of the record; no chip has this one.
const NO_CHIP: &str = "linux bridges";

/// The record, and what it waits for.
#[derive(Debug, Default)]
pub(super) struct Memory {
    record: Option<Record<Facts>>,
    chip_id: String,
    /// What an earlier daemon wrote down was taken over.
    recalled: bool,
    /// A device may have another former MAC than before.
    stirred: bool,
}

impl Daemon {
    /// Folds an event in, but for those about entries that were made here: nobody asked for these MACs.
    pub(super) fn fold(&mut self, event: Event) {
        self.questions.notice(&event, self.reconciler.topology());
        self.fold_answer(event);
    }

    /// As [`Self::fold`], for an event that was asked for.
    pub(super) fn fold_answer(&mut self, event: Event) {
        self.flower.notice(&event);
        if !self.fdb.notice(&event) {
            return;
        }
        let topology = self.reconciler.topology();
        let mut changed = BTreeSet::new();
        match &event {
            Event::Link(link) => {
                let former = topology.link(link.ifindex);
                if former.is_some_and(|former| former.mac != link.mac) {
                    changed.insert(link.ifindex);
                    changed.extend(filtered_by(topology, link.ifindex));
                }
            }
            Event::LinkGone(ifindex) => changed.extend(filtered_by(topology, *ifindex)),
            _ => {}
        }
        self.reconciler.fold(event);
        self.changed_mac(changed);
    }

    /// Replaces the view; what an earlier daemon wrote down is taken over with the first one.
    pub(super) fn replace(&mut self, snapshot: Snapshot) {
        let topology = self.reconciler.topology();
        let former = |link: &firsthop_model::topology::Link| {
            topology.link(link.ifindex).is_some_and(|former| former.mac != link.mac)
        };
        let changed = snapshot.links.iter().filter(|link| former(link)).map(|link| link.ifindex);
        let changed: Vec<IfIndex> = changed.collect();
        let lists = snapshot.mac_lists.clone();
        self.reconciler.replace(snapshot);
        self.fdb.stir();
        self.flower.stir();
        self.changed_mac(changed);
        let Some(record) = self.memory.record.as_ref().filter(|_| !self.memory.recalled) else {
            return;
        };
        let facts = record.facts().clone();
        for Former { ifindex, name, mac } in facts.former {
            let link = self.reconciler.topology().link(ifindex);
            let same = link.is_some_and(|link| link.ifname == name);
            if same && lists.get(&ifindex).is_some_and(|listed| listed.contains(&mac)) {
                self.reconciler.remember_former(ifindex, mac);
            }
        }
        self.fdb.recall(&facts.local, &self.reconciler);
        self.memory.recalled = true;
    }

    /// There is no chip. The bridges of Linux have a record of their own, if they are written to.
    pub(super) fn go_without_chip(&mut self) {
        if self.reconciler.policy().linux_bridges == LinuxBridges::Written {
            self.open_record(NO_CHIP);
        }
        self.observer.begin();
    }

    /// Opens the record of the chip that was connected.
    pub(super) fn open_record(&mut self, chip_id: &str) {
        if self.observe || self.memory.record.is_some() && self.memory.chip_id == chip_id {
            return;
        }
        let record = Some(Record::open(&self.directory, chip_id));
        self.memory = Memory { record, chip_id: chip_id.to_owned(), ..Memory::default() };
    }

    /// The filters of these devices may hold something new, if they may be router interfaces.
    fn changed_mac(&mut self, changed: impl IntoIterator<Item = IfIndex>) {
        let scene = self.reconciler.scene();
        for ifindex in changed {
            let link = self.reconciler.topology().link(ifindex);
            let may_route = |link| judge(&scene, link).reason() != Some(Reason::LowerNotAsic);
            if link.is_some_and(may_route) {
                self.memory.stirred = true;
                self.questions.mac_changed(ifindex);
            }
        }
    }

    /// Brings the kernel's bridges in step. `drained`: every event was folded in.
    pub(super) fn tend_bridges(&mut self, drained: bool) {
        if self.observe {
            return;
        }
        let ready = self.phase == Phase::Ready;
        let listen = ready && BridgeFdb::listens(&self.reconciler);
        if std::mem::replace(&mut self.listening, listen) != listen {
            self.chip.order(Order::Listen(listen));
        }
        if drained {
            self.fdb.settle(&self.reconciler);
        }
        // bridges that a driver takes care of are known after the first look at devices
        if self.observer.may_act() && self.memory.recalled && self.traps.has(1) {
            let compared = self.fdb.compare(&self.reconciler, ready);
            if compared {
                self.reconciler.set_holdings(self.fdb.holdings(&self.reconciler));
            }
            if compared || self.memory.stirred {
                self.write_record();
            }
            self.fdb.write(&self.reconciler, ready);
        }
    }

    fn write_record(&mut self) {
        self.memory.stirred = false;
        let Some(record) = &mut self.memory.record else { return };
        let topology = self.reconciler.topology();
        let former = |(ifindex, mac)| {
            Some(Former { ifindex, name: topology.link(ifindex)?.ifname.clone(), mac })
        };
        let former: BTreeSet<Former> = topology.former_macs().filter_map(former).collect();
        record.write(Facts { local: self.fdb.recorded(), former });
    }
}

/// The devices whose filters a VLAN device's MACs are in: all that it stands on. A macvlan's MAC is told by the macvlan.
fn filtered_by(topology: &Topology, ifindex: IfIndex) -> BTreeSet<IfIndex> {
    match topology.link(ifindex).map(|link| &link.kind) {
        Some(LinkKind::Vlan { .. }) => topology.below(ifindex),
        _ => BTreeSet::new(),
    }
}
