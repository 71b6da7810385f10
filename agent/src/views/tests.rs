use std::time::Duration;

use firsthop_model::chip::{Change, Key, Tables};
use firsthop_model::intent::{ChipIdentity, Policy, State};
use firsthop_model::plan::Limits;
use firsthop_model::reconcile::Reconciler;
use firsthop_model::retry::{Failure, FailureClass};
use firsthop_model::topology::{Address, Event, Link, LinkKind, MacvlanMode, OperState, Slave};
use firsthop_model::{IfIndex, Mac};
use serde_json::{Value, json};

use super::*;
use crate::api::Filter;

/// A switch with two ports, in memory; every change is acknowledged unless `refuses` says why not.
pub(crate) struct Bench {
    pub(crate) reconciler: Reconciler,
    refuses: Refuses,
}

/// Why the chip does not take a change.
type Refuses = fn(&Change) -> Option<Failure>;

impl Bench {
    pub(crate) fn new() -> Self {
        Self::refusing(|_| None)
    }

    pub(crate) fn refusing(refuses: Refuses) -> Self {
        Self::with(refuses, 8)
    }

    fn with(refuses: Refuses, rifs: u16) -> Self {
        let chip = ChipIdentity::Simulated { chip_id: "0".into(), ports: 2 };
        let limits = Limits {
            rifs,
            virtual_routers: 2,
            mac_profiles: 4,
            mac_profile_bits: 36,
            lags: 4,
            adjacencies: 8,
            ecmp_size: 4,
        };
        let mut reconciler = Reconciler::new(Policy::default(), chip, limits);
        reconciler.adopt(Tables::new());
        let mut bench = Self { reconciler, refuses };
        bench.link(port(2, "swp1", 1));
        bench.link(port(3, "swp2", 2));
        bench
    }

    pub(crate) fn link(&mut self, link: Link) {
        self.event(Event::Link(Box::new(link)));
    }

    pub(crate) fn address(&mut self, ifindex: u32, ip: &str, prefix_len: u8) {
        let ip = ip.parse().unwrap();
        let ifindex = IfIndex(ifindex);
        self.event(Event::Address(Address {
            ifindex,
            ip,
            prefix_len,
            peer: None,
            broadcast: None,
            flags: 0x80,
            proto: Some(0),
        }));
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.reconciler.fold(event);
        self.settle();
    }

    /// Until nothing is to be written any more.
    pub(crate) fn settle(&mut self) {
        self.reconciler.recompute();
        loop {
            let ready = self.reconciler.ready(Duration::ZERO);
            if ready.is_empty() {
                return;
            }
            for (ticket, change) in ready {
                let result = (self.refuses)(&change).map_or(Ok(()), Err);
                self.reconciler.complete(ticket, &result, Duration::ZERO);
            }
        }
    }
}

pub(crate) fn link(ifindex: u32, ifname: &str, mac: &str, kind: LinkKind) -> Link {
    Link {
        ifindex: IfIndex(ifindex),
        ifname: ifname.into(),
        altnames: Vec::new(),
        mac: Some(mac.parse().unwrap()),
        mtu: 1500,
        flags: 1,
        operstate: OperState::Up,
        carrier: true,
        proto_down: false,
        link: None,
        link_netnsid: None,
        master: None,
        kind,
        slave: Slave::None,
        perm_mac: None,
        devlink: None,
    }
}

fn port(ifindex: u32, ifname: &str, number: u16) -> Link {
    let tun = LinkKind::Other { name: "tun".into() };
    let mut port = link(ifindex, ifname, &format!("02:00:5e:10:00:{number:02x}"), tun);
    port.altnames = vec![format!("hwsim-0-p{number}")];
    port
}

pub(crate) fn macvlan(ifindex: u32, ifname: &str, lower: u32, mac: &str) -> Link {
    let kind = LinkKind::Macvlan { mode: MacvlanMode::Private };
    Link { link: Some(IfIndex(lower)), ..link(ifindex, ifname, mac, kind) }
}

