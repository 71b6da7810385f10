//! The same messages through netlink-packet-route: a second opinion that shares no code with the decoder.

use std::net::IpAddr;

use firsthop_model::fib::{Neighbour, NextHop, Route, RouteKind, Via};
use firsthop_model::topology::{
    Address, Event, IpvlanFlag, IpvlanMode, LagMode, LagModeName, Link, LinkKind, MacvlanMode,
    OperState, Slave, StpState, TagProtocol,
};
use firsthop_model::{IfIndex, Mac};
use rtnetlink::packet_core::{NetlinkHeader, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use rtnetlink::packet_route::link::{
    BondMode, BondPortState, BridgePortState, InfoBond, InfoBondPort, InfoBridge, InfoBridgePort,
    InfoData, InfoIpVlan, InfoKind, InfoMacVlan, InfoPortData, InfoPortKind, InfoVlan, InfoVrf,
    IpVlanFlags, IpVlanMode, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, MacVlanMode,
    MiiStatus, Prop, State, VlanProtocol,
};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::route::{
    RouteAttribute, RouteFlags, RouteMessage, RouteNextHop, RouteNextHopFlags, RouteType,
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
        RouteNetlinkMessage::NewNeighbour(entry) => {
            received(&entry).map(|(at, mac)| Event::Receives(at, mac))
        }
        RouteNetlinkMessage::DelNeighbour(entry) => {
            received(&entry).map(|(at, mac)| Event::ReceivesNoMore(at, mac))
        }
        _ => None,
    }
}

fn received(entry: &NeighbourMessage) -> Option<(IfIndex, Mac)> {
    let bridge = entry.header.family == AddressFamily::Bridge;
    let permanent = u16::from(entry.header.state) & 0x80 != 0;
    let (mut mac, mut of_bridge) = (None, false);
    for attribute in &entry.attributes {
        match attribute {
            NeighbourAttribute::LinkLayerAddress(octets) => {
                mac = octets[..].try_into().ok().map(Mac);
            }
            NeighbourAttribute::Controller(index) => of_bridge = *index == entry.header.ifindex,
            NeighbourAttribute::Destination(_) => return None,
            _ => {}
        }
    }
    let own = entry.header.flags == NeighbourFlags::Own || of_bridge;
    let unicast = mac.filter(|mac| mac.0[0] & 1 == 0)?;
    (bridge && permanent && own).then_some((IfIndex(entry.header.ifindex), unicast))
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
        slave: Slave::None,
        perm_mac: None,
        devlink: None,
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
            LinkAttribute::LinkInfo(info) => {
                link.slave = slave(&info);
                link.kind = kind(info);
            }
            LinkAttribute::PermAddress(octets) => link.perm_mac = octets.try_into().ok().map(Mac),
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
            LinkInfo::Kind(InfoKind::Team) => kind = LinkKind::Team,
            LinkInfo::Kind(other) => kind = LinkKind::Other { name: other.to_string() },
            LinkInfo::Data(InfoData::MacVlan(data)) => {
                for attribute in data {
                    if let InfoMacVlan::Mode(mode) = attribute {
                        kind = LinkKind::Macvlan { mode: macvlan_mode(mode) };
                    }
                }
            }
            LinkInfo::Data(InfoData::IpVlan(data)) => kind = ipvlan(&data),
            LinkInfo::Data(InfoData::Vrf(data)) => {
                for attribute in data {
                    if let InfoVrf::TableId(table) = attribute {
                        kind = LinkKind::Vrf { table };
                    }
                }
            }
            LinkInfo::Data(InfoData::Vlan(data)) => kind = vlan(&data),
            LinkInfo::Data(InfoData::Bridge(data)) => kind = bridge(&data),
            LinkInfo::Data(InfoData::Bond(data)) => {
                for attribute in data {
                    if let InfoBond::Mode(mode) = attribute {
                        kind = LinkKind::Bond { mode: lag_mode(mode) };
                    }
                }
            }
            _ => {}
        }
    }
    kind
}

