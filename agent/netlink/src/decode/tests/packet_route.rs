//! The same messages through netlink-packet-route: a second opinion that shares no code with the decoder.

use std::net::IpAddr;

use firsthop_model::topology::{Address, Event, Link, LinkKind, MacvlanMode, OperState};
use firsthop_model::{IfIndex, Mac};
use rtnetlink::packet_core::{NetlinkHeader, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use rtnetlink::packet_route::link::{
    InfoData, InfoIpVlan, InfoKind, InfoMacVlan, InfoVrf, IpVlanFlags, LinkAttribute, LinkFlags,
    LinkInfo, LinkMessage, MacVlanMode, Prop, State,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

/// What it takes the first message for; `None` where it cannot decode it or it is something else.
pub(crate) fn event(datagram: &[u8]) -> Option<Event> {
    let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(datagram).ok()?;
    let NetlinkPayload::InnerMessage(message) = message.payload else { return None };
    match message {
        RouteNetlinkMessage::NewLink(link) => Some(Event::Link(Box::new(self::link(link)))),
        RouteNetlinkMessage::DelLink(link) => Some(Event::LinkGone(IfIndex(link.header.index))),
        RouteNetlinkMessage::NewAddress(address) => Some(Event::Address(self::address(address)?)),
        RouteNetlinkMessage::DelAddress(address) => {
            Some(Event::AddressGone(self::address(address)?))
        }
        _ => None,
    }
}

fn link(message: LinkMessage) -> Link {
    let mut link = Link {
        ifindex: IfIndex(message.header.index),
        ifname: String::new(),
        altnames: Vec::new(),
        mac: None,
        mtu: 0,
        flags: message.header.flags.bits(),
        operstate: OperState::Unknown,
        carrier: false,
        proto_down: false,
        link: None,
        link_netnsid: None,
        master: None,
        kind: LinkKind::None,
    };
    let device = |index| (index != 0).then_some(IfIndex(index));
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.ifname = name,
            LinkAttribute::PropList(list) => {
                let alt = |prop| if let Prop::AltIfName(name) = prop { Some(name) } else { None };
                link.altnames = list.into_iter().filter_map(alt).collect();
            }
            LinkAttribute::Address(octets) => link.mac = octets.try_into().ok().map(Mac),
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::OperState(state) => link.operstate = operstate(state),
            LinkAttribute::Carrier(carrier) => link.carrier = carrier != 0,
            LinkAttribute::ProtoDown(down) => link.proto_down = down != 0,
            LinkAttribute::Link(index) => link.link = device(index),
            LinkAttribute::LinkNetNsId(id) => link.link_netnsid = Some(id),
            LinkAttribute::Controller(index) => link.master = device(index),
            LinkAttribute::LinkInfo(info) => link.kind = kind(info),
            _ => {}
        }
    }
    link
}

const fn operstate(state: State) -> OperState {
    match state {
        State::NotPresent => OperState::NotPresent,
        State::Down => OperState::Down,
        State::LowerLayerDown => OperState::LowerLayerDown,
        State::Testing => OperState::Testing,
        State::Dormant => OperState::Dormant,
        State::Up => OperState::Up,
        _ => OperState::Unknown,
    }
}

fn kind(info: Vec<LinkInfo>) -> LinkKind {
    let mut kind = LinkKind::None;
    for info in info {
        match info {
            LinkInfo::Kind(InfoKind::IpVlan) => kind = LinkKind::Ipvlan { vepa: false },
            LinkInfo::Kind(other) => kind = LinkKind::Other { name: other.to_string() },
            LinkInfo::Data(InfoData::MacVlan(data)) => {
                for attribute in data {
                    if let InfoMacVlan::Mode(mode) = attribute {
                        kind = LinkKind::Macvlan { mode: macvlan_mode(mode) };
                    }
                }
            }
            LinkInfo::Data(InfoData::IpVlan(data)) => {
                let vepa = |attribute: &_| matches!(attribute, InfoIpVlan::Flags(flags) if flags.contains(IpVlanFlags::Vepa));
                kind = LinkKind::Ipvlan { vepa: data.iter().any(vepa) };
            }
            LinkInfo::Data(InfoData::Vrf(data)) => {
                for attribute in data {
                    if let InfoVrf::TableId(table) = attribute {
                        kind = LinkKind::Vrf { table };
                    }
                }
            }
            _ => {}
        }
    }
    kind
}

const fn macvlan_mode(mode: MacVlanMode) -> MacvlanMode {
    match mode {
        MacVlanMode::Private => MacvlanMode::Private,
        MacVlanMode::Vepa => MacvlanMode::Vepa,
        MacVlanMode::Bridge => MacvlanMode::Bridge,
        MacVlanMode::Passthrough => MacvlanMode::Passthru,
        MacVlanMode::Source => MacvlanMode::Source,
        MacVlanMode::Other(other) => MacvlanMode::Other(other),
        _ => panic!("a mode that this test does not know"),
    }
}