/// The switch of the documentation: two virtual routers and a backup on swp1.
pub(crate) fn switch() -> Bench {
    let mut bench = Bench::new();
    bench.address(2, "192.0.2.1", 24);
    bench.link(macvlan(10, "vrrp5", 2, "00:00:5e:00:01:05"));
    bench.address(10, "192.0.2.254", 32);
    bench.link(macvlan(11, "vrrp6", 2, "00:00:5e:00:01:06"));
    bench.address(11, "192.0.2.253", 32);
    bench.link(macvlan(12, "backup", 2, "00:00:5e:00:01:07"));
    bench
}

fn all<T: serde::Serialize>(rows: &[T]) -> Value {
    json!(rows)
}

// Broken if a member of `rif` were renamed, or zero stood for what is not there.
#[test]
fn rif_rows() {
    let mut bench = switch();
    bench.link(link(1, "lo", "00:00:00:00:00:00", LinkKind::None));
    bench.address(1, "127.0.0.1", 8);
    let expected = json!([
        {"ifname": "lo", "ifindex": 1, "mac": "00:00:00:00:00:00", "vrf": "default",
         "state": "not_offloaded", "reason": "lower_not_asic"},
        {"ifname": "swp1", "ifindex": 2, "rif": 0, "type": "subport", "mac": "02:00:5e:10:00:01",
         "vrf": "default", "vr": 0, "fid": 5120, "mtu": 1500, "state": "offload"},
    ]);
    assert_eq!(all(&rifs(&bench.reconciler, &Filter::default())), expected);
    let swp1 = Filter { dev: Some("hwsim-0-p1".into()), ..Filter::default() };
    assert_eq!(all(&rifs(&bench.reconciler, &swp1)), json!([expected[1]]));
}

// Broken if a member of `vmac` were renamed, or the slot's holder, a role or a reason were wrong.
#[test]
fn vmac_rows() {
    let bench = switch();
    let common = |ifname: &str, ifindex: u32, vrid: u8| {
        json!({
            "ifname": ifname, "ifindex": ifindex, "lower": "swp1",
            "mac": format!("00:00:5e:00:01:{vrid:02x}"), "protocol": "vrrp", "family": "ipv4",
            "vrid": vrid, "role": "active", "policy": "active", "rif": 0, "fid": 5120,
            "fast_path": false, "state": "offload",
        })
    };
    let (mut five, mut six, mut backup) =
        (common("vrrp5", 10, 5), common("vrrp6", 11, 6), common("backup", 12, 7));
    five["fast_path"] = json!(true);
    six["reason"] = json!("vrid_conflict");
    let members = backup.as_object_mut().unwrap();
    members.remove("rif");
    members.remove("fid");
    members.insert("role".into(), json!("backup"));
    members.insert("state".into(), json!("held"));
    members.insert("reason".into(), json!("no_address"));
    let expected = json!([five, six, backup]);
    assert_eq!(all(&vmacs(&bench.reconciler, &Filter::default())), expected);
    let names = |filter: Filter| {
        let rows = vmacs(&bench.reconciler, &filter);
        rows.into_iter().map(|row| row.ifname).collect::<Vec<_>>()
    };
    assert_eq!(names(Filter { vrid: Some(6), ..Filter::default() }), ["vrrp6"]);
    assert_eq!(names(Filter { lower: Some("swp1".into()), ..Filter::default() }).len(), 3);
    assert_eq!(names(Filter { lower: Some("swp2".into()), ..Filter::default() }).len(), 0);
    assert_eq!(names(Filter { dev: Some("backup".into()), ..Filter::default() }), ["backup"]);
}

