mod limits;

use super::wire::Checksum;
use super::*;

const SWP1: IfIndex = IfIndex(11);
const SWP2: IfIndex = IfIndex(12);
/// In another VRF, where the same addresses mean others.
const ELSEWHERE: IfIndex = IfIndex(13);
const MACVLAN: IfIndex = IfIndex(21);
const ID: VirtualRouter = VirtualRouter { interface: SWP1, family: Family::Ipv4, vrid: VRID };
const VRID: Vrid = match Vrid::new(5) {
    Some(vrid) => vrid,
    None => panic!(),
};
const OURS: &str = "192.0.2.1";
const THEIRS: &str = "192.0.2.2";

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Priority 100, every 100 ms.
fn said(source: &str) -> Advertisement {
    Advertisement {
        mac: ID.mac(),
        source: source.parse().unwrap(),
        peer: None,
        family: Family::Ipv4,
        version: 3,
        vrid: VRID,
        priority: 100,
        interval: ms(100),
        addresses: BTreeSet::from(["192.0.2.254".parse().unwrap()]),
        checksum: Checksum::PseudoHeader,
    }
}

fn facts(programmed: bool, addressed: bool) -> Facts {
    let vmac = Vmac { ifindex: MACVLAN, policy: VmacPolicy::Active, programmed, addressed };
    Facts {
        interfaces: BTreeMap::from([(SWP1, 254), (SWP2, 254), (ELSEWHERE, 10)]),
        vmacs: BTreeMap::from([((SWP1, ID.mac()), vmac)]),
        addresses: BTreeSet::from([(Scope::Table(254), OURS.parse().unwrap())]),
        policer: (1024, 1024),
    }
}

/// A switch with one macvlan, and a clock.
struct Bench {
    live: Liveness,
    now: Duration,
    told: Vec<(Flag, bool)>,
}

impl Bench {
    fn new(facts: Facts) -> Self {
        let mut live = Liveness::new(false, Duration::ZERO);
        live.update(facts, Duration::ZERO);
        Self { live, now: Duration::ZERO, told: Vec::new() }
    }

    fn withdrawing(facts: Facts) -> Self {
        let mut bench = Self::new(facts);
        bench.live.set_withdraws(true, Duration::ZERO);
        bench
    }

    /// Lets time pass, and evaluates at each deadline as the daemon does.
    fn until(&mut self, at: Duration) {
        while let Some(next) = self.live.deadline().filter(|next| *next <= at) {
            self.now = self.now.max(next);
            for turn in self.live.evaluate(self.now) {
                self.told.push((turn.flag, turn.evidence.is_some()));
            }
            assert!(self.live.deadline().is_none_or(|later| later > self.now), "{:?}", self.now);
        }
        self.now = at;
    }

    fn take(&mut self, way: Direction, said: &Advertisement) {
        let found = Found::Advertisement(said.clone());
        self.live.take(SWP1, way, &found, self.now);
    }

    /// Both advertise each 100 ms until then.
    fn advertise(&mut self, until: u64, all: &[(Direction, &Advertisement)]) {
        while self.now < ms(until) {
            for (way, said) in all {
                self.take(*way, said);
            }
            self.until(self.now + ms(100));
        }
    }

    fn flags(&self) -> Vec<Flag> {
        let asked: Vec<Flag> = self.live.ask(ID, self.now).iter().map(|f| f.flag).collect();
        asked
    }

    fn evidence(&self) -> String {
        self.live.ask(ID, self.now).into_iter().map(|f| f.evidence).collect()
    }
}

use Direction::{Received, Sent};

// Broken if an active router that does its work were blamed for anything.
#[test]
fn an_active_router() {
    let mut bench = Bench::new(facts(true, true));
    bench.advertise(5_000, &[(Sent, &said(OURS))]);
    assert_eq!((bench.flags(), bench.told), (vec![], vec![]));
    let own = bench.live.instance(ID).unwrap().own.as_ref().unwrap();
    assert_eq!((own.since, own.last), (ms(0), ms(4_900)));
}

