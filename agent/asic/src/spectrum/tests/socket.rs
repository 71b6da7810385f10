//! The back end over a socket, with a chip in a thread at its other end.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::mpsc;
use std::thread::JoinHandle;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, recv, send, setsockopt, socketpair, sockopt,
};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::*;
use crate::spectrum::Spectrum;
use crate::{Asic, Completion, Event, Notices, contract};

/// Ends when the other side closes the connection; answers at most so many frames.
fn serve(socket: &OwnedFd, mut chip: Chip, mut frames: usize) -> Chip {
    let mut buffer = vec![0; 1 << 17];
    loop {
        let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()).unwrap_or(0);
        let datagram = &buffer[..length];
        let answer = match datagram.first() {
            None => return chip,
            Some(b'{') => Some(control(&chip, datagram)),
            Some(_) if frames == 0 => return chip,
            Some(_) => {
                frames -= 1;
                exchange(&mut chip, Duration::ZERO, datagram)
            }
        };
        if let Some(answer) = answer
            && send(socket.as_raw_fd(), &answer, MsgFlags::MSG_NOSIGNAL).is_err()
        {
            return chip;
        }
    }
}

fn control(chip: &Chip, request: &[u8]) -> Vec<u8> {
    let request: Value = serde_json::from_slice(request).unwrap();
    let mut answer = match request["request"].as_str().unwrap() {
        "hello" => json!({
            "chip_id": chip.chip_id(), "personality": chip.personality().name, "generation": chip.generation(),
            "ecmp_size": chip.personality().ecmp_size(),
        }),
        "resources" => json!({ "resources": chip.resources() }),
        "ports" => {
            let port = |port| json!({"local_port": port, "ifname": format!("swp{port}")});
            json!({ "ports": (1..=PORTS).map(port).collect::<Vec<_>>() })
        }
        other => panic!("{other}"),
    };
    answer["ok"] = true.into();
    answer.to_string().into_bytes()
}

/// A connection to a chip, and the thread of the chip. It answers at most so many frames, then hangs up.
async fn connected(settings: Settings, frames: usize) -> (Spectrum, JoinHandle<Chip>) {
    let (spectrum, thread, go, _) = held(settings, frames).await;
    go.send(()).unwrap();
    (spectrum, thread)
}

/// As `connected`, but frames are left lying until the word is given. Also another handle of our end of the socket.
async fn held(
    settings: Settings,
    frames: usize,
) -> (Spectrum, JoinHandle<Chip>, mpsc::Sender<()>, OwnedFd) {
    let flags = SockFlag::SOCK_CLOEXEC;
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap();
    let chip = Chip::new(Personality::load("spectrum2").unwrap(), PORTS, "0".to_owned(), 3);
    let (go, word) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let mut buffer = [0; 100];
        for _ in ["hello", "resources", "ports"] {
            let length = recv(theirs.as_raw_fd(), &mut buffer, MsgFlags::empty()).unwrap();
            send(theirs.as_raw_fd(), &control(&chip, &buffer[..length]), MsgFlags::empty())
                .unwrap();
        }
        word.recv().unwrap();
        serve(&theirs, chip, frames)
    });
    let handle = ours.try_clone().unwrap();
    let spectrum = timeout(Duration::from_secs(10), Spectrum::over(ours, settings));
    (spectrum.await.unwrap().unwrap(), thread, go, handle)
}

async fn next(spectrum: &mut Spectrum) -> Event {
    timeout(Duration::from_secs(20), spectrum.next()).await.unwrap()
}

/// What these rows hold, and with `enumerate` all that can be enumerated.
async fn rows(spectrum: &mut Spectrum, enumerate: bool, keys: Vec<Key>) -> ReadBack {
    spectrum.ask_rows(enumerate, keys);
    let Event::Rows(Ok(found)) = next(spectrum).await else { panic!() };
    found
}

fn fid(n: u16) -> Change {
    Change::Add(Entry::Fid { fid: Fid(n) })
}

// Broken if the back end did not keep the promises that every one of them makes.
#[tokio::test(flavor = "current_thread")]
async fn promises_are_kept() {
    let (mut spectrum, _thread) = connected(Settings::default(), usize::MAX).await;
    assert_eq!(contract::check(&mut spectrum).await, Ok(()));
}

