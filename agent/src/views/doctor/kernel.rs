//! Which kinds of devices can the running kernel make?
//!
//! ```text
//!   rtnetlink knows the kind ───────────────────────────────▶ there
//!   no modules (/proc/modules, kernel.modules_disabled) ────▶ missing
//!   modules.dep has it ─────────────────────────────────────▶ a module, not loaded
//!               has it not ─────────────────────────────────▶ missing
//!               can't be read (a sandbox, a container) ─────▶ not known
//! ```

use std::io::ErrorKind;

use super::{CheckResult, Checks, Surroundings};

/// A kind of device, its symbol in the kernel's configuration, and what there is not without it.
const KINDS: [(&str, &str, &str); 3] = [
    ("macvlan", "CONFIG_MACVLAN", "virtual routers have no virtual MAC"),
    ("ipvlan", "CONFIG_IPVLAN", "no second interface can share a port's MAC"),
    ("vrf", "CONFIG_NET_VRF", "all router interfaces share one routing table"),
];

enum Support {
    There,
    Module,
    Missing,
    /// The file that can't be read
    Unknown(String),
}

pub(super) fn kinds(checks: &mut Checks, around: &impl Surroundings) {
    let release = around.sysctl("kernel/osrelease").unwrap_or_default();
    for (kind, symbol, without) in KINDS {
        let how = match support(kind, &release, around) {
            Support::There => "the kernel has it",
            Support::Module => "a module that is not loaded; the first such device loads it",
            Support::Missing => {
                let fix = format!(
                    "`grep -l {symbol}= /boot/config-*` says which installed kernels have it; on Ubuntu it may be in `apt install \
                     linux-modules-extra-{release}`. Until then {without}."
                );
                let text = format!("{kind}: the kernel {release} has none");
                checks.tell("kernel", Some(CheckResult::Warning), text, &fix);
                continue;
            }
            Support::Unknown(path) => {
                let text = format!("{kind}: not known; it is not loaded, and {path} can't be read");
                let fix = format!("`modprobe --dry-run {kind}` says whether there is a module.");
                checks.tell("kernel", Some(CheckResult::Unknown), text, &fix);
                continue;
            }
        };
        let (mode, bad) = if kind == "ipvlan" { l3s(around) } else { ("", None) };
        let fix = "`ip link add ... type ipvlan mode l3` does without; mode l3s needs a kernel with CONFIG_NETFILTER \
                   (`grep -l CONFIG_NETFILTER=y /boot/config-*`).";
        checks.tell("kernel", bad, format!("{kind}: {how}{mode}"), fix);
    }
}

/// CONFIG_IPVLAN_L3S is what nobody can choose: there with netfilter, and only then (drivers/net/Kconfig). Netfilter has a
/// directory in each namespace (`netfilter_net_init` in net/netfilter/core.c).
fn l3s(around: &impl Surroundings) -> (&'static str, Option<CheckResult>) {
    match around.file("/proc/net/netfilter") {
        Err(ErrorKind::NotFound) if around.file("/proc/net/dev").is_ok() => {
            ("; no mode l3s: there is no netfilter", Some(CheckResult::Warning))
        }
        Ok(_) | Err(ErrorKind::IsADirectory) => (", with mode l3s", None),
        Err(_) => ("; mode l3s: not known, /proc/net can't be read", Some(CheckResult::Unknown)),
    }
}

fn support(kind: &str, release: &str, around: &impl Surroundings) -> Support {
    let known = around.has_kind(kind);
    if known == Some(true) {
        return Support::There;
    }
    let no_modules = around.file("/proc/modules") == Err(ErrorKind::NotFound)
        && around.file("/proc/net/dev").is_ok();
    let sealed = around.sysctl("kernel/modules_disabled").as_deref() == Some("1");
    if known.is_some() && (no_modules || sealed) {
        return Support::Missing;
    }
    let path = format!("/lib/modules/{release}/modules.dep");
    let Ok(modules) = around.file(&path) else { return Support::Unknown(path) };
    // kernel/drivers/net/macvlan.ko.xz: what it needs
    let is_it = |line: &str| {
        let file = line.split(':').next().and_then(|path| path.rsplit('/').next());
        file.and_then(|file| file.split('.').next()) == Some(kind)
    };
    if modules.lines().any(is_it) { Support::Module } else { Support::Missing }
}