// Broken if a member of `port` or `trap` were renamed, or an action were told that the chip did not acknowledge.
#[test]
fn ports_and_traps() {
    let bench = switch();
    let found = all(&ports(&bench.reconciler, bench.reconciler.chip(), &Filter::default()));
    let first = json!({"ifname": "swp1", "ifindex": 2, "device": "hwsim/0", "local_port": 1,
                       "mac": "02:00:5e:10:00:01", "carrier": true});
    assert_eq!((&found[0], found.as_array().unwrap().len()), (&first, 2));

    let rx = Counters { packets: Some(6144), bytes: Some(368_640), dropped: Some(18_856) };
    let mut device = chip_traps(&bench.reconciler);
    assert_eq!(device.handle, "hwsim/0");
    count(&mut device, &[("ipv4_vrrp".to_owned(), rx)].into(), &[(11, 18_856)].into());
    let vrrp = |device: &TrapDevice| {
        let trap = device.traps.iter().find(|trap| trap.name == "ipv4_vrrp");
        let group = device.groups.iter().find(|group| group.name == "vrrp");
        json!([trap, group, device.policers.iter().find(|policer| policer.policer == 11)])
    };
    let of = json!(["ipv4_vrrp", "ipv6_vrrp"]);
    assert_eq!(
        vrrp(&device),
        json!([
            {"name": "ipv4_vrrp", "type": "control", "generic": true, "group": "vrrp",
             "policer": 11, "action": "trap", "metadata": ["input_port"],
             "stats": {"rx": {"packets": 6144, "bytes": 368_640, "dropped": 18_856}}},
            {"name": "vrrp", "generic": true, "policer": 11, "traps": of,
             "stats": {"rx": {"packets": 6144, "bytes": 368_640}}},
            {"policer": 11, "rate": 1024, "burst": 1024, "groups": ["vrrp"], "traps": of,
             "stats": {"rx": {"dropped": 18_856}}},
        ])
    );
    let chip = ChipIdentity::default();
    let empty = Reconciler::new(Policy::default(), chip, *bench.reconciler.limits());
    let empty = chip_traps(&empty);
    assert_eq!(
        vrrp(&empty)[0],
        json!({"name": "ipv4_vrrp", "type": "control", "generic": true, "group": "vrrp",
               "policer": 11, "metadata": ["input_port"]})
    );
    assert_eq!(empty.policers, []);
}

// Broken if occupancy were that of another table.
#[test]
fn resource_rows() {
    let bench = switch();
    assert_eq!(
        all(&resources(&bench.reconciler, Sizes { fdb: Some(100), ..Sizes::default() })),
        json!([
            {"name": "fdb", "size": 100, "occ": 3},
            {"name": "rif_mac_profiles", "size": 4, "occ": 1},
            {"name": "rifs", "size": 8, "occ": 1},
            {"name": "virtual_routers", "size": 2, "occ": 1},
        ])
    );
}

fn told(bench: &Bench, dev: &str) -> Explanation {
    explain(&bench.reconciler, bench.reconciler.topology().link_by_name(dev).unwrap())
}

// Broken if a device had no verdict, the wrong condition were blamed, or the advice named another device.
#[test]
fn explanations() {
    let mut bench = switch();
    let five = told(&bench, "vrrp5");
    assert_eq!((five.state, five.reason.as_deref()), (State::Offload, None));
    assert!(five.place.unwrap().contains("holds the VRRP fast-path slot"));
    assert!(told(&bench, "vrrp6").place.unwrap().contains("VRID 5 holds the fast-path slot"));
    let backup = told(&bench, "backup");
    assert_eq!((backup.state, backup.reason.as_deref()), (State::Held, Some("no_address")));
    assert!(backup.fix.unwrap().contains("ip addr add ADDR dev backup"));
    let decisive: Vec<_> = backup.conditions.iter().filter(|c| c.decides).collect();
    assert_eq!(decisive.len(), 1);
    assert_eq!(decisive[0].reason.as_deref(), Some("no_address"));
    // A port without an address, and a device of an unknown kind, have no unit.
    let swp2 = told(&bench, "swp2");
    assert_eq!((swp2.what.as_str(), swp2.state), ("port 2 of hwsim/0", State::Held));
    let wg = LinkKind::Other { name: "wireguard".into() };
    bench.link(link(20, "wg0", "02:00:00:00:00:20", wg));
    let wg = told(&bench, "wg0");
    assert_eq!((wg.what.as_str(), wg.reason.as_deref()), ("wireguard", Some("lower_not_asic")));
    // A macvlan whose lower is not in this namespace speaks for itself.
    let mut foreign = macvlan(21, "mv", 99, "02:00:00:00:00:21");
    foreign.link_netnsid = Some(0);
    bench.link(foreign);
    let foreign = told(&bench, "mv");
    assert_eq!(
        (foreign.object.as_str(), foreign.reason.as_deref()),
        ("vmac", Some("foreign_netns"))
    );
}

