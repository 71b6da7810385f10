use firsthop_model::driver::{Occupancy, Readings};
use firsthop_model::topology::{DevlinkPort, LinkKind, TagProtocol};
use serde_json::{Value, json};

use super::*;
use crate::views::tests::{Bench, link, macvlan, switch};
use crate::views::{Scene, count_states};

const HANDLE: &str = "pci/0000:03:00.0";

/// The documentation's switch, and beside it sw1 of another device with an address, an active router and one held down by FRR.
pub(crate) fn bench() -> Bench {
    let mut bench = switch();
    let devlink = DevlinkPort { device: HANDLE.to_owned(), index: 7 };
    let port = link(50, "sw1", "02:00:5e:20:00:01", LinkKind::None);
    bench.link(Link { devlink: Some(devlink), ..port });
    bench.address(50, "198.51.100.1", 24);
    bench.link(macvlan(51, "v8", 50, "00:00:5e:00:01:08"));
    bench.address(51, "198.51.100.254", 32);
    let down = macvlan(52, "v9", 50, "00:00:5e:00:01:09");
    bench.link(Link { proto_down: true, ..down });
    bench.address(52, "198.51.100.253", 32);
    let devlink = DevlinkPort { device: HANDLE.to_owned(), index: 8 };
    let port = link(60, "sw2", "02:00:5e:20:00:02", LinkKind::None);
    bench.link(Link { devlink: Some(devlink), ..port });
    bench
}

pub(crate) fn facts(driver: &str, readings: Readings) -> BTreeMap<String, DeviceFacts> {
    [(HANDLE.to_owned(), DeviceFacts { driver: driver.to_owned(), readings })].into()
}

fn devices(bench: &Bench, driver: &str) -> Devices {
    Devices::of(&bench.reconciler, &facts(driver, Readings::default()))
}

/// What is told of sw1 as a router interface, v8 and v9: state, reason, evidence.
fn told(bench: &Bench, devices: &Devices) -> Value {
    let all = Filter::default();
    let rif = json!(devices.rifs(&bench.reconciler, &all).into_iter().find(|r| r.ifindex == 50));
    let vmacs = devices.vmacs(&bench.reconciler, &all);
    let vmacs = vmacs.into_iter().filter(|vmac| vmac.ifindex > 50).map(|vmac| json!(vmac));
    let rows = [rif].into_iter().chain(vmacs);
    rows.map(|row| json!([row["state"], row["reason"], row["evidence"]])).collect()
}

// Broken if a row said something else than the driver of its port makes true, or a row of the simulated chip changed.
#[test]
fn rows_by_driver() {
    let bench = bench();
    let not = |reason| json!(["not_offloaded", reason, null]);
    let none = json!([not("lower_not_asic"), not("lower_not_asic"), not("lower_not_asic")]);
    let computed = |state: &str, reason: Option<&str>| json!([state, reason, "computed"]);
    let has = computed("offload", None);
    let without = |reason| computed("not_offloaded", Some(reason));
    let neither = json!([
        without("rif_unsupported"),
        without("vmac_unsupported"),
        without("vmac_unsupported")
    ]);
    for (driver, expected) in [
        ("mlxsw_spectrum2", json!([has, has, has])),
        ("Prestera DX", json!([has, without("vmac_unsupported"), without("vmac_unsupported")])),
        ("mv88e6085", neither.clone()),
        ("netdevsim", neither),
        ("mlx5_core", none.clone()),
    ] {
        let devices = devices(&bench, driver);
        assert_eq!(told(&bench, &devices), expected, "{driver}");
        let own = |rows: Vec<Rif>| rows.into_iter().find(|row| row.ifindex == 2);
        let all = Filter::default();
        assert_eq!(
            own(devices.rifs(&bench.reconciler, &all)),
            own(object::rifs(&bench.reconciler, &all))
        );
        assert_eq!(
            devices.vmacs(&bench.reconciler, &all)[..3],
            object::vmacs(&bench.reconciler, &all)[..3]
        );
    }
    assert_eq!(told(&bench, &Devices::default()), none);
}

