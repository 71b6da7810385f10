//! What around the agent may keep it, or the redundancy protocols, from working?

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use firsthop_model::intent::{Protocol, Scheme};
use firsthop_model::policer::Need;
use firsthop_model::reconcile::Reconciler;
use serde::{Deserialize, Serialize};

use super::status::{Mode, Status};
use super::{Power, Watch};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// As it should be
    Ok,
    /// Works, but not as well as it could
    Warning,
    /// Something does not work
    Failure,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at
    pub name: String,
    /// How it ended
    pub result: CheckResult,
    /// What is the case
    pub text: String,
    /// What to do
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// What the checks need to know beyond the agent's own state.
pub trait Surroundings {
    /// A file below /proc/sys, without white space around it.
    fn sysctl(&self, path: &str) -> Option<String>;
    /// The process has CAP_NET_ADMIN.
    fn may_administer(&self) -> bool;
}

/// All checks, in the order in which a person should read them.
pub fn check(reconciler: &Reconciler, status: &Status, around: &impl Surroundings) -> Vec<Check> {
    let mut checks = Checks(Vec::new());
    agent(&mut checks, status, around);
    policers(&mut checks, status);
    liveness(&mut checks, status);
    forwarding(&mut checks, around);
    protocols(&mut checks, reconciler, around);
    checks.0
}

struct Checks(Vec<Check>);

impl Checks {
    fn tell(&mut self, name: &str, bad: Option<CheckResult>, text: String, fix: &str) {
        let result = bad.unwrap_or(CheckResult::Ok);
        let fix = bad.map(|_| fix.to_owned());
        self.0.push(Check { name: name.to_owned(), result, text, fix });
    }
}

fn agent(checks: &mut Checks, status: &Status, around: &impl Surroundings) {
    let device = &status.device;
    let socket = device.socket.as_deref().unwrap_or("no socket");
    let (bad, text) = match (&device.handle, device.connected) {
        (Some(handle), true) => (None, format!("{handle} answers at {socket}")),
        (Some(handle), false) => {
            (Some(CheckResult::Failure), format!("{handle} does not answer at {socket}"))
        }
        (None, _) => (Some(CheckResult::Warning), format!("No switch chip at {socket}")),
    };
    checks.tell("chip", bad, text, "Start `hwsim run`, or say where it is with --hwsim SOCKET.");
    let (bad, text, fix) = match (device.mode, &device.handle) {
        (Mode::Manage, _) => (None, "The agent writes to the chip", ""),
        (Mode::Observe, Some(_)) => (
            Some(CheckResult::Warning),
            "The agent only observes",
            "Start firsthopd without --observe, with `[device] manage = true`.",
        ),
        // As after an installation: there is no chip that it would write to without a word.
        (Mode::Observe, None) => (
            Some(CheckResult::Warning),
            "The agent only observes: there is nothing that it may write to",
            "Nothing once a simulated chip is there; `[device] manage = true` for bridges of Linux's own, and for switches that have a driver in \
             the kernel.",
        ),
    };
    checks.tell("mode", bad, text.to_owned(), fix);
    let bad = status.stale.then_some(CheckResult::Failure);
    let text = if status.stale { "Events may have been missed" } else { "No event was missed" };
    checks.tell("view", bad, text.to_owned(), "Wait: the agent takes a new snapshot by itself.");
    let may = around.may_administer();
    let text = if may { "The agent has CAP_NET_ADMIN" } else { "The agent lacks CAP_NET_ADMIN" };
    checks.tell(
        "capabilities",
        (!may).then_some(CheckResult::Warning),
        text.to_owned(),
        "Grant it: without it the queue of events is small, and bursts cost a new snapshot.",
    );
}

/// Whether VRRP's traps are there, and limited as they should be.
fn policers(checks: &mut Checks, status: &Status) {
    for row in &status.policers {
        let size = match (row.policer, row.rate, row.burst) {
            (Some(id), Some(rate), Some(burst)) => {
                format!("policer {id} rate {rate} burst {burst}")
            }
            _ => "no policer".to_owned(),
        };
        let Need { routers, rate, burst } = row.need;
        let mut text = format!(
            "{}: {size}; {routers} virtual routers need rate {rate} burst {burst}",
            row.device
        );
        if !row.reasons.is_empty() {
            text.push_str(&format!(" ({})", row.reasons.join(", ")));
        }
        if let Some(refusal) = &row.refusal {
            text.push_str(&format!("; refused: {refusal}"));
        }
        let bad =
            (!row.reasons.is_empty() || row.refusal.is_some()).then_some(CheckResult::Warning);
        checks.tell("vrrp traps", bad, text, policer_fix(&row.reasons));
    }
}

