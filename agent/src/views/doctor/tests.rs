use std::collections::BTreeMap;

use firsthop_model::topology::{Address, Event, ifa_flags};

use super::*;
use crate::views::tests::{macvlan, switch};
use crate::views::{Device, Hardware, Mode, Netlink, Power, Watch};

fn watch(watch: Power, reason: Option<&str>) -> Watch {
    let reason = reason.map(str::to_owned);
    Watch { watch, reason, advertisements: 0, dropped: 0, flags: BTreeMap::new() }
}

/// What a test pretends to see around the agent.
#[derive(Clone, Default)]
struct Pretended {
    files: BTreeMap<String, Result<String, ErrorKind>>,
    kinds: BTreeMap<&'static str, bool>,
    promiscuity: Option<BTreeMap<IfIndex, u32>>,
    hearing: Vec<Hearing>,
    netns: Option<String>,
}

impl Pretended {
    /// Nothing is wrong with it.
    fn fine() -> Self {
        let fine = Self {
            kinds: [("macvlan", true), ("ipvlan", true), ("vrf", true)].into(),
            promiscuity: Some(BTreeMap::new()),
            hearing: vec![Hearing {
                of: "devices",
                asked: 1000,
                granted: 2000,
                groups: vec!["LINK", "BRVLAN"],
                refused: None,
            }],
            ..Self::default()
        };
        fine.with("/proc/self/status", "Name:\tfirsthopd\nCapEff:\t0000000000003000")
            .with("/proc/net/dev", "")
            .lacks("/proc/net/netfilter", ErrorKind::IsADirectory)
            .lacks("/sys/fs/cgroup/system.slice", ErrorKind::IsADirectory)
            .sysctl("kernel/osrelease", "6.12.0")
            .sysctl("net/ipv4/ip_forward", "1")
            .sysctl("net/ipv4/conf/all/arp_ignore", "1")
            .device("swp1")
            .device("vrrp5")
            .device("vrrp6")
            .device("backup")
            .sysctl("net/ipv4/conf/swp1/rp_filter", "2")
    }

    fn with(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), Ok(text.to_owned()));
        self
    }

    fn lacks(mut self, path: &str, why: ErrorKind) -> Self {
        self.files.insert(path.to_owned(), Err(why));
        self
    }

    fn sysctl(self, path: &str, value: &str) -> Self {
        self.with(&format!("/proc/sys/{path}"), value)
    }

    fn device(self, dev: &str) -> Self {
        let set = |all: Self, name: &str, value| {
            all.sysctl(&format!("net/ipv4/conf/{dev}/{name}"), value)
        };
        let off = ["arp_ignore", "arp_filter", "rp_filter"];
        let all = off.into_iter().fold(self, |all, name| set(all, name, "0"));
        set(all, "promote_secondaries", "1")
    }
}

impl Surroundings for Pretended {
    fn file(&self, path: &str) -> Result<String, ErrorKind> {
        self.files.get(path).cloned().unwrap_or(Err(ErrorKind::NotFound))
    }

    fn has_kind(&self, kind: &str) -> Option<bool> {
        self.kinds.get(kind).copied()
    }

    fn promiscuity(&self) -> Option<BTreeMap<IfIndex, u32>> {
        self.promiscuity.clone()
    }

    fn hearing(&self) -> Vec<Hearing> {
        self.hearing.clone()
    }

    fn netns(&self) -> Option<String> {
        self.netns.clone()
    }
}

fn status() -> Status {
    Status {
        synced: true,
        stale: false,
        generation: 1,
        netlink: Netlink::default(),
        resyncs: BTreeMap::new(),
        audit: crate::views::Audit::default(),
        hw: Hardware::default(),
        rifs: BTreeMap::new(),
        vmacs: BTreeMap::new(),
        routes: BTreeMap::new(),
        neighbours: BTreeMap::new(),
        transit: "cpu".into(),
        liveness: watch(Power::On, None),
        device: Device {
            handle: Some("hwsim/0".into()),
            socket: Some("/run/hwsim/hwsim.sock".into()),
            connected: true,
            mode: Mode::Manage,
        },
        policers: Vec::new(),
    }
}

/// What is not as it should be, `?` before what is not known. Each says what to do, with a command.
fn told(around: &Pretended, status: &Status) -> Vec<String> {
    told_of(&switch().reconciler, around, status)
}