// Broken if a backup were blamed for the active router's advertisements.
#[test]
fn a_backup() {
    let mut bench = Bench::new(facts(false, false));
    bench.advertise(5_000, &[(Received, &said(THEIRS))]);
    assert_eq!((bench.flags(), bench.told), (vec![], vec![]));
    assert_eq!(bench.live.instance(ID).unwrap().heard.len(), 1);
}

// Broken if a second active router went unnoticed, a handover of three intervals were taken for one, or the one with the lower
// priority, which is about to give in, were.
#[test]
fn two_actives() {
    for (priority, expected) in [(99, false), (100, true), (200, true)] {
        let mut bench = Bench::new(facts(true, true));
        let rival = Advertisement { priority, ..said(THEIRS) };
        let both = [(Sent, &said(OURS)), (Received, &rival)];
        bench.advertise(300, &both);
        assert_eq!(bench.flags(), [], "{priority}");
        bench.advertise(500, &both);
        assert_eq!(bench.flags() == [Flag::TwoActives], expected, "{priority}");
        if expected {
            assert_eq!(
                bench.evidence(),
                format!(
                    "192.0.2.2 has advertised priority {priority} for 0.5 s while the MAC is in \
                     the chip; ours is 100"
                )
            );
            bench.advertise(2_000, &[(Sent, &said(OURS))]);
            assert_eq!(bench.told, [(Flag::TwoActives, true), (Flag::TwoActives, false)]);
        }
    }
}

// Broken if a rival with a lower priority counted less where this router sends nothing.
#[test]
fn any_rival_counts_beside_a_silent_router() {
    let mut bench = Bench::new(facts(true, true));
    bench.advertise(1_000, &[(Sent, &said(OURS))]);
    let rival = Advertisement { priority: 1, ..said(THEIRS) };
    bench.advertise(2_000, &[(Received, &rival)]);
    assert_eq!(bench.flags(), [Flag::TwoActives, Flag::Orphan]);
    assert!(bench.evidence().contains("nothing is sent here"));
    let resigned = Advertisement { priority: 0, ..said(THEIRS) };
    bench.advertise(2_100, &[(Received, &resigned)]);
    assert_eq!(bench.flags(), [Flag::Orphan], "it has resigned");
}

// Broken if the time before the MAC came into the chip counted.
#[test]
fn a_takeover_has_time() {
    let mut bench = Bench::new(facts(false, false));
    bench.advertise(2_000, &[(Received, &said(THEIRS))]);
    bench.live.update(facts(true, true), bench.now);
    let both = [(Sent, &said(OURS)), (Received, &said(THEIRS))];
    bench.advertise(2_300, &both);
    assert_eq!(bench.flags(), []);
    bench.advertise(2_400, &both);
    assert_eq!(bench.flags(), [Flag::TwoActives]);
}

// Broken if a killed daemon went unnoticed for longer than four of its intervals, or a slow one were called dead.
#[test]
fn an_orphan() {
    for (interval, orphaned) in [(100, 1_301), (1_000, 4_901)] {
        let mut bench = Bench::new(facts(true, true));
        let ours = Advertisement { interval: ms(interval), ..said(OURS) };
        bench.advertise(1_000, &[(Sent, &ours)]);
        bench.until(ms(orphaned - 1));
        assert_eq!(bench.told, [], "{interval}");
        bench.until(ms(orphaned));
        assert_eq!(bench.told, [(Flag::Orphan, true)], "{interval}");
        assert_eq!(bench.live.counts(), BTreeMap::from([(Flag::Orphan, 1)]));
        bench.until(ms(6_000));
        assert!(bench.evidence().starts_with("nothing was sent here for 5.1 s, once every"));
        bench.advertise(6_100, &[(Sent, &ours)]);
        assert_eq!(bench.told.last(), Some(&(Flag::Orphan, false)), "{interval}");
    }
}

// Broken if the interval of a router were forgotten while it is a backup for long.
#[test]
fn an_orphan_after_a_long_rest() {
    let mut bench = Bench::new(facts(true, true));
    bench.advertise(1_000, &[(Sent, &said(OURS))]);
    bench.live.update(facts(false, false), bench.now);
    bench.advertise(300_000, &[(Received, &said(THEIRS))]);
    bench.live.update(facts(true, true), bench.now);
    bench.until(ms(300_401));
    assert_eq!(bench.told, [(Flag::Orphan, true)], "not after four seconds");
}

