//! The socket's side of the program: who is connected, what they sent, what they are still owed.
//!
//! Nothing here waits. A client that does not read its answers is owed at most `OWED` bytes;
//! then it is cut off, so that it can hold up neither the chip nor other clients.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, UnixAddr, bind, connect, getsockopt,
    listen, recv, send, setsockopt, socket, sockopt,
};

use crate::control::refusal;
use crate::error::Error;
use crate::protocol::MAX_DATAGRAM;

/// Bytes that a client may leave unread.
const OWED: usize = 32 << 20;

/// Clients at the same time.
const CLIENTS: usize = 256;

/// Room in a client's socket, bytes.
const SOCKET_BUFFER: usize = 4 << 20;

/// The listening socket and its clients.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    place: Place,
    clients: BTreeMap<u32, Client>,
    next: u32,
}

#[derive(Debug)]
struct Client {
    stream: OwnedFd,
    owed: VecDeque<Vec<u8>>,
    owed_bytes: usize,
}

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// A datagram of this many bytes.
    Datagram(usize),
    /// A datagram longer than [`MAX_DATAGRAM`].
    Oversized,
    /// Nothing for now.
    Silence,
    /// The connection ended; the client is forgotten.
    Closed,
}

/// Whether a client must be watched for room to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Debt {
    /// It has everything.
    None,
    /// Datagrams wait for it.
    Waiting,
    /// It was cut off; the client is forgotten.
    CutOff,
}

/// The socket's file and the directories made for it; dropped, they are removed.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    identity: Option<(u64, u64)>,
    directories: Vec<PathBuf>,
}

impl Place {
    /// Makes the directories above `path` that do not exist.
    fn prepare(path: &Path) -> io::Result<Place> {
        let mut place = Place { path: path.to_owned(), identity: None, directories: Vec::new() };
        let missing: Vec<&Path> = path
            .ancestors()
            .skip(1)
            .take_while(|above| !above.as_os_str().is_empty() && !above.exists())
            .collect();
        for directory in missing.into_iter().rev() {
            match fs::create_dir(directory) {
                Ok(()) => place.directories.push(directory.to_owned()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| Some((found.dev(), found.ino())) == self.identity);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "Socket not removed");
        }
        for directory in self.directories.iter().rev() {
            // Not empty: somebody else uses it by now.
            fs::remove_dir(directory).ok();
        }
    }
}

fn seqpacket() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    Ok(socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?)
}

