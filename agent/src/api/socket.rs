//! Is the daemon's socket free? A taken one names its owner, a stale one is replaced.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _,
};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::socket::{getsockopt, sockopt};
use thiserror::Error;

/// Why there is no socket.
#[derive(Debug, Error)]
pub enum SocketError {
    /// Somebody answers there.
    #[error("Socket {} is served by process {pid}; stop it, or say another --socket", path.display())]
    Taken {
        /// The socket.
        path: PathBuf,
        /// Process id of the owner; 0 if it is in another process namespace.
        pid: i32,
    },
    /// The directory can't be made.
    #[error("Directory {} can't be made", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The socket can't be made.
    #[error("Socket {} can't be made", path.display())]
    Bind {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A listening socket's file; removed at the end, unless another one has its place by then.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    identity: Option<Identity>,
}

impl Place {
    fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), identity: identity(path) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            fs::remove_file(&self.path).ok();
        }
    }
}

/// Device, inode, and when it was made: inode numbers come again.
type Identity = (u64, u64, i64, i64);

fn identity(path: &Path) -> Option<Identity> {
    let file = fs::symlink_metadata(path).ok()?;
    Some((file.dev(), file.ino(), file.ctime(), file.ctime_nsec()))
}

/// Listens at `path`, for every user of the machine. Makes the directories above it.
///
/// # Errors
/// See [`SocketError`].
pub fn listen(path: &Path) -> Result<(UnixListener, Place), SocketError> {
    if let Some(directory) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
        let made = DirBuilder::new().recursive(true).mode(0o755).create(directory);
        made.map_err(|source| SocketError::Directory { path: directory.to_owned(), source })?;
    }
    let failed = |source| SocketError::Bind { path: path.to_owned(), source };
    match UnixStream::connect(path) {
        Ok(stream) => return Err(taken(path, &stream)),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            let socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
            if socket {
                tracing::info!(path = %path.display(), "Replacing a socket that nobody serves");
                fs::remove_file(path).map_err(failed)?;
            }
        }
        // Free; anything else will be said by bind().
        Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    fs::set_permissions(path, Permissions::from_mode(0o666)).map_err(failed)?;
    let place = Place::of(path);
    listener.set_nonblocking(true).map_err(failed)?;
    Ok((listener, place))
}

fn taken(path: &Path, stream: &UnixStream) -> SocketError {
    let pid = getsockopt(stream, sockopt::PeerCredentials).map_or(0, |peer| peer.pid());
    SocketError::Taken { path: path.to_owned(), pid }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Broken if two daemons could listen at one place, or the second did not say who has it.
    #[test]
    fn a_taken_socket_names_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/firsthop.sock");
        let (_listener, _place) = listen(&path).unwrap();
        let error = listen(&path).unwrap_err();
        assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
        assert!(matches!(error, SocketError::Taken { .. }));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o666);
    }

    // Broken if what a killed daemon left kept its successor out, or the end of a daemon removed its successor's socket.
    #[test]
    fn a_stale_socket_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("firsthop.sock");
        let (listener, old) = listen(&path).unwrap();
        drop(listener);
        let (_listener, _place) = listen(&path).unwrap();
        drop(old);
        UnixStream::connect(&path).unwrap();
    }

    // Broken if a file that is no socket were deleted.
    #[test]
    fn other_files_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes.txt");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(listen(&path), Err(SocketError::Bind { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
