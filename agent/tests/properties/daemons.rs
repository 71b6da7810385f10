//! What VRRP daemons do to the kernel, message by message as it was seen of keepalived, FRR, vrrpd and ucarp, and what the
//! chip may and may not be told because of it.

use firsthop_model::chip::{Change, Entry};
use oracle::{Address, Kind, Oper, Proto, Protocol, Switch};

use crate::action::{Action, Dev, Flags, Lower, Story};
use crate::judge::{all_agree, fates};
use crate::rig::Rig;
use crate::stories::{plain, vlan_on, vmac_on};
use crate::world::World;
use crate::{each_step, judge_step};

const VRRP_5: [u8; 6] = [0, 0, 0x5e, 0, 1, 5];
const VRRP6_5: [u8; 6] = [0, 0, 0x5e, 0, 2, 5];
const ANYCAST: [u8; 6] = [0, 0x1c, 0x73, 0, 0, 0x99];
const PORT: Dev = Dev::port(1);
const V4: Dev = Dev::vmac(0);
const V6: Dev = Dev::vmac(1);

/// An agent, a chip and a kernel in which things happen.
struct Scene {
    world: World,
    rig: Rig,
}

impl Scene {
    fn new(personality: &str) -> Self {
        let world = World::new();
        let rig = Rig::started(personality, &world).expect("the agent starts");
        Self { world, rig }
    }

    /// Lets it happen; returns the changes that the chip was told.
    fn after(&mut self, actions: impl IntoIterator<Item = Action>) -> Vec<Change> {
        let mut changes = Vec::new();
        for action in actions {
            let events = self.world.act(&action);
            self.rig.feed(events);
            changes.extend(self.rig.changes().expect("the chip takes them"));
        }
        changes
    }

    /// Is a MAC routed that comes in by port 1, untagged?
    fn routes(&mut self, mac: [u8; 6]) -> bool {
        fates(&mut self.rig)[&(1, None)].routed.contains(&mac)
    }

    fn agree(&mut self) {
        judge_step(&mut self.rig, &self.world).expect("all agree");
    }
}

/// The records of virtual MACs among changes.
fn records(changes: &[Change]) -> Vec<&Change> {
    let is_record = |entry: &Entry| matches!(entry, Entry::RouterMac { .. });
    let entry = |change: &&Change| match change {
        Change::Add(entry) | Change::Remove(entry) | Change::Edit { to: entry, .. } => {
            is_record(entry)
        }
    };
    changes.iter().filter(entry).collect()
}

fn interfaces(changes: &[Change]) -> usize {
    changes.iter().filter(|change| matches!(change.after(), Some(Entry::Rif(_)))).count()
}

fn link_local(text: &str) -> Address {
    Address { prefix_len: 64, ..plain(text) }
}

/// A port with addresses of both families, and a macvlan of each family on it that keepalived made for a backup.
fn keepalived_backup() -> Scene {
    let mut scene = Scene::new("spectrum2");
    scene.after([
        Action::AddAddress(PORT, plain("10.0.1.2")),
        Action::AddAddress(
            PORT,
            Address { proto: Proto::KernelLinkLocal, ..link_local("fe80::52") },
        ),
    ]);
    let macvlan = |dev, mac| Action::Create {
        dev,
        lower: Lower::On(PORT),
        mac: Some(mac),
        kind: Kind::Macvlan,
    };
    let changes = scene.after([
        macvlan(V4, VRRP_5),
        Action::Up(V4, false),
        Action::Up(V4, true),
        macvlan(V6, VRRP6_5),
        // The lower's own link-local is mirrored.
        Action::AddAddress(V6, link_local("fe80::52")),
    ]);
    assert_eq!(changes, [], "a backup");
    scene
}