// Broken if a router that was never heard were given less than four seconds from when its MAC came, or no end at all; or an
// anycast gateway had to advertise.
#[test]
fn a_router_that_never_spoke() {
    let mut bench = Bench::new(facts(false, true));
    bench.until(ms(60_000));
    bench.live.update(facts(true, true), bench.now);
    bench.until(ms(64_000));
    assert_eq!(bench.told, []);
    bench.until(ms(64_050));
    assert_eq!(bench.told, [(Flag::Orphan, true)]);
    let mut anycast = facts(true, true);
    anycast.vmacs.values_mut().for_each(|vmac| vmac.policy = VmacPolicy::Always);
    let mut bench = Bench::new(anycast);
    bench.until(ms(60_000));
    assert_eq!((bench.told.len(), bench.flags()), (0, vec![]));
}

// Broken if a router counted as silent because nobody listened.
#[test]
fn what_was_missed_counts_for_nothing() {
    let mut bench = Bench::new(facts(true, true));
    bench.advertise(1_000, &[(Sent, &said(OURS))]);
    bench.live.missed(ms(1_200));
    bench.until(ms(1_600));
    assert_eq!(bench.told, []);
    bench.until(ms(1_601));
    assert_eq!(bench.told, [(Flag::Orphan, true)]);
}

// Broken if an active router without its virtual address went unnoticed, or one on its way were blamed.
#[test]
fn a_missing_address() {
    let mut bench = Bench::new(facts(false, false));
    bench.advertise(300, &[(Sent, &said(OURS))]);
    assert_eq!(bench.flags(), []);
    bench.advertise(400, &[(Sent, &said(OURS))]);
    assert_eq!(bench.flags(), [Flag::VipMissing]);
    assert_eq!(
        bench.evidence(),
        "192.0.2.1 has advertised for 0.4 s, and the macvlan has no address that counts; it \
         advertises 192.0.2.254"
    );
    bench.live.update(facts(true, true), bench.now);
    bench.advertise(600, &[(Sent, &said(OURS))]);
    assert_eq!(bench.told, [(Flag::VipMissing, true), (Flag::VipMissing, false)]);
}

// Broken if routers that disagree were not told, a wrong checksum told anything, or VRIDs of two interfaces or families were
// mixed up.
#[test]
fn disagreements() {
    let other = |change: fn(&mut Advertisement)| {
        let mut other = said(THEIRS);
        other.priority = 50;
        change(&mut other);
        other
    };
    let second: fn(&mut Advertisement) = |said| {
        said.addresses.insert("192.0.2.253".parse().unwrap());
    };
    for (rival, flags) in [
        (other(|_| {}), vec![]),
        (other(second), vec![Flag::VridCollision]),
        (other(|said| said.interval = ms(110)), vec![Flag::IntervalMismatch]),
        (other(|said| said.checksum = Checksum::Message), vec![Flag::ChecksumFlavour]),
        (other(|said| said.checksum = Checksum::Neither), vec![]),
        (other(|said| (said.checksum, said.version) = (Checksum::Message, 2)), vec![]),
        (other(|said| said.vrid = Vrid::try_from(6).unwrap()), vec![]),
        (other(|said| said.family = Family::Ipv6), vec![]),
    ] {
        let mut bench = Bench::new(facts(true, true));
        bench.advertise(500, &[(Sent, &said(OURS)), (Received, &rival)]);
        assert_eq!(bench.flags(), flags, "{rival:?}");
        assert_eq!(bench.told.len(), flags.len(), "{rival:?}");
        bench.advertise(200_000, &[(Sent, &said(OURS))]);
        assert_eq!(bench.flags(), [], "it was long ago");
    }
}

