//! How stories are chosen: small pools of devices, MACs and addresses, so that they collide often; and scenes that people and
//! daemons make of them, which chance alone would hardly find.

use std::net::IpAddr;

use oracle::{Address, Kind, Oper, Proto, Protocol, Stp};
use proptest::prelude::*;
use proptest::sample::select;

use crate::action::{Action, Dev, Failing, Flags, Lower, Refusal, Story};
use crate::world::PORTS;

/// Macvlans and VLAN devices that may exist at the same time.
const VMACS: u32 = 5;
const VLANS: u32 = 4;

/// VLANs in use.
pub(crate) const VIDS: [u16; 3] = [1, 5, 10];

/// MACs that a device may be given: of its own vendor's prefix, of another one, and a virtual router's (as vrrpd does).
pub(crate) const DEVICE_MACS: [[u8; 6]; 4] =
    [[2, 0, 0, 0, 0, 0x51], [2, 0, 0, 0, 0, 0x52], [2, 0xaa, 0, 0, 0, 1], [0, 0, 0x5e, 0, 1, 5]];

/// MACs that a macvlan may be given; among them port 1's own, one that is no VRID, and a group address.
const VMAC_MACS: [[u8; 6]; 9] = [
    [0, 0, 0x5e, 0, 1, 5],
    [0, 0, 0x5e, 0, 1, 6],
    [0, 0, 0x5e, 0, 2, 5],
    [0, 0, 0x5e, 0, 2, 7],
    [0, 0, 0x5e, 0, 1, 0],
    [0, 0x1c, 0x73, 0, 0, 0x99],
    [2, 0, 0, 0, 0, 11],
    [2, 0, 0, 0, 0, 0x51],
    [1, 0, 0x5e, 0, 0, 1],
];

/// Every unicast MAC that a story can mention, but for some that devices are born with, and one that it can't.
pub(crate) fn macs_of_interest() -> Vec<[u8; 6]> {
    let mut macs: Vec<_> = DEVICE_MACS.into_iter().chain(VMAC_MACS).collect();
    macs.extend((1..=PORTS).map(|port| Dev::port(port).own_mac()));
    macs.extend([Dev::bridge(0), Dev::bond(0)].map(Dev::own_mac));
    macs.push(STRANGER);
    macs.retain(|mac| mac[0] & 1 == 0);
    macs.sort_unstable();
    macs.dedup();
    macs
}

/// Nobody's MAC.
pub(crate) const STRANGER: [u8; 6] = [2, 0xff, 0xff, 0xff, 0xff, 0xff];

/// Address, prefix length, IFA_BROADCAST.
const ADDRESSES: [(&str, u8, Option<&str>); 9] = [
    ("10.0.1.1", 24, None),
    ("10.0.1.2", 24, Some("10.0.1.255")),
    ("10.0.2.1", 32, None),
    ("10.0.3.1", 31, Some("10.0.3.9")),
    ("2001:db8::1", 64, None),
    ("2001:db8::2", 128, None),
    ("fe80::51", 64, None),
    ("fe80::52", 128, None),
    ("fe80::53", 64, None),
];

/// Every address whose way through the router is tried, and some that nobody has.
pub(crate) fn addresses_of_interest() -> Vec<IpAddr> {
    let others =
        ["10.0.1.255", "10.0.2.255", "10.0.3.9", "10.0.3.0", "203.0.113.9", "2001:db8::99"];
    let own = ADDRESSES.iter().map(|(ip, ..)| *ip).filter(|ip| !ip.starts_with("fe80"));
    own.chain(others).map(ip).collect()
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("the tables here hold addresses")
}

fn port() -> impl Strategy<Value = Dev> + Clone {
    (1..=PORTS).prop_map(Dev::port)
}

fn vmac() -> impl Strategy<Value = Dev> + Clone {
    (0..VMACS).prop_map(Dev::vmac)
}

