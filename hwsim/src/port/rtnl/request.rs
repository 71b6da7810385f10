//! The requests of the program, as bytes. Values from linux/rtnetlink.h, if_link.h, veth.h.

use std::os::fd::{AsRawFd, BorrowedFd};

pub(super) const RTM_NEWLINK: u16 = 16;
pub(super) const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_SETLINK: u16 = 19;
const RTM_NEWLINKPROP: u16 = 108;

const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const DUMP: u16 = 0x300;
const EXCL: u16 = 0x200;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;

const NESTED: u16 = 0x8000;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_PROTINFO: u16 = 12;
const IFLA_TXQLEN: u16 = 13;
const IFLA_LINKINFO: u16 = 18;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_GROUP: u16 = 27;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_GSO_MAX_SEGS: u16 = 40;
const IFLA_NEW_IFINDEX: u16 = 49;
const IFLA_PROP_LIST: u16 = 52;
const IFLA_ALT_IFNAME: u16 = 53;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
const IN6_ADDR_GEN_MODE_NONE: u8 = 1;
const IFLA_BRPORT_ISOLATED: u16 = 33;
const AF_INET6: u16 = 10;
const AF_BRIDGE: u8 = 7;
const FLAGS_AT: usize = 24;

/// A request under construction: header, ifinfomsg, attributes.
#[derive(Debug)]
pub struct Request {
    bytes: Vec<u8>,
}