fn told_of(reconciler: &Reconciler, around: &Pretended, status: &Status) -> Vec<String> {
    let checks = check(reconciler, status, around);
    let bad = checks.into_iter().filter(|check| check.result != CheckResult::Ok);
    bad.map(|check| {
        let fix = check.fix.as_deref().unwrap_or_default();
        assert!(fix.matches('`').count() >= 2, "no command for {}: {fix}", check.text);
        let unknown = if check.result == CheckResult::Unknown { "? " } else { "" };
        format!("{unknown}{}", check.text)
    })
    .collect()
}

/// The fix of the only thing that is not as it should be.
fn fix(around: &Pretended) -> String {
    let checks = check(&switch().reconciler, &status(), around);
    let bad: Vec<_> = checks.into_iter().filter(|check| check.result != CheckResult::Ok).collect();
    assert_eq!(bad.len(), 1, "{bad:?}");
    bad[0].fix.clone().unwrap()
}

const FINE: [&str; 0] = [];

// Broken if a good surrounding were blamed, or an unwatched one were told though it is configured so.
#[test]
fn advertisements() {
    let fine = Pretended::fine();
    assert_eq!(told(&fine, &status()), FINE);
    let mut deaf = status();
    deaf.liveness = watch(Power::Off, Some("CAP_NET_RAW is missing"));
    deaf.liveness.flags.insert("orphan".into(), 2);
    let silent = "Advertisements are not watched: CAP_NET_RAW is missing";
    assert_eq!(told(&fine, &deaf), [silent, "orphan 2"]);
    deaf.liveness = watch(Power::Off, None);
    let poor = fine.with("/proc/self/status", "CapEff:\t0000000000001000");
    assert_eq!(told(&poor, &deaf), FINE, "as configured");
    assert_eq!(told(&poor, &status()), ["The agent lacks CAP_NET_RAW"]);
}

// Broken if a fresh installation, which has nothing to write to, were told to start otherwise.
#[test]
fn installed_and_without_a_chip() {
    let mut installed = status();
    installed.device.handle = None;
    installed.device.connected = false;
    installed.device.mode = Mode::Observe;
    let nothing = "The agent only observes: there is nothing that it may write to";
    assert_eq!(
        told(&Pretended::fine(), &installed),
        ["No switch chip at /run/hwsim/hwsim.sock", nothing]
    );
}

// Broken if a setting that breaks VRRP on macvlans went unnoticed, where `all` makes it so too, or its fix set something else.
#[test]
fn settings() {
    let fine = Pretended::fine;
    for (path, value, text, command) in [
        ("net/ipv4/ip_forward", "0", "net.ipv4.ip_forward is 0", "sysctl net.ipv4.ip_forward=1"),
        (
            "net/ipv4/conf/all/arp_ignore",
            "0",
            "swp1: arp_ignore is 0",
            "sysctl net.ipv4.conf.swp1.arp_ignore=1",
        ),
        (
            "net/ipv4/conf/vrrp5/arp_filter",
            "1",
            "vrrp5: arp_filter is 1",
            "sysctl net.ipv4.conf.all.arp_filter=0 net.ipv4.conf.vrrp5.arp_filter=0",
        ),
        (
            "net/ipv4/conf/vrrp5/rp_filter",
            "1",
            "vrrp5: rp_filter is 1",
            "sysctl net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.vrrp5.rp_filter=0",
        ),
        (
            "net/ipv4/conf/vrrp5/promote_secondaries",
            "0",
            "vrrp5: promote_secondaries is 0",
            "sysctl net.ipv4.conf.vrrp5.promote_secondaries=1",
        ),
    ] {
        let around = fine().sysctl(path, value);
        assert_eq!(told(&around, &status()), [text]);
        assert_eq!(fix(&around).split('`').nth(1), Some(command));
    }
    let strict = ["backup: rp_filter is 1", "vrrp5: rp_filter is 1", "vrrp6: rp_filter is 1"];
    let around = fine().sysctl("net/ipv4/conf/all/rp_filter", "1");
    assert_eq!(told(&around, &status()), strict, "the larger one counts");
    let mut around = fine();
    around.files.remove("/proc/sys/net/ipv4/conf/swp1/arp_ignore");
    assert_eq!(told(&around, &status()), ["? Not known: swp1"]);
    assert_eq!(settings::key("swp1.10", "arp_ignore"), "net/ipv4/conf/swp1.10/arp_ignore");
}