// Broken if a keepalived backup were programmed, its master not, or more were written than one record for each MAC and the
// interface's slots; or if anything were written when its macvlans go, a second after their addresses.
#[test]
fn keepalived_backup_master_and_end() {
    let mut scene = keepalived_backup();
    let changes = scene.after([
        Action::AddAddress(V4, plain("10.0.1.1")),
        Action::AddAddress(V6, link_local("fe80::51")),
    ]);
    assert_eq!(records(&changes).len(), 2);
    assert_eq!(interfaces(&changes), 2);
    assert!(scene.routes(VRRP_5) && scene.routes(VRRP6_5));
    scene.agree();
    // SIGTERM: the addresses at once, the macvlans later.
    let changes = scene.after([
        Action::DelAddress(V4, plain("10.0.1.1").ip),
        Action::DelAddress(V6, link_local("fe80::51").ip),
    ]);
    assert_eq!(records(&changes).len(), 2);
    assert!(!scene.routes(VRRP_5) && !scene.routes(VRRP6_5));
    let changes = scene.after([
        Action::Up(V4, false),
        Action::Up(V6, false),
        Action::Delete { dev: V4, quietly: false },
        Action::Delete { dev: V6, quietly: false },
    ]);
    assert_eq!(changes, []);
    scene.agree();
}

// Broken if the MAC of a master whose port loses its link stayed, or came back before the daemon has taken over again.
#[test]
fn keepalived_loses_its_link() {
    let mut scene = keepalived_backup();
    scene.after([Action::AddAddress(V4, plain("10.0.1.1"))]);
    scene.after([Action::Oper(PORT, Oper::Down), Action::Oper(V4, Oper::LowerLayerDown)]);
    assert!(!scene.routes(VRRP_5));
    let changes = scene.after([
        Action::DelAddress(V4, plain("10.0.1.1").ip),
        Action::Oper(PORT, Oper::Up),
        Action::Oper(V4, Oper::Up),
    ]);
    assert_eq!(records(&changes), Vec::<&Change>::new());
    scene.after([Action::AddAddress(V4, plain("10.0.1.1"))]);
    assert!(scene.routes(VRRP_5));
    // The macvlan goes down by an administrator's hand.
    scene.after([Action::Up(V4, false)]);
    assert!(!scene.routes(VRRP_5));
    scene.agree();
}

// Broken if the address of a backup's port that comes back after its mirror on the macvlan made the backup look like a master.
#[test]
fn parent_of_an_ipv6_backup_bounces() {
    let mut scene = keepalived_backup();
    let changes = scene.after([
        Action::Up(PORT, false),
        Action::DelAddress(V6, link_local("fe80::52").ip),
        Action::Up(PORT, true),
        // 1.9 s before the port's own.
        Action::AddAddress(V6, link_local("fe80::52")),
        Action::AddAddress(
            PORT,
            Address { proto: Proto::KernelLinkLocal, ..link_local("fe80::52") },
        ),
    ]);
    assert_eq!(changes, []);
    scene.agree();
}

// Broken if an FRR backup, which has its addresses and is held down, were programmed at any of its messages, or after the port
// below flapped, when the operational state lies.
#[test]
fn frr_backup_stays_out() {
    let mut scene = Scene::new("spectrum2");
    scene.after([Action::AddAddress(PORT, plain("10.0.1.2"))]);
    scene.after([Action::Create {
        dev: V4,
        lower: Lower::On(PORT),
        mac: Some(VRRP_5),
        kind: Kind::Macvlan,
    }]);
    // The first message of proto_down still says that it is up.
    let mut changes = scene.after([Action::ProtoDown(V4, true)]);
    changes.extend(scene.after([
        Action::AddAddress(V4, plain("10.0.1.1")),
        Action::Oper(V4, Oper::Down),
        Action::Oper(PORT, Oper::Down),
        Action::Oper(PORT, Oper::Up),
        Action::Oper(V4, Oper::Up),
        Action::Up(PORT, false),
        Action::Up(PORT, true),
    ]));
    assert_eq!(records(&changes), Vec::<&Change>::new());
    assert!(!scene.routes(VRRP_5));
    scene.agree();
    // Master, and back: at the first message.
    scene.after([Action::ProtoDown(V4, false)]);
    assert!(scene.routes(VRRP_5));
    scene.after([Action::ProtoDown(V4, true)]);
    assert!(!scene.routes(VRRP_5));
    scene.agree();
}

