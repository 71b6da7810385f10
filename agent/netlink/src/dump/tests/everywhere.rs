//! Whatever goes wrong with a dump, wherever in it: is there never a whole snapshot that lacks a row? Recorded dumps of all five tables
//! are replayed to a [`Dumper`] by a thread that plays the kernel at the other end of its socket.
//!
//! ```text
//!   for every message of every table:   flagged · cut off · not decodable · an error in its place · nothing from there on
//!                                          └──────────▶ an error, and the rows of the snapshot are not all
//! ```

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::thread;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use super::*;
use crate::dump::table::AF_INET;
use crate::message::{RTM_GETADDR, RTM_GETLINK, RTM_GETVLAN};

/// Answers to one request: datagrams, each of whole messages.
type Answer = Vec<Vec<Vec<u8>>>;

/// The dumps of all tables, in the order in which they are asked for.
fn recorded() -> Vec<Answer> {
    let dumps = include_str!("../../../fixtures/dumps.txt");
    let events = include_str!("../../../fixtures/recorded-6.12.txt");
    let of = |text: &str, wanted: &[&str]| -> Answer {
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        lines
            .filter(|(name, _)| wanted.contains(name))
            .map(|(_, hex)| split(&octets(hex)))
            .collect()
    };
    // This kernel had no VLANs on bridges; Linux 6.12's rows, each a part of its own.
    let mut vlans = of(events, &["vlan_row", "vlan_row1"]);
    vlans.push(vec![done(0, 0)]);
    let tables =
        [of(dumps, &["links"]), of(dumps, &["addresses4"]), of(dumps, &["addresses6"]), vlans]
            .into_iter()
            .chain([of(dumps, &["macs"])])
            .collect::<Vec<_>>();
    assert!(tables.iter().all(|answer| !answer.is_empty()));
    tables
}