impl Server {
    /// Listens at `path`. A socket at which nobody answers is replaced.
    ///
    /// # Errors
    /// [`Error::Taken`] when somebody answers there, else [`Error::Listen`].
    pub fn listen(path: &Path) -> Result<Server, Error> {
        let failed = |source| Error::Listen { path: path.to_owned(), source };
        let address = UnixAddr::new(path).map_err(|error| failed(error.into()))?;
        let mut place = Place::prepare(path).map_err(failed)?;
        let probe = seqpacket().map_err(failed)?;
        match connect(probe.as_raw_fd(), &address) {
            // EAGAIN: its queue of connections is full, so there is somebody.
            Ok(()) | Err(nix::Error::EAGAIN) => {
                let pid = getsockopt(&probe, sockopt::PeerCredentials).map_or(0, |who| who.pid());
                return Err(Error::Taken { path: path.to_owned(), pid });
            }
            Err(nix::Error::ECONNREFUSED) => {
                let socket = fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket());
                if socket {
                    fs::remove_file(path).map_err(failed)?;
                }
            }
            // ENOENT: free. Anything else will be said by bind().
            Err(_) => {}
        }
        let listener = seqpacket().map_err(failed)?;
        bind(listener.as_raw_fd(), &address).map_err(|error| failed(error.into()))?;
        place.identity = fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()));
        let backlog = Backlog::new(128).expect("128 is in range");
        listen(&listener, backlog).map_err(|error| failed(error.into()))?;
        Ok(Server { listener: listener.into(), place, clients: BTreeMap::new(), next: 0 })
    }

    /// Where the server listens.
    pub fn path(&self) -> &Path {
        &self.place.path
    }

    /// Takes one waiting connection: its number, or None for one that was told that there are too many.
    ///
    /// # Errors
    /// `WouldBlock` when there is none; else when the process has no file descriptor left.
    pub fn accept(&mut self) -> io::Result<Option<u32>> {
        let (stream, _) = self.listener.accept()?;
        if self.clients.len() >= CLIENTS {
            let refusal = refusal(&format!("There are {CLIENTS} connections already"));
            let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
            send(stream.as_raw_fd(), refusal.as_bytes(), flags).ok();
            return Ok(None);
        }
        stream.set_nonblocking(true)?;
        if setsockopt(&stream, sockopt::SndBufForce, &SOCKET_BUFFER).is_err() {
            setsockopt(&stream, sockopt::SndBuf, &SOCKET_BUFFER)?;
        }
        // Numbers come round after 2^32 connections; one still in use is skipped.
        while self.clients.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let client = Client { stream: stream.into(), owed: VecDeque::new(), owed_bytes: 0 };
        self.clients.insert(number, client);
        Ok(Some(number))
    }

    /// The descriptor to watch for a client.
    pub fn client_fd(&self, number: u32) -> Option<BorrowedFd<'_>> {
        Some(self.clients.get(&number)?.stream.as_fd())
    }

    /// Reads one datagram of a client into `buffer`, which has [`MAX_DATAGRAM`] bytes.
    pub fn hear(&mut self, number: u32, buffer: &mut [u8]) -> Heard {
        let Some(client) = self.clients.get(&number) else { return Heard::Closed };
        // With MSG_TRUNC the answer is the datagram's length, however much fitted.
        match recv(client.stream.as_raw_fd(), buffer, MsgFlags::MSG_TRUNC) {
            Ok(0) => {
                self.clients.remove(&number);
                Heard::Closed
            }
            Ok(length) if length > buffer.len().min(MAX_DATAGRAM) => Heard::Oversized,
            Ok(length) => Heard::Datagram(length),
            Err(nix::Error::EAGAIN | nix::Error::EINTR) => Heard::Silence,
            Err(_) => {
                self.clients.remove(&number);
                Heard::Closed
            }
        }
    }

    /// Sends datagrams to a client, now or when it has room.
    pub fn say(&mut self, number: u32, datagrams: Vec<Vec<u8>>) -> Debt {
        let Some(client) = self.clients.get_mut(&number) else { return Debt::CutOff };
        client.owed_bytes += datagrams.iter().map(Vec::len).sum::<usize>();
        client.owed.extend(datagrams);
        self.pay(number)
    }

    /// Sends what a client is owed, as far as it has room.
    pub fn pay(&mut self, number: u32) -> Debt {
        let Some(client) = self.clients.get_mut(&number) else { return Debt::CutOff };
        while let Some(datagram) = client.owed.front() {
            match send(client.stream.as_raw_fd(), datagram, MsgFlags::MSG_NOSIGNAL) {
                Ok(_) => {
                    client.owed_bytes -= datagram.len();
                    client.owed.pop_front();
                }
                Err(nix::Error::EINTR) => {}
                Err(nix::Error::EAGAIN) if client.owed_bytes <= OWED => return Debt::Waiting,
                Err(error) => {
                    tracing::debug!(number, %error, owed = client.owed_bytes, "Client cut off");
                    self.clients.remove(&number);
                    return Debt::CutOff;
                }
            }
        }
        Debt::None
    }
}

impl AsFd for Server {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn client(path: &Path) -> UnixStream {
        let fd = seqpacket().unwrap();
        connect(fd.as_raw_fd(), &UnixAddr::new(path).unwrap()).unwrap();
        UnixStream::from(fd)
    }

