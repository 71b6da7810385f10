//! What does RTM_NEWLINK or RTM_DELLINK say about a device?
//!
//! ```text
//!  struct ifinfomsg:   0 family   2 type   4 index   8 flags   12 change   16 attributes …
//! ```
//!
//! Source: `rtnl_fill_ifinfo` in net/core/rtnetlink.c, numbers from include/uapi/linux/if_link.h.

mod info;

use firsthop_model::topology::{DevlinkPort, Event, Link, LinkKind, OperState, Slave};
use firsthop_model::{IfIndex, Mac};

use super::attributes::{Attribute, Attributes};
use super::{Fault, checked_ifindex, word};

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_WIRELESS: u16 = 11;
const IFLA_PROTINFO: u16 = 12;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_LINKINFO: u16 = 18;
const IFLA_PROMISCUITY: u16 = 30;
const IFLA_CARRIER: u16 = 33;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_PROTO_DOWN: u16 = 39;
const IFLA_PROP_LIST: u16 = 52;
const IFLA_ALT_IFNAME: u16 = 53;
const IFLA_PERM_ADDRESS: u16 = 54;
const IFLA_DEVLINK_PORT: u16 = 62;

// include/uapi/linux/devlink.h
const DEVLINK_ATTR_BUS_NAME: u16 = 1;
const DEVLINK_ATTR_DEV_NAME: u16 = 2;
const DEVLINK_ATTR_PORT_INDEX: u16 = 3;

const HEADER: usize = 16;

/// The header, and what follows.
struct Header<'a> {
    family: i32,
    ifindex: IfIndex,
    flags: u32,
    attributes: Attributes<'a>,
}

fn split(payload: &[u8]) -> Result<Header<'_>, Fault> {
    let cut = Fault::Cut { need: HEADER, have: payload.len() };
    let (Some(family), Some(index), Some(flags), Some(attributes)) =
        (payload.first(), word(payload, 4), word(payload, 8), payload.get(HEADER..))
    else {
        return Err(cut);
    };
    let ifindex = checked_ifindex("ifi_index", index)?;
    Ok(Header { family: (*family).into(), ifindex, flags, attributes: Attributes(attributes) })
}

/// RTM_DELLINK. With IFLA_NEW_NETNSID the device lives on in another network namespace; from here it is gone as well.
/// Of AF_BRIDGE it says that a port left its bridge, not that the device is gone.
pub(super) fn decode_gone(payload: &[u8]) -> Result<Option<IfIndex>, Fault> {
    let header = split(payload)?;
    Ok((header.family == libc::AF_UNSPEC).then_some(header.ifindex))
}

/// RTM_NEWLINK: the whole device, or of AF_BRIDGE what it is to its bridge; `None` where it is neither.
pub(super) fn decode(payload: &[u8]) -> Result<Option<Event>, Fault> {
    let header = split(payload)?;
    match header.family {
        libc::AF_UNSPEC => Ok(device(header)?.map(|link| Event::Link(link.into()))),
        libc::AF_BRIDGE => Ok(port(&header)?.map(|slave| Event::Slave(header.ifindex, slave))),
        _ => Ok(None),
    }
}

/// A message about the bridge itself has no IFLA_PROTINFO.
fn port(header: &Header<'_>) -> Result<Option<Slave>, Fault> {
    for attribute in header.attributes.clone() {
        let attribute = attribute?;
        if attribute.kind == IFLA_PROTINFO {
            return info::bridge_port(&attribute.nested()).map(Some);
        }
    }
    Ok(None)
}

