//! What kind of device is it, and what is it to its master? IFLA_LINKINFO goes in.
//!
//! ```text
//!  IFLA_LINKINFO ─┬─ IFLA_INFO_KIND "vlan"          IFLA_INFO_DATA        ─▶ LinkKind
//!                 └─ IFLA_INFO_SLAVE_KIND "bridge"  IFLA_INFO_SLAVE_DATA  ─▶ Slave
//! ```
//!
//! What every kernel sends is required; what older ones or smaller configurations leave out has the value that such a
//! kernel behaves by. Source: `rtnl_link_fill` in net/core/rtnetlink.c and each kind's `fill_info` and `fill_slave_info`.

use firsthop_model::topology::{
    IpvlanFlag, IpvlanMode, LagMode, LinkKind, MacvlanMode, Slave, StpState, TagProtocol,
};

use super::super::Fault;
use super::super::attributes::{Attribute, Attributes};

pub(super) const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;

const IFLA_MACVLAN_MODE: u16 = 1;
const IFLA_IPVLAN_MODE: u16 = 1;
const IFLA_IPVLAN_FLAGS: u16 = 2;
const IPVLAN_F_PRIVATE: u16 = 1;
const IPVLAN_F_VEPA: u16 = 2;
const IFLA_VRF_TABLE: u16 = 1;
const IFLA_VLAN_ID: u16 = 1;
const IFLA_VLAN_PROTOCOL: u16 = 5;
const IFLA_BR_AGEING_TIME: u16 = 4;
const IFLA_BR_VLAN_FILTERING: u16 = 7;
const IFLA_BR_VLAN_PROTOCOL: u16 = 8;
const IFLA_BR_VLAN_DEFAULT_PVID: u16 = 39;
const IFLA_BOND_MODE: u16 = 1;

const IFLA_BRPORT_STATE: u16 = 1;
const IFLA_BRPORT_LEARNING: u16 = 8;
const IFLA_BRPORT_LOCKED: u16 = 39;
const IFLA_BOND_SLAVE_STATE: u16 = 1;
const IFLA_BOND_SLAVE_MII_STATUS: u16 = 2;
/// `BOND_STATE_ACTIVE` and `BOND_LINK_UP`: the good value of both is zero.
const BOND_GOOD: u8 = 0;

/// `BR_DEFAULT_AGEING_TIME`, in the hundredths of a second of `jiffies_to_clock_t`.
const DEFAULT_AGEING_TIME: u32 = 300 * 100;

/// IFLA_LINKINFO. A plain device in a bridge or VRF has one without a kind: only IFLA_INFO_SLAVE_KIND.
pub(super) fn decode(info: Attributes<'_>) -> Result<(LinkKind, Slave), Fault> {
    let (mut kind, mut slave) = (None, None);
    let (mut data, mut slave_data) = (Attributes(&[]), Attributes(&[]));
    for attribute in info {
        let attribute = attribute?;
        match attribute.kind {
            IFLA_INFO_KIND => kind = Some(attribute.text()?),
            IFLA_INFO_DATA => data = attribute.nested(),
            IFLA_INFO_SLAVE_KIND => slave = Some(attribute.text()?),
            IFLA_INFO_SLAVE_DATA => slave_data = attribute.nested(),
            _ => {}
        }
    }
    let kind = kind.map_or(Ok(LinkKind::None), |name| link_kind(name, &data))?;
    let slave = slave.map_or(Ok(Slave::None), |name| slave_of(name, &slave_data))?;
    Ok((kind, slave))
}

