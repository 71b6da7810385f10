//! Messages about qdiscs and filters, as the kernel reads and writes them (include/uapi/linux/rtnetlink.h, pkt_cls.h).
//!
//! ```text
//!  | tcmsg: family 0, ifindex, handle, parent, info = prio << 16 | Ethernet type | TCA_KIND "flower" | TCA_OPTIONS      |
//!  TCA_OPTIONS: the fields of the frame | TCA_FLOWER_FLAGS skip_sw | TCA_FLOWER_ACT
//!  TCA_FLOWER_ACT: 1: TCA_ACT_KIND "gact" | TCA_ACT_COOKIE | TCA_ACT_OPTIONS: TCA_GACT_PARMS struct tc_gact, action trap
//! ```
//!
//! `RouteNetlinkMessage` of netlink-packet-route is not used for answers: what it can't decode it drops, and a list that lacks
//! a rule must not look empty. Here a filter of any kind counts, and only what decides is looked into.

use std::convert::Infallible;
use std::net::{Ipv4Addr, Ipv6Addr};

use firsthop_model::IfIndex;
use firsthop_model::intent::ControlRule;
use firsthop_model::types::Family;
use rtnetlink::packet_core::{
    DefaultNla, Emitable as _, NetlinkDeserializable, NetlinkHeader, NetlinkPayload,
    NetlinkSerializable, NlasIterator,
};
use rtnetlink::packet_route::tc::TcHeader;

use super::{Direction, FlowerError};

pub(super) const RTM_NEWQDISC: u16 = 36;
pub(super) const RTM_DELQDISC: u16 = 37;
pub(super) const RTM_GETQDISC: u16 = 38;
pub(super) const RTM_NEWTFILTER: u16 = 44;
pub(super) const RTM_DELTFILTER: u16 = 45;
pub(super) const RTM_GETTFILTER: u16 = 46;

const TC_H_CLSACT: u32 = 0xffff_fff1;
const CLSACT_HANDLE: u32 = 0xffff_0000;
const CLSACT_INGRESS: u32 = 0xffff_fff2;
const CLSACT_EGRESS: u32 = 0xffff_fff3;
/// Of `struct tcmsg`.
const HEADER: usize = 20;

const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_CHAIN: u16 = 11;

const ACT: u16 = 3;
const ETH_TYPE: u16 = 8;
const IP_PROTO: u16 = 9;
const IPV4_DST: u16 = 12;
const IPV4_DST_MASK: u16 = 13;
const IPV6_DST: u16 = 16;
const IPV6_DST_MASK: u16 = 17;
const FLAGS: u16 = 22;
const VLAN_ID: u16 = 23;
const VLAN_ETH_TYPE: u16 = 25;
const IN_HW_COUNT: u16 = 86;

const SKIP_SW: u32 = 2;
const IN_HW: u32 = 4;

const ACT_KIND: u16 = 1;
const ACT_OPTIONS: u16 = 2;
const ACT_COOKIE: u16 = 6;
const GACT_PARMS: u16 = 2;
/// TC_ACT_TRAP
const TRAP: i32 = 8;

const ETH_P_IP: u16 = 0x0800;
const ETH_P_IPV6: u16 = 0x86dd;
const ETH_P_8021Q: u16 = 0x8100;
const VRRP: u8 = 112;
const GROUP4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const GROUP6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

/// The handle of each rule: a prio has one rule.
const HANDLE: u32 = 1;
/// What tells a rule of ours from the same one that an administrator made; `tc` shows it in hexadecimal.
pub(super) const COOKIE: &[u8; 8] = b"firsthop";

/// A request, or a part of the answer: its type and its octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: u16,
    pub(super) octets: Vec<u8>,
}

/// A filter of any kind, as far as it decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    /// It is this rule of ours, wherever it is carried out.
    pub(super) ours: Option<ControlRule>,
    /// It takes the frames of this rule to the CPU, and does nothing else, whoever made it, by whatever prio.
    pub(super) does: Option<ControlRule>,
    /// In hardware alone, and there it is.
    pub(super) in_hardware: bool,
}

/// A request to add the rule; its flags say that it must be new.
pub(super) fn add(rule: ControlRule) -> Message {
    let attributes = [kind("flower"), DefaultNla::new(TCA_OPTIONS, options(rule))];
    about(RTM_NEWTFILTER, rule, &attributes)
}

/// A request to remove the rule.
pub(super) fn remove(rule: ControlRule) -> Message {
    about(RTM_DELTFILTER, rule, &[kind("flower")])
}

/// A request for all filters at a side of a port.
pub(super) fn filters(port: IfIndex, direction: Direction) -> Message {
    let parent = match direction {
        Direction::Ingress => CLSACT_INGRESS,
        Direction::Egress => CLSACT_EGRESS,
    };
    message(RTM_GETTFILTER, port, 0, parent, 0, &[])
}

