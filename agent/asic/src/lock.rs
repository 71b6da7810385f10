//! Who owns the chip? One process at a time writes to it.
//!
//! ```text
//!   /run/hwsim/hwsim.sock        the chip
//!   /run/hwsim/hwsim.sock.lock   flock(2)ed while owned; holds the owner's process id, in decimal, and a line feed
//! ```
//!
//! The kernel releases the lock when the owner dies, however it dies. The file stays: removing it would let two
//! processes lock two files of one name.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::AsicError;

/// Ownership of a chip, until dropped.
#[derive(Debug)]
pub struct ChipLock {
    file: Flock<File>,
}

impl ChipLock {
    /// Takes the chip whose socket is `socket`.
    ///
    /// # Errors
    /// [`AsicError::Owned`] if another process has it (or this one, through another `ChipLock`), [`AsicError::Lock`] if
    /// the file can't be opened or written.
    pub fn acquire(socket: &Path) -> Result<Self, AsicError> {
        let path = lock_path(socket);
        let failed = |source: std::io::Error| AsicError::Lock {
            path: path.clone(),
            source: source.raw_os_error().map_or(Errno::EIO, Errno::from_raw),
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .open(&path)
            .map_err(failed)?;
        let mut file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => file,
            Err((mut file, Errno::EWOULDBLOCK)) => {
                let pid = owner(&mut file);
                return Err(AsicError::Owned { socket: socket.to_owned(), pid });
            }
            Err((_, source)) => return Err(AsicError::Lock { path, source }),
        };
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { file })
    }
}

impl Drop for ChipLock {
    /// Empties the file before the lock goes, so that nobody reads the id of a process that owns nothing.
    fn drop(&mut self) {
        if let Err(error) = self.file.set_len(0) {
            tracing::debug!(%error, "Lock file could not be emptied");
        }
    }
}

fn lock_path(socket: &Path) -> PathBuf {
    let mut path = socket.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

fn owner(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Broken if two daemons could write to one chip, or the second did not say who has it.
    #[test]
    fn second_owner_is_told_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("chip.sock");
        let first = ChipLock::acquire(&socket).unwrap();
        let error = ChipLock::acquire(&socket).unwrap_err();
        assert_eq!(
            error,
            AsicError::Owned { socket: socket.clone(), pid: Some(std::process::id()) }
        );
        assert!(error.to_string().contains(&std::process::id().to_string()));
        drop(first);
        ChipLock::acquire(&socket).unwrap();
    }

    // Broken if what a crashed daemon left behind kept its successor out, or a long old id shone through a short new one.
    #[test]
    fn remains_of_a_dead_owner_are_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("chip.sock");
        std::fs::write(lock_path(&socket), "99999999999\n").unwrap();
        let lock = ChipLock::acquire(&socket).unwrap();
        let text = std::fs::read_to_string(lock_path(&socket)).unwrap();
        assert_eq!(text, format!("{}\n", std::process::id()));
        drop(lock);
    }

    // Broken if a missing run directory looked like a foreign owner.
    #[test]
    fn missing_directory_is_named() {
        let error = ChipLock::acquire(Path::new("/nonexistent/chip.sock")).unwrap_err();
        let path = PathBuf::from("/nonexistent/chip.sock.lock");
        assert_eq!(error, AsicError::Lock { path, source: Errno::ENOENT });
    }
}