fn ipvlan(data: &[InfoIpVlan]) -> LinkKind {
    let (mut mode, mut flag) = (IpvlanMode::L3, IpvlanFlag::Bridge);
    for attribute in data {
        match attribute {
            InfoIpVlan::Mode(IpVlanMode::L2) => mode = IpvlanMode::L2,
            InfoIpVlan::Mode(IpVlanMode::L3) => mode = IpvlanMode::L3,
            InfoIpVlan::Mode(IpVlanMode::L3S) => mode = IpvlanMode::L3s,
            InfoIpVlan::Flags(IpVlanFlags::Private) => flag = IpvlanFlag::Private,
            InfoIpVlan::Flags(IpVlanFlags::Vepa) => flag = IpvlanFlag::Vepa,
            _ => {}
        }
    }
    LinkKind::Ipvlan { mode, flag }
}

fn vlan(data: &[InfoVlan]) -> LinkKind {
    let (mut vid, mut protocol) = (0, TagProtocol::DOT1Q);
    for attribute in data {
        match attribute {
            InfoVlan::Id(id) => vid = *id,
            InfoVlan::Protocol(tag) => protocol = TagProtocol((*tag).into()),
            _ => {}
        }
    }
    LinkKind::Vlan { vid, protocol }
}

fn bridge(data: &[InfoBridge]) -> LinkKind {
    let (mut vlan_filtering, mut protocol, mut ageing_time) = (false, TagProtocol::DOT1Q, 30_000);
    let mut default_pvid = 0;
    for attribute in data {
        match attribute {
            InfoBridge::VlanFiltering(on) => vlan_filtering = *on,
            InfoBridge::VlanProtocol(tag) => protocol = TagProtocol((*tag).into()),
            InfoBridge::AgeingTime(time) => ageing_time = *time,
            InfoBridge::VlanDefaultPvid(vid) => default_pvid = *vid,
            _ => {}
        }
    }
    LinkKind::Bridge { vlan_filtering, protocol, ageing_time, default_pvid }
}

const fn lag_mode(mode: BondMode) -> LagMode {
    LagMode::Other(match mode {
        BondMode::BalanceXor | BondMode::Ieee8023Ad => return LagMode::Hash,
        BondMode::BalanceRr => LagModeName::BalanceRr,
        BondMode::ActiveBackup => LagModeName::ActiveBackup,
        BondMode::Broadcast => LagModeName::Broadcast,
        BondMode::BalanceTlb => LagModeName::BalanceTlb,
        BondMode::BalanceAlb => LagModeName::BalanceAlb,
        _ => LagModeName::Unknown,
    })
}

fn slave(info: &[LinkInfo]) -> Slave {
    let mut slave = Slave::None;
    for info in info {
        match info {
            LinkInfo::PortKind(kind) => slave = Slave::Other { name: kind.to_string() },
            LinkInfo::PortData(InfoPortData::BridgePort(data)) => slave = bridge_port(data),
            LinkInfo::PortData(InfoPortData::BondPort(data)) => {
                let active = data.contains(&InfoBondPort::BondPortState(BondPortState::Active));
                let link_up = data.contains(&InfoBondPort::MiiStatus(MiiStatus::Up));
                slave = Slave::BondSlave { active, link_up };
            }
            _ => {}
        }
    }
    slave
}