fn vlan() -> impl Strategy<Value = Dev> + Clone {
    (0..VLANS).prop_map(Dev::vlan)
}

fn bridge() -> impl Strategy<Value = Dev> + Clone {
    prop_oneof![3 => Just(Dev::bridge(0)), 1 => Just(Dev::bridge(1))]
}

fn bond() -> impl Strategy<Value = Dev> + Clone {
    prop_oneof![3 => Just(Dev::bond(0)), 1 => Just(Dev::bond(1))]
}

/// What may have a router interface.
fn routed() -> impl Strategy<Value = Dev> + Clone {
    prop_oneof![4 => port(), 3 => vlan(), 2 => bridge(), 2 => bond()]
}

fn any_dev() -> impl Strategy<Value = Dev> + Clone {
    prop_oneof![
        3 => vmac(), 4 => routed(), 1 => select(vec![Dev::DUMMY, Dev::VETH, Dev::MACSEC])
    ]
}

fn oper() -> impl Strategy<Value = Oper> {
    use Oper::*;
    select(vec![Up, Up, Up, Unknown, Down, LowerLayerDown, NotPresent, Dormant, Testing])
}

fn flags() -> impl Strategy<Value = Flags> {
    use Flags::*;
    select(vec![None, None, Tentative, DadFailed])
}

fn vid() -> impl Strategy<Value = u16> + Clone {
    select(&VIDS[..])
}

fn protocol() -> impl Strategy<Value = Protocol> {
    use Protocol::*;
    prop_oneof![12 => Just(Dot1q), 1 => Just(Dot1ad), 1 => Just(Other)]
}

fn address() -> impl Strategy<Value = Address> {
    let proto = select(vec![Proto::Unspecified, Proto::Unspecified, Proto::Missing]);
    (select(&ADDRESSES[..]), proto, flags(), prop::bool::weighted(0.2)).prop_map(
        |((text, prefix_len, broadcast), proto, flags, advertised)| {
            let ip = ip(text);
            let global_v6 = text.starts_with("2001");
            let proto = if advertised && global_v6 { Proto::RouterAdvertisement } else { proto };
            let broadcast = broadcast.map(self::ip);
            let (tentative, dad_failed) = (false, false);
            let address = Address { ip, prefix_len, broadcast, tentative, dad_failed, proto };
            if ip.is_ipv4() { address } else { flags.on(address) }
        },
    )
}

fn created(dev: Dev, lower: Lower, mac: Option<[u8; 6]>, kind: Kind) -> Action {
    Action::Create { dev, lower, mac, kind }
}

fn create_vmac() -> impl Strategy<Value = Action> {
    use Kind::*;
    let kind = prop_oneof![
        9 => Just(Macvlan), 1 => Just(PassthruMacvlan), 1 => Just(Ipvlan), 1 => Just(VepaIpvlan)
    ];
    let lower = prop_oneof![
        16 => routed().prop_map(Lower::On),
        1 => Just(Lower::On(Dev::DUMMY)),
        1 => port().prop_map(Lower::Foreign),
    ];
    (vmac(), lower, select(&VMAC_MACS[..]), kind)
        .prop_map(|(dev, lower, mac, kind)| created(dev, lower, Some(mac), kind))
}

fn create_vlan() -> impl Strategy<Value = Action> {
    let lower = prop_oneof![
        8 => port(), 6 => bridge(), 6 => bond(), 1 => vlan(), 1 => vmac(), 1 => Just(Dev::VETH)
    ];
    let mac = prop_oneof![3 => Just(None), 1 => select(&DEVICE_MACS[..]).prop_map(Some)];
    (vlan(), lower, mac, vid(), prop::bool::weighted(0.1)).prop_map(
        |(dev, lower, mac, vid, service)| {
            let protocol = if service { Protocol::Dot1ad } else { Protocol::Dot1q };
            created(dev, Lower::On(lower), mac, Kind::Vlan { vid, protocol })
        },
    )
}

