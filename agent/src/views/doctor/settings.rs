//! Is the kernel set as routers, and redundancy protocols on macvlans, need it?

use std::cmp::max;

use firsthop_model::intent::Reason;
use firsthop_model::reconcile::Reconciler;

use super::{CheckResult, Checks, Surroundings, VirtualRouters, listed};

pub(super) fn forwarding(checks: &mut Checks, around: &impl Surroundings) {
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

/// On which devices of a virtual router a setting matters.
#[derive(Clone, Copy)]
enum At {
    Lower,
    Upper,
    Both,
}

/// What a setting of IPv4 has to be. The kernel takes the larger of the device's value and that of `all` (IN_DEV_MAXCONF,
/// IN_DEV_ORCONF in include/linux/inetdevice.h).
struct Setting {
    name: &'static str,
    at: At,
    is_bad: fn(i32) -> bool,
    /// What mends it, of `all` and of the device; a lower value has to be set in both.
    all: Option<i32>,
    device: i32,
    because: &'static str,
}

const SETTINGS: [Setting; 4] = [
    Setting {
        name: "arp_ignore",
        at: At::Lower,
        is_bad: |value| value == 0,
        all: None,
        device: 1,
        because: "until then DEV answers ARP for virtual addresses with its own MAC",
    },
    Setting {
        name: "arp_filter",
        at: At::Upper,
        is_bad: |value| value != 0,
        all: Some(0),
        device: 0,
        because: "with it nobody answers ARP for virtual addresses where the way back is another device, as the one below",
    },
    Setting {
        name: "rp_filter",
        at: At::Both,
        is_bad: |value| value == 1,
        all: Some(0),
        device: 0,
        because: "the strict filter drops packets to the virtual MAC whose way back is another device",
    },
    Setting {
        name: "promote_secondaries",
        at: At::Both,
        is_bad: |value| value == 0,
        all: None,
        device: 1,
        because: "until then the first address of a subnet takes the others with it when it goes, virtual ones too",
    },
];

/// The kernel's settings that redundancy protocols on macvlans depend on.
pub(super) fn protocols(
    checks: &mut Checks,
    reconciler: &Reconciler,
    routers: &VirtualRouters<'_>,
    around: &impl Surroundings,
) {
    let value = |dev: &str, name: &str| {
        around.sysctl(&format!("net/ipv4/conf/{dev}/{name}"))?.parse::<i32>().ok()
    };
    for setting in &SETTINGS {
        let Setting { name, at, is_bad, all, device, because } = setting;
        let lowers = routers.lowers.keys().filter(|_| matches!(at, At::Lower | At::Both));
        let uppers = routers.uppers.keys().filter(|_| matches!(at, At::Upper | At::Both));
        let mut devices: Vec<&str> = lowers.chain(uppers).copied().collect();
        if *name == "promote_secondaries" {
            devices.extend(with_secondaries(reconciler));
        }
        devices.sort_unstable();
        devices.dedup();
        let of_all = value("all", name).unwrap_or(0);
        let (mut fine, mut silent) = (Vec::new(), Vec::new());
        for dev in devices {
            let Some(own) = value(dev, name) else {
                silent.push(dev);
                continue;
            };
            let effective = max(own, of_all);
            if !is_bad(effective) {
                fine.push(dev);
                continue;
            }
            let mut command = "sysctl".to_owned();
            for (dev, value) in [("all", *all), (dev, Some(*device))] {
                command.extend(value.map(|value| format!(" {}={value}", key(dev, name))));
            }
            let because = because.replace("DEV", dev);
            let text = format!("{dev}: {name} is {effective}");
            let fix = format!("`{command}`; {because}.");
            checks.tell(name, Some(CheckResult::Warning), text, &fix);
        }
        if !fine.is_empty() {
            checks.tell(name, None, format!("As it should be: {}", listed(&fine)), "");
        }
        if !silent.is_empty() {
            let text = format!("Not known: {}", listed(&silent));
            let fix = format!("`sysctl -a --pattern {name}`");
            checks.tell(name, Some(CheckResult::Unknown), text, &fix);
        }
    }
}

/// A setting as sysctl(8) wants it: a name with dots needs slashes.
pub(super) fn key(dev: &str, name: &str) -> String {
    let separator = if dev.contains('.') { "/" } else { "." };
    ["net", "ipv4", "conf", dev, name].join(separator)
}

/// Router interfaces with several IPv4 addresses of one subnet.
fn with_secondaries(reconciler: &Reconciler) -> impl Iterator<Item = &str> {
    let topology = reconciler.topology();
    reconciler.units().filter_map(move |(ifindex, unit)| {
        unit.router_interface.as_ref()?;
        let addresses = topology.addresses(ifindex);
        addresses.iter().find(|address| address.is_secondary())?;
        Some(topology.link(ifindex)?.ifname.as_str())
    })
}

/// Which devices below virtual routers receive every frame: a macvlan that finds no room in their filters makes them.
pub(super) fn promiscuity(
    checks: &mut Checks,
    reconciler: &Reconciler,
    routers: &VirtualRouters<'_>,
    around: &impl Surroundings,
) {
    if routers.lowers.is_empty() {
        return;
    }
    let Some(counts) = around.promiscuity() else {
        let text = "Not known: the kernel did not say which devices receive every frame".to_owned();
        let fix = "`ip -d link show` says it (promiscuity).";
        return checks.tell("promiscuity", Some(CheckResult::Unknown), text, fix);
    };
    let (mut filtered, mut of_chip) = (Vec::new(), Vec::new());
    for (name, link) in &routers.lowers {
        let count = counts.get(&link.ifindex).copied().unwrap_or(0);
        let unit = reconciler.unit(link.ifindex);
        let bridged = unit.is_some_and(|unit| unit.bridge_macs.is_some());
        let has_chip = unit.is_some_and(|unit| {
            let mut verdicts = unit.vmacs.values();
            !bridged && verdicts.all(|verdict| verdict.reason() != Some(Reason::LowerNotAsic))
        });
        if count == 0 {
            filtered.push(*name);
        } else if has_chip {
            of_chip.push(*name);
        } else {
            let macs = reconciler.topology().uppers(link.ifindex).count();
            let text = format!("{name}: promiscuous ({count}); devices on it: {macs}");
            let fix = format!(
                "`ip link set dev {name} promisc off` where somebody asked for it. Otherwise its filters have no room for the macvlans' \
                 MACs, or it has none: fewer macvlans, or ipvlans (`ip link add ... type ipvlan`), which need no room. Until then the \
                 CPU takes every frame that reaches {name}."
            );
            checks.tell("promiscuity", Some(CheckResult::Warning), text, &fix);
        }
    }
    if !filtered.is_empty() {
        let text = format!("They receive what their filters have: {}", listed(&filtered));
        checks.tell("promiscuity", None, text, "");
    }
    if !of_chip.is_empty() {
        let text = format!(
            "Promiscuous, and what reaches the CPU is up to the chip: {}",
            listed(&of_chip)
        );
        checks.tell("promiscuity", None, text, "");
    }
}
