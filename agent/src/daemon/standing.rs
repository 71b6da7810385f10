//! Is the agent in step with the kernel and with the chip, and what does it say about itself?

use firsthop_model::intent::LinuxBridges;

use super::Daemon;
use crate::api::Filter;
use crate::engine::Findings;
use crate::telemetry;
use crate::views::{self, Audit, Device, Hardware, Mode, Netlink, Status};

impl Daemon {
    /// Not stale, nothing pending, Applied is Intended but for what was refused or failed.
    pub(super) fn is_synced(&self) -> bool {
        let reconciler = self.engine.reconciler();
        let applied = if self.engine.is_away() {
            !self.is_chip_expected()
        } else {
            self.engine.is_ready() && reconciler.is_synced() && !reconciler.needs_read_back()
        };
        let bridges = self.engine.reconciler().policy().linux_bridges != LinuxBridges::Written
            || self.fdb.is_settled();
        let rules = !self.flower.writes() || self.flower.is_settled();
        let knows = self.engine.knows_links() && self.engine.knows_routes() && self.routes_heard;
        applied && bridges && rules && !self.engine.is_stale() && knows
    }

    /// Somebody named a chip, or there was one.
    pub(super) const fn is_chip_expected(&self) -> bool {
        self.target.named || self.capabilities.is_some()
    }

    /// Something may be written: to a chip, or to Linux's bridges.
    fn writes(&self) -> bool {
        let bridges = self.engine.reconciler().policy().linux_bridges == LinuxBridges::Written;
        !self.observe && (self.is_chip_expected() || bridges || self.flower.writes())
    }

    /// Says once that the daemon can be relied on.
    pub(super) fn announce(&mut self) {
        let observing = self.observe && self.engine.is_ready() && !self.engine.is_stale();
        if !self.announced && (self.is_synced() || observing) {
            self.announced = true;
            tracing::info!(synced = self.is_synced(), "Ready");
            telemetry::announce_ready();
            self.manager.announce();
        }
    }

    /// How things are, in a sentence.
    pub(super) fn sentence(&self) -> String {
        let chip = self.capabilities.as_ref().map(|chip| views::handle(&chip.chip_id));
        match chip {
            _ if self.engine.is_stale() => "Events were missed; a snapshot is due".to_owned(),
            _ if self.engine.is_away() && self.is_chip_expected() => {
                format!("The chip at {} does not answer", self.target)
            }
            None if self.engine.is_away() => {
                "No chip: what the kernel does is told, and written where the configuration says so"
                    .to_owned()
            }
            Some(chip) if self.observe => format!("Watching {chip}; nothing is written"),
            Some(chip) if self.is_synced() => format!("In step with the kernel and with {chip}"),
            _ => match self.engine.reconciler().pending() {
                0 => "Looking at the kernel and at the chip".to_owned(),
                1 => "1 object is pending".to_owned(),
                pending => format!("{pending} objects are pending"),
            },
        }
    }

    fn audit(&self) -> Audit {
        let Findings { rounds, classes, last } = self.engine.findings().clone();
        Audit { rounds, findings: classes, last }
    }

    pub(super) fn status(&self) -> Status {
        let all = Filter::default();
        let devices = self.devices();
        let rifs = devices.rifs(self.engine.reconciler(), &all);
        let vmacs = devices.vmacs(self.engine.reconciler(), &all);
        let census = self.desk.tally.census();
        let transit = views::transit(census);
        let views::Census { routes, neighbours, .. } = census.cloned().unwrap_or_default();
        let counters = self.observer.counters();
        let pending = if self.is_synced() { 0 } else { self.engine.reconciler().pending() };
        Status {
            synced: self.is_synced(),
            stale: self.engine.is_stale(),
            generation: self.engine.generation(),
            netlink: Netlink {
                messages: counters.messages,
                dropped: counters.dropped,
                overruns: counters.overruns,
                receive_buffer: u64::try_from(self.observer.receive_buffer()).unwrap_or(u64::MAX),
            },
            resyncs: self.engine.resyncs().clone(),
            audit: self.audit(),
            hw: Hardware {
                writes: self.engine.writes(),
                failures: self.engine.failures(),
                pending: u64::try_from(pending).unwrap_or(u64::MAX),
                unknown: views::unknown_rows(self.engine.reconciler()),
            },
            rifs: views::count_states(rifs.iter().map(|rif| rif.state)),
            vmacs: views::count_states(vmacs.iter().map(|vmac| vmac.state)),
            routes,
            neighbours,
            transit,
            liveness: self.watch.status(),
            device: Device {
                handle: self.capabilities.as_ref().map(|chip| views::handle(&chip.chip_id)),
                socket: self.target.socket.as_ref().map(|path| path.display().to_string()),
                connected: !self.engine.is_away(),
                mode: if self.writes() { Mode::Manage } else { Mode::Observe },
            },
            policers: self.vrrp_policers(),
        }
    }
}
