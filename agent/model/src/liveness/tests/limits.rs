//! What follows from a flag, what is kept at most, and whether it is told in time.

use proptest::prelude::*;

use super::*;

// Broken if an orphan stayed although the operator wants it withdrawn, one that was never heard were withdrawn, or it did not
// come back with its daemon.
#[test]
fn withdrawal() {
    let mut bench = Bench::withdrawing(facts(true, true));
    bench.until(ms(10_000));
    assert_eq!(bench.flags(), [Flag::Orphan]);
    assert_eq!(bench.live.withdrawn(), &BTreeSet::new(), "its interval is not known");
    bench.advertise(11_000, &[(Sent, &said(OURS))]);
    bench.until(ms(11_400));
    assert_eq!(bench.live.withdrawn(), &BTreeSet::from([MACVLAN]));
    bench.live.update(facts(false, true), bench.now);
    bench.until(ms(60_000));
    assert_eq!(bench.flags(), [Flag::Orphan], "still");
    bench.take(Sent, &said(OURS));
    assert_eq!(bench.live.withdrawn(), &BTreeSet::new(), "at once");
    assert_eq!(bench.flags(), []);
}

// Broken if a change of the macvlan did not bring it back, or brought it back for good although nobody advertises.
#[test]
fn a_change_releases() {
    let mut bench = Bench::withdrawing(facts(true, true));
    bench.advertise(1_000, &[(Sent, &said(OURS))]);
    bench.until(ms(2_000));
    assert_eq!(bench.live.withdrawn().len(), 1);
    bench.live.release(MACVLAN, bench.now);
    assert_eq!(bench.live.withdrawn().len(), 0);
    bench.until(ms(2_400));
    assert_eq!((bench.live.withdrawn().len(), bench.flags()), (0, vec![]));
    bench.until(ms(2_500));
    assert_eq!(bench.live.withdrawn().len(), 1);
    // no longer the operator's wish, or no longer there
    bench.live.set_withdraws(false, bench.now);
    assert_eq!(bench.live.withdrawn().len(), 0);
    bench.live.set_withdraws(true, bench.now);
    bench.until(ms(3_000));
    assert_eq!(bench.live.withdrawn().len(), 1);
    bench.live.update(Facts { vmacs: BTreeMap::new(), ..facts(true, true) }, bench.now);
    assert_eq!(bench.live.withdrawn().len(), 0);
}

// Broken if whoever sends to the group could fill the memory, or the oldest were kept.
#[test]
fn memory_is_bounded() {
    let mut bench = Bench::new(facts(false, false));
    for host in 1..=200 {
        bench.now += ms(1);
        bench.take(Received, &said(&format!("198.51.100.{host}")));
    }
    let heard = &bench.live.instance(ID).unwrap().heard;
    assert_eq!(heard.len(), HEARD);
    assert_eq!(heard.last().unwrap().source.to_string(), "198.51.100.200");
    for interface in 0..100 {
        for vrid in 1..=255 {
            let said = Advertisement { vrid: Vrid::try_from(vrid).unwrap(), ..said(THEIRS) };
            let found = Found::Advertisement(said);
            bench.live.take(IfIndex(100 + interface), Received, &found, bench.now);
        }
    }
    assert_eq!(bench.live.heard, HEARD_IN_ALL);
    bench.live.evaluate(bench.now + ms(700_000));
    assert_eq!(bench.live.heard, 0, "long ago");
    assert_eq!(bench.live.interfaces.len(), 0);
}

// Broken if people read another time than it was.
#[test]
fn times() {
    for (millis, text) in [
        (0, "0 s"),
        (100, "0.1 s"),
        (45, "0.045 s"),
        (1_000, "1 s"),
        (3_690, "3.6 s"),
        (14_900, "14 s"),
        (120_000, "2 min"),
    ] {
        assert_eq!(seconds(ms(millis)), text);
    }
}

proptest! {
    // Broken if a flag were computed late: what is told at the deadlines has to be what an answer at any time says.
    #[test]
    fn deadlines_are_early_enough(
        steps in proptest::collection::vec((0..6_u8, 1..400_u64, 0..4_u8), 1..60)
    ) {
        let mut bench = Bench::withdrawing(facts(false, false));
        for (what, pause, detail) in steps {
            let rival = Advertisement { priority: detail * 80, ..said(THEIRS) };
            match what {
                0 => bench.take(Sent, &said(OURS)),
                1 => bench.take(Sent, &Advertisement { interval: ms(250), ..said(OURS) }),
                2 => bench.take(Received, &rival),
                3 => bench.live.update(facts(detail & 1 != 0, detail & 2 != 0), bench.now),
                4 => bench.live.release(MACVLAN, bench.now),
                _ => {}
            }
            bench.until(bench.now + ms(pause));
            let prompt = |flag: &Flag| *flag <= Flag::VipMissing;
            let asked: BTreeSet<Flag> = bench.flags().into_iter().filter(prompt).collect();
            let told: BTreeSet<Flag> =
                bench.live.flags(ID).into_iter().filter(prompt).collect();
            // flags are computed at most every 20 ms
            if bench.live.deadline().is_none_or(|next| next > bench.now + PAUSE * 2) {
                prop_assert_eq!(asked, told);
            }
        }
    }
}
