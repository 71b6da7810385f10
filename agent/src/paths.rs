//! Where are the sockets? In the directory of the network namespace, so that many agents can run at once.
//!
//! ```text
//!   namespace bound at /run/netns/NAME   /run/firsthop/NAME/firsthop.sock
//!   any other                            /run/firsthop/firsthop.sock
//!   without root                         $XDG_RUNTIME_DIR/firsthop/… likewise
//! ```
//! The simulated chip's socket lies in `hwsim/` beside `firsthop/`.

use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use thiserror::Error;

/// Why there is no default path.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PathError {
    /// Neither /run nor a directory of the user's own.
    #[error("Without root and XDG_RUNTIME_DIR there is no default socket; say --socket PATH")]
    NoRuntimeDirectory,
    /// A name with a slash, or an empty one.
    #[error("'{0}' is no name of a network namespace")]
    Netns(String),
}

/// The agent's socket in the network namespace `netns` (None: one that is not bound).
///
/// # Errors
/// See [`PathError`].
pub fn agent_socket(netns: Option<&str>) -> Result<PathBuf, PathError> {
    Ok(directory("firsthop", netns)?.join("firsthop.sock"))
}

/// The simulated chip's socket, likewise.
///
/// # Errors
/// See [`PathError`].
pub fn hwsim_socket(netns: Option<&str>) -> Result<PathBuf, PathError> {
    Ok(directory("hwsim", netns)?.join("hwsim.sock"))
}

fn directory(program: &str, netns: Option<&str>) -> Result<PathBuf, PathError> {
    let runtime = if is_root() {
        PathBuf::from("/run")
    } else {
        std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .ok_or(PathError::NoRuntimeDirectory)?
    };
    below(&runtime, program, netns)
}

fn below(runtime: &Path, program: &str, netns: Option<&str>) -> Result<PathBuf, PathError> {
    let mut path = runtime.join(program);
    if let Some(name) = netns {
        if name.is_empty() || name.contains('/') || name == "." || name == ".." {
            return Err(PathError::Netns(name.to_owned()));
        }
        path.push(name);
    }
    Ok(path)
}

/// Root of the machine: not the root that a user namespace makes of somebody else, who can't write to /run.
fn is_root() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let mut first = map.split_whitespace().take(2).map(str::parse::<u32>);
    let mapped = match (first.next(), first.next()) {
        (Some(Ok(inside)), Some(Ok(outside))) => (inside, outside) == (0, 0),
        _ => true,
    };
    geteuid().is_root() && mapped
}

#[cfg(test)]
mod tests {
    use super::*;

    // Broken if agents of two namespaces shared a socket, or the client looked elsewhere than the daemon listens.
    #[test]
    fn a_namespace_has_a_directory_of_its_own() {
        let run = Path::new("/run");
        assert_eq!(below(run, "hwsim", None), Ok("/run/hwsim".into()));
        assert_eq!(below(run, "firsthop", Some("r1")), Ok("/run/firsthop/r1".into()));
    }

    // Broken if `-n ../x` led out of the directory.
    #[test]
    fn names_are_one_component() {
        for name in ["", ".", "..", "a/b"] {
            assert_eq!(
                below(Path::new("/run"), "firsthop", Some(name)),
                Err(PathError::Netns(name.to_owned()))
            );
        }
    }
}