/// What to do about the gravest.
fn policer_fix(reasons: &[String]) -> &'static str {
    let told = |reason: &str| reasons.iter().any(|told| told == reason);
    if told("unreadable") {
        "Give firsthopd CAP_NET_ADMIN in the machine's own user namespace: the kernel shows traps to nobody else."
    } else if told("no_trap") {
        "The driver has no trap for VRRP: whether advertisements reach the CPU is up to its flooding."
    } else if told("policer_shared") {
        "Bind the group of VRRP's traps to a policer of its own: no free one was found."
    } else if told("no_policer") {
        "Nothing, unless the CPU has to be shielded: the driver has no free policer for VRRP."
    } else if told("policer_too_small") {
        "Set `manage = true` in section [device], or the size by hand; `firsthop diff` has the commands."
    } else if told("drift") {
        "Somebody else changes the policer: find out who (`[device] drift = \"repair\"` sets it back)."
    } else {
        "`firsthop -s trap group vrrp` and `firsthop trap monitor` show what comes and what is lost."
    }
}

/// Whether advertisements are heard, and what they show.
fn liveness(checks: &mut Checks, status: &Status) {
    let Watch { watch, reason, dropped, flags, .. } = &status.liveness;
    let why = reason.as_deref().unwrap_or_default();
    let (bad, text) = match watch {
        Power::On if *dropped > 0 => {
            (Some(CheckResult::Warning), format!("{dropped} advertisements were not seen"))
        }
        Power::On => (None, "Advertisements are watched".to_owned()),
        Power::Off if reason.is_none() => {
            (None, "Advertisements are not watched, as configured".to_owned())
        }
        Power::Off => {
            (Some(CheckResult::Warning), format!("Advertisements are not watched: {why}"))
        }
    };
    let fix = "Grant CAP_NET_RAW; until then a daemon that died as active router goes unnoticed.";
    checks.tell("advertisements", bad, text, fix);
    if !flags.is_empty() {
        let told: Vec<String> =
            flags.iter().map(|(flag, count)| format!("{flag} {count}")).collect();
        let fix = "`firsthop -d vmac` and `firsthop explain DEV` say where, and why.";
        checks.tell("liveness", Some(CheckResult::Warning), told.join(", "), fix);
    }
}

fn forwarding(checks: &mut Checks, around: &impl Surroundings) {
    for (name, path, sysctl) in [
        ("forwarding ipv4", "net/ipv4/ip_forward", "net.ipv4.ip_forward"),
        ("forwarding ipv6", "net/ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding"),
    ] {
        let Some(value) = around.sysctl(path) else { continue };
        let off = value == "0";
        let text = format!("{sysctl} is {value}");
        let fix =
            format!("`sysctl {sysctl}=1`; until then nobody routes packets between networks.");
        checks.tell(name, off.then_some(CheckResult::Warning), text, &fix);
    }
}

/// The kernel's settings that redundancy protocols on macvlans depend on.
fn protocols(checks: &mut Checks, reconciler: &Reconciler, around: &impl Surroundings) {
    let mut lowers = BTreeSet::new();
    let mut uppers = BTreeSet::new();
    for link in reconciler.topology().links() {
        let virtual_router = link.mac.is_some_and(|m| Scheme::of(m).protocol != Protocol::Other);
        if virtual_router
            && let Some(lower) = link.lower().and_then(|lower| reconciler.topology().link(lower))
        {
            lowers.insert(&lower.ifname);
            uppers.insert(&link.ifname);
        }
    }
    // The kernel takes the larger of the device's value and that of `all` (IN_DEV_MAXCONF).
    let effective = |dev: &str, name: &str| {
        let value =
            |dev: &str| around.sysctl(&format!("net/ipv4/conf/{dev}/{name}"))?.parse::<i32>().ok();
        Some(value(dev)?.max(value("all").unwrap_or(0)))
    };
    for dev in &lowers {
        let Some(value) = effective(dev, "arp_ignore") else { continue };
        let bad = (value == 0).then_some(CheckResult::Warning);
        let text = format!("{dev}: arp_ignore is {value}");
        let fix = format!(
            "`sysctl net.ipv4.conf.{dev}.arp_ignore=1`; until then {dev} answers ARP for virtual \
             addresses with its own MAC."
        );
        checks.tell("arp", bad, text, &fix);
    }
    for dev in lowers.union(&uppers) {
        let Some(value) = effective(dev, "rp_filter") else { continue };
        let bad = (value == 1).then_some(CheckResult::Warning);
        let text = format!("{dev}: rp_filter is {value}");
        let fix = format!(
            "`sysctl net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.{dev}.rp_filter=0`; the strict \
             filter drops packets to the virtual MAC whose way back is another device."
        );
        checks.tell("rp_filter", bad, text, &fix);
    }
}