// Broken if a router interface whose virtual addresses go with its first one were not told, though no macvlan is on it.
#[test]
fn secondary_addresses() {
    let mut bench = switch();
    let around = Pretended::fine().device("swp2");
    let around = around.sysctl("net/ipv4/conf/swp2/promote_secondaries", "0");
    bench.address(3, "198.51.100.1", 24);
    assert_eq!(told_of(&bench.reconciler, &around, &status()), FINE);
    bench.event(Event::Address(Address {
        ifindex: IfIndex(3),
        ip: "198.51.100.2".parse().unwrap(),
        prefix_len: 24,
        peer: None,
        broadcast: None,
        flags: ifa_flags::SECONDARY | ifa_flags::PERMANENT,
        proto: None,
    }));
    let told = told_of(&bench.reconciler, &around, &status());
    assert_eq!(told, ["swp2: promote_secondaries is 0"]);
}

// Broken if a kind of device were said to be there, or missing, by a guess.
#[test]
fn kinds_of_devices() {
    let without = |known: &[(&'static str, bool)]| {
        let mut around = Pretended::fine();
        around.kinds = known.iter().copied().collect();
        around
    };
    let known = [("macvlan", true), ("ipvlan", true), ("vrf", false)];
    let missing = ["vrf: the kernel 6.12.0 has none"];
    let modules = "/lib/modules/6.12.0/modules.dep";
    let hidden =
        "? vrf: not known; it is not loaded, and /lib/modules/6.12.0/modules.dep can't be read";
    let around = without(&known);
    assert_eq!(told(&around, &status()), missing, "no modules");
    let around = around.with("/proc/modules", "");
    assert_eq!(told(&around, &status()), [hidden]);
    let sealed = around.clone().sysctl("kernel/modules_disabled", "1");
    assert_eq!(told(&sealed, &status()), missing);
    let hides = around.clone().lacks(modules, ErrorKind::PermissionDenied);
    assert_eq!(told(&hides, &status()), [hidden]);
    let has = around.clone().with(modules, "kernel/drivers/net/vrf.ko.xz: kernel/net/a.ko");
    assert_eq!(told(&has, &status()), FINE);
    let others = "kernel/net/vrfs.ko:\nkernel/net/b.ko: kernel/drivers/net/vrf.ko";
    assert_eq!(told(&around.clone().with(modules, others), &status()), missing);
    let mute = without(&[("macvlan", true), ("ipvlan", true)]);
    assert_eq!(told(&mute, &status()), [hidden], "the kernel did not say");
    let mut around = Pretended::fine();
    around.files.remove("/proc/net/netfilter");
    let no_l3s = "ipvlan: the kernel has it; no mode l3s: there is no netfilter";
    assert_eq!(told(&around, &status()), [no_l3s]);
    around.files.remove("/proc/net/dev");
    let dark = "? ipvlan: the kernel has it; mode l3s: not known, /proc/net can't be read";
    assert_eq!(told(&around, &status()), [dark]);
}

// Broken if a queue that is smaller than it should be, or a group that the kernel does not have, were not told.
#[test]
fn event_sockets() {
    let mut around = Pretended::fine().sysctl("net/core/rmem_max", "212992");
    around.hearing[0].granted = 1999;
    let small = "devices: room for 1999 octets, 2000 were asked for; net.core.rmem_max is 212992";
    assert_eq!(told(&around, &status()), [small]);
    assert!(fix(&around).starts_with("`sysctl net.core.rmem_max=1000 &&"));
    let mut around = Pretended::fine();
    around.hearing[0].groups = vec!["LINK"];
    around.hearing[0].refused = Some("BRVLAN (VLANs of bridges): Invalid argument".to_owned());
    let deaf = "devices: LINK; refused: BRVLAN (VLANs of bridges): Invalid argument";
    assert_eq!(told(&around, &status()), [deaf]);
}

// Broken if a NIC that shows the CPU every frame were not told, or a port of a chip were, which shows it what it is told to.
#[test]
fn promiscuous_devices() {
    let mut around = Pretended::fine();
    around.promiscuity = Some([(IfIndex(2), 1)].into());
    assert_eq!(told(&around, &status()), FINE, "a port of the chip");
    let mut bench = switch();
    let mut nic = bench.reconciler.topology().link(IfIndex(2)).unwrap().clone();
    nic.altnames.clear();
    bench.link(nic);
    let told = |around: &Pretended| told_of(&bench.reconciler, around, &status());
    assert_eq!(told(&around), ["swp1: promiscuous (1); devices on it: 3"]);
    around.promiscuity = Some(BTreeMap::new());
    assert_eq!(told(&around), FINE);
    around.promiscuity = None;
    let mute = "? Not known: the kernel did not say which devices receive every frame";
    assert_eq!(told(&around), [mute]);
}

// Broken if a network manager that configures a virtual router's macvlan went unnoticed, one that does not run were blamed, or
// one of another namespace.
#[test]
fn network_managers() {
    let bench = switch();
    let vrrp5 = bench.reconciler.topology().link_by_name("vrrp5").unwrap().ifindex;
    let slice = "/sys/fs/cgroup/system.slice";
    let networkd = format!("/run/systemd/netif/links/{vrrp5}");
    let manager = format!("/run/NetworkManager/devices/{vrrp5}");
    let stopped = Pretended::fine()
        .with(&networkd, "ADMIN_STATE=configured\nOPER_STATE=routable")
        .with(&manager, "[device]\nmanaged=true\nnm-owned=false");
    assert_eq!(told(&stopped, &status()), FINE, "neither runs");
    let is_there = |around: Pretended, service| {
        around.lacks(&format!("{slice}/{service}.service"), ErrorKind::IsADirectory)
    };
    let running = is_there(stopped.clone(), "systemd-networkd");
    assert_eq!(told(&running, &status()), ["It configures vrrp5"]);
    let both = is_there(running, "NetworkManager");
    assert_eq!(told(&both, &status()), ["It configures vrrp5", "It configures vrrp5"]);
    let left = both
        .clone()
        .with(&networkd, "ADMIN_STATE=unmanaged\nOPER_STATE=routable")
        .with(&manager, "[device]\nmanaged=false");
    assert_eq!(told(&left, &status()), FINE);
    let young =
        left.with(&networkd, "ADMIN_STATE=pending").lacks(&manager, ErrorKind::PermissionDenied);
    let unknown = |directory: &str| format!("? Not known of vrrp5: see {directory}");
    let unknown = [unknown("/run/systemd/netif/links"), unknown("/run/NetworkManager/devices")];
    assert_eq!(told(&young, &status()), unknown);
    let mut elsewhere = both;
    elsewhere.netns = Some("r1".to_owned());
    assert_eq!(told(&elsewhere, &status()), FINE);
    let mut unseen = stopped;
    unseen.files.remove(slice);
    let perhaps = "It configures vrrp5, if it runs: that is not known";
    assert_eq!(told(&unseen, &status()), [perhaps, perhaps]);
}

// Broken if a line grew with the number of devices.
#[test]
fn lines_are_short() {
    let mut bench = switch();
    let mut around = Pretended::fine();
    for n in 0..9_u32 {
        let name = format!("more{n}");
        around = around.device(&name);
        bench.link(macvlan(100 + n, &name, 2, &format!("00:00:5e:00:01:{:02x}", 100 + n)));
    }
    let checks = check(&bench.reconciler, &status(), &around);
    let line = checks.iter().find(|check| check.name == "arp_filter").unwrap();
    assert_eq!(line.text, "As it should be: backup, more0, more1, more2 and 8 more");
}

// Broken if a policer that is wrong were told without a command that shows it, or mends it.
#[test]
fn policers() {
    for reason in [
        "unreadable",
        "no_trap",
        "policer_shared",
        "no_policer",
        "policer_too_small",
        "drift",
        "new",
    ] {
        let mut status = status();
        status.policers.push(crate::views::VrrpPolicer {
            device: "pci/0000:03:00.0".into(),
            policer: None,
            rate: None,
            burst: None,
            need: firsthop_model::policer::Need { routers: 1, rate: 1, burst: 1 },
            dropped: None,
            drifts: 0,
            reasons: vec![reason.to_owned()],
            refusal: None,
        });
        let told = told(&Pretended::fine(), &status);
        assert_eq!(told.len(), 1);
        assert!(told[0].contains(reason), "{told:?}");
    }
}
