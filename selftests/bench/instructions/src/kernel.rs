//! What a kernel would say: a switch whose ports have VLANs, and on each VLAN a virtual router that is active.
//!
//! ```text
//!   swp1 … swp20        the ports, with VLANs in turn
//!   swp3.12             10.0.42.1/24      each VLAN, and its routes: 10.0.42.0/24, and what is local
//!   └─ vrrp42           10.0.42.254/32    its macvlan 00:00:5e:00:01:…
//!   veth7               172.16.7.1/24     of a container that comes and goes; the chip has nothing to do with it
//! ```
//!
//! Links and addresses are recorded messages of Linux with other names, numbers and MACs in them, so that they have the size of
//! real ones, and what has to be skipped in them is there to be skipped.

use std::mem::discriminant;
use std::net::Ipv4Addr;

use firsthop_netlink::Table;
use rtnetlink::packet_core::{NetlinkHeader, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage::{self, DelLink, NewAddress, NewLink, NewRoute};
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, Prop, State,
    VlanProtocol,
};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage::DelAddress};

/// Front-panel ports.
pub(crate) const PORTS: u16 = 20;
/// The chip's.
pub(crate) const CHIP_ID: &str = "sw0";
/// The sequence number of a dump's request, and the port of its socket.
pub(crate) const REQUEST: (u32, u32) = (1, 4711);

const RECORDED: [&str; 2] = [
    include_str!("../../../../agent/netlink/fixtures/recorded.txt"),
    include_str!("../../../../agent/netlink/fixtures/recorded-6.12.txt"),
];
/// What the kernel puts into a datagram of a dump for a reader with room enough.
const DATAGRAM: usize = 16 << 10;
const NLMSG_DONE: u16 = 3;
const NLM_F_MULTI: u16 = 2;
const NLM_F_CREATE_EXCL: u16 = 0x600;
const RT_TABLE_LOCAL: u8 = 255;

/// A netdev that the messages are about.
#[derive(Debug, Clone, Copy)]
enum Device {
    Port(u16),
    Vlan(u32),
    Macvlan(u32),
    Container(u32),
}

impl Device {
    const fn ifindex(self) -> u32 {
        match self {
            Self::Port(port) => 1 + port as u32,
            Self::Vlan(number) => 100 + 2 * number,
            Self::Macvlan(number) => 101 + 2 * number,
            Self::Container(number) => 100_000 + number,
        }
    }

    fn name(self) -> String {
        match self {
            Self::Port(port) => format!("swp{port}"),
            Self::Vlan(number) => format!("swp{}.{}", port_of(number), vid_of(number)),
            Self::Macvlan(number) => format!("vrrp{number}"),
            Self::Container(number) => format!("veth{number}"),
        }
    }

    fn mac(self) -> [u8; 6] {
        match self {
            Self::Port(port) => [2, 0, 0, 0, 0, low(port.into())],
            Self::Vlan(number) => Self::Port(port_of(number)).mac(),
            Self::Macvlan(number) => [0, 0, 0x5e, 0, 1, 1 + low(number % 255)],
            Self::Container(number) => [2, 0x42, 0, 0, low(number >> 8), low(number)],
        }
    }

    /// Its address, and how long the prefix is.
    fn address(self) -> (Ipv4Addr, u8) {
        match self {
            Self::Vlan(number) => (Ipv4Addr::new(10, low(number >> 8), low(number), 1), 24),
            Self::Macvlan(number) => (Ipv4Addr::new(10, low(number >> 8), low(number), 254), 32),
            Self::Container(number) => {
                (Ipv4Addr::new(172, 16 + low(number >> 8), low(number), 1), 24)
            }
            Self::Port(_) => unreachable!("ports have none"),
        }
    }
}

fn port_of(number: u32) -> u16 {
    1 + u16::try_from(number % u32::from(PORTS)).expect("less than there are ports")
}

fn vid_of(number: u32) -> u16 {
    10 + u16::try_from(number / u32::from(PORTS)).expect("no more than a port has VLANs")
}

const fn low(number: u32) -> u8 {
    number.to_le_bytes()[0]
}

