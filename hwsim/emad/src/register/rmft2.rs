//! RMFT2: what does a virtual router do with packets to a multicast group?

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::bits::{Bits, bit, bits};
use crate::field::{At, read, write};
use crate::layout::{DecodeError, Layout, codes};
use crate::register::Protocol;

codes! {
    /// Whether the entry asks for an ingress router interface.
    pub enum IrifMask {
        /// Any will do.
        Ignore = 0 "ignore",
        /// It has to be `irif`.
        Compare = 1 "compare",
    }
}

/// Which packets match: destination and source under their masks. All of a mask's bits set: one address; none: any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "addresses and masks are named by the data sheet; the enum says what they do"
)]
pub enum Rmft2Groups {
    /// IPv4.
    Ipv4 { dip: Ipv4Addr, dip_mask: Ipv4Addr, sip: Ipv4Addr, sip_mask: Ipv4Addr },
    /// IPv6.
    Ipv6 { dip: Ipv6Addr, dip_mask: Ipv6Addr, sip: Ipv6Addr, sip_mask: Ipv6Addr },
}

/// Flexible actions, opaque: their inner layout is that of ACL rules.
pub type FlexActions = Box<[u8; 0xa8]>;

/// Router Multicast Forwarding Table Version 2: one entry of the multicast route TCAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rmft2 {
    /// The entry is valid; `false` deletes it.
    pub v: bool,
    /// What the access does: 0 reads or writes.
    pub op: u8,
    /// Activity: a packet matched. Read only.
    pub a: bool,
    /// Place of the entry in its table; lower ones win.
    pub offset: u16,
    /// The virtual router.
    pub virtual_router: u16,
    /// Whether `irif` is asked for.
    pub irif_mask: IrifMask,
    /// Ingress router interface.
    pub irif: u16,
    /// Which packets match; the family is the register's `type`.
    pub groups: Rmft2Groups,
    /// What happens to them.
    pub flexible_action_set: FlexActions,
}

const V: Bits = bit(0x00, 31);
const TYPE: Bits = bits(0x00, 29, 28);
const OP: Bits = bits(0x00, 21, 20);
const A: Bits = bit(0x00, 16);
const OFFSET: Bits = bits(0x00, 15, 0);
const VIRTUAL_ROUTER: Bits = bits(0x04, 15, 0);
const IRIF_MASK: Bits = bit(0x08, 24);
const IRIF: Bits = bits(0x08, 15, 0);
const DIP6: At = At(0x10);
const DIP4: At = At(0x1c);
const DIP6_MASK: At = At(0x20);
const DIP4_MASK: At = At(0x2c);
const SIP6: At = At(0x30);
const SIP4: At = At(0x3c);
const SIP6_MASK: At = At(0x40);
const SIP4_MASK: At = At(0x4c);
const FLEXIBLE_ACTION_SET: At = At(0x80);

impl Rmft2 {
    /// A valid entry on any ingress interface, with no actions yet.
    #[must_use]
    pub fn new(offset: u16, virtual_router: u16, groups: Rmft2Groups) -> Self {
        Self {
            v: true,
            op: 0,
            a: false,
            offset,
            virtual_router,
            irif_mask: IrifMask::Ignore,
            irif: 0,
            groups,
            flexible_action_set: Box::new([0; 0xa8]),
        }
    }
}

impl Layout for Rmft2 {
    const ID: u16 = 0x8027;
    const LEN: usize = 0x174;
    const NAME: &'static str = "rmft2";

    fn write(&self, payload: &mut [u8]) {
        write(&self.v, payload, V);
        write(&self.op, payload, OP);
        write(&self.a, payload, A);
        write(&self.offset, payload, OFFSET);
        write(&self.virtual_router, payload, VIRTUAL_ROUTER);
        write(&self.irif_mask, payload, IRIF_MASK);
        write(&self.irif, payload, IRIF);
        match &self.groups {
            Rmft2Groups::Ipv4 { dip, dip_mask, sip, sip_mask } => {
                write(&Protocol::Ipv4, payload, TYPE);
                write(dip, payload, DIP4);
                write(dip_mask, payload, DIP4_MASK);
                write(sip, payload, SIP4);
                write(sip_mask, payload, SIP4_MASK);
            }
            Rmft2Groups::Ipv6 { dip, dip_mask, sip, sip_mask } => {
                write(&Protocol::Ipv6, payload, TYPE);
                write(dip, payload, DIP6);
                write(dip_mask, payload, DIP6_MASK);
                write(sip, payload, SIP6);
                write(sip_mask, payload, SIP6_MASK);
            }
        }
        write(&*self.flexible_action_set, payload, FLEXIBLE_ACTION_SET);
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        let groups = match read(payload, TYPE) {
            Protocol::Ipv4 => Rmft2Groups::Ipv4 {
                dip: read(payload, DIP4),
                dip_mask: read(payload, DIP4_MASK),
                sip: read(payload, SIP4),
                sip_mask: read(payload, SIP4_MASK),
            },
            Protocol::Ipv6 => Rmft2Groups::Ipv6 {
                dip: read(payload, DIP6),
                dip_mask: read(payload, DIP6_MASK),
                sip: read(payload, SIP6),
                sip_mask: read(payload, SIP6_MASK),
            },
            Protocol::Other(code) => {
                return Err(DecodeError::UnknownValue {
                    register: Self::NAME,
                    field: "type",
                    value: code.into(),
                });
            }
        };
        Ok(Self {
            v: read(payload, V),
            op: read(payload, OP),
            a: read(payload, A),
            offset: read(payload, OFFSET),
            virtual_router: read(payload, VIRTUAL_ROUTER),
            irif_mask: read(payload, IRIF_MASK),
            irif: read(payload, IRIF),
            groups,
            flexible_action_set: Box::new(read(payload, FLEXIBLE_ACTION_SET)),
        })
    }
}