// Broken if a driver's word were put in the place of what the simulated chip has acknowledged: ports of both are in one bridge.
#[test]
fn the_simulated_chip_goes_first() {
    let mut bench = bench();
    let kind = LinkKind::Bridge {
        vlan_filtering: false,
        protocol: TagProtocol::DOT1Q,
        ageing_time: 30_000,
        default_pvid: 1,
    };
    bench.link(link(30, "br0", "02:00:5e:30:00:01", kind));
    for ifindex in [3, 60] {
        let member = bench.reconciler.topology().link(IfIndex(ifindex)).unwrap().clone();
        bench.link(Link { master: Some(IfIndex(30)), ..member });
    }
    bench.address(30, "203.0.113.1", 24);
    let br0 = Filter { dev: Some("br0".into()), ..Filter::default() };
    let own = object::rifs(&bench.reconciler, &br0);
    assert_eq!((own.len(), own[0].rif.is_some()), (1, true));
    assert_eq!(devices(&bench, "mlxsw_spectrum2").rifs(&bench.reconciler, &br0), own);
    assert_eq!(devices(&bench, "mscc_felix").rifs(&bench.reconciler, &br0), own);
}

// Broken if a row lost what is known of it, or showed numbers that nobody read.
#[test]
fn members_of_a_row() {
    let bench = bench();
    let row = |readings| {
        let devices = Devices::of(&bench.reconciler, &facts("mlxsw_spectrum", readings));
        let sw1 = Filter { dev: Some("sw1".into()), ..Filter::default() };
        let v8 = Filter { dev: Some("v8".into()), ..Filter::default() };
        let rifs = json!(devices.rifs(&bench.reconciler, &sw1));
        (rifs, json!(devices.vmacs(&bench.reconciler, &v8)))
    };
    let mut rif = json!([{
        "ifname": "sw1", "ifindex": 50, "type": "subport", "mac": "02:00:5e:20:00:01",
        "vrf": "default", "mtu": 1500, "state": "offload", "evidence": "computed",
    }]);
    let mut vmac = json!([{
        "ifname": "v8", "ifindex": 51, "lower": "sw1", "mac": "00:00:5e:00:01:08",
        "protocol": "vrrp", "family": "ipv4", "vrid": 8, "role": "active", "policy": "active",
        "fast_path": false, "state": "offload", "evidence": "computed",
    }]);
    assert_eq!(row(Readings::default()), (rif.clone(), vmac.clone()));
    rif[0]["rif"] = json!(3);
    rif[0]["evidence"] = json!("read");
    vmac[0]["rif"] = json!(3);
    let erifs = Some(BTreeMap::from([(IfIndex(50), 3)]));
    assert_eq!(row(Readings { erifs, ..Readings::default() }), (rif, vmac));
}

// Broken if a backup seemed to be active because the driver routes for it.
#[test]
fn role_of_a_backup() {
    let bench = bench();
    let rows = devices(&bench, "mlxsw_spectrum").vmacs(&bench.reconciler, &Filter::default());
    let roles: Vec<_> = rows.iter().skip(3).map(|row| (row.role, row.state)).collect();
    let (active, backup) = (object::Role::Active, object::Role::Backup);
    assert_eq!(roles, [(active, State::Offload), (backup, State::Offload)]);
}

// Broken if ports of a switch with a driver were missing, or those of a NIC were listed.
#[test]
fn ports_of_devices() {
    let bench = bench();
    let names = |driver| {
        let rows = devices(&bench, driver).ports(&bench.reconciler, &Filter::default());
        let row = |row: Port| (row.ifname, row.device, row.local_port);
        rows.into_iter().map(row).skip(2).collect::<Vec<_>>()
    };
    let row = |name: &str, number| (name.to_owned(), HANDLE.to_owned(), number);
    let both = [row("sw1", 7), row("sw2", 8)];
    assert_eq!(names("mlxsw_spectrum2"), both);
    assert_eq!(names("netdevsim"), both);
    assert_eq!(names("ice"), []);
}

fn explained(bench: &Bench, devices: &Devices, dev: &str) -> Explanation {
    devices.explain(&bench.reconciler, bench.reconciler.topology().link_by_name(dev).unwrap())
}