// Broken if `diff` found differences where there are none, or hid what the chip refused.
#[test]
fn differences_are_what_is_not_in_the_chip() {
    assert_eq!(differences(&switch().reconciler), []);
    let refuses = |change: &Change| match change.key() {
        Key::RouterMac(_, Mac([0, 0, 0x5e, 0, 1, 5])) => {
            Some(Failure { class: FailureClass::Rejected, text: "status 0x07".to_owned() })
        }
        _ => None,
    };
    let mut bench = Bench::with(refuses, 8);
    bench.address(2, "192.0.2.1", 24);
    bench.link(macvlan(10, "vrrp5", 2, "00:00:5e:00:01:05"));
    bench.address(10, "192.0.2.254", 32);
    assert_eq!(
        all(&differences(&bench.reconciler)),
        json!([{"object": "vmac swp1 00:00:5e:00:01:05", "ifname": "swp1", "change": "add",
                "kernel": "vrrp5 up", "intended": "router", "reason": "hw_error"}])
    );
    let failed = told(&bench, "vrrp5");
    assert_eq!((failed.state, failed.chip.as_deref()), (State::Failed, Some("status 0x07")));
    assert!(should_be_in_chip(failed.state));
}

// Broken if a row of which nobody knows what it holds were shown as in order, or without its name.
#[test]
fn rows_in_doubt_have_names() {
    let mut bench = switch();
    let mac = Mac([0, 0, 0x5e, 0, 1, 5]);
    let tables = bench.reconciler.applied().tables();
    let key = tables.keys().find(|key| matches!(key, Key::RouterMac(_, of) if *of == mac));
    let key = key.expect("it is in the chip").clone();
    bench.reconciler.doubt(&key);
    let object = "vmac swp1 00:00:5e:00:01:05";
    assert_eq!(unknown_rows(&bench.reconciler), [object]);
    assert_eq!(
        all(&differences(&bench.reconciler)),
        json!([{"object": object, "ifname": "swp1", "intended": "router", "hardware": "unknown"}])
    );
}

// Broken if an interface for which the chip has no room were no difference, because no write would help.
#[test]
fn a_full_table_is_a_difference() {
    let mut bench = Bench::with(|_| None, 1);
    bench.address(2, "192.0.2.1", 24);
    bench.address(3, "198.51.100.1", 24);
    assert_eq!(
        all(&differences(&bench.reconciler)),
        json!([{"object": "rif swp2", "ifname": "swp2", "kernel": "up",
                "intended": "router interface", "reason": "rif_table_full"}])
    );
}

// Broken if a watcher missed a change, or was told of something that did not change.
#[test]
fn scenes() {
    let (mut bench, none) = (Bench::new(), Devices::default());
    let empty = Scene::of(&bench.reconciler, &none);
    bench.address(2, "192.0.2.1", 24);
    let with_rif = Scene::of(&bench.reconciler, &none);
    let told = |changes: Vec<Change_>| {
        let one = |change: Change_| (change.object, change.event, change.rif.map(|rif| rif.state));
        changes.into_iter().map(one).collect::<Vec<_>>()
    };
    let offload = Some(State::Offload);
    let rif = |event, state| ("rif".to_owned(), event, state);
    assert_eq!(told(with_rif.changes_since(&empty)), [rif(Happening::New, offload)]);
    assert_eq!(told(with_rif.changes_since(&with_rif.clone())), []);
    let mut faster = port(2, "swp1", 1);
    faster.mtu = 9000;
    bench.link(faster);
    let edited = Scene::of(&bench.reconciler, &none);
    assert_eq!(told(edited.changes_since(&with_rif)), [rif(Happening::Change, offload)]);
    assert_eq!(told(empty.changes_since(&edited)), [rif(Happening::Gone, offload)]);
    // A watcher who takes the changes one by one ends with the same scene.
    let mut watched = switch();
    watched.event(Event::LinkGone(IfIndex(12)));
    let scene = |bench: &Bench| Scene::of(&bench.reconciler, &none);
    let (before, after) = (scene(&switch()), scene(&watched));
    for (from, to) in [(&empty, &before), (&before, &after), (&after, &empty)] {
        let mut seen = from.clone();
        for change in to.changes_since(from) {
            seen.apply(change);
        }
        assert_eq!(seen, *to);
    }
}

type Change_ = super::Change;
