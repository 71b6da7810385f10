//! Is the agent itself as it should be: its chip, what it may do and what it hears?

use firsthop_model::policer::Need;
use firsthop_netlink::Hearing;

use super::{CheckResult, Checks, Surroundings};
use crate::views::status::{Mode, Status};
use crate::views::{Power, Watch};

/// Capabilities (include/uapi/linux/capability.h): bit, name, what there is not without it.
const CAPABILITIES: [(u32, &str, &str); 2] = [
    (
        12,
        "CAP_NET_ADMIN",
        "the queue of events is small, and nothing but a simulated chip is written",
    ),
    (
        13,
        "CAP_NET_RAW",
        "advertisements are not watched: a daemon that died as active router goes unnoticed",
    ),
];

pub(super) fn agent(checks: &mut Checks, status: &Status, around: &impl Surroundings) {
    let device = &status.device;
    let socket = device.socket.as_deref().unwrap_or("no socket");
    let (bad, text) = match (&device.handle, device.connected) {
        (Some(handle), true) => (None, format!("{handle} answers at {socket}")),
        (Some(handle), false) => {
            (Some(CheckResult::Failure), format!("{handle} does not answer at {socket}"))
        }
        (None, _) => (Some(CheckResult::Warning), format!("No switch chip at {socket}")),
    };
    checks.tell(
        "chip",
        bad,
        text,
        "Start `hwsim run`, or say where it is: `firsthopd --hwsim SOCKET`.",
    );
    let (bad, text, fix) = match (device.mode, &device.handle) {
        (Mode::Manage, _) => (None, "The agent writes to the chip", ""),
        (Mode::Observe, Some(_)) => (
            Some(CheckResult::Warning),
            "The agent only observes",
            "Start `firsthopd` without --observe, and with `manage = true` in section [device].",
        ),
        // As after an installation: there is no chip that it would write to without a word.
        (Mode::Observe, None) => (
            Some(CheckResult::Warning),
            "The agent only observes: there is nothing that it may write to",
            "Nothing once a simulated chip is there (`hwsim run`); `manage = true` in section [device] for bridges of \
             Linux's own, and for switches that have a driver in the kernel.",
        ),
    };
    checks.tell("mode", bad, text.to_owned(), fix);
    let bad = status.stale.then_some(CheckResult::Failure);
    let text = if status.stale { "Events may have been missed" } else { "No event was missed" };
    checks.tell(
        "view",
        bad,
        text.to_owned(),
        "`firsthop wait synced timeout 5`: the agent takes a new snapshot by itself.",
    );
    let needed = CAPABILITIES.iter().filter(|(_, name, _)| {
        // The watch alone needs it.
        *name != "CAP_NET_RAW"
            || status.liveness.watch == Power::On
            || status.liveness.reason.is_some()
    });
    let held = capabilities(around);
    for (bit, name, without) in needed {
        let (bad, text) = match held {
            Some(held) if held >> bit & 1 == 1 => (None, format!("The agent has {name}")),
            Some(_) => (Some(CheckResult::Warning), format!("The agent lacks {name}")),
            None => (Some(CheckResult::Unknown), format!("{name}: not known")),
        };
        let fix = format!(
            "`setcap cap_net_admin,cap_net_raw+ep \"$(command -v firsthopd)\"` and start it anew; the package's unit grants it. Without it \
             {without}."
        );
        checks.tell("capabilities", bad, text, &fix);
    }
}

/// The effective capabilities of this process.
fn capabilities(around: &impl Surroundings) -> Option<u64> {
    let status = around.file("/proc/self/status").ok()?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(effective.trim(), 16).ok()
}

/// What the kernel granted the event sockets: queues, groups.
pub(super) fn hearing(checks: &mut Checks, around: &impl Surroundings) {
    for Hearing { of, asked, granted, groups, refused } in around.hearing() {
        let small = granted < 2 * asked;
        let limit = around
            .sysctl("net/core/rmem_max")
            .map_or_else(String::new, |max| format!("; net.core.rmem_max is {max}"));
        let text = format!("{of}: room for {granted} octets, {} were asked for", 2 * asked);
        let text = if small { format!("{text}{limit}") } else { text };
        let fix = format!(
            "`sysctl net.core.rmem_max={asked} && systemctl restart firsthopd`, or grant CAP_NET_ADMIN; until then bursts of events \
             cost a new snapshot."
        );
        checks.tell("event queue", small.then_some(CheckResult::Warning), text, &fix);
        let told = groups.join(", ");
        let (bad, text) = match refused {
            None => (None, format!("{of}: {told}")),
            Some(refused) => {
                (Some(CheckResult::Warning), format!("{of}: {told}; refused: {refused}"))
            }
        };
        let fix = "`uname -r` has to be newer: without the group, what it tells is found out only when everything is read anew.";
        checks.tell("netlink groups", bad, text, fix);
    }
}

/// Whether VRRP's traps are there, and limited as they should be.
pub(super) fn policers(checks: &mut Checks, status: &Status) {
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
        "`systemctl restart firsthopd` outside of any user namespace, with CAP_NET_ADMIN: the kernel shows traps to nobody else."
    } else if told("no_trap") {
        "Nothing in the driver: it has no trap for VRRP. With `manage = true` in section [device] Firsthop makes tc rules instead; \
         `firsthop explain PORT` shows them."
    } else if told("policer_shared") {
        "No free policer was found: give the group one of its own, `devlink trap group set DEV group vrrp policer N`."
    } else if told("no_policer") {
        "Nothing, unless the CPU has to be shielded: the driver has no free policer for VRRP (`devlink trap policer show`)."
    } else if told("policer_too_small") {
        "Set `manage = true` in section [device], or the size by hand; `firsthop diff` has the commands."
    } else if told("drift") {
        "Somebody else changes the policer: find out who (`devlink monitor`); `drift = \"repair\"` in section [device] sets it back."
    } else {
        "`firsthop -s trap group vrrp` and `firsthop trap monitor` show what comes and what is lost."
    }
}

/// Whether advertisements are heard, and what they show.
pub(super) fn liveness(checks: &mut Checks, status: &Status) {
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
    let fix = match watch {
        Power::On => {
            "Nothing, if it stays so; if it grows, the daemon lacks CPU time (`systemctl status firsthopd`)."
        }
        Power::Off => {
            "`setcap cap_net_admin,cap_net_raw+ep \"$(command -v firsthopd)\"`, or the package's unit; until then a daemon that \
             died as active router goes unnoticed."
        }
    };
    checks.tell("advertisements", bad, text, fix);
    if !flags.is_empty() {
        let told: Vec<String> =
            flags.iter().map(|(flag, count)| format!("{flag} {count}")).collect();
        let fix = "`firsthop -d vmac` and `firsthop explain DEV` say where, and why.";
        checks.tell("liveness", Some(CheckResult::Warning), told.join(", "), fix);
    }
}
