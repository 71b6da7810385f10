use std::time::Duration;

use firsthop_model::topology::{LinkKind, MacvlanMode, Slave, StpState, Topology};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, sendto, socket,
};
use std::os::fd::AsRawFd;
use tokio::time::timeout;

use super::*;
use crate::Dumper;
use crate::testbed::{assert_true, bridge, in_netns, ip, ip_batch, vlan_bridge};

const ALL: usize = usize::MAX;
const TINY: Buffers = Buffers { receive: 4096, read: 64 << 10 };

/// RTM_DELLINK messages of these interface indices in one datagram.
fn gone(indices: &[u32]) -> Vec<u8> {
    let one = |index: &u32| {
        let mut message = 32_u32.to_ne_bytes().to_vec();
        message.extend(17_u16.to_ne_bytes());
        message.extend([0; 10 + 4]);
        message.extend(index.to_ne_bytes());
        message.extend([0; 8]);
        message
    };
    indices.iter().flat_map(one).collect()
}

fn dummies(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("link add v{n} type veth peer name w{n}"))
}

// Broken if a message that cannot be decoded took the rest of its datagram with it, or went unnoticed.
#[test]
fn an_undecodable_message_is_a_loss_of_that_message_only() {
    let mut drained: Drained = Drained::default();
    let mut counters = Counters::default();
    let loss = take(&gone(&[7, 0, 9]), &mut drained, &mut counters);
    assert!(matches!(loss, Some(Loss::Undecodable(what)) if what.kind == 17), "{loss:?}");
    assert_eq!(drained.events.len(), 2);
    assert_eq!((drained.messages, counters.undecodable), (3, 1));
}

// Broken if drain were no barrier: what `ip` was told had happened must be in the next answer, without waiting.
#[test]
fn what_was_acknowledged_is_in_the_next_drain() {
    in_netns(|| async {
        let mut socket = EventSocket::open().unwrap();
        let mut view = Topology::default();
        let mut fold = |socket: &mut EventSocket| {
            let drained = socket.drain(ALL);
            assert_eq!((drained.loss, drained.more), (None, false));
            drained.events.into_iter().for_each(|event| drop(view.fold(event)));
            view.clone()
        };
        ip("link add swp1 up type veth peer name h1");
        let swp1 = fold(&mut socket).link_by_name("swp1").unwrap().ifindex;
        ip("link add vrrp4-5 link swp1 address 00:00:5e:00:01:05 type macvlan mode private");
        let seen = fold(&mut socket);
        let vmac = seen.link_by_name("vrrp4-5").unwrap();
        assert_eq!(vmac.kind, LinkKind::Macvlan { mode: MacvlanMode::Private });
        assert_eq!((vmac.lower(), vmac.is_up()), (Some(swp1), false));
        assert_eq!(vmac.mac.unwrap().to_string(), "00:00:5e:00:01:05");
        ip("link set vrrp4-5 up");
        ip("address add 192.0.2.254/24 dev vrrp4-5");
        ip("address add 2001:db8::fe/64 dev vrrp4-5");
        let seen = fold(&mut socket);
        let vmac = seen.link_by_name("vrrp4-5").unwrap();
        assert!(vmac.is_up());
        let ips: Vec<_> = seen.addresses(vmac.ifindex).iter().map(|a| a.ip.to_string()).collect();
        assert_eq!(ips, ["192.0.2.254", "2001:db8::fe"]);
        ip("address del 192.0.2.254/24 dev vrrp4-5");
        assert_eq!(fold(&mut socket).addresses(vmac.ifindex).len(), 1);
        ip("link del vrrp4-5");
        let seen = fold(&mut socket);
        assert!(seen.link(vmac.ifindex).is_none() && seen.addresses(vmac.ifindex).is_empty());
        assert!(socket.counters().messages >= 9, "{socket:?}");
    });
}

// Broken if the owner slept through an IPv6 address added with `nodad`, keepalived's way, which the kernel announces from
// a work queue after it acknowledged the request.
#[test]
fn an_address_without_dad_arrives_later_but_arrives() {
    in_netns(|| async {
        let mut socket = EventSocket::open().unwrap();
        ip("link add swp1 up type veth peer name h1");
        ip("address add 2001:db8::fe/64 dev swp1 nodad");
        let arrived = async {
            loop {
                let seen = |event: &Event| matches!(event, Event::Address(a) if a.ip.to_string() == "2001:db8::fe");
                if socket.drain(ALL).events.iter().any(seen) {
                    break;
                }
                socket.readable().await.unwrap();
            }
        };
        timeout(Duration::from_secs(10), arrived).await.expect("an address");
    });
}

