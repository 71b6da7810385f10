//! What does RTM_NEWLINK or RTM_DELLINK say about a device?
//!
//! ```text
//!  struct ifinfomsg:   0 family   2 type   4 index   8 flags   12 change   16 attributes …
//! ```
//!
//! Source: `rtnl_fill_ifinfo` in net/core/rtnetlink.c, numbers from include/uapi/linux/if_link.h.

use firsthop_model::topology::{Link, LinkKind, MacvlanMode, OperState};
use firsthop_model::{IfIndex, Mac};

use super::attributes::{Attribute, Attributes};
use super::{Fault, checked_ifindex, word};

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_WIRELESS: u16 = 11;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_LINKINFO: u16 = 18;
const IFLA_CARRIER: u16 = 33;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_PROTO_DOWN: u16 = 39;
const IFLA_PROP_LIST: u16 = 52;
const IFLA_ALT_IFNAME: u16 = 53;

const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_MACVLAN_MODE: u16 = 1;
const IFLA_IPVLAN_FLAGS: u16 = 2;
const IPVLAN_F_VEPA: u16 = 2;
const IFLA_VRF_TABLE: u16 = 1;

const HEADER: usize = 16;

/// The header's index and flags and what follows; `None` for a family that speaks of something else. AF_BRIDGE messages
/// are about a bridge port: RTM_DELLINK of AF_BRIDGE says that a port left its bridge, not that the device is gone.
fn split(payload: &[u8]) -> Result<Option<(IfIndex, u32, Attributes<'_>)>, Fault> {
    let cut = Fault::Cut { need: HEADER, have: payload.len() };
    let (Some(family), Some(index), Some(flags), Some(attributes)) =
        (payload.first(), word(payload, 4), word(payload, 8), payload.get(HEADER..))
    else {
        return Err(cut);
    };
    if i32::from(*family) != libc::AF_UNSPEC {
        return Ok(None);
    }
    Ok(Some((checked_ifindex("ifi_index", index)?, flags, Attributes(attributes))))
}

/// RTM_DELLINK. With IFLA_NEW_NETNSID the device lives on in another network namespace; from here it is gone as well.
pub(super) fn decode_gone(payload: &[u8]) -> Result<Option<IfIndex>, Fault> {
    Ok(split(payload)?.map(|(ifindex, ..)| ifindex))
}

/// RTM_NEWLINK; `None` where it does not describe the whole device.
pub(super) fn decode(payload: &[u8]) -> Result<Option<Link>, Fault> {
    let Some((ifindex, flags, attributes)) = split(payload)? else { return Ok(None) };
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
            IFLA_LINKINFO => link.kind = kind(attribute.nested())?,
            IFLA_CARRIER => link.carrier = attribute.u8()? != 0,
            IFLA_LINK_NETNSID => link.link_netnsid = Some(attribute.i32()?),
            IFLA_PROTO_DOWN => link.proto_down = attribute.u8()? != 0,
            IFLA_PROP_LIST => link.altnames = altnames(attribute.nested())?,
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

/// IFLA_LINKINFO. A plain device in a bridge or VRF has one without a kind: only IFLA_INFO_SLAVE_KIND.
fn kind(info: Attributes<'_>) -> Result<LinkKind, Fault> {
    let mut name = None;
    let mut data = Attributes(&[]);
    for attribute in info {
        let attribute = attribute?;
        match attribute.kind {
            IFLA_INFO_KIND => name = Some(attribute.text()?),
            IFLA_INFO_DATA => data = attribute.nested(),
            _ => {}
        }
    }
    let Some(name) = name else { return Ok(LinkKind::None) };
    Ok(match name.as_str() {
        "macvlan" => LinkKind::Macvlan { mode: mode(required(data, IFLA_MACVLAN_MODE)?.u32()?) },
        "ipvlan" => {
            // Kernels before 4.15 have no flags.
            let flags = find(data, IFLA_IPVLAN_FLAGS)?.map_or(Ok(0), |flags| flags.u16())?;
            LinkKind::Ipvlan { vepa: flags & IPVLAN_F_VEPA != 0 }
        }
        "vrf" => LinkKind::Vrf { table: required(data, IFLA_VRF_TABLE)?.u32()? },
        _ => LinkKind::Other { name },
    })
}

fn find(nest: Attributes<'_>, kind: u16) -> Result<Option<Attribute<'_>>, Fault> {
    let mut found = None;
    for attribute in nest {
        found = Some(attribute?).filter(|attribute| attribute.kind == kind).or(found);
    }
    Ok(found)
}

fn required(nest: Attributes<'_>, kind: u16) -> Result<Attribute<'_>, Fault> {
    find(nest, kind)?.ok_or(Fault::Missing { attribute: kind })
}

const fn mode(mode: u32) -> MacvlanMode {
    match mode {
        1 => MacvlanMode::Private,
        2 => MacvlanMode::Vepa,
        4 => MacvlanMode::Bridge,
        8 => MacvlanMode::Passthru,
        16 => MacvlanMode::Source,
        other => MacvlanMode::Other(other),
    }
}
