//! Does somebody else configure the macvlans of virtual routers? A network manager that thinks a device its own takes addresses off
//! that it did not put there.
//!
//! ```text
//!   /sys/fs/cgroup/…/SERVICE      does it run?
//!   /run/…/IFINDEX                what does it say of the device?
//! ```

use std::io::ErrorKind;

use super::{CheckResult, Checks, Surroundings, VirtualRouters, listed};

/// Where the service manager's control groups are: of version 2, or beside those of version 1.
const CONTROL_GROUPS: [&str; 3] =
    ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"];

/// What a manager says of a device.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    ItsOwn,
    NotItsOwn,
    Nothing,
}

struct Manager {
    name: &'static str,
    service: &'static str,
    /// A file for each device
    directory: &'static str,
    says: fn(&str) -> Says,
    /// Keeps it off DEV
    fix: &'static str,
}

const MANAGERS: [Manager; 2] = [
    Manager {
        name: "systemd-networkd",
        service: "systemd-networkd.service",
        directory: "/run/systemd/netif/links",
        // link_state_to_string in src/network/networkd-link.c
        says: |text| match value(text, "ADMIN_STATE") {
            Some("unmanaged" | "linger") => Says::NotItsOwn,
            Some("configuring" | "configured" | "failed") => Says::ItsOwn,
            _ => Says::Nothing,
        },
        fix: "`printf '[Match]\\nKind=macvlan\\n[Link]\\nUnmanaged=yes\\n' >/etc/systemd/network/00-macvlan.network && networkctl reload`",
    },
    Manager {
        name: "NetworkManager",
        service: "NetworkManager.service",
        directory: "/run/NetworkManager/devices",
        says: |text| match value(text, "managed") {
            Some("false" | "0" | "no") => Says::NotItsOwn,
            Some("true" | "1" | "yes") => Says::ItsOwn,
            _ => Says::Nothing,
        },
        fix: "`nmcli device set DEV managed no`, and for good `unmanaged-devices=type:macvlan` in section [keyfile] of NetworkManager.conf",
    },
];

/// The value of a line NAME=VALUE.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

pub(super) fn managers(
    checks: &mut Checks,
    routers: &VirtualRouters<'_>,
    around: &impl Surroundings,
) {
    if routers.uppers.is_empty() || around.netns().is_some() {
        // Both look at the machine's own namespace, where the same index is another device.
        return;
    }
    for manager in &MANAGERS {
        manager.check(checks, routers, around);
    }
}

impl Manager {
    fn check(&self, checks: &mut Checks, routers: &VirtualRouters<'_>, around: &impl Surroundings) {
        let Self { name, directory, says, fix, .. } = self;
        let running = self.runs(around);
        if running == Some(false) {
            return checks.tell(name, None, "It does not run".to_owned(), "");
        }
        let (mut own, mut unread) = (Vec::new(), Vec::new());
        for (dev, link) in &routers.uppers {
            let said = match around.file(&format!("{directory}/{}", link.ifindex)) {
                Ok(text) => says(&text),
                Err(ErrorKind::NotFound) => Says::NotItsOwn,
                Err(_) => Says::Nothing,
            };
            match said {
                Says::ItsOwn => own.push(*dev),
                Says::Nothing => unread.push(*dev),
                Says::NotItsOwn => {}
            }
        }
        let whether = if running.is_none() { ", if it runs: that is not known" } else { "" };
        if let Some(first) = own.first() {
            let text = format!("It configures {}{whether}", listed(&own));
            let fix = format!(
                "{}; until then it may take addresses off that it did not put there.",
                fix.replace("DEV", first)
            );
            checks.tell(name, Some(CheckResult::Warning), text, &fix);
        }
        if !unread.is_empty() {
            let text = format!("Not known of {}: see {directory}", listed(&unread));
            let fix = "`networkctl list` or `nmcli device` says which devices it configures.";
            checks.tell(name, Some(CheckResult::Unknown), text, fix);
        }
        if own.is_empty() && unread.is_empty() {
            checks.tell(name, None, "It leaves virtual routers alone".to_owned(), "");
        }
    }

    /// None: control groups can't be seen.
    fn runs(&self, around: &impl Surroundings) -> Option<bool> {
        let is_there = |path: &str| matches!(around.file(path), Err(ErrorKind::IsADirectory));
        let root = CONTROL_GROUPS.iter().find(|root| is_there(&format!("{root}/system.slice")))?;
        Some(is_there(&format!("{root}/system.slice/{}", self.service)))
    }
}
