//! What the kernel says about netdevs: netlink messages taken apart.
//!
//! ```text
//! nlmsghdr 16 bytes │ ifinfomsg 16 bytes │ attributes: length u16, type u16, value, padding to 4
//! ```
//! All numbers are in the machine's byte order. A message that is cut short is left out.

use super::request::{RTM_DELLINK, RTM_NEWLINK};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_PHYS_PORT_NAME: u16 = 38;
const IFLA_PARENT_DEV_NAME: u16 = 56;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const IFLA_BRPORT_ISOLATED: u16 = 33;
const HEADER: usize = 16;
const IFINFO: usize = 16;

/// A netdev as the kernel described it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Link {
    /// The kernel's index, unique in its namespace.
    pub ifindex: u32,
    /// The present name.
    pub name: String,
    /// Admin state (`IFF_UP`).
    pub up: bool,
    /// Carrier (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// The hardware address, empty when it has none of six bytes.
    pub mac: Option<[u8; 6]>,
    /// Bytes.
    pub mtu: u32,
    /// The netdev that this one is enslaved to.
    pub master: Option<u32>,
    /// What `IFLA_LINK` names in the same namespace: the netdev below, or of a veth or netdevsim the
    /// one at the other end.
    pub lower: Option<u32>,
    /// "veth", "vlan", "bond"; empty for hardware and for netdevsim.
    pub kind: String,
    /// Whether it is an isolated port; `None` when it is no port of a bridge.
    pub isolated: Option<bool>,
    /// The device that it belongs to, such as "netdevsim7"; empty without one.
    pub parent: String,
    /// Which port of that device, such as "p1"; empty when it does not say.
    pub port_name: String,
}

/// A change of a netdev.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// It is there, and this is its state.
    Present(Link),
    /// It was deleted or left the namespace.
    Gone(u32),
}

/// What a message says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An acknowledgement, an error or the end of a dump: the error number, 0 for none.
    Done(i32),
    Link(LinkEvent),
    Other,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) sequence: u32,
    pub(super) kind: Kind,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The messages of a datagram.
pub(super) fn parts(mut datagram: &[u8]) -> impl Iterator<Item = Part> {
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(datagram, 0)?).ok()?;
        if length < HEADER {
            return None;
        }
        let message = datagram.get(..length)?;
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        let body = &message[HEADER..];
        let kind = match u16_at(message, 4)? {
            NLMSG_ERROR => Kind::Done(i32_at(body, 0)?.saturating_neg()),
            // The end of a dump carries an error number too; very old kernels leave it out.
            NLMSG_DONE => Kind::Done(i32_at(body, 0).unwrap_or(0).saturating_neg()),
            kind @ (RTM_NEWLINK | RTM_DELLINK) => link(kind, body).map_or(Kind::Other, Kind::Link),
            _ => Kind::Other,
        };
        Some(Part { sequence: u32_at(message, 8)?, kind })
    })
}

fn link(kind: u16, body: &[u8]) -> Option<LinkEvent> {
    // AF_BRIDGE messages tell of a bridge port: a DELLINK there means that it left its bridge.
    if *body.first()? != 0 {
        return None;
    }
    let ifindex = u32_at(body, 4)?;
    if kind == RTM_DELLINK {
        return Some(LinkEvent::Gone(ifindex));
    }
    let flags = u32_at(body, 8)?;
    let mut link = Link {
        ifindex,
        up: flags & libc::IFF_UP.cast_unsigned() != 0,
        carrier: flags & libc::IFF_LOWER_UP.cast_unsigned() != 0,
        ..Link::default()
    };
    let mut elsewhere = false;
    for (kind, value) in attributes(body.get(IFINFO..)?) {
        match kind {
            IFLA_LINK => link.lower = u32_at(value, 0).filter(|index| *index != 0),
            IFLA_LINK_NETNSID => elsewhere = true,
            IFLA_LINKINFO => info(&mut link, value),
            IFLA_PARENT_DEV_NAME => link.parent = text(value),
            IFLA_PHYS_PORT_NAME => link.port_name = text(value),
            IFLA_IFNAME => link.name = text(value),
            IFLA_MTU => link.mtu = u32_at(value, 0)?,
            IFLA_MASTER => link.master = u32_at(value, 0),
            IFLA_ADDRESS => link.mac = value.try_into().ok(),
            _ => {}
        }
    }
    link.lower = link.lower.filter(|_| !elsewhere);
    Some(LinkEvent::Present(link))
}