fn bridge_port(data: &[InfoBridgePort]) -> Slave {
    let (mut state, mut learning, mut locked) = (StpState::Discarding, true, false);
    for attribute in data {
        match attribute {
            InfoBridgePort::State(BridgePortState::Forwarding) => state = StpState::Forwarding,
            InfoBridgePort::State(BridgePortState::Learning) => state = StpState::Learning,
            InfoBridgePort::Learning(on) => learning = *on,
            InfoBridgePort::Locked(on) => locked = *on,
            _ => {}
        }
    }
    Slave::BridgePort { state, learning, locked }
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
    attributes.extend(link.perm_mac.map(|mac| LinkAttribute::PermAddress(mac.0.to_vec())));
    let info = [link_info(link.kind), slave_info(link.slave)].concat();
    attributes.extend((!info.is_empty()).then_some(LinkAttribute::LinkInfo(info)));
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
        LinkKind::Ipvlan { mode, flag } => {
            let mode = match mode {
                IpvlanMode::L2 => IpVlanMode::L2,
                IpvlanMode::L3 => IpVlanMode::L3,
                IpvlanMode::L3s => IpVlanMode::L3S,
                IpvlanMode::Other(other) => IpVlanMode::Other(other),
            };
            let flags = match flag {
                IpvlanFlag::Bridge => IpVlanFlags::empty(),
                IpvlanFlag::Private => IpVlanFlags::Private,
                IpvlanFlag::Vepa => IpVlanFlags::Vepa,
            };
            let data = vec![InfoIpVlan::Mode(mode), InfoIpVlan::Flags(flags)];
            (InfoKind::IpVlan, Some(InfoData::IpVlan(data)))
        }
        LinkKind::Vlan { vid, protocol } => {
            let data = vec![InfoVlan::Id(vid), InfoVlan::Protocol(protocol.0.into())];
            (InfoKind::Vlan, Some(InfoData::Vlan(data)))
        }
        LinkKind::Bridge { vlan_filtering, protocol, ageing_time, default_pvid } => {
            let data = vec![
                InfoBridge::AgeingTime(ageing_time),
                InfoBridge::VlanFiltering(vlan_filtering),
                InfoBridge::VlanProtocol(VlanProtocol::from(protocol.0)),
                InfoBridge::VlanDefaultPvid(default_pvid),
            ];
            (InfoKind::Bridge, Some(InfoData::Bridge(data)))
        }
        LinkKind::Bond { mode } => {
            let mode = match mode {
                LagMode::Hash => BondMode::Ieee8023Ad,
                LagMode::Other(LagModeName::BalanceRr) => BondMode::BalanceRr,
                LagMode::Other(LagModeName::ActiveBackup) => BondMode::ActiveBackup,
                LagMode::Other(LagModeName::Broadcast) => BondMode::Broadcast,
                LagMode::Other(LagModeName::BalanceTlb) => BondMode::BalanceTlb,
                LagMode::Other(LagModeName::BalanceAlb) => BondMode::BalanceAlb,
                LagMode::Other(LagModeName::Unknown) => BondMode::Other(77),
            };
            (InfoKind::Bond, Some(InfoData::Bond(vec![InfoBond::Mode(mode)])))
        }
        LinkKind::Team => (InfoKind::Team, None),
        LinkKind::Vrf { table } => {
            (InfoKind::Vrf, Some(InfoData::Vrf(vec![InfoVrf::TableId(table)])))
        }
        LinkKind::Other { name } => (InfoKind::from(name.as_str()), None),
    };
    std::iter::once(LinkInfo::Kind(kind)).chain(data.map(LinkInfo::Data)).collect()
}

fn slave_info(slave: Slave) -> Vec<LinkInfo> {
    let (kind, data) = match slave {
        Slave::None => return Vec::new(),
        Slave::BridgePort { state, learning, locked } => {
            let state = match state {
                StpState::Discarding => BridgePortState::Blocking,
                StpState::Learning => BridgePortState::Learning,
                StpState::Forwarding => BridgePortState::Forwarding,
            };
            let data = vec![
                InfoBridgePort::State(state),
                InfoBridgePort::Learning(learning),
                InfoBridgePort::Locked(locked),
            ];
            (InfoPortKind::Bridge, Some(InfoPortData::BridgePort(data)))
        }
        Slave::BondSlave { active, link_up } => {
            let state = if active { BondPortState::Active } else { BondPortState::Backup };
            let status = if link_up { MiiStatus::Up } else { MiiStatus::GoingBack };
            let data = vec![InfoBondPort::BondPortState(state), InfoBondPort::MiiStatus(status)];
            (InfoPortKind::Bond, Some(InfoPortData::BondPort(data)))
        }
        Slave::Other { name } => (InfoPortKind::Other(name), None),
    };
    std::iter::once(LinkInfo::PortKind(kind)).chain(data.map(LinkInfo::PortData)).collect()
}