fn create_master() -> impl Strategy<Value = Action> {
    let bridge = (bridge(), any::<bool>(), protocol(), any::<bool>()).prop_map(
        |(dev, filtering, protocol, chosen)| {
            let mac = chosen.then(|| dev.own_mac());
            created(dev, Lower::None, mac, Kind::Bridge { filtering, protocol })
        },
    );
    let kinds = select(vec![
        Kind::Bond { hashes: true },
        Kind::Bond { hashes: true },
        Kind::Bond { hashes: false },
        Kind::Team,
    ]);
    let bond = (bond(), kinds).prop_map(|(dev, kind)| created(dev, Lower::None, None, kind));
    let vrf = (0..2_u32, select(vec![10_u32, 20, 30]))
        .prop_map(|(n, table)| created(Dev::vrf(n), Lower::None, None, Kind::Vrf(table)));
    prop_oneof![3 => bridge, 3 => bond, 1 => vrf]
}

fn create() -> impl Strategy<Value = Action> {
    let port = port().prop_map(|dev| created(dev, Lower::None, None, Kind::Plain));
    let macsec =
        routed().prop_map(|lower| created(Dev::MACSEC, Lower::On(lower), None, Kind::Stacked));
    prop_oneof![
        8 => create_vmac(), 6 => create_vlan(), 4 => create_master(), 3 => port, 1 => macsec
    ]
}

fn delete() -> impl Strategy<Value = Action> {
    let dev = prop_oneof![
        6 => vmac(), 3 => vlan(), 1 => bridge(), 1 => bond(), 1 => port(),
        1 => select(vec![Dev::vrf(0), Dev::vrf(1)]),
    ];
    (dev, any::<bool>()).prop_map(|(dev, quietly)| Action::Delete { dev, quietly })
}

fn enslave() -> impl Strategy<Value = Action> {
    let master = prop_oneof![
        3 => Just(None),
        3 => bridge().prop_map(Some),
        2 => bond().prop_map(Some),
        3 => (0..2_u32).prop_map(|n| Some(Dev::vrf(n))),
        1 => Just(Some(Dev::OVS)),
    ];
    (any_dev(), master).prop_map(|(dev, master)| Action::Enslave(dev, master))
}

fn bridging() -> impl Strategy<Value = Action> {
    let place = || prop_oneof![2 => port(), 2 => bridge(), 1 => bond()];
    let add = (place(), vid(), any::<bool>(), any::<bool>())
        .prop_map(|(dev, vid, pvid, untagged)| Action::VlanAdd { dev, vid, pvid, untagged });
    let state = select(vec![Stp::Forwarding, Stp::Learning, Stp::Discarding]);
    prop_oneof![
        5 => add,
        2 => (place(), vid()).prop_map(|(dev, vid)| Action::VlanDel(dev, vid)),
        3 => (bridge(), any::<bool>(), protocol())
            .prop_map(|(dev, filtering, protocol)| Action::Filtering(dev, filtering, protocol)),
        1 => (bridge(), any::<bool>()).prop_map(|(dev, one)| Action::DefaultPvid(dev, one)),
        2 => (any_dev(), state).prop_map(|(dev, state)| Action::Stp(dev, state)),
        1 => (port(), any::<bool>()).prop_map(|(dev, locked)| Action::Locked(dev, locked)),
        1 => (port(), any::<bool>()).prop_map(|(dev, carries)| Action::Carries(dev, carries)),
    ]
}

