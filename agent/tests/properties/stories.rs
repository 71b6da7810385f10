//! How stories are chosen: small pools of MACs and addresses, so that devices collide often.

use std::net::IpAddr;

use oracle::{Address, Kind, Oper, Proto};
use proptest::prelude::*;
use proptest::sample::select;

use crate::action::{Action, Dev, Failing, Flags, Lower, Master, Refusal, Story};
use crate::world::PORTS;

/// Macvlans that may exist at the same time.
const VMACS: u32 = 5;

/// MACs that a port may be given: of its own vendor's prefix, of another one, and a virtual router's (as vrrpd does).
pub(crate) const PORT_MACS: [[u8; 6]; 4] =
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

/// Every unicast MAC that a story can mention, and one that it can't.
pub(crate) fn macs_of_interest() -> Vec<[u8; 6]> {
    let own = (1..=PORTS).map(|port| Dev::Port(port).own_mac());
    let mut macs: Vec<_> = PORT_MACS.into_iter().chain(VMAC_MACS).chain(own).collect();
    macs.push([2, 0xff, 0xff, 0xff, 0xff, 0xff]);
    macs.retain(|mac| mac[0] & 1 == 0);
    macs.sort_unstable();
    macs.dedup();
    macs
}

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
    (1..=PORTS).prop_map(Dev::Port)
}

fn vmac() -> impl Strategy<Value = Dev> + Clone {
    (0..VMACS).prop_map(Dev::Vmac)
}

fn either() -> impl Strategy<Value = Dev> + Clone {
    prop_oneof![2 => port(), 3 => vmac()]
}

fn oper() -> impl Strategy<Value = Oper> {
    use Oper::*;
    select(vec![Up, Up, Up, Unknown, Down, LowerLayerDown, NotPresent, Dormant, Testing])
}

fn flags() -> impl Strategy<Value = Flags> {
    use Flags::*;
    select(vec![None, None, Tentative, DadFailed])
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

fn create() -> impl Strategy<Value = Action> {
    let vmac = {
        use Kind::*;
        let kind = select(vec![
            Macvlan,
            Macvlan,
            Macvlan,
            Macvlan,
            Macvlan,
            PassthruMacvlan,
            Ipvlan,
            VepaIpvlan,
        ]);
        let lower = prop_oneof![
            10 => (1..=PORTS).prop_map(Lower::Port),
            1 => Just(Lower::Dummy),
            1 => (1..=PORTS).prop_map(Lower::Foreign),
        ];
        (vmac(), lower, select(&VMAC_MACS[..]), kind)
            .prop_map(|(dev, lower, mac, kind)| Action::Create { dev, lower, mac, kind })
    };
    let port = port().prop_map(|dev| Action::Create {
        dev,
        lower: Lower::None,
        mac: dev.own_mac(),
        kind: Kind::Plain,
    });
    let vrf = (select(vec![Master::VrfA, Master::VrfB]), select(vec![10_u32, 20, 30])).prop_map(
        |(master, table)| Action::Create {
            dev: Dev::Master(master),
            lower: Lower::None,
            mac: Dev::Dummy.own_mac(),
            kind: Kind::Vrf(table),
        },
    );
    prop_oneof![8 => vmac, 3 => port, 1 => vrf]
}

fn delete() -> impl Strategy<Value = Action> {
    let dev = prop_oneof![
        6 => vmac(),
        2 => port(),
        1 => select(vec![Dev::Master(Master::VrfA), Dev::Master(Master::VrfB)]),
    ];
    (dev, any::<bool>()).prop_map(|(dev, quietly)| Action::Delete { dev, quietly })
}

/// Any event of the kernel.
pub(crate) fn action() -> impl Strategy<Value = Action> {
    let master = {
        use Master::*;
        select(vec![None, None, Some(Bridge), Some(VrfA), Some(VrfA), Some(VrfB)])
    };
    let vmac_mac = (vmac(), select(&VMAC_MACS[..])).prop_map(|(dev, mac)| Action::SetMac(dev, mac));
    let port_mac = (port(), select(&PORT_MACS[..])).prop_map(|(dev, mac)| Action::SetMac(dev, mac));
    let own_mac = port().prop_map(|dev| Action::SetMac(dev, dev.own_mac()));
    let mtu = select(vec![576_u32, 1500, 9000, 65536]);
    prop_oneof![
        10 => create(),
        4 => delete(),
        4 => (either(), any::<bool>()).prop_map(|(dev, up)| Action::Up(dev, up)),
        4 => (either(), oper()).prop_map(|(dev, oper)| Action::Oper(dev, oper)),
        3 => (vmac(), any::<bool>()).prop_map(|(dev, down)| Action::ProtoDown(dev, down)),
        2 => (port(), mtu).prop_map(|(dev, mtu)| Action::Mtu(dev, mtu)),
        2 => (either(), any::<bool>()).prop_map(|(dev, out)| Action::Rename(dev, out)),
        4 => (either(), master).prop_map(|(dev, master)| Action::Enslave(dev, master)),
        2 => vmac_mac,
        2 => port_mac,
        1 => own_mac,
        14 => (either(), address()).prop_map(|(dev, address)| Action::AddAddress(dev, address)),
        6 => (either(), address()).prop_map(|(dev, address)| Action::DelAddress(dev, address.ip)),
        4 => (either(), flags(), any::<bool>())
            .prop_map(|(dev, flags, says_so)| Action::KernelLinkLocal { dev, flags, says_so }),
        1 => Just(Action::Resync),
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
        prefix_len: 24,
        broadcast: None,
        tentative: false,
        dad_failed: false,
        proto: Proto::Unspecified,
    }
}

/// What a VRRP daemon does: a macvlan on a port, with an address. By chance alone few stories would have two active at once.
fn active_vmac() -> impl Strategy<Value = Vec<Action>> {
    let mac = select(&VMAC_MACS[..4]);
    (vmac(), 1..=2_u16, mac, any::<bool>()).prop_map(|(dev, port, mac, quietly)| {
        vec![
            Action::Delete { dev, quietly },
            Action::Create { dev, lower: Lower::Port(port), mac, kind: Kind::Macvlan },
            Action::AddAddress(dev, plain("10.0.1.1")),
        ]
    })
}

/// Two router interfaces to start from: one with IPv4, the other with a link-local.
fn opening() -> Vec<Action> {
    vec![
        Action::AddAddress(Dev::Port(1), plain("10.0.1.2")),
        Action::AddAddress(Dev::Port(2), Address { prefix_len: 64, ..plain("fe80::53") }),
    ]
}

/// Stories of about so many steps; half of them start from router interfaces.
pub(crate) fn story(
    actions: impl Strategy<Value = Action>,
    most: usize,
) -> impl Strategy<Value = Story> {
    let scene = prop_oneof![6 => actions.prop_map(|action| vec![action]), 1 => active_vmac()];
    (any::<bool>(), prop::collection::vec(scene, 1..most)).prop_map(|(opened, scenes)| {
        let opening = if opened { opening() } else { Vec::new() };
        Story(opening.into_iter().chain(scenes.into_iter().flatten()).collect())
    })
}