/// The tables of a switch with so many virtual routers, as datagrams that answer [`REQUEST`].
pub(crate) fn dumps(routers: u32) -> Vec<(Table, Vec<Vec<u8>>)> {
    let ports = (1..=PORTS).map(Device::Port);
    let routed = || (0..routers).flat_map(|number| [Device::Vlan(number), Device::Macvlan(number)]);
    let links = ports.chain(routed()).map(|device| NewLink(link(device, false)));
    let addresses = routed().map(|device| NewAddress(address(device)));
    let routes = routed().flat_map(routes).map(NewRoute);
    vec![
        (Table::Links, dump(links)),
        (Table::Ipv4Addresses, dump(addresses)),
        (Table::Ipv4Routes, dump(routes)),
    ]
}

/// What is said about links and addresses, and about routes.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) links: Vec<Vec<u8>>,
    pub(crate) routes: Vec<Vec<u8>>,
}

impl Said {
    fn of(links: Vec<RouteNetlinkMessage>, routes: Vec<RouteNetlinkMessage>) -> Self {
        let events = |messages: Vec<_>| messages.into_iter().map(event).collect();
        Self { links: events(links), routes: events(routes) }
    }

    /// This, and then that.
    pub(crate) fn extend(&mut self, later: Self) {
        self.links.extend(later.links);
        self.routes.extend(later.routes);
    }
}

/// The address of a virtual router goes.
pub(crate) fn goes(number: u32) -> Said {
    let device = Device::Macvlan(number);
    let gone = routes(device).into_iter().map(RouteNetlinkMessage::DelRoute).collect();
    Said::of(vec![DelAddress(address(device))], gone)
}

/// It comes back.
pub(crate) fn comes(number: u32) -> Said {
    let device = Device::Macvlan(number);
    Said::of(vec![NewAddress(address(device))], routes(device).into_iter().map(NewRoute).collect())
}

/// A container starts.
pub(crate) fn starts(number: u32) -> Said {
    let device = Device::Container(number);
    let mut down = link(device, true);
    down.header.flags = LinkFlags::empty();
    down.attributes.push(LinkAttribute::OperState(State::Down));
    let links = vec![NewLink(down), NewLink(link(device, true)), NewAddress(address(device))];
    Said::of(links, routes(device).into_iter().map(NewRoute).collect())
}

/// It ends.
pub(crate) fn ends(number: u32) -> Said {
    let device = Device::Container(number);
    let gone = routes(device).into_iter().map(RouteNetlinkMessage::DelRoute).collect();
    Said::of(vec![DelAddress(address(device)), DelLink(link(device, true))], gone)
}

// --- Messages -----------------------------------------------------------------------------------------------------

/// A recorded message.
fn recorded(name: &str) -> RouteNetlinkMessage {
    let mut lines = RECORDED.iter().flat_map(|text| text.lines());
    let hex = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let hex = hex.unwrap_or_else(|| panic!("{name} is recorded"));
    let octet = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(octet).collect();
    let message = NetlinkMessage::deserialize(&bytes).expect("a whole message");
    let NetlinkPayload::InnerMessage(message) = message.payload else { panic!("rtnetlink") };
    message
}

/// A device that is up. `counted`: with its counters, which dumps are told to leave out.
fn link(device: Device, counted: bool) -> LinkMessage {
    let vlan = |number| {
        let vid = InfoVlan::Id(vid_of(number));
        InfoData::Vlan(vec![InfoVlan::Protocol(VlanProtocol::Ieee8021Q), vid])
    };
    let (template, changes) = match device {
        Device::Port(port) => {
            let altname = Prop::AltIfName(format!("hwsim-{CHIP_ID}-p{port}"));
            ("veth", vec![LinkAttribute::PropList(vec![altname])])
        }
        Device::Vlan(number) => {
            let info = vec![LinkInfo::Kind(InfoKind::Vlan), LinkInfo::Data(vlan(number))];
            let lower = Device::Port(port_of(number)).ifindex();
            ("vlan_device", vec![LinkAttribute::Link(lower), LinkAttribute::LinkInfo(info)])
        }
        Device::Macvlan(number) => {
            ("macvlan", vec![LinkAttribute::Link(Device::Vlan(number).ifindex())])
        }
        Device::Container(_) => ("veth", vec![LinkAttribute::PropList(Vec::new())]),
    };
    let NewLink(mut link) = recorded(template) else { panic!("{template} is a link") };
    link.header.index = device.ifindex();
    link.header.flags = LinkFlags::Up | LinkFlags::Running | LinkFlags::LowerUp;
    link.attributes.retain(|attribute| match attribute {
        LinkAttribute::Stats(_) | LinkAttribute::Stats64(_) => counted,
        _ => true,
    });
    for change in changes.into_iter().chain([
        LinkAttribute::IfName(device.name()),
        LinkAttribute::Address(device.mac().to_vec()),
        LinkAttribute::OperState(State::Up),
        LinkAttribute::Carrier(1),
    ]) {
        set(&mut link.attributes, change);
    }
    link
}