// Broken if a port that leaves its bridge were taken for a removed device.
#[test]
fn leaving_a_bridge_is_no_removal() {
    in_netns(|| async {
        let mut socket = EventSocket::open().unwrap();
        let mut view = Topology::default();
        ip("link add swp1 type veth peer name h1");
        ip("link add br0 type bridge");
        ip("link set swp1 master br0");
        let bridge = |view: &Topology| view.link_by_name("swp1").unwrap().master;
        socket.drain(ALL).events.into_iter().for_each(|event| drop(view.fold(event)));
        assert_eq!(bridge(&view), view.link_by_name("br0").map(|link| link.ifindex));
        ip("link set swp1 nomaster");
        let drained = socket.drain(ALL);
        assert!(!drained.events.iter().any(|event| matches!(event, Event::LinkGone(_))));
        drained.events.into_iter().for_each(|event| drop(view.fold(event)));
        assert_eq!(bridge(&view), None);
    });
}

// Broken if a full queue went unnoticed, or if the view could not be made right afterwards.
#[test]
fn an_overrun_is_reported_and_a_snapshot_heals_it() {
    in_netns(|| async {
        let mut socket = EventSocket::open_with(TINY).unwrap();
        let mut dumper = Dumper::open().unwrap();
        ip_batch(dummies(20));
        let drained = socket.drain(ALL);
        assert_eq!(drained.loss, Some(Loss::Overrun { errno: libc::ENOBUFS }));
        assert!(!drained.more && drained.messages < 40, "{drained:?}");
        let counters = socket.counters();
        assert_eq!(
            (counters.overruns, counters.dropped + drained.messages),
            (1, 40),
            "{counters:?}"
        );
        let mut view = Topology::default();
        view.replace(dumper.snapshot().await.unwrap());
        assert_eq!(view.links().count(), 41);
        ip("link del v7");
        let drained = socket.drain(ALL);
        assert_eq!(drained.loss, None, "the socket hears again after it was drained");
        drained.events.into_iter().for_each(|event| drop(view.fold(event)));
        let mut whole = Topology::default();
        let snapshot = dumper.snapshot().await.unwrap();
        assert_true(&snapshot);
        whole.replace(snapshot);
        assert_eq!(view, whole);
    });
}

// Broken if what the kernel drops while the socket is congested, which raises no second ENOBUFS, went unnoticed.
#[test]
fn the_drop_counter_is_a_second_witness() {
    in_netns(|| async {
        let mut socket = EventSocket::open_with(TINY).unwrap();
        ip_batch(dummies(20));
        let first = socket.drain(2);
        assert!(first.more, "{first:?}");
        assert!(matches!(first.loss, Some(Loss::Overrun { .. })), "{first:?}");
        ip("link set v1 mtu 1400");
        let second = socket.drain(ALL);
        assert!(matches!(second.loss, Some(Loss::DropsCounter { dropped: 1.. })), "{second:?}");
        assert_eq!(socket.drain(ALL).loss, None);
    });
}

// Broken if the half of a message were decoded, or dropped without a word.
#[test]
fn a_truncated_datagram_is_a_loss() {
    in_netns(|| async {
        let mut socket =
            EventSocket::open_with(Buffers { read: 256, ..Buffers::default() }).unwrap();
        ip("link add swp1 type veth peer name h1");
        let drained = socket.drain(ALL);
        assert!(matches!(drained.loss, Some(Loss::Truncated { length: 257.. })), "{drained:?}");
        assert_eq!((drained.events.len(), drained.messages), (0, 2));
    });
}

// Broken if any process with CAP_NET_ADMIN could tell the agent that a device is gone.
#[test]
fn only_the_kernel_is_believed() {
    in_netns(|| async {
        let mut events = EventSocket::open().unwrap();
        let route = SockProtocol::NetlinkRoute;
        let liar = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::empty(), route).unwrap();
        let target = NetlinkAddr::new(events.socket.port(), 0);
        sendto(liar.as_raw_fd(), &gone(&[1]), &target, MsgFlags::empty()).unwrap();
        let drained = events.drain(ALL);
        assert_eq!(drained, Drained::default());
        assert_eq!(events.counters().foreign, 1);
    });
}

// Broken if a storm could hold the owner's loop, or if a bounded drain lost or reordered events.
#[test]
fn a_bounded_drain_goes_on_where_it_stopped() {
    in_netns(|| async {
        let mut one = EventSocket::open().unwrap();
        let mut many = EventSocket::open().unwrap();
        ip_batch(dummies(10));
        let mut pieces = Vec::new();
        loop {
            let drained = one.drain(3);
            assert!(drained.messages <= 3);
            pieces.extend(drained.events);
            if !drained.more {
                break;
            }
        }
        let whole = many.drain(ALL);
        assert_eq!(pieces, whole.events);
        assert_eq!(pieces.len(), 20);
        assert!(one.drain(0).more, "an unread socket is no barrier");
    });
}

