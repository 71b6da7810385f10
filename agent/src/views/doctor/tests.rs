use std::collections::BTreeMap;

use super::*;
use crate::views::tests::switch;
use crate::views::{Device, Hardware, Netlink};

fn watch(watch: Power, reason: Option<&str>) -> Watch {
    let reason = reason.map(str::to_owned);
    Watch { watch, reason, advertisements: 0, dropped: 0, flags: BTreeMap::new() }
}

struct Sysctls(&'static [(&'static str, &'static str)], bool);

impl Surroundings for Sysctls {
    fn sysctl(&self, path: &str) -> Option<String> {
        let found = self.0.iter().find(|(name, _)| *name == path)?;
        Some(found.1.to_owned())
    }

    fn may_administer(&self) -> bool {
        self.1
    }
}

// Broken if a setting that breaks VRRP on macvlans went unnoticed, or a good one were blamed.
#[test]
fn surroundings() {
    let bench = switch();
    let status = Status {
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
    };
    let bad = |around: &Sysctls| {
        let checks = check(&bench.reconciler, &status, around);
        let bad = checks.into_iter().filter(|check| check.result != CheckResult::Ok);
        bad.map(|check| check.text).collect::<Vec<_>>()
    };
    let good = [
        ("net/ipv4/ip_forward", "1"),
        ("net/ipv4/conf/swp1/arp_ignore", "0"),
        ("net/ipv4/conf/all/arp_ignore", "1"),
        ("net/ipv4/conf/swp1/rp_filter", "2"),
    ];
    assert_eq!(bad(&Sysctls(Box::leak(Box::new(good)), true)), Vec::<String>::new());
    let mut deaf = status.clone();
    deaf.liveness = watch(Power::Off, Some("CAP_NET_RAW is missing"));
    deaf.liveness.flags.insert("orphan".into(), 2);
    let fine = Sysctls(Box::leak(Box::new(good)), true);
    let told = |status: &Status| {
        let checks = check(&bench.reconciler, status, &fine);
        let bad = checks.into_iter().filter(|check| check.result == CheckResult::Warning);
        bad.map(|check| check.text).collect::<Vec<_>>()
    };
    let silent = "Advertisements are not watched: CAP_NET_RAW is missing";
    assert_eq!(told(&deaf), [silent, "orphan 2"]);
    deaf.liveness = watch(Power::Off, None);
    assert_eq!(told(&deaf), Vec::<String>::new(), "as configured");
    let mut installed = status.clone();
    installed.device =
        Device { handle: None, connected: false, mode: Mode::Observe, ..installed.device };
    let nothing = "The agent only observes: there is nothing that it may write to";
    assert_eq!(told(&installed), ["No switch chip at /run/hwsim/hwsim.sock", nothing]);
    let poor = [
        ("net/ipv4/ip_forward", "0"),
        ("net/ipv4/conf/swp1/arp_ignore", "0"),
        ("net/ipv4/conf/vrrp5/rp_filter", "0"),
        ("net/ipv4/conf/all/rp_filter", "1"),
    ];
    assert_eq!(
        bad(&Sysctls(Box::leak(Box::new(poor)), false)),
        [
            "The agent lacks CAP_NET_ADMIN",
            "net.ipv4.ip_forward is 0",
            "swp1: arp_ignore is 0",
            "vrrp5: rp_filter is 1",
        ]
    );
}
