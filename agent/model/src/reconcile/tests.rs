use std::time::Duration;

use super::*;
use crate::chip::{Fid, Rif, RifIndex};
use crate::intent::{Reason, State};
use crate::retry::FailureClass;
use crate::testbed::{SWP1, SWP2, address, link_event, macvlan, port, reconciler};
use crate::topology::{Address, Event, Link};
use crate::{Mac, Vrid};

mod forwarding;
mod linux_bridges;
mod places;
mod silence;

const ZERO: Duration = Duration::ZERO;

fn mac(text: &str) -> Mac {
    text.parse().unwrap()
}

fn vmac(vrid: u8) -> String {
    format!("00:00:5e:00:01:{vrid:02x}")
}

/// A chip that acknowledges everything but what `refuse` names; returns the changes in the order of submission.
fn drive(
    reconciler: &mut Reconciler,
    now: Duration,
    mut refuse: impl FnMut(&Change) -> Option<FailureClass>,
) -> Vec<Change> {
    let mut made = Vec::new();
    for _ in 0..1000 {
        reconciler.recompute();
        let submitted = reconciler.ready(now);
        if submitted.is_empty() {
            return made;
        }
        for (ticket, change) in submitted {
            let result = match refuse(&change) {
                Some(class) => Err(Failure { class, text: "refused by the test".into() }),
                None => Ok(()),
            };
            if result.is_ok() {
                made.push(change);
            }
            reconciler.complete(ticket, &result, now);
        }
    }
    panic!("no end of changes");
}

fn settle(reconciler: &mut Reconciler) -> Vec<Change> {
    drive(reconciler, ZERO, |_| None)
}

fn fold(reconciler: &mut Reconciler, events: impl IntoIterator<Item = Event>) {
    events.into_iter().for_each(|event| reconciler.fold(event));
}

fn addr(ifindex: u32, text: &str) -> Event {
    Event::Address(address(ifindex, text))
}

/// swp1 with 192.0.2.1/24, in the chip.
fn router() -> Reconciler {
    let mut reconciler = reconciler();
    fold(&mut reconciler, [link_event(port(1)), addr(SWP1, "192.0.2.1/24")]);
    settle(&mut reconciler);
    reconciler
}

fn rif(reconciler: &Reconciler) -> Rif {
    reconciler.applied_rif(IfIndex(SWP1)).unwrap().clone()
}

fn routes_mac(reconciler: &Reconciler, text: &str) -> bool {
    let fid = Fid::of_subport(rif(reconciler).rif);
    reconciler.applied().get(&Key::RouterMac(fid, mac(text))).is_some()
}

fn slot(reconciler: &Reconciler) -> Option<u8> {
    rif(reconciler).vrrp_ipv4.map(Vrid::get)
}

// Broken if an address did not lead to a router interface with its record, or a settled state wrote again.
#[test]
fn an_address_makes_a_router_interface() {
    let mut reconciler = router();
    assert_eq!((rif(&reconciler).mtu, rif(&reconciler).mac), (1500, mac("02:00:00:00:00:01")));
    assert!(routes_mac(&reconciler, "02:00:00:00:00:01"));
    assert!(reconciler.is_synced() && reconciler.differences().is_empty());
    assert_eq!(reconciler.rif_standing(IfIndex(SWP1)).unwrap().state, State::Offload);
    fold(&mut reconciler, [link_event(port(1)), addr(SWP1, "192.0.2.1/24")]);
    assert_eq!(settle(&mut reconciler), []);
}