/// What kind of netdev it is, and as what it is enslaved.
fn info(link: &mut Link, value: &[u8]) {
    let mut bridged = false;
    let mut isolated = false;
    for (kind, value) in attributes(value) {
        match kind {
            IFLA_INFO_KIND => link.kind = text(value),
            IFLA_INFO_SLAVE_KIND => bridged = text(value) == "bridge",
            IFLA_INFO_SLAVE_DATA => {
                let option = attributes(value).find(|(kind, _)| *kind == IFLA_BRPORT_ISOLATED);
                isolated =
                    option.is_some_and(|(_, value)| value.first().is_some_and(|on| *on != 0));
            }
            _ => {}
        }
    }
    link.isolated = bridged.then_some(isolated);
}

fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)?;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind & 0x3fff, value)) // without the nested and byte-order flags
    })
}

#[cfg(test)]
mod tests {
    use super::super::request::Request;
    use super::*;

    // Fails if the messages that we build are not the messages that we read.
    #[test]
    fn reads_what_a_request_says() {
        let mut request = Request::set_link(7);
        request.name("swp1").u32(IFLA_MTU, 9000).u32(IFLA_MASTER, 3);
        let mut bytes = request.finish(5);
        bytes[4..6].copy_from_slice(&RTM_NEWLINK.to_ne_bytes());
        let link =
            Link { ifindex: 7, name: "swp1".into(), mtu: 9000, master: Some(3), ..Link::default() };
        let part = Part { sequence: 5, kind: Kind::Link(LinkEvent::Present(link)) };
        assert_eq!(parts(&bytes).collect::<Vec<_>>(), [part]);
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn link_with(attributes: &[Vec<u8>]) -> Link {
        let mut body = vec![0; IFINFO];
        body.extend(attributes.concat());
        match super::link(RTM_NEWLINK, &body) {
            Some(LinkEvent::Present(link)) => link,
            other => panic!("{other:?}"),
        }
    }

    // Fails if a netdev above the chip's is not known as such, or a netdev of another namespace is taken for one here.
    #[test]
    fn reads_where_a_netdev_stands() {
        let below = attribute(IFLA_LINK, &7_u32.to_ne_bytes());
        let kind = attribute(IFLA_LINKINFO, &attribute(IFLA_INFO_KIND, b"vlan\0"));
        let link = link_with(&[below.clone(), kind]);
        assert_eq!((link.lower, link.kind.as_str(), link.isolated), (Some(7), "vlan", None));
        let elsewhere = attribute(IFLA_LINK_NETNSID, &[0; 4]);
        assert_eq!(link_with(&[elsewhere.clone(), below.clone()]).lower, None);
        assert_eq!(link_with(&[below, elsewhere]).lower, None);
    }

    // Fails if a bridge port, or its isolation, is not seen, or a member of a bond is taken for one.
    #[test]
    fn reads_bridge_ports() {
        for (master, on, expected) in
            [(&b"bridge\0"[..], 1, Some(true)), (b"bridge\0", 0, Some(false)), (b"bond\0", 1, None)]
        {
            let option = attribute(IFLA_BRPORT_ISOLATED, &[on]);
            let info = [
                attribute(IFLA_INFO_SLAVE_KIND, master),
                attribute(IFLA_INFO_SLAVE_DATA | 0x8000, &option),
            ];
            let link = link_with(&[attribute(IFLA_LINKINFO, &info.concat())]);
            assert_eq!(link.isolated, expected);
        }
    }

    // Fails if leaving a bridge is taken for the end of the netdev.
    #[test]
    fn a_bridge_message_is_no_link_event() {
        let mut bytes = Request::set_link(7).finish(5);
        bytes[4..6].copy_from_slice(&RTM_DELLINK.to_ne_bytes());
        assert_eq!(parts(&bytes).next().unwrap().kind, Kind::Link(LinkEvent::Gone(7)));
        bytes[16] = 7;
        assert_eq!(parts(&bytes).next().unwrap().kind, Kind::Other);
    }

    // Fails if a datagram that ends early, or lies about lengths, panics or loops.
    #[test]
    fn survives_every_cut_and_every_byte() {
        let mut request = Request::set_link(7);
        request.name("swp1").u32(IFLA_MTU, 9000);
        let mut bytes = request.finish(5);
        bytes[4..6].copy_from_slice(&RTM_NEWLINK.to_ne_bytes());
        for cut in 0..bytes.len() {
            assert!(parts(&bytes[..cut]).count() <= 1);
            for value in [0, 1, 3, 0xff] {
                let mut wrong = bytes.clone();
                wrong[cut] = value;
                assert!(parts(&wrong).count() <= bytes.len());
            }
        }
    }
}
