//! Where is the socket? In the directory of the network namespace, so that many can run at once.
//!
//! ```text
//! namespace bound at /run/netns/NAME   /run/hwsim/NAME/hwsim.sock
//! any other                            /run/hwsim/hwsim.sock
//! without root                         $XDG_RUNTIME_DIR/hwsim/… likewise
//! ```

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use crate::error::Error;

const BOUND: &str = "/run/netns";

/// The socket of the simulator in the namespace `netns`, or in the caller's.
///
/// # Errors
/// [`Error::Usage`] without root and without `XDG_RUNTIME_DIR`, or when `netns` is no name.
pub fn default_socket(netns: Option<&str>) -> Result<PathBuf, Error> {
    if let Some(name) = netns
        && (name.is_empty() || name.contains('/') || name == "." || name == "..")
    {
        return Err(Error::Usage(format!("{name:?} is no name of a network namespace")));
    }
    let mut path = if is_root() {
        PathBuf::from("/run")
    } else {
        std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).ok_or_else(|| {
            Error::Usage("Without root and XDG_RUNTIME_DIR, --socket PATH is needed".into())
        })?
    };
    path.push("hwsim");
    path.extend(netns.map(str::to_owned).or_else(|| bound_name(Path::new(BOUND))));
    path.push("hwsim.sock");
    Ok(path)
}

/// Root of the machine: not the root that a user namespace makes of somebody else.
fn is_root() -> bool {
    let outside = fs::read_to_string("/proc/self/uid_map").ok();
    let mapped = outside.as_deref().and_then(|map| {
        let mut first = map.lines().next()?.split_whitespace();
        Some((first.next()?.parse::<u32>().ok()?, first.next()?.parse::<u32>().ok()?))
    });
    geteuid().is_root() && mapped.is_none_or(|ids| ids == (0, 0))
}

/// The name under which the caller's network namespace is bound in `directory`.
fn bound_name(directory: &Path) -> Option<String> {
    let own = fs::metadata("/proc/thread-self/ns/net").ok()?;
    let mut names: Vec<String> = fs::read_dir(directory)
        .ok()?
        .filter_map(Result::ok)
        .filter(|entry| {
            fs::metadata(entry.path())
                .is_ok_and(|found| (found.dev(), found.ino()) == (own.dev(), own.ino()))
        })
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Fails if a namespace's simulator listens where `-n NAME` does not look.
    #[test]
    fn the_bound_name_is_found_by_identity() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("other"), "").unwrap();
        assert_eq!(bound_name(dir.path()), None);
        std::os::unix::fs::symlink("/proc/thread-self/ns/net", dir.path().join("blue")).unwrap();
        assert_eq!(bound_name(dir.path()), Some("blue".into()));
    }

    // Fails if a name can lead out of the directory.
    #[test]
    fn names_are_one_component() {
        for name in ["", "..", ".", "a/b"] {
            assert!(matches!(default_socket(Some(name)), Err(Error::Usage(_))), "{name}");
        }
    }
}