// Broken if the owner's loop span on a drained socket, or slept through an event or an overrun.
#[test]
fn readable_waits_for_the_next_event() {
    in_netns(|| async {
        let mut socket = EventSocket::open_with(TINY).unwrap();
        for round in 0..3 {
            let idle = timeout(Duration::from_millis(20), socket.readable()).await;
            assert!(idle.is_err(), "round {round}: readable without anything to read");
            let ip = std::thread::spawn(move || ip_batch(dummies(20).skip(round * 5).take(5)));
            timeout(Duration::from_secs(10), socket.readable()).await.expect("an event").unwrap();
            ip.join().unwrap();
            // Still queued: a wait that takes something off, or forgets it, would hang here.
            timeout(Duration::from_secs(10), socket.readable())
                .await
                .expect("still there")
                .unwrap();
            let drained = socket.drain(ALL);
            assert!(drained.messages > 0 && drained.loss.is_some(), "round {round}: {drained:?}");
        }
    });
}

// Broken if the queue were the default of 208 KiB, which overflows with some hundred events.
#[test]
fn the_queue_is_large_and_its_size_is_known() {
    in_netns(|| async {
        let socket = EventSocket::open().unwrap();
        assert_eq!(socket.receive_buffer(), 32 << 20, "SO_RCVBUFFORCE, doubled by the kernel");
    });
}

// Broken if a MAC that a device is told to receive came late or not at all.
#[test]
fn a_mac_asked_for_by_name_is_announced() {
    in_netns(|| async {
        let mut socket = EventSocket::open().unwrap();
        ip("link add swp1 type veth peer name h1");
        ip("link add br0 type bridge");
        let mut view = Topology::default();
        socket.drain(ALL).events.into_iter().for_each(|event| drop(view.fold(event)));
        for name in ["swp1", "br0"] {
            let ifindex = view.link_by_name(name).unwrap().ifindex;
            let mac = "02:00:00:00:aa:01".parse().unwrap();
            bridge(&format!("fdb add {mac} dev {name} self local"));
            let seen = socket.drain(ALL).events;
            assert!(seen.contains(&Event::Receives(ifindex, mac)), "{name}: {seen:?}");
            bridge(&format!("fdb del {mac} dev {name} self local"));
            let seen = socket.drain(ALL).events;
            assert!(seen.contains(&Event::ReceivesNoMore(ifindex, mac)), "{name}: {seen:?}");
        }
    });
}

// Broken if every ARP entry of the host, and every MAC that a bridge learns, woke the daemon.
#[test]
fn what_hosts_and_bridges_learn_stays_off_the_socket() {
    in_netns(|| async {
        let mut socket = EventSocket::open().unwrap();
        ip("link add swp1 type veth peer name h1");
        ip("link add br0 type bridge");
        ip("link set h1 master br0");
        socket.drain(ALL);
        ip("neighbour add 192.0.2.9 lladdr 02:00:00:00:aa:06 nud permanent dev swp1");
        ip("neighbour add 2001:db8::9 lladdr 02:00:00:00:aa:06 dev swp1");
        ip("neighbour del 192.0.2.9 dev swp1");
        bridge("fdb add 02:00:00:00:aa:03 dev h1 master static");
        bridge("fdb del 02:00:00:00:aa:03 dev h1 master");
        assert_eq!(socket.drain(ALL), Drained::default());
        bridge("fdb add 02:00:00:00:aa:05 dev swp1 self");
        assert_eq!(socket.drain(ALL).events.len(), 1);
    });
}

// Broken if a port counted as blocked for ever: the kernel says that it forwards after the port came up, and in a message
// that is not about the device.
#[test]
fn the_state_of_a_bridge_port_is_followed() {
    in_netns(|| async {
        let mut socket = EventSocket::open().unwrap();
        ip("link add swp1 type veth peer name h1");
        ip("link add br0 up type bridge");
        ip("link set swp1 master br0");
        ip("link set h1 up");
        ip("link set swp1 up");
        let mut view = Topology::default();
        let mut wait_for = async |expected: Slave| loop {
            socket.drain(ALL).events.into_iter().for_each(|event| drop(view.fold(event)));
            if view.link_by_name("swp1").unwrap().slave == expected {
                break;
            }
            let readable = timeout(Duration::from_secs(10), socket.readable()).await;
            readable.expect("an event").unwrap();
        };
        let port = |state, learning| Slave::BridgePort { state, learning, locked: false };
        wait_for(port(StpState::Forwarding, true)).await;
        bridge("link set dev swp1 learning off");
        wait_for(port(StpState::Forwarding, false)).await;
        bridge("link set dev swp1 state 2");
        wait_for(port(StpState::Learning, false)).await;
        ip("link set swp1 nomaster");
        wait_for(Slave::None).await;
    });
}