// Broken if a daemon could not do over the socket what tests do in memory.
#[tokio::test(flavor = "current_thread")]
async fn router_port_over_the_socket() {
    let (mut spectrum, thread) = connected(Settings::default(), usize::MAX).await;
    let capabilities = spectrum.last_capabilities().clone();
    assert_eq!((capabilities.generation, capabilities.rifs), (3, 1000));
    // The chip's names of its tables are those that are asked for.
    assert_eq!(
        (&capabilities.assumed[..], capabilities.ecmp_size),
        (&["mac_profile_prefix_bits"][..], 128)
    );
    let entries = router_port();
    for (ticket, entry) in (0..).zip(entries.iter().cloned()) {
        spectrum.submit(Ticket(ticket), Change::Add(entry));
        let done = Completion { ticket: Ticket(ticket), result: Ok(()) };
        assert_eq!(next(&mut spectrum).await, Event::Completed(done));
    }
    let (tables, unreadable) = readable(&entries);
    let expected = ReadBack { tables, unreadable, ..ReadBack::default() };
    assert_eq!(rows(&mut spectrum, true, keys(&entries)).await, expected);
    let router = [(Key::Router, entries[0].clone())];
    assert_eq!(rows(&mut spectrum, false, vec![Key::Router]).await.tables, router.into());
    // A control request among frames.
    assert_eq!(spectrum.capabilities().await.unwrap(), capabilities);
    assert_eq!(spectrum.generation().await, Ok(3));
    // Questions in their order, each with its own answer.
    spectrum.ask_activity();
    spectrum.ask_rows(false, vec![Key::Router]);
    assert_eq!(next(&mut spectrum).await, Event::Active(Ok(Vec::new())));
    assert!(matches!(next(&mut spectrum).await, Event::Rows(Ok(_))));
    drop(spectrum);
    assert_eq!(thread.join().unwrap().dump().rifs.len(), 1);
}

// Broken if the daemon's chip were spoken to in another dialect than it said that it has, or were not asked what it learnt.
#[tokio::test(flavor = "current_thread")]
async fn bridges_over_the_socket() {
    let (mut spectrum, _thread) = connected(Settings::default(), usize::MAX).await;
    let entries = bridges();
    for (ticket, entry) in (0..).zip(entries.iter().cloned()) {
        spectrum.submit(Ticket(ticket), Change::Add(entry));
        let done = Completion { ticket: Ticket(ticket), result: Ok(()) };
        assert_eq!(next(&mut spectrum).await, Event::Completed(done));
    }
    let (tables, unreadable) = readable(&entries);
    let expected = ReadBack { tables, unreadable, ..ReadBack::default() };
    assert_eq!(rows(&mut spectrum, true, keys(&entries)).await, expected);
    for _ in 0..2 {
        spectrum.ask_notices();
        assert_eq!(next(&mut spectrum).await, Event::Noticed(Ok(Notices::default())));
    }
    assert_eq!(spectrum.in_flight(), 0);
}

// Broken if changes waited for a reading of everything that was asked for before, or a second reading were forgotten.
#[tokio::test(flavor = "current_thread")]
async fn changes_come_before_readings() {
    let settings = Settings { window: 4, ..Settings::default() };
    let (mut spectrum, _thread) = connected(settings, usize::MAX).await;
    spectrum.ask_rows(true, Vec::new());
    spectrum.ask_rows(false, vec![Key::Fid(Fid(7))]);
    tokio::select! {
        biased;
        event = spectrum.next() => panic!("{event:?}"),
        () = tokio::task::yield_now() => {}
    }
    for n in 1..=20 {
        spectrum.submit(Ticket(n.into()), fid(n));
    }
    for _ in 0..20 {
        let Event::Completed(_) = next(&mut spectrum).await else { panic!() };
    }
    let Event::Rows(Ok(all)) = next(&mut spectrum).await else { panic!() };
    assert_eq!(all, ReadBack::default());
    let Event::Rows(Ok(found)) = next(&mut spectrum).await else { panic!() };
    assert_eq!(found.tables.into_keys().collect::<Vec<_>>(), [Key::Fid(Fid(7))]);
}