/// A request about a port's clsact: to add it, to remove it, or to say whether it, or an ingress qdisc, is there.
pub(super) fn clsact(request: u16, port: IfIndex) -> Message {
    let kind = [kind("clsact")];
    let parent = if request == RTM_GETQDISC { 0 } else { TC_H_CLSACT };
    let attributes = if request == RTM_GETQDISC { &[][..] } else { &kind };
    message(request, port, CLSACT_HANDLE, parent, 0, attributes)
}

fn about(request: u16, rule: ControlRule, attributes: &[DefaultNla]) -> Message {
    let info = u32::from(rule.prio()) << 16 | u32::from(outer_type(rule).to_be());
    message(request, rule.port, HANDLE, CLSACT_INGRESS, info, attributes)
}

fn message(
    kind: u16,
    port: IfIndex,
    handle: u32,
    parent: u32,
    info: u32,
    attributes: &[DefaultNla],
) -> Message {
    // no index that the kernel gave is so large
    let index = i32::try_from(port.0).unwrap_or_default();
    let (handle, parent) = (handle.into(), parent.into());
    let header = TcHeader { index, handle, parent, info, ..TcHeader::default() };
    let mut octets = vec![0; HEADER];
    header.emit(&mut octets);
    octets.extend(nest(attributes));
    Message { kind, octets }
}

fn nest(attributes: &[DefaultNla]) -> Vec<u8> {
    let mut octets = vec![0; attributes.buffer_len()];
    attributes.emit(&mut octets);
    octets
}

fn kind(name: &str) -> DefaultNla {
    DefaultNla::new(TCA_KIND, [name.as_bytes(), b"\0"].concat())
}

const fn inner_type(rule: ControlRule) -> u16 {
    match rule.family {
        Family::Ipv4 => ETH_P_IP,
        Family::Ipv6 => ETH_P_IPV6,
    }
}

const fn outer_type(rule: ControlRule) -> u16 {
    match rule.vlan {
        None => inner_type(rule),
        Some(_) => ETH_P_8021Q,
    }
}

/// The fields of a frame that a rule takes, but for the outer Ethernet type.
fn fields(rule: ControlRule) -> Vec<DefaultNla> {
    let mut fields = vec![DefaultNla::new(IP_PROTO, vec![VRRP])];
    if let Some(vlan) = rule.vlan {
        fields.push(DefaultNla::new(VLAN_ID, vlan.to_ne_bytes().into()));
        fields.push(DefaultNla::new(VLAN_ETH_TYPE, inner_type(rule).to_be_bytes().into()));
    }
    match rule.family {
        Family::Ipv4 => {
            fields.push(DefaultNla::new(IPV4_DST, GROUP4.octets().into()));
            fields.push(DefaultNla::new(IPV4_DST_MASK, vec![0xff; 4]));
        }
        Family::Ipv6 => {
            fields.push(DefaultNla::new(IPV6_DST, GROUP6.octets().into()));
            fields.push(DefaultNla::new(IPV6_DST_MASK, vec![0xff; 16]));
        }
    }
    fields
}

fn options(rule: ControlRule) -> Vec<u8> {
    let mut options = vec![DefaultNla::new(ETH_TYPE, outer_type(rule).to_be_bytes().into())];
    options.extend(fields(rule));
    options.push(DefaultNla::new(FLAGS, SKIP_SW.to_ne_bytes().into()));
    let mut parms = [0; 20];
    parms[8..12].copy_from_slice(&TRAP.to_ne_bytes());
    let action = [
        DefaultNla::new(ACT_KIND, b"gact\0".into()),
        DefaultNla::new(ACT_OPTIONS, nest(&[DefaultNla::new(GACT_PARMS, parms.into())])),
        DefaultNla::new(ACT_COOKIE, COOKIE.into()),
    ];
    options.push(DefaultNla::new(ACT, nest(&[DefaultNla::new(1, nest(&action))])));
    nest(&options)
}

