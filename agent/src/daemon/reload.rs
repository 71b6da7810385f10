//! The operator changed the configuration and says so by SIGHUP: what takes effect at once, and what needs a restart?
//!
//! ```text
//!   files ─▶ not valid: the error is logged, the old configuration stays
//!         └▶ valid: policies, excluded devices, policer ─▶ Reconciler; keys of [device] are compared and told
//! ```

use std::path::{Path, PathBuf};

use firsthop_model::intent::{LinuxBridges, Policy, Routing};

use super::Daemon;
use super::flower::Mode;
use crate::api::Failure;
use crate::chain;
use crate::config::{Config, Drift};
use crate::engine::{Auditing, Input};
use crate::views::{self, Remark};

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

    /// The keys that differ from these values and count only when the daemon starts.
    fn needs_restart(
        &self,
        hwsim: Option<&PathBuf>,
        manage: Option<bool>,
        receive_buffer: Option<usize>,
    ) -> impl Iterator<Item = &'static str> {
        let Config { hwsim: socket, manage: managed, receive_buffer: buffer, .. } = &self.config;
        let keys = [
            ("device.hwsim", hwsim == socket.as_ref()),
            ("device.manage", manage == *managed),
            ("netlink.receive_buffer", receive_buffer == *buffer),
        ];
        keys.into_iter().filter(|(_, same)| !same).map(|(key, _)| key)
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
        let Config {
            policy,
            hwsim,
            manage,
            flower_traps,
            liveness,
            policer,
            care,
            audits,
            receive_buffer,
        } = fresh;
        for key in self.source.needs_restart(hwsim.as_ref(), manage, receive_buffer) {
            tracing::warn!("{key} has changed, which needs a restart of firsthopd");
        }
        let former = &self.source.config;
        let changed = policy != former.policy
            || liveness != former.liveness
            || policer != former.policer
            || care != former.care
            || audits != former.audits
            || flower_traps != former.flower_traps;
        tracing::info!(changed, "Configuration read again");
        if liveness != former.liveness {
            self.source.config.liveness = liveness;
            self.watch.reconfigure(liveness, self.start.elapsed());
        }
        self.watch.stir(self.start.elapsed());
        self.source.config.flower_traps = flower_traps;
        self.flower.set_mode(self.source.flower(self.observe));
        self.source.config.policy = policy;
        self.source.config.policer = policer;
        self.source.config.care = care;
        self.source.config.audits = audits;
        self.tell(Input::Auditing(self.source.auditing()));
        self.traps.reconfigure(care);
        self.tell(Input::Policy(Box::new(self.policy(self.is_chip_expected()))));
        self.fdb.stir();
    }

    /// What can't work as it is; with a configuration's text: what it would change.
    pub(super) fn check(&self, text: Option<&str>) -> Result<Vec<Remark>, Failure> {
        let (reconciler, devices) = (self.engine.reconciler(), self.devices());
        let Some(text) = text else { return Ok(views::troubles(reconciler, &devices)) };
        let mut config = Config::default();
        let valid = config.add(Path::new("FILE"), text);
        valid.map_err(|error| Failure::InvalidConfiguration(chain(&error)))?;
        let restart =
            self.source.needs_restart(config.hwsim.as_ref(), config.manage, config.receive_buffer);
        let mut findings: Vec<Remark> = restart
            .map(|key| Remark {
                object: key.to_owned(),
                ifname: None,
                text: "differs, which counts only when firsthopd starts".to_owned(),
                reason: None,
                fix: "`systemctl restart firsthopd`; the chip goes on meanwhile.".to_owned(),
            })
            .collect();
        let source = Source { config, named: None, blind: self.source.blind };
        let mut policy = source.policy(self.observe, self.is_chip_expected());
        // its size follows from the routers, unless a key says otherwise
        let Policy { vrrp_rate, vrrp_burst, .. } = reconciler.policy();
        (policy.vrrp_rate, policy.vrrp_burst) = (*vrrp_rate, *vrrp_burst);
        findings.extend(views::consequences(reconciler, policy));
        Ok(findings)
    }
}