// Broken if our own advertisement on another port of the same network were another router's, or a peer that owns the virtual
// address were taken for ourselves.
#[test]
fn loops() {
    let mut bench = Bench::new(facts(true, true));
    bench.advertise(1_000, &[(Sent, &said(OURS)), (Received, &said(OURS))]);
    assert_eq!(bench.flags(), []);
    let six = Advertisement { family: Family::Ipv6, ..said("fe80::1") };
    bench.advertise(2_000, &[(Sent, &six)]);
    for (interface, said, comes) in [
        (SWP2, &six, 0),
        (SWP2, &said(OURS), 0),
        (SWP2, &said(THEIRS), 1),
        (ELSEWHERE, &said(OURS), 1),
    ] {
        let found = Found::Advertisement(said.clone());
        bench.live.take(interface, Received, &found, bench.now);
        let id = VirtualRouter { interface, family: said.family, vrid: VRID };
        let heard = bench.live.instance(id).map_or(0, |instance| instance.heard.len());
        assert_eq!(heard, comes, "{said:?}");
    }
    let owner = Advertisement { priority: 255, ..said("192.0.2.254") };
    bench.advertise(3_000, &[(Sent, &said(OURS)), (Received, &owner)]);
    assert_eq!(bench.flags(), [Flag::TwoActives]);
}

// Broken if routers that talk through this one by unicast were taken for this one, or its own peers for strangers.
#[test]
fn unicast_peers() {
    let peer = |source: &str, peer: &str| Advertisement {
        peer: Some(peer.parse().unwrap()),
        ..said(source)
    };
    let mut bench = Bench::new(facts(true, true));
    let strangers = peer("198.51.100.1", "203.0.113.1");
    bench.take(Received, &strangers);
    bench.take(Sent, &strangers);
    assert_eq!(bench.live.instance(ID), None);
    bench.take(Sent, &peer(OURS, THEIRS));
    bench.take(Received, &peer(THEIRS, OURS));
    let instance = bench.live.instance(ID).unwrap();
    assert_eq!((instance.own.is_some(), instance.heard.len()), (true, 1));
}

// Broken if a policer that drops advertisements went unnoticed.
#[test]
fn a_small_policer() {
    for (policer, small) in [((40, 4), false), ((39, 4), true), ((40, 3), true)] {
        let mut bench = Bench::new(Facts { policer, ..facts(true, true) });
        let six = Advertisement { family: Family::Ipv6, ..said("fe80::2") };
        bench.advertise(500, &[(Sent, &said(OURS)), (Received, &six)]);
        assert_eq!(bench.flags() == [Flag::PolicerTooSmall], small, "{policer:?}");
        if small {
            let (rate, burst) = policer;
            let expected = format!(
                "2 virtual routers need 40 packets a second and a burst of 4; the policer has \
                 {rate} and {burst}"
            );
            assert_eq!(bench.evidence(), expected);
        }
    }
}

// Broken if an authentication header went unnoticed, or were told for ever.
#[test]
fn foreign_protocols() {
    let mut bench = Bench::new(facts(true, true));
    let source = THEIRS.parse().unwrap();
    for _ in 0..3 {
        bench.live.take(SWP1, Received, &Found::Foreign { protocol: 51, source }, bench.now);
    }
    bench.advertise(500, &[(Sent, &said(OURS))]);
    assert_eq!(bench.flags(), [Flag::AhSeen]);
    let evidence = bench.evidence();
    assert!(evidence.starts_with("3 packets of other protocols"), "{evidence}");
    assert!(evidence.ends_with("of protocol 51 from 192.0.2.2"), "{evidence}");
    bench.advertise(125_000, &[(Sent, &said(OURS))]);
    assert_eq!(bench.told, [(Flag::AhSeen, true), (Flag::AhSeen, false)]);
}

// Broken if a macvlan with a MAC of its own choice were not known by what it sends.
#[test]
fn a_mac_of_ones_own_choice() {
    let mac = Mac([2, 0, 0, 0, 0, 5]);
    let mut own = facts(true, true);
    let vmac = own.vmacs.pop_first().unwrap().1;
    own.vmacs.insert((SWP1, mac), vmac);
    let mut bench = Bench::new(own);
    assert_eq!(bench.live.router_of(SWP1, mac), None);
    bench.advertise(1_000, &[(Sent, &Advertisement { mac, ..said(OURS) })]);
    assert_eq!(bench.live.router_of(SWP1, mac), Some(ID));
    assert_eq!(bench.live.router_of(SWP1, ID.mac()), Some(ID));
    bench.until(ms(2_000));
    assert_eq!(bench.flags(), [Flag::Orphan]);
}