fn octets(hex: &str) -> Vec<u8> {
    let pairs = (0..hex.len() / 2).map(|at| &hex[at * 2..at * 2 + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn split(datagram: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = datagram;
    let mut found = Vec::new();
    while let Some(length) = rest.first_chunk() {
        let length = usize::try_from(u32::from_ne_bytes(*length)).unwrap().next_multiple_of(4);
        let (message, more) = rest.split_at(length.min(rest.len()));
        found.push(message.to_vec());
        rest = more;
    }
    found
}

fn is_done(message: &[u8]) -> bool {
    message[4..6] == NLMSG_DONE.to_ne_bytes()
}

/// Where each message is: (table, datagram, message).
fn places(tables: &[Answer]) -> Vec<(usize, usize, usize)> {
    let mut places = Vec::new();
    for (table, answer) in tables.iter().enumerate() {
        for (part, datagram) in answer.iter().enumerate() {
            places.extend((0..datagram.len()).map(|at| (table, part, at)));
        }
    }
    places
}

/// The table that a request is about, by its place in [`Table::ALL`].
fn asked(request: &[u8]) -> usize {
    let kind = u16::from_ne_bytes([request[4], request[5]]);
    match (kind, request[16]) {
        (RTM_GETLINK, _) => 0,
        (RTM_GETADDR, AF_INET) => 1,
        (RTM_GETADDR, _) => 2,
        (RTM_GETVLAN, _) => 3,
        _ => 4,
    }
}

/// A snapshot from a kernel that answers the n-th request about a table, counted from 0, with `answer(table, n)`; and how many dumps
/// were repeated.
fn snapshot(
    read: usize,
    limit: Duration,
    mut answer: impl FnMut(usize, usize) -> Answer + Send + 'static,
) -> (Result<Snapshot, SnapshotError>, u64) {
    let (ours, theirs) =
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (result, repeated, kernel) = runtime.block_on(async {
        let buffers = Buffers { read, ..Buffers::default() };
        let socket = RouteSocket::over(&ours, buffers).unwrap();
        drop(ours);
        let port = socket.port();
        let kernel = thread::spawn(move || play(theirs, port, &mut answer));
        let namespace = Namespace::current();
        let (socket, sequence, interrupted) = (Some(socket), 0, 0);
        let mut dumper = Dumper { socket, buffers, namespace, sequence, interrupted, limit };
        (dumper.snapshot().await, dumper.interrupted(), kernel)
    });
    drop(runtime);
    kernel.join().unwrap();
    (result, repeated)
}

/// The other end, until ours is closed.
fn play(socket: OwnedFd, port: u32, answer: &mut impl FnMut(usize, usize) -> Answer) {
    let mut stream = UnixStream::from(socket);
    let mut times = [0; 5];
    let mut request = [0; 256];
    while let Ok(length @ 1..) = stream.read(&mut request) {
        let table = asked(&request[..length]);
        for datagram in answer(table, times[table]) {
            let mut bytes = Vec::new();
            for mut message in datagram {
                if message.len() >= 16 {
                    message[8..12].copy_from_slice(&request[8..12]);
                    message[12..16].copy_from_slice(&port.to_ne_bytes());
                }
                bytes.extend(message);
            }
            // The other end may have given up.
            if stream.write_all(&bytes).is_err() {
                return;
            }
        }
        times[table] += 1;
    }
}

/// What is said with these answers, each time they are asked for.
fn said(tables: Vec<Answer>) -> Result<Snapshot, SnapshotError> {
    snapshot(Buffers::default().read, LIMIT, move |table, _| tables[table].clone()).0
}

/// An error, whose rows are fewer than all, or the same where only the end of the dump is in doubt.
#[track_caller]
fn assert_not_whole(
    result: &Result<Snapshot, SnapshotError>,
    whole: &Snapshot,
    at: &dyn fmt::Debug,
) {
    let Err(error) = result else { panic!("{at:?}: a whole snapshot") };
    if let Some(partial) = error.partial() {
        assert!(partial.links.iter().all(|link| whole.links.contains(link)), "{at:?}");
        assert!(partial.addresses.iter().all(|row| whole.addresses.contains(row)), "{at:?}");
        assert!(partial.vlans.iter().all(|row| whole.vlans.contains(row)), "{at:?}");
    }
}

// Broken if the tests below showed nothing: without a flaw the snapshot is whole, and has what was recorded.
#[test]
fn recorded_dumps_are_whole() {
    let whole = said(recorded()).unwrap();
    assert_eq!((whole.links.len(), whole.addresses.len()), (5, 7));
    assert_eq!((whole.vlans.len(), whole.mac_lists.len()), (6, 2));
    assert!(places(&recorded()).len() > 30);
}

// Broken if a change during a dump went unnoticed, wherever the kernel tells of it, or if a dump that was repeated in peace were not
// believed.
#[test]
fn flagged_at_every_message() {
    let whole = said(recorded()).unwrap();
    for (table, part, at) in places(&recorded()).into_iter().filter(|(table, ..)| *table < 3) {
        let flagged = || {
            let mut tables = recorded();
            let message = &mut tables[table][part][at];
            let flags = u16::from_ne_bytes([message[6], message[7]]) | NLM_F_DUMP_INTR;
            message[6..8].copy_from_slice(&flags.to_ne_bytes());
            tables
        };
        let always = said(flagged());
        assert_not_whole(&always, &whole, &(table, part, at));
        assert!(
            matches!(always, Err(SnapshotError::Interrupted { attempts: 5, .. })),
            "{always:?}"
        );
        let (tables, quiet) = (flagged(), recorded());
        let (once, repeated) = snapshot(Buffers::default().read, LIMIT, move |table, time| {
            if time == 0 { tables[table].clone() } else { quiet[table].clone() }
        });
        assert_eq!((once.unwrap(), repeated), (whole.clone(), 1), "{table} {part} {at}");
    }
}

// Broken if a datagram that ends within a message, at any octet, passed for all there is.
#[test]
fn cut_off_at_every_octet() {
    let whole = said(recorded()).unwrap();
    for (table, part, at) in places(&recorded()) {
        let length = recorded()[table][part][at].len();
        // The kernel says how long the message is: octets after it are padding.
        let told = recorded()[table][part][at].first_chunk().map(|told| u32::from_ne_bytes(*told));
        let told = usize::try_from(told.unwrap()).unwrap();
        for octets in (1..length.min(told)).filter(|octets| *octets < 32 || octets % 31 == 0) {
            let mut tables = recorded();
            tables[table][part].truncate(at + 1);
            tables[table][part][at].truncate(octets);
            // The rest of the dump comes, its end too.
            tables[table].push(vec![done(0, 0)]);
            assert_not_whole(&said(tables), &whole, &(table, part, at, octets));
        }
    }
}

// Broken if a datagram of which the kernel says that it did not fit were decoded as far as it goes.
#[test]
fn larger_than_the_buffer_at_every_message() {
    let whole = said(recorded()).unwrap();
    let first = &recorded()[0][0];
    let mut boundary = 0;
    for message in first {
        for read in [boundary + 1, boundary + message.len() - 1, boundary + message.len()] {
            if read >= first.iter().map(Vec::len).sum() {
                continue;
            }
            let tables = recorded();
            let (cut, _) = snapshot(read, LIMIT, move |table, _| tables[table].clone());
            assert_not_whole(&cut, &whole, &read);
            assert!(matches!(cut, Err(SnapshotError::Truncated { .. })), "{read}: {cut:?}");
        }
        boundary += message.len();
    }
}

// Broken if one row that can't be decoded, whichever it is, were left out without a word.
#[test]
fn undecodable_at_every_message() {
    let whole = said(recorded()).unwrap();
    for (table, part, at) in places(&recorded()) {
        let mut tables = recorded();
        let message = &mut tables[table][part][at];
        if is_done(message) {
            continue;
        }
        message.truncate(20);
        message[..4].copy_from_slice(&19_u32.to_ne_bytes());
        let result = said(tables);
        assert_not_whole(&result, &whole, &(table, part, at));
        assert!(matches!(result, Err(SnapshotError::Undecodable { .. })), "{result:?}");
    }
}

// Broken if a dump that the kernel gave up, at any point of it and in whatever words, passed for all there is. A kernel without VLANs
// refuses them at once: after a row that is no reason any more.
#[test]
fn an_error_in_the_place_of_every_message() {
    let whole = said(recorded()).unwrap();
    for (table, part, at) in places(&recorded()) {
        for errno in [libc::EIO, libc::EMSGSIZE, libc::EOPNOTSUPP, libc::EINTR] {
            let code = -errno;
            for end in [done(0, code), super::part(NLMSG_ERROR, 0, &code.to_ne_bytes())] {
                let mut tables = recorded();
                tables[table].truncate(part + 1);
                tables[table][part].truncate(at);
                tables[table][part].push(end);
                let result = said(tables);
                if (table, part, at, errno) == (3, 0, 0, libc::EOPNOTSUPP) {
                    assert_eq!(result.unwrap(), Snapshot { vlans: Vec::new(), ..whole.clone() });
                } else {
                    assert_not_whole(&result, &whole, &(table, part, at, errno));
                }
            }
        }
    }
}

// Broken if a kernel that falls silent in the middle of a dump were waited for without an end, or its last word taken for the end.
#[test]
fn silent_from_every_message_on() {
    let whole = said(recorded()).unwrap();
    for (table, part, at) in places(&recorded()) {
        let mut tables = recorded();
        tables[table].truncate(part + 1);
        tables[table][part].truncate(at);
        tables[table].retain(|datagram| !datagram.is_empty());
        let limit = Duration::from_millis(30);
        let answer = move |table: usize, _| tables[table].clone();
        let (result, _) = snapshot(Buffers::default().read, limit, answer);
        assert_not_whole(&result, &whole, &(table, part, at));
        assert!(matches!(result, Err(SnapshotError::TimedOut { .. })), "{result:?}");
    }
}

// Broken if a row that the kernel skipped, as it does without a word when others are removed from these tables, were taken for gone.
#[test]
fn skipped_rows_of_tables_without_flags() {
    let whole = said(recorded()).unwrap();
    let mut refused = 0;
    for (table, part, at) in places(&recorded()).into_iter().filter(|(table, ..)| *table >= 3) {
        let parted = || {
            let mut tables = recorded();
            let messages: Vec<_> = tables[table].concat();
            tables[table] = messages.into_iter().map(|message| vec![message]).collect();
            tables
        };
        let skipped = recorded()[table][part][at].clone();
        if is_done(&skipped) {
            continue;
        }
        let tables = parted();
        let (once, _) = snapshot(Buffers::default().read, LIMIT, move |asked, time| {
            let mut answer = tables[asked].clone();
            // As many parts as before: one alone is believed, as nothing can happen between parts.
            if asked == table && time == 0 {
                let at = answer.iter().position(|datagram| datagram[0] == skipped).unwrap();
                answer[at] = answer[usize::from(at == 0)].clone();
            }
            answer
        });
        assert_eq!(once.unwrap(), whole, "{table} {part} {at}");
        let tables = parted();
        let (always, _) = snapshot(Buffers::default().read, LIMIT, move |asked, time| {
            let mut answer = tables[asked].clone();
            // Another one each time.
            if asked == table {
                let ends = [0, answer.len() - 2];
                answer[ends[time % 2]] = answer[ends[1 - time % 2]].clone();
            }
            answer
        });
        match always {
            // Both are rows that are left out anyway: of bridges' forwarding tables.
            Ok(snapshot) => assert_eq!(snapshot, whole, "{table} {part} {at}"),
            Err(_) => {
                assert_not_whole(&always, &whole, &(table, part, at));
                refused += 1;
            }
        }
    }
    assert!(refused > 1, "{refused}");
}