/// Reads a row of the answer to [`filters`]. None: it is about another port.
///
/// # Errors
/// It can't be read; then nothing may be concluded from its absence.
pub(super) fn read(message: &Message, port: IfIndex) -> Result<Option<Filter>, FlowerError> {
    let undecodable = |_| FlowerError::Undecodable;
    let header = TcHeader::parse(&message.octets).map_err(undecodable)?;
    if u32::try_from(header.index) != Ok(port.0) {
        return Ok(None);
    }
    let mut other = Filter { ours: None, does: None, in_hardware: false };
    let attributes = attributes(message.octets.get(HEADER..).unwrap_or_default())?;
    let of = |number| find(&attributes, number);
    let chain = of(TCA_CHAIN).is_some_and(|chain| chain.iter().any(|octet| *octet != 0));
    if chain || of(TCA_KIND) != Some(b"flower\0") {
        return Ok(Some(other));
    }
    // the row that stands for a prio, and not for a rule in it
    let Some(options) = of(TCA_OPTIONS) else { return Ok(Some(other)) };
    let options = self::attributes(options)?;
    let flags = find(&options, FLAGS).and_then(number).unwrap_or_default();
    other.in_hardware = flags & (SKIP_SW | IN_HW) == SKIP_SW | IN_HW;
    let Some(cookie) = trap(find(&options, ACT).unwrap_or_default())? else {
        return Ok(Some(other));
    };
    other.does = rule(port, &options);
    other.ours = other.does.filter(|rule| {
        let [.., prio1, prio0] = (header.info >> 16).to_be_bytes();
        let own = u16::from_be_bytes([prio1, prio0]) == rule.prio();
        own && u32::from(header.handle) == HANDLE && cookie == COOKIE
    });
    Ok(Some(other))
}

/// The rule whose fields these are: all of them, and no others.
fn rule(port: IfIndex, options: &[(u16, &[u8])]) -> Option<ControlRule> {
    let vlan = match find(options, VLAN_ID) {
        Some(vlan) => Some(u16::from_ne_bytes(vlan.try_into().ok()?)),
        None => None,
    };
    let family = match find(options, IPV4_DST) {
        Some(_) => Family::Ipv4,
        None => Family::Ipv6,
    };
    let rule = ControlRule { port, vlan, family };
    // the kernel says the inner type, where it was asked for the outer one
    let types = [inner_type(rule), outer_type(rule)].map(u16::to_be_bytes);
    let eth_type = find(options, ETH_TYPE)?;
    let mut wanted = fields(rule);
    for (number, value) in options {
        match *number {
            ETH_TYPE | FLAGS | ACT | IN_HW_COUNT => {}
            number => {
                let field = DefaultNla::new(number, value.to_vec());
                let at = wanted.iter().position(|wanted| *wanted == field)?;
                wanted.swap_remove(at);
            }
        }
    }
    (wanted.is_empty() && types.iter().any(|known| known == eth_type)).then_some(rule)
}

/// The cookie of the one action, if that is `trap`; without a cookie nothing.
fn trap(actions: &[u8]) -> Result<Option<&[u8]>, FlowerError> {
    let actions = attributes(actions)?;
    let [(_, action)] = actions.as_slice() else { return Ok(None) };
    let action = attributes(action)?;
    if find(&action, ACT_KIND) != Some(b"gact\0") {
        return Ok(None);
    }
    let options = attributes(find(&action, ACT_OPTIONS).unwrap_or_default())?;
    let parms = find(&options, GACT_PARMS).and_then(|parms| parms.get(8..12));
    if parms != Some(&TRAP.to_ne_bytes()) {
        return Ok(None);
    }
    Ok(Some(find(&action, ACT_COOKIE).unwrap_or_default()))
}

/// Numbers, without the flag of nests, and values.
pub(super) fn attributes(octets: &[u8]) -> Result<Vec<(u16, &[u8])>, FlowerError> {
    let mut rest = octets;
    let mut found = Vec::new();
    for attribute in NlasIterator::new(octets) {
        let attribute = attribute.map_err(|_| FlowerError::Undecodable)?;
        let length = usize::from(attribute.length());
        let value = rest.get(4..length).ok_or(FlowerError::Undecodable)?;
        found.push((attribute.kind(), value));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(found)
}

fn find<'a>(attributes: &[(u16, &'a [u8])], number: u16) -> Option<&'a [u8]> {
    attributes.iter().find(|(found, _)| *found == number).map(|(_, value)| *value)
}

fn number(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_ne_bytes)
}

/// The words of an extended acknowledgement: attributes behind the echoed request.
pub(super) fn words(attributes: &[u8]) -> Option<String> {
    const NLMSGERR_ATTR_MSG: u16 = 1;
    let attributes = self::attributes(attributes).ok()?;
    let text = find(&attributes, NLMSGERR_ATTR_MSG)?;
    let text = String::from_utf8_lossy(text);
    Some(text.trim_end_matches('\0').to_owned())
}

impl NetlinkSerializable for Message {
    fn message_type(&self) -> u16 {
        self.kind
    }

    fn buffer_len(&self) -> usize {
        self.octets.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer[..self.octets.len()].copy_from_slice(&self.octets);
    }
}

impl NetlinkDeserializable for Message {
    type Error = Infallible;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, Infallible> {
        Ok(Self { kind: header.message_type, octets: payload.to_vec() })
    }
}

impl From<Message> for NetlinkPayload<Message> {
    fn from(message: Message) -> Self {
        Self::InnerMessage(message)
    }
}
