//! What `doctor` looks at outside the agent: /proc, as the daemon's network namespace has it.

use std::fs;

use crate::views::Surroundings;

/// CAP_NET_ADMIN (include/uapi/linux/capability.h).
const CAP_NET_ADMIN: u32 = 12;

/// This process and its kernel.
#[derive(Debug)]
pub(super) struct Here;

impl Surroundings for Here {
    fn sysctl(&self, path: &str) -> Option<String> {
        let text = fs::read_to_string(format!("/proc/sys/{path}")).ok()?;
        Some(text.trim().to_owned())
    }

    fn may_administer(&self) -> bool {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        let set = effective.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
        set.is_some_and(|set| set >> CAP_NET_ADMIN & 1 == 1)
    }
}
