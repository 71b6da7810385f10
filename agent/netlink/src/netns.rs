//! In which network namespace is the calling thread, and what is it called?

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Where `ip netns add` binds namespaces.
const NAMED: &str = "/run/netns";
const OWN: &str = "/proc/thread-self/ns/net";

/// A network namespace, as long as it lives: device and inode of its file in nsfs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Namespace {
    device: u64,
    inode: u64,
}

impl Namespace {
    /// The calling thread's. `None` without /proc.
    pub(crate) fn current() -> Option<Self> {
        Self::of(Path::new(OWN))
    }

    fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|file| Self { device: file.dev(), inode: file.ino() })
    }
}

/// The name under /run/netns of the calling thread's network namespace (the first in alphabetical order); `None` if it
/// is not bound there. This is the NAME of `ip -n NAME`.
pub fn netns_name() -> Option<String> {
    let own = Namespace::current()?;
    fs::read_dir(NAMED)
        .ok()?
        .flatten()
        .filter(|entry| Namespace::of(&entry.path()) == Some(own))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .min()
}

#[cfg(test)]
mod tests {
    use nix::sched::{CloneFlags, setns};

    use super::*;
    use crate::testbed::{in_netns, ip};

    // Broken if the daemon of a named namespace put its socket where the one of another namespace looks.
    #[test]
    fn a_namespace_bound_by_ip_has_a_name() {
        in_netns(|| async {
            assert_eq!(netns_name(), None, "a namespace that nobody bound");
            let names = ["a", "b"].map(|end| format!("fh-netlink-{}-{end}", std::process::id()));
            names.iter().for_each(|name| ip(&format!("netns add {name}")));
            let seen = names.clone().map(|name| {
                let file = fs::File::open(format!("{NAMED}/{name}")).ok()?;
                setns(&file, CloneFlags::CLONE_NEWNET).ok()?;
                netns_name()
            });
            names.iter().for_each(|name| ip(&format!("netns del {name}")));
            assert_eq!(seen, names.map(Some));
        });
    }
}