// Broken if addresses from router advertisements, which are announced again every second, led to writes or to a master.
#[test]
fn router_advertisements_are_no_news() {
    let mut scene = keepalived_backup();
    let advertised = Address { proto: Proto::RouterAdvertisement, ..plain("2001:db8::2") };
    // The port's own is a destination like any other: once.
    scene.after([Action::AddAddress(PORT, advertised)]);
    let churn = (0..50)
        .flat_map(|_| [Action::AddAddress(PORT, advertised), Action::AddAddress(V6, advertised)]);
    assert_eq!(scene.after(churn), []);
    scene.agree();
}

// Broken if 255 + 255 virtual routers on one port did not fit, cost more than one record each and the interface's slots, or if
// those that a killed keepalived leaves up without addresses were programmed, also when the interface is built again.
#[test]
fn crowd_of_vrids_and_orphans() {
    let mut scene = Scene::new("spectrum2");
    scene.after([Action::AddAddress(PORT, plain("10.0.1.2"))]);
    let vmac = |family: u8, vrid: u8| Dev(1000 + u32::from(family) * 256 + u32::from(vrid));
    let all = || (1..=2_u8).flat_map(|family| (1..=255_u8).map(move |vrid| (family, vrid)));
    let address = |vrid: u8| plain(&format!("10.1.{vrid}.1"));
    // All at once, as after a failover, between two passes of the agent.
    for (family, vrid) in all() {
        let (dev, mac) = (vmac(family, vrid), Some([0, 0, 0x5e, 0, family, vrid]));
        let made = Action::Create { dev, lower: Lower::On(PORT), mac, kind: Kind::Macvlan };
        for action in [made, Action::AddAddress(dev, address(vrid))] {
            let events = scene.world.act(&action);
            scene.rig.feed(events);
        }
    }
    let changes = scene.rig.changes().unwrap();
    assert_eq!((records(&changes).len(), interfaces(&changes)), (510, 1));
    assert!(scene.routes(VRRP_5) && scene.routes(VRRP6_5));

    // The end: of 255 the last 61 macvlans stay, without addresses.
    for (family, vrid) in all() {
        let events = scene.world.act(&Action::DelAddress(vmac(family, vrid), address(vrid).ip));
        scene.rig.feed(events);
    }
    let changes = scene.rig.changes().unwrap();
    assert_eq!((records(&changes).len(), interfaces(&changes)), (510, 1));
    for (family, vrid) in all().filter(|(_, vrid)| *vrid <= 194) {
        let events = scene.world.act(&Action::Delete { dev: vmac(family, vrid), quietly: false });
        scene.rig.feed(events);
    }
    assert_eq!(scene.rig.changes().unwrap(), []);
    // mlxsw would program the orphans now.
    let own = plain("10.0.1.2");
    let changes = scene.after([Action::DelAddress(PORT, own.ip), Action::AddAddress(PORT, own)]);
    let own_records = records(&changes).len();
    assert_eq!(own_records, 2, "its own MAC goes and comes: {changes:?}");
}