fn address(message: AddressMessage) -> Option<Address> {
    let (mut local, mut far, mut broadcast, mut proto) = (None, None, None, None);
    let mut flags = u32::from(message.header.flags.bits());
    for attribute in message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(ip),
            AddressAttribute::Address(ip) => far = Some(ip),
            AddressAttribute::Broadcast(ip) => broadcast = Some(IpAddr::V4(ip)),
            AddressAttribute::Flags(all) => flags = all.bits(),
            AddressAttribute::Protocol(by) => proto = Some(u8::from(by)),
            _ => {}
        }
    }
    let ip = local.or(far)?;
    Some(Address {
        ifindex: IfIndex(message.header.index),
        ip,
        prefix_len: message.header.prefix_len,
        peer: far.filter(|far| *far != ip),
        broadcast,
        flags,
        proto,
    })
}

/// RTM_NEWLINK of a link.
pub(crate) fn link_message(link: Link) -> Vec<u8> {
    let mut message = LinkMessage::default();
    message.header.index = link.ifindex.0;
    message.header.flags = LinkFlags::from_bits_retain(link.flags);
    let mut attributes = vec![
        LinkAttribute::IfName(link.ifname),
        LinkAttribute::Mtu(link.mtu),
        LinkAttribute::OperState((link.operstate as u8).into()),
        LinkAttribute::Carrier(link.carrier.into()),
        LinkAttribute::ProtoDown(link.proto_down.into()),
    ];
    attributes.extend(link.mac.map(|mac| LinkAttribute::Address(mac.0.to_vec())));
    attributes.extend(link.link.map(|index| LinkAttribute::Link(index.0)));
    attributes.extend(link.link_netnsid.map(LinkAttribute::LinkNetNsId));
    attributes.extend(link.master.map(|index| LinkAttribute::Controller(index.0)));
    let altnames: Vec<_> = link.altnames.into_iter().map(Prop::AltIfName).collect();
    attributes.extend((!altnames.is_empty()).then_some(LinkAttribute::PropList(altnames)));
    attributes.extend(match link.kind {
        LinkKind::None => None,
        kind => Some(LinkAttribute::LinkInfo(link_info(kind))),
    });
    message.attributes = attributes;
    serialize(RouteNetlinkMessage::NewLink(message))
}

fn link_info(kind: LinkKind) -> Vec<LinkInfo> {
    let (kind, data) = match kind {
        LinkKind::None => return Vec::new(),
        LinkKind::Macvlan { mode } => {
            let mode = match mode {
                MacvlanMode::Private => MacVlanMode::Private,
                MacvlanMode::Vepa => MacVlanMode::Vepa,
                MacvlanMode::Bridge => MacVlanMode::Bridge,
                MacvlanMode::Passthru => MacVlanMode::Passthrough,
                MacvlanMode::Source => MacVlanMode::Source,
                MacvlanMode::Other(other) => MacVlanMode::Other(other),
            };
            (InfoKind::MacVlan, Some(InfoData::MacVlan(vec![InfoMacVlan::Mode(mode)])))
        }
        LinkKind::Ipvlan { vepa } => {
            let flags = if vepa { IpVlanFlags::Vepa } else { IpVlanFlags::Private };
            (InfoKind::IpVlan, Some(InfoData::IpVlan(vec![InfoIpVlan::Flags(flags)])))
        }
        LinkKind::Vrf { table } => {
            (InfoKind::Vrf, Some(InfoData::Vrf(vec![InfoVrf::TableId(table)])))
        }
        LinkKind::Other { name } => (InfoKind::from(name.as_str()), None),
    };
    std::iter::once(LinkInfo::Kind(kind)).chain(data.map(LinkInfo::Data)).collect()
}

/// RTM_NEWADDR of an address.
pub(crate) fn address_message(address: &Address) -> Vec<u8> {
    let mut message = AddressMessage::default();
    message.header.family = match address.ip {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message.header.prefix_len = address.prefix_len;
    message.header.index = address.ifindex.0;
    let far = address.peer.unwrap_or(address.ip);
    message.attributes.push(AddressAttribute::Address(far));
    if address.peer.is_some() || address.ip.is_ipv4() {
        message.attributes.push(AddressAttribute::Local(address.ip));
    }
    if let Some(IpAddr::V4(broadcast)) = address.broadcast {
        message.attributes.push(AddressAttribute::Broadcast(broadcast));
    }
    message.attributes.push(AddressAttribute::Flags(AddressFlags::from_bits_retain(address.flags)));
    message.attributes.extend(address.proto.map(|by| AddressAttribute::Protocol(by.into())));
    serialize(RouteNetlinkMessage::NewAddress(message))
}

fn serialize(message: RouteNetlinkMessage) -> Vec<u8> {
    let mut message = NetlinkMessage::new(NetlinkHeader::default(), message.into());
    message.finalize();
    let mut octets = vec![0; message.buffer_len()];
    message.serialize(&mut octets);
    octets
}