// Broken if an explanation did not name the device and its driver, or kept its hazards to itself.
#[test]
fn explanations() {
    let bench = bench();
    let spectrum = devices(&bench, "mlxsw_spectrum2");
    let v9 = explained(&bench, &spectrum, "v9");
    assert_eq!((v9.state, v9.reason.as_deref()), (State::Offload, None));
    assert_eq!(
        (v9.device.as_deref(), v9.driver.as_deref()),
        (Some(HANDLE), Some("mlxsw_spectrum2"))
    );
    assert_eq!(v9.evidence, Some(Evidence::Computed));
    assert_eq!(v9.place.as_deref(), Some("mlxsw_spectrum2 has it, by its rules"));
    let codes: Vec<&str> = v9.hazards.iter().map(|hazard| hazard.code.as_str()).collect();
    assert_eq!(codes, ["backup_attracts", "second_vrid_slot"]);
    assert!(v9.hazards[0].fix.contains("ip addr flush dev v9"), "{}", v9.hazards[0].fix);
    let sw1 = explained(&bench, &spectrum, "sw1");
    assert_eq!((sw1.what, sw1.state), (format!("port 7 of {HANDLE}"), State::Offload));

    // a port without an address is a port all the same, but no row
    let sw2 = explained(&bench, &spectrum, "sw2");
    assert_eq!((sw2.state, sw2.reason.as_deref()), (State::Held, Some("no_address")));
    let sw2 = Filter { dev: Some("sw2".into()), ..Filter::default() };
    assert_eq!(spectrum.rifs(&bench.reconciler, &sw2), []);

    let bridging = explained(&bench, &devices(&bench, "mscc_felix"), "v8");
    assert_eq!(bridging.reason.as_deref(), Some("vmac_unsupported"));
    let decisive: Vec<_> = bridging.conditions.iter().filter(|c| c.decides).collect();
    assert_eq!(decisive.len(), 1);

    // nobody knows the driver, or it is no switch's: as without
    for devices in [Devices::default(), devices(&bench, "ice")] {
        let told = explained(&bench, &devices, "v8");
        assert_eq!(told.reason.as_deref(), Some("lower_not_asic"));
        assert_eq!((told.device.as_deref(), told.evidence), (Some(HANDLE), None));
        assert_eq!(explained(&bench, &devices, "sw1").what, "network device");
    }
    assert_eq!(explained(&bench, &spectrum, "vrrp5").device, None);
}

// Broken if a device had no line, a hazard no warning, or one that only may be were a warning.
#[test]
fn lines_of_doctor() {
    let mut bench = bench();
    bench.link(macvlan(53, "v10", 50, "00:00:5e:00:01:0a"));
    let rif_mac_profiles = Some(Occupancy { size: 4, occ: 4 });
    let facts = facts("mlxsw_spectrum2", Readings { rif_mac_profiles, ..Readings::default() });
    let checks = Devices::of(&bench.reconciler, &facts).checks(&bench.reconciler);
    let told: Vec<_> = checks.iter().map(|check| (check.result, check.text.as_str())).collect();
    assert_eq!(
        told,
        [
            (
                CheckResult::Ok,
                "mlxsw_spectrum2 pci/0000:03:00.0: routes by itself; audited, never written"
            ),
            (
                CheckResult::Warning,
                "second_vrid_slot at pci/0000:03:00.0 (computed): VRIDs 8, 9 are on sw1"
            ),
            (
                CheckResult::Warning,
                "backup_attracts at pci/0000:03:00.0 (computed): v9 has 1 address, but it is a \
                 backup: protodown"
            ),
            (
                CheckResult::Warning,
                "table_near_full at pci/0000:03:00.0 (read): rif_mac_profiles: 4 of 4 are taken"
            ),
        ]
    );
    assert_eq!(Devices::default().checks(&bench.reconciler), []);
    assert_eq!(devices(&bench, "ice").checks(&bench.reconciler).len(), 1);
}

// Broken if `monitor` told other rows than `rif` and `vmac` do.
#[test]
fn scenes_have_the_same_rows() {
    let bench = bench();
    let devices = devices(&bench, "mlxsw_spectrum2");
    let changes = Scene::of(&bench.reconciler, &devices)
        .changes_since(&Scene::of(&bench.reconciler, &Devices::default()));
    let states = changes.iter().map(|change| {
        let rif = change.rif.as_ref().map(|rif| rif.state);
        rif.or(change.vmac.as_ref().map(|vmac| vmac.state)).unwrap()
    });
    assert_eq!(count_states(states), BTreeMap::from([("offload".to_owned(), 3)]));
}

// Broken if a kind of hazard were not in the hardware notes.
#[test]
fn hazards_are_documented() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/hardware.md");
    let page = std::fs::read_to_string(path).unwrap();
    for kind in HazardKind::ALL {
        assert!(page.contains(&format!("| `{}` |", kind.code())), "{}", kind.code());
    }
}