    // Fails if a second simulator steals a socket, cannot say whose it is, or leaves files.
    #[test]
    fn a_taken_socket_names_its_owner_and_a_stale_one_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/hwsim.sock");
        let server = Server::listen(&path).unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        match Server::listen(&path) {
            Err(Error::Taken { pid, .. }) => assert_eq!(pid, own),
            other => panic!("{other:?}"),
        }
        drop(server);
        assert!(!dir.path().join("a").exists());

        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let stale = seqpacket().unwrap();
        bind(stale.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
        drop(stale);
        drop(Server::listen(&path).unwrap());
        assert!(!path.exists() && dir.path().join("a/b").exists());

        fs::write(&path, "precious").unwrap();
        assert!(matches!(Server::listen(&path), Err(Error::Listen { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    // Fails if a datagram that does not fit is taken for a shorter one, or if an end of the
    // connection is not noticed.
    #[test]
    fn oversized_datagrams_and_ends_are_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hwsim.sock");
        let mut server = Server::listen(&path).unwrap();
        let peer = client(&path);
        let number = server.accept().unwrap().unwrap();
        let mut buffer = vec![0; MAX_DATAGRAM];
        assert_eq!(server.hear(number, &mut buffer), Heard::Silence);
        for (length, heard) in [
            (MAX_DATAGRAM, Heard::Datagram(MAX_DATAGRAM)),
            (MAX_DATAGRAM + 1, Heard::Oversized),
            (3, Heard::Datagram(3)),
        ] {
            send(peer.as_raw_fd(), &vec![7; length], MsgFlags::empty()).unwrap();
            assert_eq!(server.hear(number, &mut buffer), heard);
        }
        drop(peer);
        assert_eq!(server.hear(number, &mut buffer), Heard::Closed);
        assert_eq!(server.say(number, vec![vec![1]]), Debt::CutOff);
    }

    // Fails if clients can take all descriptors, or one too many is not told why.
    #[test]
    fn clients_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hwsim.sock");
        let mut server = Server::listen(&path).unwrap();
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            clients.push(client(&path));
            server.accept().unwrap().unwrap();
        }
        let one_more = client(&path);
        assert_eq!(server.accept().unwrap(), None);
        let mut answer = [0; 200];
        let length = recv(one_more.as_raw_fd(), &mut answer, MsgFlags::empty()).unwrap();
        let text = String::from_utf8_lossy(&answer[..length]);
        assert!(text.contains("256 connections"), "{text}");
        drop(clients);
        let mut buffer = [0; 8];
        for number in 0..u32::try_from(CLIENTS).unwrap() {
            assert_eq!(server.hear(number, &mut buffer), Heard::Closed);
        }
        let _late = client(&path);
        assert!(server.accept().unwrap().is_some());
    }

    // Fails if a client that never reads holds memory without end, or if one that reads late
    // loses or mixes up its answers.
    #[test]
    fn a_client_that_does_not_read_is_owed_little() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hwsim.sock");
        let mut server = Server::listen(&path).unwrap();
        let peer = client(&path);
        let number = server.accept().unwrap().unwrap();
        let mut said = 0_u32;
        while server.say(number, vec![said.to_ne_bytes().to_vec()]) == Debt::None {
            said += 1;
        }
        let mut heard = 0_u32;
        let mut word = [0; 4];
        while heard <= said {
            match recv(peer.as_raw_fd(), &mut word, MsgFlags::empty()) {
                Ok(_) => {
                    assert_eq!(u32::from_ne_bytes(word), heard);
                    heard += 1;
                }
                Err(error) => {
                    assert_eq!(error, nix::Error::EAGAIN);
                    server.pay(number);
                }
            }
        }
        let debt = (0..=OWED / 60_000 + 200)
            .map(|_| server.say(number, vec![vec![0; 60_000]]))
            .find(|debt| *debt == Debt::CutOff);
        assert_eq!(debt, Some(Debt::CutOff));
    }
}