// Broken if the same VRID on a thousand VLANs were limited by anything but the table sizes, or one of them concerned the others.
#[test]
fn one_vrid_on_a_thousand_vlans() {
    let mut world = World::new();
    let (vlan, vmac) =
        (|vid: u16| Dev(1000 + u32::from(vid)), |vid: u16| Dev(3000 + u32::from(vid)));
    for vid in 2..=1001_u16 {
        let kind = Kind::Vlan { vid, protocol: Protocol::Dot1q };
        world.put_on(vlan(vid), kind, PORT, PORT.own_mac(), plain("10.0.1.2"));
        world.put_on(vmac(vid), Kind::Macvlan, vlan(vid), VRRP_5, plain("10.0.1.1"));
    }
    let mut rig = Rig::started_at_once("spectrum2", &world);
    let routed = |rig: &Rig, vid: u16| {
        let frame = crate::frames::udp(VRRP_5, crate::frames::ip("203.0.113.77"));
        rig.trap_of((1, Some(vid)), &frame) == Some(0x70)
    };
    for vid in [2, 500, 1001] {
        assert!(routed(&rig, vid), "VLAN {vid}");
    }
    assert!(!routed(&rig, 1002));
    // Failover of one costs its own record and slot, and the address.
    let gone = world.forget_address(vmac(500));
    rig.feed(vec![gone]);
    let changes = rig.changes().unwrap();
    assert_eq!((records(&changes).len(), interfaces(&changes)), (1, 1), "{changes:?}");
    assert!(routed(&rig, 499) && !routed(&rig, 500) && routed(&rig, 501));
}

// Broken if a reload that changes the VRID, which edits the macvlan's MAC in place, left the old MAC in, or took it out first.
#[test]
fn vrid_changes_in_place() {
    let mut scene = keepalived_backup();
    scene.after([Action::AddAddress(V4, plain("10.0.1.1"))]);
    let new = [0, 0, 0x5e, 0, 1, 6];
    let changes = scene.after([Action::SetMac(V4, new)]);
    assert!(
        matches!(records(&changes)[..], [Change::Add(Entry::RouterMac { mac, .. }), Change::Remove(_)] if mac.0 == new),
        "{changes:?}"
    );
    assert!(scene.routes(new) && !scene.routes(VRRP_5));
    scene.agree();
}

// Broken if vrrpd's change of the port's own MAC were more than an edit, if the old MAC that it keeps receiving were lost, or if
// the virtual one stayed when it gives it back.
#[test]
fn vrrpd_master_and_back() {
    let mut scene = Scene::new("spectrum2");
    scene.after([Action::AddAddress(PORT, plain("10.0.1.2"))]);
    let index = |scene: &Scene| {
        scene.rig.reconciler.applied_rif(firsthop_model::IfIndex(PORT.0)).map(|rif| rif.rif)
    };
    let before = index(&scene);
    let own = PORT.own_mac();
    scene.after([Action::SetMac(PORT, VRRP_5), Action::ReceiveSilently(PORT, own, true)]);
    scene.after([Action::AddAddress(PORT, plain("10.0.2.1"))]);
    assert!(scene.routes(VRRP_5) && scene.routes(own));
    assert_eq!(index(&scene), before);
    scene.agree();
    scene.after([
        Action::SetMac(PORT, own),
        Action::ReceiveSilently(PORT, own, false),
        Action::DelAddress(PORT, plain("10.0.2.1").ip),
    ]);
    assert!(!scene.routes(VRRP_5) && scene.routes(own));
    assert_eq!(index(&scene), before);
    scene.agree();
}

// Broken if an address that ucarp puts on the port itself did more than bring its packets to the CPU.
#[test]
fn ucarp_has_no_mac() {
    let mut scene = Scene::new("spectrum2");
    scene.after([Action::AddAddress(PORT, plain("10.0.1.2"))]);
    let address = Address { prefix_len: 32, ..plain("10.0.2.1") };
    let changes = scene.after([Action::AddAddress(PORT, address)]);
    assert!(matches!(changes[..], [Change::Add(Entry::Route { .. })]), "{changes:?}");
    scene.agree();
}

// Broken if a MAC with several owners went when one of them goes, or stayed after the last.
#[test]
fn owners_share_a_mac() {
    let mut story = vec![Action::AddAddress(PORT, plain("10.0.1.2"))];
    story.extend(vmac_on(V4, PORT, ANYCAST));
    story.extend([
        Action::Create { dev: V6, lower: Lower::On(PORT), mac: Some(ANYCAST), kind: Kind::Macvlan },
        Action::Up(V6, false),
        Action::AddAddress(V6, plain("10.0.2.1")),
        // The kernel lets the port have it too, but not the macvlan the port's.
        Action::SetMac(PORT, ANYCAST),
        Action::Delete { dev: V4, quietly: false },
        Action::Up(V6, true),
        Action::SetMac(PORT, PORT.own_mac()),
        Action::Delete { dev: V6, quietly: true },
    ]);
    each_step("spectrum2", &Story(story)).unwrap();
}