// Broken if the view that events make of a bridge's VLANs differed from the one that a snapshot makes.
#[test]
fn vlans_arrive_as_they_are_dumped() {
    in_netns(|| async {
        let mut socket = EventSocket::open().unwrap();
        if !vlan_bridge() {
            return;
        }
        let mut dumper = Dumper::open().unwrap();
        let mut view = Topology::default();
        for command in [
            "vlan add vid 10-20 dev swp1",
            "vlan add vid 15 pvid untagged dev swp1",
            "vlan del vid 12-14 dev swp1",
            "vlan add vid 30 dev br0 self",
            "vlan del vid 1 dev br0 self",
            "vlan global set vid 11 dev br0 mcast_snooping 0",
        ] {
            bridge(command);
            let drained = socket.drain(ALL);
            assert_eq!(drained.loss, None);
            drained.events.into_iter().for_each(|event| drop(view.fold(event)));
            let mut whole = Topology::default();
            whole.replace(dumper.snapshot().await.unwrap());
            for name in ["br0", "swp1", "swp2"] {
                let ifindex = whole.link_by_name(name).unwrap().ifindex;
                let [seen, dumped]: [Vec<_>; 2] =
                    [&view, &whole].map(|view| view.vlans(ifindex).collect());
                assert_eq!(seen, dumped, "{name} after {command}");
            }
        }
        let port = view.link_by_name("swp1").unwrap().ifindex;
        assert_eq!(view.pvid(port), Some(15));
        ip("link set swp1 nomaster");
        socket.drain(ALL).events.into_iter().for_each(|event| drop(view.fold(event)));
        assert_eq!(view.vlans(port).count(), 0, "a port that left");
    });
}

// Broken if every MAC that a bridge learns, or a proxy entry, woke the listener to routes, or if it lost a host or a route.
#[test]
fn what_bridges_learn_stays_off_the_socket_of_routes() {
    in_netns(|| async {
        let mut socket = FibSocket::open().unwrap();
        ip("link add swp1 type veth peer name h1");
        ip("link add br0 type bridge");
        ip("link set h1 master br0");
        ip("address add 192.0.2.1/24 dev swp1");
        ip("link set swp1 addrgenmode none");
        ip("link set swp1 up");
        // Blackholes go through it.
        ip("link set lo up");
        socket.drain(ALL);
        bridge("fdb add 02:00:00:00:aa:03 dev h1 master static");
        bridge("fdb add 02:00:00:00:aa:05 dev swp1 self");
        bridge("fdb del 02:00:00:00:aa:03 dev h1 master");
        ip("neighbour add proxy 192.0.2.8 dev swp1");
        ip("neighbour del proxy 192.0.2.8 dev swp1");
        assert_eq!(socket.drain(ALL), Drained::default());
        for command in [
            "neighbour add 192.0.2.9 lladdr 02:00:00:00:aa:06 nud permanent dev swp1",
            "neighbour add 2001:db8::9 lladdr 02:00:00:00:aa:06 nud permanent dev swp1",
            "route add blackhole 10.0.0.0/8",
            "route del 10.0.0.0/8",
            "route add unreachable 2001:db8::/48",
            "nexthop add id 1 blackhole",
            "nexthop del id 1",
        ] {
            ip(command);
            let drained = socket.drain(ALL);
            assert_eq!((drained.events.len(), drained.loss), (1, None), "{command}: {drained:?}");
        }
        assert!(socket.counters().messages >= 7);
    });
}

// Broken if a storm of routes pushed out the word about a device, or went unnoticed itself.
#[test]
fn a_storm_of_routes_is_not_a_storm_of_devices() {
    in_netns(|| async {
        let mut routes = FibSocket::open_with(TINY).unwrap();
        let mut devices = EventSocket::open_with(TINY).unwrap();
        ip_batch((0..100).map(|n| format!("route add blackhole 10.0.{n}.0/24")));
        let drained = routes.drain(ALL);
        assert_eq!(drained.loss, Some(Loss::Overrun { errno: libc::ENOBUFS }));
        assert_eq!(routes.counters().dropped + drained.messages, 100);
        assert_eq!(devices.drain(ALL), Drained::default());
        ip("route add blackhole 10.1.0.0/16");
        let drained = routes.drain(ALL);
        assert_eq!((drained.events.len(), drained.loss), (1, None), "it hears again");
        assert!(format!("{routes:?}").starts_with("FibSocket"));
    });
}
