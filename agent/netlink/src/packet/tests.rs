use std::os::fd::OwnedFd;
use std::time::Duration;

use firsthop_model::liveness::wire::{Found, parse};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use nix::sys::socket::sendto;
use tokio::time::timeout;

use super::*;
use crate::testbed::{in_netns, ip};

/// VRID 5 from 192.0.2.1, as a version 3 router sends it.
const ADVERTISEMENT: [u8; 60] = {
    let mut frame = [0; 60];
    let head = [
        0x01, 0x00, 0x5e, 0x00, 0x00, 0x12, 0x00, 0x00, 0x5e, 0x00, 0x01, 0x05, 0x08, 0x00, 0x45,
        0, 0, 32, 0, 0, 0, 0, 255, 112, 0, 0, 192, 0, 2, 1, 224, 0, 0, 18, 0x31, 5, 100, 1, 0, 100,
        0, 0, 192, 0, 2, 254,
    ];
    let mut at = 0;
    while at < head.len() {
        frame[at] = head[at];
        at += 1;
    }
    frame
};

/// The same with one octet changed.
fn altered(at: usize, octet: u8) -> [u8; 60] {
    let mut frame = ADVERTISEMENT;
    frame[at] = octet;
    frame
}

/// Sends frames out of a device.
struct Sender {
    fd: OwnedFd,
    at: LinkAddr,
}

impl Sender {
    fn at(device: &str) -> Self {
        let fd = socket(AddressFamily::Packet, SockType::Raw, SockFlag::empty(), None).unwrap();
        let mut all = getifaddrs().unwrap().filter(|one| one.interface_name == device);
        let at = all.find_map(|one| one.address?.as_link_addr().copied()).unwrap();
        Self { fd, at }
    }

    fn send(&self, frame: &[u8]) {
        let sent = sendto(self.fd.as_raw_fd(), frame, &self.at, MsgFlags::empty());
        assert_eq!(sent, Ok(frame.len()));
    }
}

fn veth() {
    ip("link add swp1 type veth peer name h1");
    ip("link set swp1 up");
    ip("link set h1 up");
    running("swp1");
    running("h1");
}

/// Waits until a device lets frames out: it gets its queue some time after its carrier (`linkwatch_do_dev`).
fn running(device: &str) {
    wait_for(|| {
        let mut all = getifaddrs().unwrap().filter(|one| one.interface_name == device);
        all.any(|one| one.flags.contains(InterfaceFlags::IFF_RUNNING))
    });
}

fn wait_for(mut holds: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not come about");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn index(device: &str) -> IfIndex {
    IfIndex(if_nametoindex(device).unwrap())
}

fn drained(socket: &mut PacketSocket) -> Vec<(IfIndex, Direction, Vec<u8>)> {
    let mut frames = Vec::new();
    let take = |frame: Frame<'_>| frames.push((frame.ifindex, frame.way, frame.octets.to_vec()));
    let batch = socket.drain(1000, take).unwrap();
    assert_eq!(batch, Batch { more: false, dropped: 0 });
    frames
}

/// So many frames: the far end of a cable gets them a little later.
fn heard(socket: &mut PacketSocket, count: usize) -> Vec<(IfIndex, Direction, Vec<u8>)> {
    let mut frames = Vec::new();
    wait_for(|| {
        frames.extend(drained(socket));
        frames.len() >= count
    });
    frames
}

// Broken if advertisements were not seen on their device, sent and received ones were mixed up, or other frames were read.
#[test]
fn advertisements_of_both_directions() {
    in_netns(|| async {
        veth();
        let mut socket = PacketSocket::open().unwrap();
        assert_eq!(drained(&mut socket), []);
        let sender = Sender::at("swp1");
        let mut ospf = altered(23, 89);
        ospf[33] = 5;
        sender.send(&ospf);
        sender.send(&altered(13, 0x06));
        sender.send(&ADVERTISEMENT);
        sender.send(&altered(23, 51));
        let sent = [&ADVERTISEMENT, &altered(23, 51)];
        timeout(Duration::from_secs(5), socket.readable()).await.unwrap().unwrap();
        let mut seen = heard(&mut socket, 4);
        seen.sort_by_key(|(ifindex, ..)| *ifindex != index("swp1"));
        let expected: Vec<_> = [("swp1", Direction::Sent), ("h1", Direction::Received)]
            .into_iter()
            .flat_map(|(dev, way)| sent.iter().map(move |f| (index(dev), way, f.to_vec())))
            .collect();
        assert_eq!(seen, expected);
        assert!(matches!(parse(&seen[0].2), Ok(Found::Advertisement(_))));
    });
}

// Broken if what a macvlan sends were not seen below it.
#[test]
fn a_macvlan_sends_through_the_device_below() {
    in_netns(|| async {
        veth();
        ip("link add vrrp5 link swp1 address 00:00:5e:00:01:05 type macvlan mode private");
        ip("link set vrrp5 up");
        running("vrrp5");
        let mut socket = PacketSocket::open().unwrap();
        Sender::at("vrrp5").send(&ADVERTISEMENT);
        let mut ways: Vec<_> = heard(&mut socket, 3).into_iter().map(|f| (f.0, f.1)).collect();
        ways.sort_by_key(|(ifindex, _)| *ifindex);
        let mut expected = vec![
            (index("swp1"), Direction::Sent),
            (index("h1"), Direction::Received),
            (index("vrrp5"), Direction::Sent),
        ];
        expected.sort_by_key(|(ifindex, _)| *ifindex);
        assert_eq!(ways, expected);
    });
}

// Broken if a burst kept the daemon reading, or frames that were lost were not counted.
#[test]
fn bursts_and_losses() {
    in_netns(|| async {
        veth();
        let mut socket = PacketSocket::open().unwrap();
        let sender = Sender::at("swp1");
        (0..10).for_each(|_| sender.send(&ADVERTISEMENT));
        let mut count = 0;
        assert!(socket.drain(5, |_| count += 1).unwrap().more);
        assert_eq!(count, 5);
        assert_eq!(heard(&mut socket, 15).len(), 15);
        (0..20_000).for_each(|_| sender.send(&ADVERTISEMENT));
        let (mut count, mut dropped) = (0, 0);
        wait_for(|| {
            dropped += socket.drain(1000, |_| count += 1).unwrap().dropped;
            count + dropped == 40_000
        });
        assert!(dropped > 0);
    });
}