impl Request {
    fn new(kind: u16, flags: u16, family: u8, ifindex: u32) -> Request {
        let mut bytes = vec![0; 16];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(REQUEST | flags).to_ne_bytes());
        let mut request = Request { bytes };
        request.ifinfo(family, ifindex);
        request
    }

    fn ifinfo(&mut self, family: u8, ifindex: u32) {
        self.bytes.extend([family, 0, 0, 0]);
        self.bytes.extend(ifindex.to_ne_bytes());
        self.bytes.extend([0; 8]);
    }

    /// Reads one netdev.
    pub fn get_link(ifindex: u32) -> Request {
        Request::new(RTM_GETLINK, ACK, 0, ifindex)
    }

    /// Reads one netdev by its name or an alternative name.
    pub fn get_link_named(name: &str) -> Request {
        let mut request = Request::new(RTM_GETLINK, ACK, 0, 0);
        if name.len() < libc::IFNAMSIZ {
            request.name(name);
        } else {
            request.text(IFLA_ALT_IFNAME, name);
        }
        request
    }

    /// Reads all netdevs of the namespace.
    pub fn dump_links() -> Request {
        Request::new(RTM_GETLINK, DUMP, 0, 0)
    }

    /// Changes a netdev; attributes follow.
    pub fn set_link(ifindex: u32) -> Request {
        Request::new(RTM_SETLINK, ACK, 0, ifindex)
    }

    /// Gives a netdev an alternative name.
    pub fn add_altname(ifindex: u32, name: &str) -> Request {
        let mut request = Request::new(RTM_NEWLINKPROP, ACK | EXCL | CREATE | APPEND, 0, ifindex);
        request.nest(IFLA_PROP_LIST | NESTED, |list| list.text(IFLA_ALT_IFNAME, name));
        request
    }

    /// Makes a veth pair: the near end in the socket's namespace with a chosen index, and its
    /// peer, down and with an MTU of 1500, in the namespace of `far`.
    pub fn add_veth(ifindex: u32, name: &str, peer: &str, far: BorrowedFd<'_>) -> Request {
        let mut request = Request::new(RTM_NEWLINK, ACK | EXCL | CREATE, 0, ifindex);
        request.name(name);
        request.nest(IFLA_LINKINFO | NESTED, |info| {
            info.text(IFLA_INFO_KIND, "veth");
            info.nest(IFLA_INFO_DATA | NESTED, |data| {
                data.nest(VETH_INFO_PEER | NESTED, |end| {
                    end.ifinfo(0, 0);
                    end.name(peer).u32(IFLA_MTU, 1500);
                    end.attribute(IFLA_NET_NS_FD, &far.as_raw_fd().to_ne_bytes());
                });
            });
        });
        request
    }

    /// Deletes every netdev of the socket's namespace that belongs to the group, in one step.
    pub fn delete_group(group: u32) -> Request {
        let mut request = Request::new(RTM_DELLINK, ACK, 0, 0);
        request.u32(IFLA_GROUP, group);
        request
    }

    /// Keeps a bridge port from the other isolated ports of its bridge, or no longer.
    pub fn isolate_bridge_port(ifindex: u32, isolated: bool) -> Request {
        let mut request = Request::new(RTM_SETLINK, ACK, AF_BRIDGE, ifindex);
        request.nest(IFLA_PROTINFO | NESTED, |port| {
            port.attribute(IFLA_BRPORT_ISOLATED, &[u8::from(isolated)]);
        });
        request
    }

    /// Admin state.
    pub fn up(&mut self, up: bool) -> &mut Request {
        self.flag(libc::IFF_UP, up)
    }

    /// No address resolution on this netdev.
    pub fn noarp(&mut self) -> &mut Request {
        self.flag(libc::IFF_NOARP, true)
    }

    /// One segment in each frame that the driver gets, whatever its offloads: the kernel segments before.
    pub fn one_segment(&mut self) -> &mut Request {
        self.u32(IFLA_GSO_MAX_SEGS, 1)
    }

    /// Group frames are received and sent.
    pub fn multicast(&mut self) -> &mut Request {
        self.flag(libc::IFF_MULTICAST, true)
    }

    /// Into another network namespace, where it keeps its index if that is free.
    pub fn move_to(&mut self, namespace: BorrowedFd<'_>) -> &mut Request {
        self.attribute(IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
        self
    }

    /// The index that a netdev gets when it moves to another network namespace.
    pub fn new_index(&mut self, ifindex: u32) -> &mut Request {
        self.u32(IFLA_NEW_IFINDEX, ifindex)
    }

    fn flag(&mut self, flag: libc::c_int, on: bool) -> &mut Request {
        let flag = flag.cast_unsigned();
        let mut words = [0; 2];
        for (word, at) in words.iter_mut().zip([FLAGS_AT, FLAGS_AT + 4]) {
            let bytes = self.bytes[at..].first_chunk().expect("ifinfomsg is in every request");
            *word = u32::from_ne_bytes(*bytes) | flag;
        }
        if !on {
            words[0] &= !flag;
        }
        self.bytes[FLAGS_AT..][..4].copy_from_slice(&words[0].to_ne_bytes());
        self.bytes[FLAGS_AT + 4..][..4].copy_from_slice(&words[1].to_ne_bytes());
        self
    }

    /// The netdev's name.
    pub fn name(&mut self, name: &str) -> &mut Request {
        self.text(IFLA_IFNAME, name);
        self
    }

    /// The hardware address.
    pub fn mac(&mut self, mac: [u8; 6]) -> &mut Request {
        self.attribute(IFLA_ADDRESS, &mac);
        self
    }

    /// The MTU, bytes.
    pub fn mtu(&mut self, mtu: u32) -> &mut Request {
        self.u32(IFLA_MTU, mtu)
    }

    /// The length of the transmit queue, frames.
    pub fn txqlen(&mut self, frames: u32) -> &mut Request {
        self.u32(IFLA_TXQLEN, frames)
    }

    /// The netdev's group.
    pub fn group(&mut self, group: u32) -> &mut Request {
        self.u32(IFLA_GROUP, group)
    }

    /// No IPv6 link-local address of the kernel's own making.
    pub fn no_ipv6_addresses(&mut self) -> &mut Request {
        self.nest(IFLA_AF_SPEC | NESTED, |families| {
            families.nest(AF_INET6 | NESTED, |family| {
                family.attribute(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE]);
            });
        });
        self
    }

    pub(super) fn u32(&mut self, kind: u16, value: u32) -> &mut Request {
        self.attribute(kind, &value.to_ne_bytes());
        self
    }

    fn text(&mut self, kind: u16, value: &str) {
        self.nest(kind, |text| {
            text.bytes.extend(value.bytes());
            text.bytes.push(0);
        });
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.nest(kind, |attribute| attribute.bytes.extend(value));
    }

    /// An attribute whose value `fill` appends.
    fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Request)) {
        let start = self.bytes.len();
        self.bytes.extend([0; 2]);
        self.bytes.extend(kind.to_ne_bytes());
        fill(self);
        let length = u16::try_from(self.bytes.len() - start).expect("requests are below 1 KiB");
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// The finished datagram.
    pub(super) fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len()).expect("requests are below 1 KiB");
        self.bytes[0..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.bytes
    }
}