// Broken if the slot did not stay with the lowest VRID, or a record went with another's.
#[test]
fn the_slot_goes_to_the_lowest_and_is_promoted() {
    let mut r = router();
    fold(&mut r, [link_event(macvlan(21, SWP1, &vmac(5))), addr(21, "192.0.2.254/24")]);
    settle(&mut r);
    assert_eq!((routes_mac(&r, &vmac(5)), slot(&r)), (true, Some(5)));
    fold(&mut r, [link_event(macvlan(22, SWP1, &vmac(6))), addr(22, "192.0.2.253/24")]);
    settle(&mut r);
    assert_eq!((routes_mac(&r, &vmac(6)), slot(&r)), (true, Some(5)));
    let standing = r.vmac_standing(r.topology().link(IfIndex(22)).unwrap(), &Default::default());
    assert_eq!((standing.state, standing.reason), (State::Offload, Some(Reason::VridConflict)));
    fold(&mut r, [Event::LinkGone(IfIndex(21))]);
    let changes = settle(&mut r);
    assert_eq!((routes_mac(&r, &vmac(5)), slot(&r)), (false, Some(6)));
    let at = |wanted: fn(&Change) -> bool| changes.iter().position(wanted).unwrap();
    let cleared = at(|change| matches!(change, Change::Edit { to: Entry::Rif(_), .. }));
    let removed = at(|change| matches!(change, Change::Remove(Entry::RouterMac { .. })));
    assert!(cleared < removed, "the slot is cleared no later than the record");
}

