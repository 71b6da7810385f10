use std::collections::BTreeSet;

use firsthop_model::intent::State;
use firsthop_model::liveness as live;
use firsthop_model::topology::Event;
use firsthop_model::types::Family;
use firsthop_model::{IfIndex, Vrid};
use serde_json::{Value, json};

use super::*;
use crate::api::Filter;
use crate::views::tests::{Bench, switch};
use crate::views::{Devices, Scene, explain, vmacs};

// Broken if a watcher were told each advertisement, or not told a flag.
#[test]
fn scenes_have_flags_only() {
    let bench = switch();
    let flagged = |flags: Vec<Flag>| {
        let liveness = Liveness { flags, ..Liveness::default() };
        let flags = |ifindex| (ifindex == 10).then(|| liveness.clone());
        Scene::of(&bench.reconciler, &Devices::default()).with_flags(flags)
    };
    let (before, after) =
        (Scene::of(&bench.reconciler, &Devices::default()), flagged(vec![Flag::Orphan]));
    let changes = after.changes_since(&before);
    assert_eq!(changes.len(), 1);
    let row = changes[0].vmac.as_ref().unwrap();
    assert_eq!(json!(row)["liveness"], json!({"flags": ["orphan"]}));
    assert_eq!(before.changes_since(&after).len(), 1);
    assert_eq!(flagged(vec![Flag::Orphan]).changes_since(&after), []);
}

// Broken if a member were renamed, or an orphan's evidence or its former advertisements were missing.
#[test]
fn liveness_of_a_macvlan() {
    let mut bench = switch();
    let mut live = live::Liveness::new(false, Duration::ZERO);
    live.update(live::Facts::of(&bench.reconciler), Duration::ZERO);
    let said = |source: &str| {
        live::wire::Found::Advertisement(live::wire::Advertisement {
            mac: "00:00:5e:00:01:05".parse().unwrap(),
            source: source.parse().unwrap(),
            peer: None,
            family: Family::Ipv4,
            version: 3,
            vrid: Vrid::new(5).unwrap(),
            priority: 200,
            interval: Duration::from_secs(1),
            addresses: BTreeSet::from(["192.0.2.254".parse().unwrap()]),
            checksum: live::wire::Checksum::PseudoHeader,
        })
    };
    let now = Duration::from_secs(6);
    let of = |bench: &Bench, live: &live::Liveness, dev: &str| {
        let link = bench.reconciler.topology().link_by_name(dev).unwrap();
        json!(Liveness::of(live, link, now))
    };
    live.take(IfIndex(2), live::Direction::Sent, &said("192.0.2.1"), Duration::from_secs(1));
    assert_eq!(
        of(&bench, &live, "vrrp5"),
        json!({"own": {"source": "192.0.2.1", "mac": "00:00:5e:00:01:05", "version": 3,
                       "priority": 200, "interval_ms": 1000, "age_ms": 5000},
               "flags": ["orphan"],
               "evidence": ["orphan: nothing was sent here for 5 s, once every 1 s before; the MAC \
                             is in the chip"]})
    );
    assert_eq!(of(&bench, &live, "backup"), Value::Null);
    assert_eq!(of(&bench, &live, "swp1"), Value::Null);
    let flagged = json!(Liveness::of_interface(&live, IfIndex(2), now));
    assert_eq!(flagged["flags"], json!(["orphan"]));
    assert_eq!(flagged["evidence"].as_array().unwrap().len(), 2, "the other one never spoke");
    assert!(flagged["evidence"][0].as_str().unwrap().starts_with("VRID 5 (ipv4): orphan: "));
    assert_eq!(json!(Liveness::of_interface(&live, IfIndex(3), now)), Value::Null);
    // withdrawn: rightly not in the chip
    bench.reconciler.set_withdrawn(BTreeSet::from([IfIndex(10)]));
    bench.event(Event::LinkGone(IfIndex(99)));
    let row = &vmacs(&bench.reconciler, &Filter::default())[0];
    assert_eq!((row.state, row.reason.as_deref()), (State::Held, Some("backup_policy")));
    let link = bench.reconciler.topology().link_by_name("vrrp5").unwrap();
    let explained = explain(&bench.reconciler, link);
    assert_eq!(explained.reason.as_deref(), Some("backup_policy"));
}