// Broken if a macvlan that moves to another network namespace stayed in the chip, or its MAC, which stays in the port's filters,
// were taken for one of the port's own.
#[test]
fn macvlan_moves_away() {
    for lost in [false, true] {
        let mut story = vec![Action::AddAddress(PORT, plain("10.0.1.2"))];
        story.extend(vmac_on(V4, PORT, VRRP_5));
        // The port had the MAC itself once.
        story.extend([Action::SetMac(PORT, VRRP_5), Action::SetMac(PORT, PORT.own_mac())]);
        story.extend(lost.then_some(Action::Overrun));
        story.extend([Action::MoveAway(V4), Action::Resync, Action::AwayGone(PORT)]);
        each_step("spectrum2", &Story(story)).unwrap();
    }
}

// Broken if macvlans in a VRF, on a VLAN, on a VLAN of the bridge or on the bridge itself were something else than on a port.
#[test]
fn macvlans_on_everything() {
    let (vlan, svi, bridge) = (Dev::vlan(0), Dev::vlan(1), Dev::bridge(0));
    let mut story = vlan_on(vlan, PORT, 5);
    story.extend(vmac_on(Dev::vmac(0), vlan, VRRP_5));
    story.push(Action::Filtering(bridge, true, Protocol::Dot1q));
    story.push(Action::Enslave(Dev::port(2), Some(bridge)));
    story.push(Action::AddAddress(bridge, plain("10.0.1.2")));
    story.extend(vmac_on(Dev::vmac(1), bridge, VRRP_5));
    story.extend(vlan_on(svi, bridge, 10));
    story.push(Action::VlanAdd { dev: Dev::port(2), vid: 10, pvid: false, untagged: false });
    story.extend(vmac_on(Dev::vmac(2), svi, VRRP_5));
    for dev in [vlan, Dev::vmac(0), svi, bridge, Dev::vmac(1), Dev::vmac(2)] {
        story.push(Action::Enslave(dev, Some(Dev::vrf(0))));
    }
    each_step("spectrum2", &Story(story)).unwrap();
}

// Broken if an agent that slept through a hand-over, or starts again in the middle of one, did not end where the kernel is.
#[test]
fn agent_sleeps_and_starts_again() {
    let mut scene = keepalived_backup();
    scene.after([Action::AddAddress(V4, plain("10.0.1.1"))]);
    scene.rig.restart(&scene.world).unwrap();
    assert_eq!(scene.rig.changes().unwrap(), [], "a restart as master");
    let handover = [
        Action::DelAddress(V4, plain("10.0.1.1").ip),
        Action::KernelLinkLocal { dev: V6, flags: Flags::Tentative, says_so: true },
        Action::AddAddress(V6, link_local("fe80::51")),
    ];
    // Nothing was heard of it but that something was lost.
    for action in handover {
        scene.world.act(&action);
    }
    scene.rig.reconciler.replace(scene.world.snapshot());
    scene.rig.settle().unwrap();
    assert!(!scene.routes(VRRP_5) && scene.routes(VRRP6_5));
    scene.agree();
    // All messages of it in one go.
    let mut late = Vec::new();
    for action in [
        Action::DelAddress(V6, link_local("fe80::51").ip),
        Action::AddAddress(V4, plain("10.0.1.1")),
        Action::Delete { dev: V6, quietly: true },
    ] {
        late.extend(scene.world.act(&action));
    }
    scene.rig.feed(late);
    scene.rig.settle().unwrap();
    all_agree(&mut scene.rig, &scene.world).unwrap();
    assert!(
        Switch::of(&scene.world.kernel).router_interfaces[&PORT.0].answers.contains_key(&VRRP_5)
    );
}