fn macs() -> impl Strategy<Value = Action> {
    let unicast = || select(&VMAC_MACS[..8]);
    let receive = (routed(), unicast(), any::<bool>());
    prop_oneof![
        2 => (vmac(), select(&VMAC_MACS[..])).prop_map(|(dev, mac)| Action::SetMac(dev, mac)),
        2 => (routed(), select(&DEVICE_MACS[..])).prop_map(|(dev, mac)| Action::SetMac(dev, mac)),
        1 => routed().prop_map(|dev| Action::SetMac(dev, dev.own_mac())),
        1 => receive.prop_map(|(dev, mac, add)| Action::Receive(dev, mac, add)),
        1 => (routed(), any::<bool>())
            .prop_map(|(dev, add)| Action::ReceiveSilently(dev, dev.own_mac(), add)),
        1 => vmac().prop_map(Action::MoveAway),
        1 => routed().prop_map(Action::AwayGone),
    ]
}

/// Any event of the kernel.
pub(crate) fn action() -> impl Strategy<Value = Action> {
    let mtu = select(vec![576_u32, 1500, 9000, 65536]);
    let rename = prop_oneof![2 => vmac(), 1 => port(), 1 => vlan()];
    prop_oneof![
        12 => create(),
        4 => delete(),
        5 => (any_dev(), any::<bool>()).prop_map(|(dev, up)| Action::Up(dev, up)),
        4 => (any_dev(), oper()).prop_map(|(dev, oper)| Action::Oper(dev, oper)),
        2 => (vmac(), any::<bool>()).prop_map(|(dev, down)| Action::ProtoDown(dev, down)),
        2 => (routed(), mtu).prop_map(|(dev, mtu)| Action::Mtu(dev, mtu)),
        1 => (rename, any::<bool>()).prop_map(|(dev, out)| Action::Rename(dev, out)),
        8 => enslave(),
        7 => bridging(),
        6 => macs(),
        14 => (any_dev(), address()).prop_map(|(dev, address)| Action::AddAddress(dev, address)),
        5 => (any_dev(), address()).prop_map(|(dev, a)| Action::DelAddress(dev, a.ip)),
        3 => (any_dev(), flags(), any::<bool>())
            .prop_map(|(dev, flags, says_so)| Action::KernelLinkLocal { dev, flags, says_so }),
        1 => any::<bool>().prop_map(Action::KeepAddresses),
        1 => Just(Action::Resync),
        1 => Just(Action::Overrun),
    ]
}

/// A failing write.
pub(crate) fn refusal() -> impl Strategy<Value = Action> {
    use Failing::*;
    (1..12_u32, select(vec![Transient, Capacity, Rejected, UnknownDone, UnknownNotDone]))
        .prop_map(|(nth, how)| Action::Refuse(Refusal { nth, how }))
}

/// An address that qualifies wherever it is.
pub(crate) fn plain(text: &str) -> Address {
    Address {
        ip: ip(text),
        prefix_len: if text.contains(':') { 64 } else { 24 },
        broadcast: None,
        tentative: false,
        dad_failed: false,
        proto: Proto::Unspecified,
    }
}

/// A macvlan with an address, as a VRRP daemon makes it.
pub(crate) fn vmac_on(dev: Dev, lower: Dev, mac: [u8; 6]) -> Vec<Action> {
    vec![
        created(dev, Lower::On(lower), Some(mac), Kind::Macvlan),
        Action::AddAddress(dev, plain("10.0.1.1")),
    ]
}

/// A VLAN device with an address.
pub(crate) fn vlan_on(dev: Dev, lower: Dev, vid: u16) -> Vec<Action> {
    vec![
        created(dev, Lower::On(lower), None, Kind::Vlan { vid, protocol: Protocol::Dot1q }),
        Action::AddAddress(dev, plain("10.0.1.2")),
    ]
}

/// A LAG with these ports.
pub(crate) fn bond_of(dev: Dev, ports: &[u16]) -> Vec<Action> {
    let mut made = vec![created(dev, Lower::None, None, Kind::Bond { hashes: true })];
    made.extend(ports.iter().map(|port| Action::Enslave(Dev::port(*port), Some(dev))));
    made
}

