//! RAUHT: which MAC does a host behind a router interface have?

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::bits::{Bits, bit, bits};
use crate::field::{At, read, write};
use crate::layout::{DecodeError, Layout, operations};
use crate::mac::Mac;
use crate::register::{Protocol, TrapAction};

operations! {
    /// What the access does.
    pub struct RauhtOp {
        /// Query: read.
        QUERY_READ = 0 "query_read",
        /// Query: read, and clear the activity.
        QUERY_CLEAR_ON_READ = 1 "query_clear_on_read",
        /// Write: add the host, or set it anew.
        WRITE_ADD = 0 "write_add",
        /// Write: change it, the activity stays.
        WRITE_UPDATE = 1 "write_update",
        /// Write: clear the activity.
        WRITE_CLEAR_ACTIVITY = 2 "write_clear_activity",
        /// Write: delete the host.
        WRITE_DELETE = 3 "write_delete",
        /// Write: delete every host of the router interface.
        WRITE_DELETE_ALL = 4 "write_delete_all",
    }
}

/// Router Algorithmic LPM Unicast Host Table register: one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rauht {
    /// What the access does.
    pub op: RauhtOp,
    /// Activity: a packet went to the host. Read only.
    pub a: bool,
    /// The router interface, part of the key.
    pub rif: u16,
    /// Address of the host, part of the key; its family is the register's `type`.
    pub dip: IpAddr,
    /// What happens besides forwarding.
    pub trap_action: TrapAction,
    /// Trap id of such packets, 9 bits: 0 RTR_EGRESS0, 1 RTR_EGRESS1.
    pub trap_id: u16,
    /// 0 none, 3 packets and bytes, 5 packets.
    pub counter_set_type: u8,
    /// Flow counter, 24 bits.
    pub counter_index: u32,
    /// MAC of the host.
    pub mac: Mac,
}

const TYPE: Bits = bits(0x00, 25, 24);
const OP: Bits = bits(0x00, 22, 20);
const A: Bits = bit(0x00, 16);
const RIF: Bits = bits(0x00, 15, 0);
const DIP6: At = At(0x10);
const DIP4: At = At(0x1c);
const TRAP_ACTION: Bits = bits(0x60, 31, 28);
const TRAP_ID: Bits = bits(0x60, 8, 0);
const COUNTER_SET_TYPE: Bits = bits(0x68, 31, 24);
const COUNTER_INDEX: Bits = bits(0x68, 23, 0);
const MAC: At = At(0x6e);

impl Rauht {
    /// As the driver writes it: forward, without a counter.
    #[must_use]
    pub const fn new(op: RauhtOp, rif: u16, mac: Mac, dip: IpAddr) -> Self {
        Self {
            op,
            a: false,
            rif,
            dip,
            trap_action: TrapAction::Nop,
            trap_id: 0,
            counter_set_type: 0,
            counter_index: 0,
            mac,
        }
    }
}

impl Layout for Rauht {
    const ID: u16 = 0x8014;
    const LEN: usize = 0x74;
    const NAME: &'static str = "rauht";

    fn write(&self, payload: &mut [u8]) {
        write(&self.op, payload, OP);
        write(&self.a, payload, A);
        write(&self.rif, payload, RIF);
        match &self.dip {
            IpAddr::V4(dip) => {
                write(&Protocol::Ipv4, payload, TYPE);
                write(dip, payload, DIP4);
            }
            IpAddr::V6(dip) => {
                write(&Protocol::Ipv6, payload, TYPE);
                write(dip, payload, DIP6);
            }
        }
        write(&self.trap_action, payload, TRAP_ACTION);
        write(&self.trap_id, payload, TRAP_ID);
        write(&self.counter_set_type, payload, COUNTER_SET_TYPE);
        write(&self.counter_index, payload, COUNTER_INDEX);
        write(&self.mac, payload, MAC);
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        let dip = match read(payload, TYPE) {
            Protocol::Ipv4 => IpAddr::V4(read::<_, Ipv4Addr>(payload, DIP4)),
            Protocol::Ipv6 => IpAddr::V6(read::<_, Ipv6Addr>(payload, DIP6)),
            Protocol::Other(code) => {
                return Err(DecodeError::UnknownValue {
                    register: Self::NAME,
                    field: "type",
                    value: code.into(),
                });
            }
        };
        Ok(Self {
            op: read(payload, OP),
            a: read(payload, A),
            rif: read(payload, RIF),
            dip,
            trap_action: read(payload, TRAP_ACTION),
            trap_id: read(payload, TRAP_ID),
            counter_set_type: read(payload, COUNTER_SET_TYPE),
            counter_index: read(payload, COUNTER_INDEX),
            mac: read(payload, MAC),
        })
    }
}
