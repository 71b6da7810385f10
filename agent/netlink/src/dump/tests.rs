mod everywhere;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Instant;

use nix::sched::{CloneFlags, unshare};
use proptest::prelude::*;

use super::*;
use crate::message::{
    NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, RTM_DELLINK, RTM_NEWADDR, RTM_NEWLINK,
};
use crate::testbed::{
    assert_true, bridge, bridge_batch, in_netns, ip, ip_batch, true_links, vlan_bridge,
};
use firsthop_model::topology::VlanRange;

const SEQUENCE: u32 = 7;
const PORT: u32 = 4711;

fn message(kind: u16, flags: u16, sequence: u32, port: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + payload.len()).unwrap();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(port.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn part(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
    message(kind, flags, SEQUENCE, PORT, payload)
}

fn done(flags: u16, errno: i32) -> Vec<u8> {
    part(NLMSG_DONE, flags, &errno.to_ne_bytes())
}

/// A device `a` with an MTU and nothing else.
fn link_row(index: u32) -> Vec<u8> {
    let mut payload = vec![0; 4];
    payload.extend(index.to_ne_bytes());
    payload.extend([0; 8]);
    payload.extend([6_u16.to_ne_bytes(), 3_u16.to_ne_bytes()].concat());
    payload.extend(b"a\0\0\0");
    payload.extend([8_u16.to_ne_bytes(), 4_u16.to_ne_bytes()].concat());
    payload.extend(1500_u32.to_ne_bytes());
    payload
}

fn reply(parts: &[Vec<u8>]) -> (Reply, io::Result<bool>) {
    let mut reply = Reply::new(Table::Links, SEQUENCE, PORT);
    let mut last = Ok(false);
    for part in parts {
        assert!(matches!(last, Ok(false)), "taken after its end");
        last = reply.take(part);
    }
    (reply, last)
}

// Broken if a dump during which the table changed passed as clean, wherever the kernel says so.
#[test]
fn an_interruption_counts_on_every_part() {
    let row = |flags| part(RTM_NEWLINK, flags, &link_row(2));
    for (at, parts) in [
        ("row", [row(NLM_F_DUMP_INTR), row(0), done(0, 0)]),
        ("later row", [row(0), row(NLM_F_DUMP_INTR), done(0, 0)]),
        ("done", [row(0), row(0), done(NLM_F_DUMP_INTR, 0)]),
    ] {
        let (reply, last) = reply(&parts);
        assert!(last.unwrap(), "{at}");
        assert!(reply.interrupted, "{at}");
    }
    let (reply, last) = reply(&[row(0), done(0, 0)]);
    assert!(last.unwrap() && !reply.interrupted);
}

// Broken if a dump that the kernel gave up passed as whole.
#[test]
fn errors_end_a_dump() {
    for end in [done(0, -libc::EMSGSIZE), part(NLMSG_ERROR, 0, &(-libc::EMSGSIZE).to_ne_bytes())] {
        let (_, last) = reply(&[part(RTM_NEWLINK, 0, &link_row(2)), end]);
        assert_eq!(last.unwrap_err().raw_os_error(), Some(libc::EMSGSIZE));
    }
    let (_, last) = reply(&[part(NLMSG_DONE, 0, &[])]);
    assert!(last.unwrap(), "a DONE without errno");
    let (_, last) = reply(&[part(NLMSG_ERROR, 0, &[0; 4])]);
    assert!(!last.unwrap(), "an acknowledgement is no end");
}

// Broken if the end or the rows of somebody else's dump were taken for ours.
#[test]
fn replies_to_others_are_skipped() {
    let row = link_row(9);
    let (reply, last) = reply(&[
        message(RTM_NEWLINK, NLM_F_DUMP_INTR, SEQUENCE - 1, PORT, &row),
        message(RTM_NEWLINK, NLM_F_DUMP_INTR, SEQUENCE, PORT + 1, &row),
        message(NLMSG_DONE, 0, SEQUENCE - 1, PORT, &[0; 4]),
        message(NLMSG_DONE, 0, SEQUENCE, 0, &[0; 4]),
    ]);
    assert!(!last.unwrap());
    assert!(reply.rows.is_empty() && !reply.interrupted);
}

// Broken if a row that cannot be decoded were left out silently, so that its device would be swept.
#[test]
fn an_undecodable_row_makes_the_dump_unclean() {
    let (reply, last) = reply(&[
        part(RTM_NEWLINK, 0, &link_row(2)),
        part(RTM_NEWLINK, 0, &link_row(3)[..20]),
        part(RTM_NEWLINK, 0, &link_row(4)),
        done(0, 0),
    ]);
    assert!(last.unwrap());
    assert_eq!(reply.rows.len(), 2);
    assert_eq!(reply.undecodable.unwrap().ifindex, 3);
}

// Broken if addresses of both families, which a kernel without IPv6 returns for AF_INET6, appeared twice.
#[test]
fn rows_of_other_tables_are_left_out() {
    let address = part(RTM_NEWADDR, 0, &[2, 24, 0, 0, 1, 0, 0, 0, 8, 0, 2, 0, 192, 0, 2, 1]);
    for (table, rows) in [(Table::Links, 1), (Table::Ipv4Addresses, 1), (Table::Ipv6Addresses, 0)] {
        let mut reply = Reply::new(table, SEQUENCE, PORT);
        reply.take(&address).unwrap();
        reply.take(&part(RTM_NEWLINK, 0, &link_row(2))).unwrap();
        reply.take(&part(RTM_DELLINK, 0, &link_row(2))).unwrap();
        assert_eq!(reply.rows.len(), rows, "{table}");
    }
}

proptest! {
    // Broken if any octets from the socket could stop the agent.
    #[test]
    fn no_datagram_leads_to_a_panic(
        header in any::<bool>(), kind in 0_u16..24, flags: u16,
        octets in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let datagram = if header { part(kind, flags, &octets) } else { octets };
        let mut reply = Reply::new(Table::Links, SEQUENCE, PORT);
        let _ = reply.take(&datagram);
    }
}

// Broken if a snapshot missed or invented a device or an address.
#[test]
fn a_snapshot_is_the_truth() {
    in_netns(|| async {
        let mut dumper = Dumper::open().unwrap();
        ip("link set lo up");
        ip_batch((0..40).flat_map(|n| {
            [
                format!("link add v{n} type veth peer name w{n}"),
                format!("address add 192.0.2.{n}/24 dev v{n}"),
                format!("address add 2001:db8::{n:x}/64 dev v{n} nodad"),
            ]
        }));
        let snapshot = dumper.snapshot().await.unwrap();
        assert_eq!((snapshot.links.len(), snapshot.addresses.len()), (81, 82));
        assert_true(&snapshot);
        assert_eq!(dumper.snapshot().await.unwrap(), snapshot, "a second one on the same socket");
        assert_eq!(dumper.interrupted(), 0);
    });
}

// Broken if dumps that ran into a change were believed, or if the agent gave up when changes end.
#[test]
fn snapshots_converge_under_churn() {
    in_netns(|| async {
        // Small parts, so that a dump takes many and changes fall between them.
        let mut dumper =
            Dumper::open_with(Buffers { read: 8 << 10, ..Buffers::default() }).unwrap();
        ip_batch((0..100).map(|n| format!("link add v{n} type veth peer name w{n}")));
        let stop = Arc::new(AtomicBool::new(false));
        let churn = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                while !stop.load(Ordering::Relaxed) {
                    ip_batch((0..20).flat_map(|_| {
                        ["link add x type veth peer name y".into(), "link del x".into()]
                    }));
                }
            }
        });
        let start = Instant::now();
        let mut refused = 0;
        while dumper.interrupted() < 10 && start.elapsed() < Duration::from_secs(30) {
            match dumper.snapshot().await {
                Ok(snapshot) => assert!(snapshot.links.len() >= 201, "{}", snapshot.links.len()),
                Err(SnapshotError::Interrupted { attempts, partial, .. }) => {
                    assert_eq!(attempts, 5);
                    assert!(!partial.links.is_empty());
                    refused += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
        stop.store(true, Ordering::Relaxed);
        churn.join().unwrap();
        assert!(dumper.interrupted() >= 10, "{} interrupted", dumper.interrupted());
        assert!(dumper.interrupted() >= refused * 5);
        assert_true(&dumper.snapshot().await.unwrap());
    });
}

// Broken if the rest of an unfinished dump were taken for the next one, or blocked it with EBUSY.
#[test]
fn a_dump_after_an_unfinished_one_is_whole() {
    in_netns(|| async {
        let mut dumper =
            Dumper::open_with(Buffers { read: 8 << 10, ..Buffers::default() }).unwrap();
        ip_batch((0..30).map(|n| format!("link add v{n} type veth peer name w{n}")));
        {
            // The first part is read, then the caller loses interest.
            let mut cancelled = pin!(dumper.snapshot());
            let first = poll_fn(|context| Poll::Ready(cancelled.as_mut().poll(context))).await;
            assert!(first.is_pending(), "one part is not all");
        }
        assert_true(&dumper.snapshot().await.unwrap());
        // The runtime's clock has a resolution of a millisecond, within which a dump may still succeed.
        dumper.limit = Duration::ZERO;
        let start = Instant::now();
        let mut late = dumper.snapshot().await;
        while late.is_ok() && start.elapsed() < Duration::from_secs(10) {
            late = dumper.snapshot().await;
        }
        let late = late.map(|snapshot| snapshot.links.len());
        assert!(matches!(late, Err(SnapshotError::TimedOut { .. })), "{late:?}");
        dumper.limit = LIMIT;
        assert_true(&dumper.snapshot().await.unwrap());
    });
}

// Broken if the socket were opened again in a namespace that the thread moved to, and showed other devices.
#[test]
fn a_dumper_stays_in_its_namespace() {
    in_netns(|| async {
        let mut dumper = Dumper::open().unwrap();
        ip("link add v0 type veth peer name w0");
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        assert_eq!(dumper.snapshot().await.unwrap().links.len(), 3);
        dumper.socket = None;
        let moved = dumper.snapshot().await;
        assert!(matches!(moved, Err(SnapshotError::OtherNamespace)), "{moved:?}");
    });
}

// Broken if a part that did not fit were decoded as far as it goes.
#[test]
fn a_truncated_part_is_an_error() {
    in_netns(|| async {
        let mut dumper = Dumper::open_with(Buffers { read: 128, ..Buffers::default() }).unwrap();
        let cut = dumper.snapshot().await;
        assert!(
            matches!(cut, Err(SnapshotError::Truncated { buffer: 128, length: 129.., .. })),
            "{cut:?}"
        );
    });
}

/// The index of a device.
fn index(name: &str) -> IfIndex {
    true_links().into_iter().find(|(_, other)| other == name).unwrap().0
}

fn mac(last: u8) -> Mac {
    Mac([2, 0, 0, 0, 0xaa, last])
}

// Broken if a MAC that vrrpd gave the device by SIOCADDMULTI stayed unseen, or another device's counted as its own.
#[test]
fn mac_lists_have_what_is_never_announced() {
    in_netns(|| async {
        let mut dumper = Dumper::open().unwrap();
        ip("link add swp1 type veth peer name h1");
        ip("link add br0 type bridge");
        let [swp1, h1, br0] = ["swp1", "h1", "br0"].map(index);
        assert_eq!(dumper.mac_list(swp1).await.unwrap(), BTreeSet::new());
        ip("link set swp1 up");
        ip("maddress add 02:00:00:00:aa:01 dev swp1");
        bridge("fdb add 02:00:00:00:aa:02 dev swp1 self");
        bridge("fdb add 02:00:00:00:aa:03 dev h1 self");
        bridge("fdb add 02:00:00:00:aa:04 dev br0 self local");
        ip("link add vmac link swp1 address 02:00:00:00:aa:05 type macvlan");
        assert_eq!(dumper.mac_list(swp1).await.unwrap(), [mac(1), mac(2)].into());
        ip("link set vmac up");
        let expected = BTreeSet::from([mac(1), mac(2), mac(5)]);
        assert_eq!(dumper.mac_list(swp1).await.unwrap(), expected);
        let snapshot = dumper.snapshot().await.unwrap();
        assert_eq!(snapshot.mac_lists[&swp1], expected);
        assert_eq!(snapshot.mac_lists[&h1], [mac(3)].into());
        assert!(snapshot.mac_lists[&br0].contains(&mac(4)));
        ip("maddress del 02:00:00:00:aa:01 dev swp1");
        ip("link set vmac down");
        assert_eq!(dumper.mac_list(swp1).await.unwrap(), [mac(2)].into());
        assert_eq!(dumper.mac_list(IfIndex(4711)).await.unwrap(), BTreeSet::new(), "no device");
        // An old kernel shows all devices instead.
        dumper.socket = Some(RouteSocket::open(Buffers::default()).unwrap());
        assert_eq!(dumper.mac_list(swp1).await.unwrap(), [mac(2)].into());
        assert_eq!(dumper.interrupted(), 0);
    });
}

// Broken if MACs that were never touched vanished from a list because others were removed between two parts of a dump,
// of which the kernel says nothing.
#[test]
fn mac_lists_are_whole_under_churn() {
    in_netns(|| async {
        let mut dumper =
            Dumper::open_with(Buffers { read: 8 << 10, ..Buffers::default() }).unwrap();
        ip("link add swp1 type veth peer name h1");
        let edit = |what: &str, n: u16| {
            format!("fdb {what} 02:00:00:00:{:02x}:{:02x} dev swp1 self", n >> 8, n & 0xff)
        };
        bridge_batch((0..1000).map(|n| edit("add", n)));
        let stop = Arc::new(AtomicBool::new(false));
        let churn = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                while !stop.load(Ordering::Relaxed) {
                    let n = 0..100;
                    bridge_batch(
                        n.clone().map(|n| edit("del", n)).chain(n.map(|n| edit("add", n))),
                    );
                }
            }
        });
        let start = Instant::now();
        while dumper.interrupted() < 20 && start.elapsed() < Duration::from_secs(30) {
            match dumper.mac_list(index("swp1")).await {
                Ok(list) => {
                    let kept = list.iter().filter(|mac| mac.0[4] > 0 || mac.0[5] >= 100);
                    assert_eq!(kept.count(), 900);
                }
                Err(SnapshotError::Interrupted { table: Table::MacLists, .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        stop.store(true, Ordering::Relaxed);
        churn.join().unwrap();
        assert!(dumper.interrupted() >= 20, "{} interrupted", dumper.interrupted());
        assert_eq!(dumper.mac_list(index("swp1")).await.unwrap().len(), 1000);
    });
}

// Broken if a kernel without VLANs on bridges, which refuses that dump, never got a whole snapshot.
#[test]
fn only_a_missing_table_may_be_refused() {
    let refused = |table, errno| SnapshotError::Refused {
        table,
        source: io::Error::from_raw_os_error(errno),
    };
    assert!(Table::Vlans.is_absent(&refused(Table::Vlans, libc::EOPNOTSUPP)));
    assert!(!Table::Vlans.is_absent(&refused(Table::Vlans, libc::EPERM)));
    assert!(!Table::Vlans.is_absent(&refused(Table::Vlans, libc::EINVAL)));
    assert!(!Table::Links.is_absent(&refused(Table::Links, libc::EOPNOTSUPP)));
}

// Broken if a snapshot missed a VLAN of a port or of the bridge, or showed what the bridge keeps for its ports only.
#[test]
fn a_snapshot_has_the_vlans_of_bridges() {
    in_netns(|| async {
        if !vlan_bridge() {
            return;
        }
        let mut dumper = Dumper::open().unwrap();
        bridge("vlan add vid 10-20 dev swp1");
        bridge("vlan add vid 15 pvid untagged dev swp1");
        bridge("vlan del vid 1 dev swp2");
        bridge("vlan add vid 30 dev br0 self");
        let shown = |range: VlanRange| {
            (range.ifindex, range.first, range.last, range.flags.pvid, range.flags.untagged)
        };
        let mut vlans: Vec<_> =
            dumper.snapshot().await.unwrap().vlans.into_iter().map(shown).collect();
        vlans.sort_unstable();
        let (br0, swp1) = (index("br0"), index("swp1"));
        let mut expected = [
            (br0, 1, 1, true, true),
            (br0, 30, 30, false, false),
            (swp1, 1, 1, false, true),
            (swp1, 10, 14, false, false),
            (swp1, 15, 15, true, true),
            (swp1, 16, 20, false, false),
        ];
        expected.sort_unstable();
        assert_eq!(vlans, expected);
    });
}