/// RTM_NEWNEIGH of AF_BRIDGE with NTF_SELF.
pub(crate) fn received_message(ifindex: IfIndex, mac: Mac) -> Vec<u8> {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = ifindex.0;
    message.header.state = NeighbourState::Permanent;
    message.header.flags = NeighbourFlags::Own;
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
    serialize(RouteNetlinkMessage::NewNeighbour(message))
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

/// RTM_NEWROUTE of a route to next hops or an object.
pub(crate) fn route_message(route: &Route) -> Vec<u8> {
    let v6 = route.prefix.addr().is_ipv6();
    let mut message = RouteMessage::default();
    message.header.address_family = if v6 { AddressFamily::Inet6 } else { AddressFamily::Inet };
    message.header.destination_prefix_length = route.prefix.prefix_len();
    message.header.tos = route.tos;
    message.header.protocol = route.protocol.into();
    message.header.kind =
        if route.kind == RouteKind::Local { RouteType::Local } else { RouteType::Unicast };
    message.attributes = vec![
        RouteAttribute::Table(route.table),
        RouteAttribute::Destination(route.prefix.addr().into()),
        RouteAttribute::Priority(route.metric),
    ];
    match &route.via {
        Via::Object(id) => message.attributes.push(RouteAttribute::NhId(*id)),
        Via::Hops(hops) => match &hops[..] {
            [hop] => {
                message.header.flags = RouteFlags::from_bits_retain(dead(hop).into());
                message.attributes.extend(hop.ifindex.map(|index| RouteAttribute::Oif(index.0)));
                message.attributes.extend(gateway(hop, v6));
            }
            hops => {
                let several = hops.iter().map(|hop| next_hop(hop, v6)).collect();
                message.attributes.push(RouteAttribute::MultiPath(several));
            }
        },
    }
    serialize(RouteNetlinkMessage::NewRoute(message))
}

fn next_hop(hop: &NextHop, v6: bool) -> RouteNextHop {
    let mut written = RouteNextHop::default();
    written.flags = RouteNextHopFlags::from_bits_retain(dead(hop));
    written.hops = u8::try_from(hop.weight - 1).unwrap();
    written.interface_index = hop.ifindex.map_or(0, |index| index.0);
    written.attributes = gateway(hop, v6).into_iter().collect();
    written
}

fn dead(hop: &NextHop) -> u8 {
    u8::from(hop.dead) | u8::from(hop.link_down) << 4
}

fn gateway(hop: &NextHop, v6: bool) -> Option<RouteAttribute> {
    let gateway = hop.gateway?;
    Some(if gateway.is_ipv6() == v6 {
        RouteAttribute::Gateway(gateway.into())
    } else {
        RouteAttribute::Via(gateway.into())
    })
}

/// RTM_NEWNEIGH of a neighbour.
pub(crate) fn neighbour_message(neighbour: &Neighbour) -> Vec<u8> {
    let mut message = NeighbourMessage::default();
    let (family, destination) = match neighbour.ip {
        IpAddr::V4(ip) => (AddressFamily::Inet, NeighbourAddress::Inet(ip)),
        IpAddr::V6(ip) => (AddressFamily::Inet6, NeighbourAddress::Inet6(ip)),
    };
    message.header.family = family;
    message.header.ifindex = neighbour.ifindex.0;
    message.header.state = match (neighbour.permanent, neighbour.mac) {
        (true, _) => NeighbourState::Permanent,
        (false, Some(_)) => NeighbourState::Stale,
        (false, None) => NeighbourState::Incomplete,
    };
    message.attributes.push(NeighbourAttribute::Destination(destination));
    let mac = neighbour.mac.map(|mac| NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
    message.attributes.extend(mac);
    serialize(RouteNetlinkMessage::NewNeighbour(message))
}

fn serialize(message: RouteNetlinkMessage) -> Vec<u8> {
    let mut message = NetlinkMessage::new(NetlinkHeader::default(), message.into());
    message.finalize();
    let mut octets = vec![0; message.buffer_len()];
    message.serialize(&mut octets);
    octets
}