fn scene() -> impl Strategy<Value = Vec<Action>> {
    let mac = || select(&VMAC_MACS[..4]);
    let active = (vmac(), routed(), mac(), any::<bool>()).prop_map(|(dev, lower, mac, quietly)| {
        let mut scene = vec![Action::Delete { dev, quietly }];
        scene.push(Action::AddAddress(lower, plain("10.0.1.2")));
        scene.extend(vmac_on(dev, lower, mac));
        scene
    });
    let stick = (vlan(), prop_oneof![2 => port(), 2 => bond(), 3 => bridge()], vid())
        .prop_map(|(dev, lower, vid)| vlan_on(dev, lower, vid));
    let lag = (bond(), select(vec![[1_u16, 2], [2, 3], [1, 4]])).prop_map(|(dev, ports)| {
        let mut scene = bond_of(dev, &ports);
        scene.push(Action::AddAddress(dev, plain("10.0.1.2")));
        scene
    });
    let svi = (bridge(), any::<bool>(), port(), prop_oneof![2 => port(), 1 => vlan(), 1 => bond()])
        .prop_map(|(dev, filtering, one, other)| {
            vec![
                Action::Filtering(dev, filtering, Protocol::Dot1q),
                Action::Enslave(one, Some(dev)),
                Action::Enslave(other, Some(dev)),
                Action::AddAddress(dev, plain("10.0.1.2")),
            ]
        });
    let vrrpd = (routed(), mac()).prop_map(|(dev, mac)| {
        vec![Action::SetMac(dev, mac), Action::ReceiveSilently(dev, dev.own_mac(), true)]
    });
    let in_vrf = (routed(), vmac(), 0..2_u32).prop_map(|(dev, vmac, vrf)| {
        [dev, vmac].map(|dev| Action::Enslave(dev, Some(Dev::vrf(vrf)))).to_vec()
    });
    let crowd = (routed(), any::<bool>()).prop_map(|(lower, rif)| {
        let mut scene = vec![Action::AddAddress(lower, plain("10.0.1.2"))];
        let macs = VMAC_MACS[..3].iter();
        for (number, mac) in (0..).zip(macs) {
            scene.extend(vmac_on(Dev::vmac(number), lower, *mac));
        }
        scene.truncate(if rif { scene.len() } else { 5 });
        scene
    });
    prop_oneof![
        4 => active, 3 => stick, 2 => lag, 3 => svi, 1 => vrrpd, 1 => in_vrf, 1 => crowd, 3 => odd()
    ]
}