fn link_kind(name: String, data: &Attributes<'_>) -> Result<LinkKind, Fault> {
    Ok(match name.as_str() {
        "macvlan" => {
            LinkKind::Macvlan { mode: macvlan_mode(required(data, IFLA_MACVLAN_MODE)?.u32()?) }
        }
        "ipvlan" => {
            // Kernels before 4.15 have no flags.
            let flags = find(data, IFLA_IPVLAN_FLAGS)?.map_or(Ok(0), |flags| flags.u16())?;
            LinkKind::Ipvlan {
                mode: ipvlan_mode(required(data, IFLA_IPVLAN_MODE)?.u16()?),
                flag: if flags & IPVLAN_F_PRIVATE != 0 {
                    IpvlanFlag::Private
                } else if flags & IPVLAN_F_VEPA != 0 {
                    IpvlanFlag::Vepa
                } else {
                    IpvlanFlag::Bridge
                },
            }
        }
        "vrf" => LinkKind::Vrf { table: required(data, IFLA_VRF_TABLE)?.u32()? },
        "vlan" => LinkKind::Vlan {
            vid: required(data, IFLA_VLAN_ID)?.u16()?,
            // Kernels before 3.10 know no other.
            protocol: protocol(data, IFLA_VLAN_PROTOCOL)?,
        },
        "bridge" => LinkKind::Bridge {
            // Older kernels have none of these; the protocol is not there without CONFIG_BRIDGE_VLAN_FILTERING.
            vlan_filtering: flag(data, IFLA_BR_VLAN_FILTERING, false)?,
            protocol: protocol(data, IFLA_BR_VLAN_PROTOCOL)?,
            ageing_time: find(data, IFLA_BR_AGEING_TIME)?
                .map_or(Ok(DEFAULT_AGEING_TIME), |time| time.u32())?,
            default_pvid: find(data, IFLA_BR_VLAN_DEFAULT_PVID)?.map_or(Ok(0), |vid| vid.u16())?,
        },
        "bond" => LinkKind::Bond { mode: LagMode::of_bond(required(data, IFLA_BOND_MODE)?.u8()?) },
        "team" => LinkKind::Team,
        _ => LinkKind::Other { name },
    })
}

fn slave_of(master: String, data: &Attributes<'_>) -> Result<Slave, Fault> {
    Ok(match master.as_str() {
        "bridge" => bridge_port(data)?,
        "bond" => Slave::BondSlave {
            active: required(data, IFLA_BOND_SLAVE_STATE)?.u8()? == BOND_GOOD,
            link_up: required(data, IFLA_BOND_SLAVE_MII_STATUS)?.u8()? == BOND_GOOD,
        },
        _ => Slave::Other { name: master },
    })
}

/// The nest that `br_port_fill_attrs` fills: IFLA_INFO_SLAVE_DATA, and IFLA_PROTINFO in messages of AF_BRIDGE. The state
/// was in it from the first.
pub(super) fn bridge_port(data: &Attributes<'_>) -> Result<Slave, Fault> {
    Ok(Slave::BridgePort {
        state: StpState::from_u8(required(data, IFLA_BRPORT_STATE)?.u8()?),
        // Before 3.11 every port learns.
        learning: flag(data, IFLA_BRPORT_LEARNING, true)?,
        // Before 5.18 none is locked.
        locked: flag(data, IFLA_BRPORT_LOCKED, false)?,
    })
}

fn find<'a>(nest: &Attributes<'a>, kind: u16) -> Result<Option<Attribute<'a>>, Fault> {
    let mut found = None;
    for attribute in nest.clone() {
        found = Some(attribute?).filter(|attribute| attribute.kind == kind).or(found);
    }
    Ok(found)
}

fn required<'a>(nest: &Attributes<'a>, kind: u16) -> Result<Attribute<'a>, Fault> {
    find(nest, kind)?.ok_or(Fault::Missing { attribute: kind })
}

fn flag(nest: &Attributes<'_>, kind: u16, absent: bool) -> Result<bool, Fault> {
    find(nest, kind)?.map_or(Ok(absent), |attribute| Ok(attribute.u8()? != 0))
}

/// A tag protocol, which is in network byte order.
fn protocol(nest: &Attributes<'_>, kind: u16) -> Result<TagProtocol, Fault> {
    find(nest, kind)?.map_or(Ok(TagProtocol::DOT1Q), |attribute| {
        Ok(TagProtocol(u16::from_be_bytes(attribute.octets()?)))
    })
}

const fn macvlan_mode(mode: u32) -> MacvlanMode {
    match mode {
        1 => MacvlanMode::Private,
        2 => MacvlanMode::Vepa,
        4 => MacvlanMode::Bridge,
        8 => MacvlanMode::Passthru,
        16 => MacvlanMode::Source,
        other => MacvlanMode::Other(other),
    }
}

const fn ipvlan_mode(mode: u16) -> IpvlanMode {
    match mode {
        0 => IpvlanMode::L2,
        1 => IpvlanMode::L3,
        2 => IpvlanMode::L3s,
        other => IpvlanMode::Other(other),
    }
}
