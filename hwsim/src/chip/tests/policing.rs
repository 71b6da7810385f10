//! What policers let through to the CPU, and which counters say so.

use emad::register::Htgt;

use super::frames::vrrp;
use super::lab::Lab;
use crate::chip::traps::id;
use crate::chip::{LocalPort, Nanos};

// Would break: the numbers by which operators size a VRRP policer (burst + rate x time) do not hold.
#[test]
fn five_seconds_at_five_thousand_pass_six_thousand_one_hundred_and_forty_four() {
    let mut lab = Lab::router();
    lab.policer(13, 1024, 10);
    lab.trap(id::IPV4_VRRP, 20, 5);
    lab.write(Htgt::new(20, Some(13), 5, 5));
    let advert = vrrp("10.0.1.2", "224.0.0.18");
    let mut out = Vec::new();
    for n in 0..25_000_u64 {
        lab.chip.receive(Nanos(n * 200_000), LocalPort(1), &advert, &mut out);
    }
    let passed = out.len() as u64;
    assert!((6_144 * 98 / 100..=6_144 * 102 / 100).contains(&passed), "{passed}");
    let counters = lab.chip.counters();
    let vrrp = counters.traps["ipv4_vrrp"];
    assert_eq!((vrrp.packets, vrrp.policed), (passed, 25_000 - passed));
    assert_eq!(vrrp.bytes, passed * advert.len() as u64);
    assert_eq!(counters.policers[&13].dropped, 25_000 - passed);
    assert_eq!(lab.chip.dump().policers[0].dropped, 25_000 - passed);
}

// Would break: one class starves another because they share what should be separate, or the reverse.
#[test]
fn groups_share_a_policer_only_when_they_name_the_same() {
    let mut lab = Lab::router();
    lab.policer(1, 1, 4);
    lab.policer(2, 1, 4);
    for (trap, group, policer) in
        [(id::IPV4_VRRP, 20, 1), (id::IPV6_VRRP, 21, 1), (id::IPV6_ALL_NODES, 22, 2)]
    {
        lab.trap(trap, group, 5);
        lab.write(Htgt::new(group, Some(policer), 5, 5));
    }
    let v4 = vrrp("10.0.1.2", "224.0.0.18");
    let v6 = vrrp("fe80::1", "ff02::12");
    let passed =
        |lab: &mut Lab, frame: &[u8]| (0..16).filter(|_| lab.trapped(1, frame).is_some()).count();
    assert_eq!(passed(&mut lab, &v4), 16);
    assert_eq!(passed(&mut lab, &v6), 0, "the same bucket");
    let all_nodes = super::frames::to_group("fe80::1", "ff02::1", 17, &[0; 8]);
    assert_eq!(passed(&mut lab, &all_nodes), 16, "its own bucket");
    // without a policer everything passes
    lab.write(Htgt::new(21, None, 5, 5));
    assert_eq!(passed(&mut lab, &v6), 16);
    assert_eq!(lab.chip.counters().traps["ipv6_vrrp"].policed, 16);
}

// Would break: asking `hwsim trace` about a frame takes tokens from real ones.
#[test]
fn a_trace_sees_the_policer_and_takes_no_token() {
    let mut lab = Lab::router();
    lab.policer(1, 1, 4);
    lab.trap(id::IPV4_VRRP, 20, 5);
    lab.write(Htgt::new(20, Some(1), 5, 5));
    let advert = vrrp("10.0.1.2", "224.0.0.18");
    for _ in 0..100 {
        assert_eq!(lab.chip.trace(lab.now, LocalPort(1), &advert).verdict.outcome, "cpu");
    }
    for _ in 0..16 {
        assert!(lab.trapped(1, &advert).is_some());
    }
    let verdict = lab.chip.trace(lab.now, LocalPort(1), &advert).verdict;
    assert_eq!(verdict.outcome, "policed");
    assert!(verdict.punt.unwrap().policed);
}