/// What no chip does, or not twice.
fn odd() -> impl Strategy<Value = Vec<Action>> {
    let tagged = |dev, lower, service| {
        let protocol = if service { Protocol::Dot1ad } else { Protocol::Dot1q };
        created(dev, Lower::On(lower), None, Kind::Vlan { vid: 5, protocol })
    };
    let join = |port: u16, master| Action::Enslave(Dev::port(port), Some(master));
    let address = |dev| Action::AddAddress(dev, plain("10.0.1.2"));
    let (bond, bridge, other) = (Dev::bond(1), Dev::bridge(0), Dev::bridge(1));
    let (vlan, vmac) = (Dev::vlan(0), Dev::vmac(0));
    let macvlan = created(vmac, Lower::On(bridge), Some(VMAC_MACS[0]), Kind::Macvlan);
    let provider = |protocol| {
        vec![
            join(1, bridge),
            Action::Filtering(bridge, true, protocol),
            tagged(vlan, bridge, false),
            tagged(Dev::vlan(1), Dev::port(1), false),
            macvlan,
            address(bridge),
        ]
    };
    let aware = Kind::Bridge { filtering: true, protocol: Protocol::Dot1q };
    let second = vec![
        created(other, Lower::None, None, aware),
        join(1, other),
        join(2, bridge),
        Action::Filtering(bridge, true, Protocol::Dot1q),
        address(other),
    ];
    let ovs = vec![tagged(vlan, Dev::port(3), false), address(vlan), join(3, Dev::OVS)];
    let lag = vec![
        created(bond, Lower::None, None, Kind::Bond { hashes: false }),
        join(4, bond),
        address(bond),
        tagged(vlan, bond, false),
        Action::Enslave(bond, Some(bridge)),
    ];
    let locked = vec![
        join(2, bridge),
        tagged(vlan, Dev::port(2), false),
        address(vlan),
        Action::Locked(Dev::port(2), true),
    ];
    let strays = vec![
        created(bond, Lower::None, None, Kind::Bond { hashes: true }),
        join(4, bond),
        tagged(vlan, Dev::port(4), false),
        tagged(Dev::vlan(1), Dev::port(1), true),
        Action::Enslave(vlan, Some(bridge)),
        Action::Enslave(Dev::vlan(1), Some(bridge)),
        Action::Rename(vmac, true),
    ];
    let on_port = created(vmac, Lower::On(Dev::port(2)), Some(VMAC_MACS[0]), Kind::Macvlan);
    let enslaved = vec![address(Dev::port(2)), on_port, Action::Enslave(vmac, Some(bridge))];
    let own_link_local = Action::KernelLinkLocal { dev: vmac, flags: Flags::None, says_so: true };
    let opened = vec![address(Dev::port(2)), on_port, own_link_local];
    let stopped = vec![address(Dev::port(2)), on_port, Action::ProtoDown(vmac, true)];
    let twins = [(vlan, 5), (Dev::vlan(1), 10)].into_iter().flat_map(|(dev, vid)| {
        let kind = Kind::Vlan { vid, protocol: Protocol::Dot1q };
        let lower = Lower::On(Dev::port(3));
        [created(dev, lower, None, kind), Action::Enslave(dev, Some(other))]
    });
    let unaware = Kind::Bridge { filtering: false, protocol: Protocol::Dot1q };
    let twins = std::iter::once(created(other, Lower::None, None, unaware)).chain(twins).collect();
    let (dot1ad, unknown) = (provider(Protocol::Dot1ad), provider(Protocol::Other));
    let scenes =
        vec![dot1ad, unknown, second, ovs, lag, locked, strays, enslaved, opened, stopped, twins];
    select(scenes)
}

/// Two router interfaces to start from: one with IPv4, the other with a link-local.
fn opening() -> Vec<Action> {
    vec![
        Action::AddAddress(Dev::port(1), plain("10.0.1.2")),
        Action::AddAddress(Dev::port(2), plain("fe80::53")),
    ]
}

/// Stories of about so many steps; half of them start from router interfaces.
pub(crate) fn story(
    actions: impl Strategy<Value = Action>,
    most: usize,
) -> impl Strategy<Value = Story> {
    let scene = prop_oneof![5 => actions.prop_map(|action| vec![action]), 2 => scene()];
    (any::<bool>(), prop::collection::vec(scene, 1..most)).prop_map(|(opened, scenes)| {
        let opening = if opened { opening() } else { Vec::new() };
        Story(opening.into_iter().chain(scenes.into_iter().flatten()).collect())
    })
}

/// The same with all MACs of devices of one vendor, for a chip with a single MAC profile.
pub(crate) fn of_one_vendor(story: Story) -> Story {
    let tame = |mac: [u8; 6]| if mac[..2] == [2, 0] { mac } else { [2, 0, 0, 0, 0, 0x53] };
    let is_vmac = |dev: Dev| (20..30).contains(&dev.0);
    let actions = story.0.into_iter().map(|action| match action {
        Action::Create { dev, lower, mac, kind } if !is_vmac(dev) => {
            created(dev, lower, mac.map(tame), kind)
        }
        Action::SetMac(dev, mac) if !is_vmac(dev) => Action::SetMac(dev, tame(mac)),
        other => other,
    });
    Story(actions.collect())
}
