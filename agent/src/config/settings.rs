//! What does each key say, and when does it count? For who compares two configurations.

use std::fmt::Display;

use firsthop_model::intent::{Policy, VmacRule};

use super::{Audits, Care, Config, Liveness, Policer};

/// A key of the file, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// With its section: `device.audit`
    pub key: &'static str,
    /// In words
    pub value: String,
    /// It counts from the next start of firsthopd on; else from the next SIGHUP.
    pub at_start: bool,
}

impl Setting {
    fn new(key: &'static str, value: impl Display) -> Self {
        Self { key, value: value.to_string(), at_start: false }
    }

    /// Of what is taken when firsthopd starts, and no more.
    fn at_start(key: &'static str, value: impl Display) -> Self {
        Self { at_start: true, ..Self::new(key, value) }
    }
}

impl Config {
    /// All keys.
    pub fn settings(&self) -> Vec<Setting> {
        // without `..`: a new key is said here, or this does not compile
        let Self {
            policy,
            hwsim,
            manage,
            flower_traps,
            liveness: Liveness { watch, withdraw_orphans },
            policer: Policer { rate, burst },
            care: Care { audit, drift },
            audits: Audits(interval),
            receive_buffer,
        } = self;
        // the policer's size stands above; what becomes of Linux's bridges follows from `device.manage`
        let Policy {
            vmac_policy,
            vmac_rules,
            exclude,
            vrrp_rate: _,
            vrrp_burst: _,
            linux_bridges: _,
            routing,
        } = policy;
        let hwsim = hwsim.as_ref().map(|socket| socket.display());
        let interval = interval.map(|interval| format!("{} s", interval.as_secs()));
        vec![
            Setting::new("vmac_policy", vmac_policy.name()),
            Setting::new("vmac", list(vmac_rules.iter().map(rule), ", ")),
            Setting::new("exclude", list(exclude.iter().cloned(), " ")),
            Setting::new("routing", routing.name()),
            Setting::new("vrrp_rate", or(*rate, "not set")),
            Setting::new("vrrp_burst", or(*burst, "not set")),
            Setting::new("liveness.watch", watch),
            Setting::new("liveness.withdraw_orphans", withdraw_orphans),
            Setting::at_start("device.hwsim", or(hwsim, "not set")),
            Setting::at_start("device.manage", or(*manage, "not set")),
            Setting::new("device.audit", format!("{} s", audit.as_secs())),
            Setting::new("device.drift", drift.name()),
            Setting::new("device.flower_traps", flower_traps),
            Setting::new("audit.interval", or(interval, "never")),
            Setting::at_start("netlink.receive_buffer", or(*receive_buffer, "not set")),
        ]
    }

    /// The keys that say something else in another configuration: what they say here, and there.
    pub fn changes(&self, other: &Self) -> impl Iterator<Item = (Setting, Setting)> {
        let pairs = self.settings().into_iter().zip(other.settings());
        pairs.filter(|(here, there)| here != there)
    }
}

fn or(value: Option<impl Display>, absent: &str) -> String {
    value.map_or_else(|| absent.to_owned(), |value| value.to_string())
}

fn list(values: impl Iterator<Item = String>, between: &str) -> String {
    let values = values.collect::<Vec<_>>().join(between);
    if values.is_empty() { "none".to_owned() } else { values }
}

/// A section `[[vmac]]` on one line.
fn rule(VmacRule { lower, mac, policy }: &VmacRule) -> String {
    let lower = lower.as_ref().map(|lower| format!("lower {lower}"));
    let mac = mac.map(|mac| format!("mac {mac}"));
    let policy = Some(format!("policy {}", policy.name()));
    lower.into_iter().chain(mac).chain(policy).collect::<Vec<_>>().join(" ")
}