fn address(device: Device) -> AddressMessage {
    let NewAddress(mut message) = recorded("addr4") else { panic!("addr4 is an address") };
    let (address, prefix_len) = device.address();
    message.header.index = device.ifindex();
    message.header.prefix_len = prefix_len;
    for change in [
        AddressAttribute::Address(address.into()),
        AddressAttribute::Local(address.into()),
        AddressAttribute::Label(device.name()),
    ] {
        set(&mut message.attributes, change);
    }
    message
}

/// What the kernel makes of the address of a device.
fn routes(device: Device) -> Vec<RouteMessage> {
    let (source, prefix_len) = device.address();
    let local = (RT_TABLE_LOCAL, RouteType::Local, RouteScope::Host);
    let mut routes = vec![route(device, local, source, 32)];
    if prefix_len < 32 {
        let [a, b, c, _] = source.octets();
        let broadcast = (RT_TABLE_LOCAL, RouteType::Broadcast, RouteScope::Link);
        routes.push(route(device, broadcast, Ipv4Addr::new(a, b, c, 255), 32));
        let connected = (RouteHeader::RT_TABLE_MAIN, RouteType::Unicast, RouteScope::Link);
        routes.push(route(device, connected, Ipv4Addr::new(a, b, c, 0), prefix_len));
    }
    routes
}

fn route(
    device: Device,
    (table, kind, scope): (u8, RouteType, RouteScope),
    prefix: Ipv4Addr,
    prefix_len: u8,
) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: AddressFamily::Inet,
        destination_prefix_length: prefix_len,
        table,
        protocol: RouteProtocol::Kernel,
        scope,
        kind,
        ..RouteHeader::default()
    };
    message.attributes = vec![
        RouteAttribute::Table(table.into()),
        RouteAttribute::Destination(RouteAddress::Inet(prefix)),
        RouteAttribute::PrefSource(RouteAddress::Inet(device.address().0)),
        RouteAttribute::Oif(device.ifindex()),
    ];
    message
}

/// One attribute instead of the one of its kind.
fn set<A>(attributes: &mut Vec<A>, change: A) {
    let kind = discriminant(&change);
    match attributes.iter_mut().find(|attribute| discriminant(*attribute) == kind) {
        Some(attribute) => *attribute = change,
        None => attributes.push(change),
    }
}

// --- Datagrams ----------------------------------------------------------------------------------------------------

fn serialized(message: RouteNetlinkMessage, flags: u16, (sequence, port): (u32, u32)) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    (header.flags, header.sequence_number, header.port_number) = (flags, sequence, port);
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

fn event(message: RouteNetlinkMessage) -> Vec<u8> {
    let flags = if matches!(message, NewRoute(_)) { NLM_F_CREATE_EXCL } else { 0 };
    serialized(message, flags, (0, 0))
}

fn dump(rows: impl Iterator<Item = RouteNetlinkMessage>) -> Vec<Vec<u8>> {
    let mut datagrams = vec![Vec::new()];
    for row in rows {
        let row = serialized(row, NLM_F_MULTI, REQUEST);
        let last = datagrams.last_mut().expect("there is one from the beginning");
        if last.len() + row.len() > DATAGRAM {
            datagrams.push(row);
        } else {
            last.extend(row);
        }
    }
    let (sequence, port) = REQUEST;
    let mut done = [20_u32.to_ne_bytes(), [0; 4], sequence.to_ne_bytes(), port.to_ne_bytes()];
    done[1][..2].copy_from_slice(&NLMSG_DONE.to_ne_bytes());
    done[1][2..].copy_from_slice(&NLM_F_MULTI.to_ne_bytes());
    datagrams.push([done.concat(), vec![0; 4]].concat());
    datagrams
}