// Broken if a MAC edit left a moment without a router-MAC record, or changed the index.
#[test]
fn mac_and_mtu_are_edited_in_place() {
    let mut r = router();
    let before = rif(&r).rif;
    let moved = Link { mac: Some(mac("02:00:00:00:0f:01")), mtu: 9000, ..port(1) };
    fold(&mut r, [link_event(moved)]);
    let changes = settle(&mut r);
    assert_eq!(rif(&r).rif, before);
    assert_eq!((rif(&r).mtu, rif(&r).mac), (9000, mac("02:00:00:00:0f:01")));
    let kinds: Vec<&str> = changes
        .iter()
        .map(|change| match change {
            Change::Add(Entry::RouterMac { .. }) => "add mac",
            Change::Edit { to: Entry::Rif(_), .. } => "edit rif",
            Change::Remove(Entry::RouterMac { .. }) => "remove mac",
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["add mac", "edit rif", "remove mac"]);
}

// Broken if a record went with the first of two owners, or stayed after the last.
#[test]
fn two_owners_of_one_mac() {
    let mut r = router();
    for ifindex in [21, 22] {
        let ip = format!("192.0.2.{ifindex}/32");
        fold(&mut r, [link_event(macvlan(ifindex, SWP1, &vmac(5))), addr(ifindex, &ip)]);
    }
    settle(&mut r);
    fold(&mut r, [Event::LinkGone(IfIndex(21))]);
    settle(&mut r);
    assert_eq!((routes_mac(&r, &vmac(5)), slot(&r)), (true, Some(5)));
    fold(&mut r, [Event::LinkGone(IfIndex(22))]);
    settle(&mut r);
    assert_eq!((routes_mac(&r, &vmac(5)), slot(&r)), (false, None));
}

// Broken if the last address left anything behind, or a later interface could not use the index again.
#[test]
fn nothing_stays_behind() {
    let mut r = router();
    fold(&mut r, [link_event(macvlan(21, SWP1, &vmac(5))), addr(21, "192.0.2.254/24")]);
    settle(&mut r);
    let gone: Address = address(SWP1, "192.0.2.1/24");
    fold(&mut r, [Event::AddressGone(gone)]);
    let changes = settle(&mut r);
    let last = changes.iter().rev().find(|c| matches!(c.key(), Key::Rif(_) | Key::RouterMac(..)));
    assert!(matches!(last, Some(Change::Remove(Entry::Rif(_)))), "the anchor goes last");
    let left: Vec<_> = r
        .applied()
        .tables()
        .keys()
        .filter(|key| {
            matches!(
                key,
                Key::Rif(_) | Key::Fid(_) | Key::RouterMac(..) | Key::Route(..) | Key::VrTree(..)
            )
        })
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(r.allocation().occupancy(), (0, 0, 0));
    fold(&mut r, [link_event(port(2)), addr(SWP2, "198.51.100.1/24")]);
    settle(&mut r);
    assert_eq!(r.applied_rif(IfIndex(SWP2)).unwrap().rif, RifIndex(0));
}

// Broken if a restart wrote anything although nothing changed, or more than the difference.
#[test]
fn a_restart_writes_the_difference() {
    let mut old = router();
    fold(&mut old, [link_event(macvlan(21, SWP1, &vmac(5))), addr(21, "192.0.2.254/24")]);
    settle(&mut old);
    let chip = old.applied().tables().clone();
    let restart = |events: &[Event]| {
        let mut fresh = reconciler();
        let state = [
            link_event(port(1)),
            addr(SWP1, "192.0.2.1/24"),
            link_event(macvlan(21, SWP1, &vmac(5))),
            addr(21, "192.0.2.254/24"),
        ];
        fold(&mut fresh, state.into_iter().chain(events.iter().cloned()));
        fresh.recompute();
        let scan = |key: &Key| matches!(key, Key::Rif(_) | Key::RouterMac(..));
        let scanned = chip.clone().into_iter().filter(|(key, _)| scan(key)).collect();
        for key in fresh.adopt(scanned) {
            fresh.settle(&key, chip.get(&key).cloned());
        }
        for key in fresh.claim() {
            fresh.settle(&key, chip.get(&key).cloned());
        }
        settle(&mut fresh)
    };
    assert_eq!(restart(&[]), []);
    let fid = Fid::of_subport(rif(&old).rif);
    let added = Entry::RouterMac { fid, mac: mac(&vmac(9)) };
    let changes = restart(&[link_event(macvlan(22, SWP1, &vmac(9))), addr(22, "192.0.2.254/24")]);
    assert_eq!(changes, [Change::Add(added)]);
    let changes = restart(&[Event::LinkGone(IfIndex(21))]);
    assert!(changes.contains(&Change::Remove(Entry::RouterMac { fid, mac: mac(&vmac(5)) })));
}

// Broken if rows that nothing intends survived a start.
#[test]
fn leftovers_are_swept() {
    let old = router();
    let mut fresh = reconciler();
    fold(&mut fresh, [link_event(port(1))]);
    fresh.recompute();
    fresh.adopt(old.applied().tables().clone());
    settle(&mut fresh);
    assert_eq!(fresh.applied().rifs().count(), 0);
    assert!(
        fresh
            .applied()
            .tables()
            .keys()
            .all(|key| !matches!(key, Key::RouterMac(..) | Key::Route(..)))
    );
}

// Broken if a failed plan left half of it in the chip, was given up, or was hammered.
#[test]
fn a_failed_plan_is_taken_back_and_retried() {
    let mut r = reconciler();
    fold(&mut r, [link_event(port(1)), addr(SWP1, "192.0.2.1/24")]);
    drive(&mut r, ZERO, |change| {
        matches!(change, Change::Add(Entry::PortVidFid { .. })).then_some(FailureClass::Rejected)
    });
    assert!(!r.applied().tables().keys().any(|key| matches!(key, Key::Rif(_) | Key::Fid(_))));
    let standing = r.rif_standing(IfIndex(SWP1)).unwrap();
    assert_eq!((standing.state, standing.reason), (State::Failed, Some(Reason::HwError)));
    assert!(r.is_synced(), "a failed object does not block");
    let at = r.deadline().unwrap();
    assert!(settle(&mut r).is_empty(), "not before its time");
    assert!(!drive(&mut r, at, |_| None).is_empty());
    assert_eq!(r.rif_standing(IfIndex(SWP1)).unwrap().state, State::Offload);
    assert_eq!(r.deadline(), None);
}

// Broken if a full forwarding database cost an incumbent its record, or a newcomer were forgotten.
#[test]
fn a_full_table_refuses_newcomers_until_a_row_is_freed() {
    let mut r = router();
    fold(&mut r, [link_event(macvlan(21, SWP1, &vmac(5))), addr(21, "192.0.2.254/24")]);
    settle(&mut r);
    fold(&mut r, [link_event(macvlan(22, SWP1, &vmac(6))), addr(22, "192.0.2.253/24")]);
    let full = |change: &Change| {
        matches!(change, Change::Add(Entry::RouterMac { .. })).then_some(FailureClass::Capacity)
    };
    drive(&mut r, ZERO, full);
    assert!(routes_mac(&r, &vmac(5)) && !routes_mac(&r, &vmac(6)));
    let standing = r.vmac_standing(r.topology().link(IfIndex(22)).unwrap(), &Default::default());
    assert_eq!((standing.state, standing.reason), (State::Refused, Some(Reason::FdbFull)));
    let last_resort = Some(Duration::from_secs(60));
    assert_eq!(
        r.deadline(),
        last_resort,
        "capacity waits for a freed row, a timer is the last resort"
    );
    assert!(r.is_synced() && !r.differences().is_empty());
    fold(&mut r, [Event::LinkGone(IfIndex(21))]);
    settle(&mut r);
    assert!(routes_mac(&r, &vmac(6)));
    assert!(r.differences().is_empty());
}

// Broken if the interface beyond the table's size got in, or did not follow when one left.
#[test]
fn a_full_rif_table() {
    let mut r = reconciler();
    r.limits.rifs = 1;
    for (n, ifindex) in [(1, SWP1), (2, SWP2)] {
        fold(&mut r, [link_event(port(n)), addr(ifindex, &format!("198.51.{n}.1/24"))]);
        settle(&mut r);
    }
    let standing = r.rif_standing(IfIndex(SWP2)).unwrap();
    assert_eq!((standing.state, standing.reason), (State::Refused, Some(Reason::RifTableFull)));
    fold(&mut r, [Event::LinkGone(IfIndex(SWP1))]);
    settle(&mut r);
    assert_eq!(r.rif_standing(IfIndex(SWP2)).unwrap().state, State::Offload);
}

// Broken if a MAC that fits no profile cost the interface the MAC it has.
#[test]
fn a_mac_without_a_profile_keeps_the_old_one() {
    let mut r = router();
    r.limits.mac_profiles = 1;
    fold(&mut r, [link_event(port(2)), addr(SWP2, "198.51.100.1/24")]);
    settle(&mut r);
    fold(&mut r, [link_event(Link { mac: Some(mac("0a:00:00:00:00:01")), ..port(1) })]);
    settle(&mut r);
    let standing = r.rif_standing(IfIndex(SWP1)).unwrap();
    assert_eq!(
        (standing.state, standing.reason),
        (State::Refused, Some(Reason::RifMacProfilesFull))
    );
    assert_eq!(rif(&r).mac, mac("02:00:00:00:00:01"));
    assert!(routes_mac(&r, "02:00:00:00:00:01") && !routes_mac(&r, "0a:00:00:00:00:01"));
    fold(&mut r, [Event::LinkGone(IfIndex(SWP2))]);
    settle(&mut r);
    assert_eq!(
        rif(&r).mac,
        mac("0a:00:00:00:00:01"),
        "its own profile is edited once nobody shares it"
    );
}

// Broken if a route that two interfaces want went with the first.
#[test]
fn shared_rows_go_with_the_last() {
    let mut r = router();
    fold(&mut r, [link_event(port(2)), addr(SWP2, "192.0.2.1/24")]);
    settle(&mut r);
    let routes = |r: &Reconciler| {
        r.applied().tables().keys().filter(|key| matches!(key, Key::Route(..))).count()
    };
    let both = routes(&r);
    fold(&mut r, [Event::LinkGone(IfIndex(SWP1))]);
    settle(&mut r);
    assert_eq!(routes(&r), both);
    fold(&mut r, [Event::LinkGone(IfIndex(SWP2))]);
    settle(&mut r);
    assert_eq!(routes(&r), 0);
}

// Broken if a write of unknown outcome were booked either way, or not read back.
#[test]
fn an_unknown_outcome_is_a_state_of_its_own() {
    let mut r = router();
    fold(&mut r, [link_event(macvlan(21, SWP1, &vmac(5))), addr(21, "192.0.2.254/24")]);
    drive(&mut r, ZERO, |change| {
        matches!(change, Change::Add(Entry::RouterMac { .. })).then_some(FailureClass::Unknown)
    });
    assert!(r.needs_read_back());
    assert!(!routes_mac(&r, &vmac(5)));
    let tables = r.applied().tables().clone();
    r.adopt(tables);
    settle(&mut r);
    assert!(routes_mac(&r, &vmac(5)) && !r.needs_read_back());
}

// Broken if a chip that fails each write, without saying whether it was made, were written to without a pause.
#[test]
fn a_write_that_was_not_made_waits_before_it_is_made_again() {
    let mut r = router();
    fold(&mut r, [link_event(macvlan(21, SWP1, &vmac(5))), addr(21, "192.0.2.254/24")]);
    let mut now = ZERO;
    let mut pauses = Vec::new();
    for _ in 0..4 {
        drive(&mut r, now, |change| {
            matches!(change, Change::Add(Entry::RouterMac { .. })).then_some(FailureClass::Unknown)
        });
        let unknown: Vec<Key> = r.applied().unknown().cloned().collect();
        assert_eq!(unknown.len(), 1);
        r.settle(&unknown[0], None);
        assert_eq!(r.ready(now), [], "too early");
        let next = r.deadline().unwrap();
        pauses.push(next - now);
        now = next;
    }
    assert!(pauses.is_sorted() && pauses[0] > Duration::from_millis(50), "{pauses:?}");
    drive(&mut r, now, |_| None);
    assert!(routes_mac(&r, &vmac(5)));
}

// Broken if a withdrawn MAC were called held while the chip still routes for it.
#[test]
fn a_withdrawn_mac_is_pending_until_the_chip_agrees() {
    let mut r = router();
    fold(&mut r, [link_event(macvlan(21, SWP1, &vmac(5))), addr(21, "192.0.2.254/24")]);
    settle(&mut r);
    fold(&mut r, [Event::AddressGone(address(21, "192.0.2.254/24"))]);
    r.recompute();
    let standing = |r: &Reconciler| {
        let verdict = r.unit(IfIndex(SWP1)).unwrap().vmacs[&IfIndex(21)].clone();
        r.vmac_standing(r.topology().link(IfIndex(21)).unwrap(), &verdict).state
    };
    assert_eq!(standing(&r), State::Pending);
    let submitted = r.ready(ZERO);
    assert_eq!(standing(&r), State::Pending);
    submitted.into_iter().for_each(|(ticket, _)| r.complete(ticket, &Ok(()), ZERO));
    settle(&mut r);
    assert_eq!(standing(&r), State::Held);
}

// Broken if an interface were built on a virtual router without lookup trees, or not built once that has healed.
#[test]
fn an_interface_waits_for_its_virtual_router() {
    let mut r = reconciler();
    fold(&mut r, [link_event(port(1)), addr(SWP1, "192.0.2.1/24")]);
    drive(&mut r, ZERO, |change| {
        matches!(change, Change::Add(Entry::VrTree { .. })).then_some(FailureClass::Transient)
    });
    assert_eq!(r.applied().rifs().count(), 0);
    assert_eq!(r.rif_standing(IfIndex(SWP1)).unwrap().reason, Some(Reason::HwError));
    let at = r.deadline().unwrap();
    drive(&mut r, at, |_| None);
    assert_eq!(r.rif_standing(IfIndex(SWP1)).unwrap().state, State::Offload);
}

// Broken if an interface were called offloaded although the chip does not deliver one of its addresses.
#[test]
fn a_refused_destination_shows() {
    let mut r = reconciler();
    fold(&mut r, [link_event(port(1)), addr(SWP1, "192.0.2.1/24")]);
    let own = "192.0.2.1/32".parse().unwrap();
    drive(&mut r, ZERO, |change| {
        let refused = matches!(change, Change::Add(Entry::Route { prefix, .. }) if *prefix == own);
        refused.then_some(FailureClass::Rejected)
    });
    let standing = r.rif_standing(IfIndex(SWP1)).unwrap();
    assert_eq!((standing.state, standing.reason), (State::Failed, Some(Reason::HwError)));
}

// Broken if a take-down that failed half way brought back what was withdrawn.
#[test]
fn a_take_down_is_never_taken_back() {
    let mut r = router();
    fold(&mut r, [Event::AddressGone(address(SWP1, "192.0.2.1/24"))]);
    let made = drive(&mut r, ZERO, |change| {
        matches!(change, Change::Remove(Entry::FidRif { .. })).then_some(FailureClass::Transient)
    });
    assert!(made.iter().all(|change| !matches!(change, Change::Add(_))), "{made:?}");
    let at = r.deadline().unwrap();
    drive(&mut r, at, |_| None);
    assert_eq!(r.applied().rifs().count(), 0);
}