fn device(header: Header<'_>) -> Result<Option<Link>, Fault> {
    let Header { ifindex, flags, attributes, .. } = header;
    let mut ifname = None;
    let mut mtu = None;
    let mut link = Link {
        ifindex,
        ifname: String::new(),
        altnames: Vec::new(),
        mac: None,
        mtu: 0,
        flags,
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
    for attribute in attributes {
        let attribute = attribute?;
        match attribute.kind {
            // Wireless extensions announce scan results and the like as a NEWLINK that has nothing but a name
            // (`rtnetlink_ifinfo_prep` in net/wireless/wext-core.c).
            IFLA_WIRELESS => return Ok(None),
            // Infiniband, tunnels and others have addresses of other sizes, or none.
            IFLA_ADDRESS => link.mac = attribute.octets().ok().map(Mac),
            IFLA_IFNAME => ifname = Some(attribute.text()?),
            IFLA_MTU => mtu = Some(attribute.u32()?),
            IFLA_LINK => link.link = named(attribute)?,
            IFLA_MASTER => link.master = named(attribute)?,
            IFLA_OPERSTATE => link.operstate = OperState::from_u8(attribute.u8()?),
            IFLA_LINKINFO => (link.kind, link.slave) = info::decode(attribute.nested())?,
            IFLA_CARRIER => link.carrier = attribute.u8()? != 0,
            IFLA_LINK_NETNSID => link.link_netnsid = Some(attribute.i32()?),
            IFLA_PROTO_DOWN => link.proto_down = attribute.u8()? != 0,
            IFLA_PROP_LIST => link.altnames = altnames(attribute.nested())?,
            IFLA_PERM_ADDRESS => {
                link.perm_mac = attribute.octets().ok().map(Mac).filter(|mac| !mac.is_zero());
            }
            IFLA_DEVLINK_PORT => link.devlink = devlink_port(attribute.nested())?,
            _ => {}
        }
    }
    link.ifname = ifname.ok_or(Fault::Missing { attribute: IFLA_IFNAME })?;
    link.mtu = mtu.ok_or(Fault::Missing { attribute: IFLA_MTU })?;
    Ok(Some(link))
}

/// Another device's index; tunnels without a device below have an IFLA_LINK of 0.
fn named(attribute: Attribute<'_>) -> Result<Option<IfIndex>, Fault> {
    Ok(Some(attribute.u32()?).filter(|index| *index != 0).map(IfIndex))
}

fn altnames(properties: Attributes<'_>) -> Result<Vec<String>, Fault> {
    let mut names = Vec::new();
    for property in properties {
        let property = property?;
        if property.kind == IFLA_ALT_IFNAME {
            names.push(property.text()?);
        }
    }
    Ok(names)
}

/// RTM_NEWLINK: IFLA_INFO_KIND, if there is one.
pub(crate) fn kind_of(payload: &[u8]) -> Option<String> {
    let linkinfo = find(split(payload).ok()?.attributes, IFLA_LINKINFO)?;
    find(linkinfo.nested(), info::IFLA_INFO_KIND)?.text().ok()
}

/// RTM_NEWLINK: the device, and IFLA_PROMISCUITY.
pub(crate) fn promiscuity_of(payload: &[u8]) -> Option<(IfIndex, u32)> {
    let header = split(payload).ok()?;
    let count = find(header.attributes, IFLA_PROMISCUITY)?;
    Some((header.ifindex, count.u32().ok()?))
}

fn find(attributes: Attributes<'_>, kind: u16) -> Option<Attribute<'_>> {
    attributes.flatten().find(|attribute| attribute.kind == kind)
}

/// The port of a device; the kernel leaves the nest empty where it has no room for it (`rtnl_fill_devlink_port`).
fn devlink_port(attributes: Attributes<'_>) -> Result<Option<DevlinkPort>, Fault> {
    let (mut bus, mut device, mut index) = (None, None, None);
    for attribute in attributes {
        let attribute = attribute?;
        match attribute.kind {
            DEVLINK_ATTR_BUS_NAME => bus = Some(attribute.text()?),
            DEVLINK_ATTR_DEV_NAME => device = Some(attribute.text()?),
            DEVLINK_ATTR_PORT_INDEX => index = Some(attribute.u32()?),
            _ => {}
        }
    }
    let (Some(bus), Some(device), Some(index)) = (bus, device, index) else { return Ok(None) };
    Ok(Some(DevlinkPort { device: format!("{bus}/{device}"), index }))
}
