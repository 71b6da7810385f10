//! The operator changed the configuration and says so by SIGHUP: what takes effect at once, and what needs a restart?
//!
//! ```text
//!   files ─▶ not valid: the error is logged, the old configuration stays
//!         └▶ valid ─▶ keys that differ ─┬─ count at once ─▶ engine, watch, traps, tc rules, bridges
//!                                       └─ count at a start of firsthopd ─▶ a warning; the value of the last start stays
//! ```

use std::path::PathBuf;

use firsthop_model::intent::{LinuxBridges, Policy, Routing};

use super::Daemon;
use super::flower::Mode;
use crate::chain;
use crate::config::{Config, Drift, Setting};
use crate::engine::{Auditing, Input};

/// Where the configuration came from, and what it said.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// The file that `-c` names; None: the default ones.
    pub(super) named: Option<PathBuf>,
    /// As it was when the daemon started, but for what took effect since.
    pub(super) config: Config,
    /// `--observe`: nothing is written, whatever the configuration says.
    pub(super) blind: bool,
}

impl Source {
    /// The operator's decisions. Without a word about writing, bridges of Linux are looked at where there is no `chip`, and left
    /// alone where there is one. Without a chip nobody but the kernel routes.
    pub(super) fn policy(&self, observe: bool, chip: bool) -> Policy {
        let linux_bridges = match self.config.manage {
            Some(true) if !observe => LinuxBridges::Written,
            _ if chip => LinuxBridges::Ignored,
            _ => LinuxBridges::Shown,
        };
        let routing = if chip { self.config.policy.routing } else { Routing::Cpu };
        Policy { linux_bridges, routing, ..self.config.policy.clone() }
    }

    /// What becomes of audits.
    pub(super) fn auditing(&self) -> Auditing {
        let repair = self.config.care.drift == Drift::Repair;
        Auditing { interval: self.config.audits.0, repair }
    }

    /// What becomes of tc rules.
    pub(super) fn flower(&self, observe: bool) -> Mode {
        match (self.config.flower_traps, self.config.manage) {
            (false, _) => Mode::Off,
            (true, Some(true)) if !observe => Mode::Written,
            (true, _) => Mode::Shown,
        }
    }
}

impl Daemon {
    /// What is decided now that it is known whether there is a chip.
    pub(super) fn policy(&self, chip: bool) -> Policy {
        self.source.policy(self.observe, chip)
    }

    /// Reads the configuration again.
    pub(super) fn reload(&mut self) {
        let fresh = match Config::load(self.source.named.as_deref()) {
            Ok(fresh) => fresh,
            Err(error) => {
                tracing::error!("{}; the configuration stays as it was", chain(&error));
                return;
            }
        };
        let former = std::mem::take(&mut self.source.config);
        let mut changed = false;
        for (Setting { key, at_start, .. }, _) in former.changes(&fresh) {
            if at_start {
                tracing::warn!("{key} has changed, which needs a restart of firsthopd");
            }
            changed |= !at_start;
        }
        tracing::info!(changed, "Configuration read again");
        let watches_otherwise = fresh.liveness != former.liveness;
        let Config { hwsim, manage, receive_buffer, .. } = former;
        self.source.config = Config { hwsim, manage, receive_buffer, ..fresh };
        let Config { liveness, care, .. } = self.source.config;
        if watches_otherwise {
            self.watch.reconfigure(liveness, self.start.elapsed());
        }
        self.watch.stir(self.start.elapsed());
        self.flower.set_mode(self.source.flower(self.observe));
        self.tell(Input::Auditing(self.source.auditing()));
        self.traps.reconfigure(care);
        self.tell(Input::Policy(Box::new(self.policy(self.is_chip_expected()))));
        self.fdb.stir();
    }
}
