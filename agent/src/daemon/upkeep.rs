//! What has the daemon to keep in step besides the chip: the kernel's bridges, devices' filters, and the record for the next
//! daemon.
//!
//! ```text
//!   event ─┬─ own MAC changed ─▶ Record
//!          └─ an entry of our own ─▶ the engine does not hear of it
//!   once a turn: answers ─▶ what should be in bridges ─▶ Record ─▶ the kernel
//! ```

use std::collections::BTreeSet;

use firsthop_model::intent::LinuxBridges;

use super::Daemon;
use super::bridge_fdb::BridgeFdb;
use super::chip_link::Order;
use super::record::{Facts, Record};
use crate::engine::{Former, Input};

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
    pub(super) stirred: bool,
}

impl Daemon {
    /// Takes over which entries of bridges an earlier daemon made, with the first view.
    pub(super) fn recall_entries(&mut self) {
        let known = self.engine.may_act() && !self.memory.recalled;
        if let Some(record) = self.memory.record.as_ref().filter(|_| known) {
            self.fdb.recall(&record.facts().local, self.engine.reconciler());
            self.memory.recalled = true;
        }
    }

    /// There is no chip. The bridges of Linux have a record of their own, if they are written to.
    pub(super) fn go_without_chip(&mut self) {
        if self.engine.reconciler().policy().linux_bridges == LinuxBridges::Written {
            self.open_record(NO_CHIP);
        }
        self.tell(Input::NoChip);
    }

    /// Opens the record of the chip that was connected.
    pub(super) fn open_record(&mut self, chip_id: &str) {
        if self.observe || self.memory.record.is_some() && self.memory.chip_id == chip_id {
            return;
        }
        let record = Record::<Facts>::open(&self.directory, chip_id);
        self.tell(Input::Recall(record.facts().former.clone()));
        let record = Some(record);
        self.memory = Memory { record, chip_id: chip_id.to_owned(), ..Memory::default() };
    }

    /// Brings the kernel's bridges in step. `drained`: every event was folded in.
    pub(super) fn tend_bridges(&mut self, drained: bool) {
        if self.observe {
            return;
        }
        let ready = self.engine.is_ready();
        let listen = ready && BridgeFdb::listens(self.engine.reconciler());
        if std::mem::replace(&mut self.listening, listen) != listen {
            self.chip.order(Order::Listen(listen));
        }
        if drained {
            self.fdb.settle(self.engine.reconciler());
        }
        // bridges that a driver takes care of are known after the first look at devices
        if self.engine.may_act() && self.memory.recalled && self.traps.has(1) {
            let compared = self.fdb.compare(self.engine.reconciler(), ready);
            if compared {
                self.engine.set_holdings(self.fdb.holdings(self.engine.reconciler()));
            }
            if compared || self.memory.stirred {
                self.write_record();
            }
            self.fdb.write(self.engine.reconciler(), ready);
        }
    }

    fn write_record(&mut self) {
        self.memory.stirred = false;
        let Some(record) = &mut self.memory.record else { return };
        let topology = self.engine.reconciler().topology();
        let former = |(ifindex, mac)| {
            Some(Former { ifindex, name: topology.link(ifindex)?.ifname.clone(), mac })
        };
        let former: BTreeSet<Former> = topology.former_macs().filter_map(former).collect();
        record.write(Facts { local: self.fdb.recorded(), former });
    }
}