// Broken if a future that lost a race in select took an outcome with it.
#[tokio::test(flavor = "current_thread")]
async fn dropped_futures_lose_nothing() {
    // Without retries, which would make good what was lost.
    let settings = Settings { retries: 0, timeout: Duration::from_secs(5), ..Settings::default() };
    let (mut spectrum, _thread, go, _) = held(settings, usize::MAX).await;
    for n in 1..=300 {
        spectrum.submit(Ticket(n.into()), fid(n));
    }
    spectrum.ask_rows(false, vec![Key::Fid(Fid(300))]);
    // While the chip is held, every future loses.
    for _ in 0..3 {
        tokio::select! {
            biased;
            event = spectrum.next() => panic!("{event:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
    go.send(()).unwrap();
    let mut done = BTreeSet::new();
    while done.len() < 300 {
        // From here on the chip decides which of the two wins.
        tokio::select! {
            biased;
            event = spectrum.next() => {
                let Event::Completed(Completion { ticket, result: Ok(()) }) = event else { panic!("{event:?}") };
                assert!(done.insert(ticket));
            }
            () = tokio::task::yield_now() => {}
        }
    }
    assert_eq!(spectrum.in_flight(), 0);
    let Event::Rows(Ok(found)) = next(&mut spectrum).await else { panic!() };
    assert_eq!(found.tables.into_keys().collect::<Vec<_>>(), [Key::Fid(Fid(300))]);
}

// Broken if a chip that goes away left changes without an outcome, took answers with it that it had given, or was not told,
// or told for ever.
#[tokio::test(flavor = "current_thread")]
async fn lost_chip_is_told_once_and_last() {
    let settings = Settings { window: 4, ..Settings::default() };
    let (mut spectrum, thread) = connected(settings, 2).await;
    for n in 1..=10 {
        spectrum.submit(Ticket(n.into()), fid(n));
    }
    let mut classes = BTreeMap::new();
    let lost = loop {
        match next(&mut spectrum).await {
            Event::Completed(Completion { ticket, result }) => {
                classes.insert(ticket.0, result.err().map(|error| error.class()));
            }
            Event::Disconnected(error) => break error,
            event => panic!("{event:?}"),
        }
    };
    assert_eq!(lost.class(), Class::Gone);
    assert_eq!(classes.len(), 10);
    assert_eq!((classes[&1], classes[&2]), (None, None));
    assert!((3..=4).all(|n| classes[&n] == Some(Class::Unknown)), "{classes:?}");
    assert!((7..=10).all(|n| classes[&n] == Some(Class::Gone)), "{classes:?}");
    thread.join().unwrap();

    spectrum.submit(Ticket(11), fid(11));
    let Event::Completed(Completion { result: Err(error), .. }) = next(&mut spectrum).await else {
        panic!()
    };
    assert_eq!(error.class(), Class::Gone);
    spectrum.ask_notices();
    spectrum.ask_rows(true, Vec::new());
    spectrum.ask_activity();
    tokio::select! {
        biased;
        event = spectrum.next() => panic!("{event:?}"),
        () = tokio::task::yield_now() => {}
    }
}

// Broken if frames for which the socket has no room were lost, or the daemon blocked on them.
#[tokio::test(flavor = "current_thread")]
async fn full_socket_is_waited_for() {
    let settings = Settings { window: 200, ..Settings::default() };
    let (mut spectrum, _thread, go, socket) = held(settings, usize::MAX).await;
    setsockopt(&socket, sockopt::SndBuf, &4096).unwrap();
    for n in 1..=200 {
        spectrum.submit(Ticket(n.into()), fid(n));
    }
    tokio::select! {
        biased;
        event = spectrum.next() => panic!("{event:?}"),
        () = tokio::task::yield_now() => {}
    }
    assert!(!spectrum.outbox.is_empty(), "the socket is larger than thought");
    go.send(()).unwrap();
    for _ in 0..200 {
        let Event::Completed(Completion { result, .. }) = next(&mut spectrum).await else {
            panic!()
        };
        assert_eq!(result, Ok(()));
    }
}

// Broken if a chip that hangs kept changes waiting for ever, or the daemon spinning.
#[tokio::test(flavor = "current_thread")]
async fn chip_that_reads_nothing_is_gone() {
    let patience = Duration::from_millis(200);
    let settings = Settings { window: 200, patience, ..Settings::default() };
    let (mut spectrum, _thread, _go, socket) = held(settings, usize::MAX).await;
    setsockopt(&socket, sockopt::SndBuf, &4096).unwrap();
    for n in 1..=200 {
        spectrum.submit(Ticket(n.into()), fid(n));
    }
    let mut classes = BTreeSet::new();
    for _ in 0..200 {
        let Event::Completed(Completion { result, .. }) = next(&mut spectrum).await else {
            panic!()
        };
        classes.insert(result.unwrap_err().class());
    }
    assert_eq!(classes, [Class::Unknown, Class::Gone].into());
    let Event::Disconnected(error) = next(&mut spectrum).await else { panic!() };
    assert_eq!(error, AsicError::Socket { operation: "send", source: Errno::ETIMEDOUT });
}

// Broken if "no simulator is running" were not told as such.
#[tokio::test(flavor = "current_thread")]
async fn missing_socket_is_named() {
    let path = std::path::Path::new("/nonexistent/hwsim.sock");
    let error = Spectrum::connect(path, Settings::default()).await.unwrap_err();
    assert_eq!(error, AsicError::Connect { path: path.to_owned(), source: Errno::ENOENT });
    assert_eq!(error.class(), Class::Gone);
}

// Broken if a program that is no chip kept the daemon waiting for ever.
#[tokio::test(flavor = "current_thread")]
async fn silent_program_is_given_up() {
    let flags = SockFlag::SOCK_CLOEXEC;
    let (ours, _theirs) =
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap();
    let patience = Duration::from_millis(20);
    let settings = Settings { patience, ..Settings::default() };
    let error = Spectrum::over(ours, settings).await.unwrap_err();
    assert_eq!(error, AsicError::ControlTimeout { request: "hello", patience });
}
