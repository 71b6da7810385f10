//! RALUE: what does a virtual router do with packets to a prefix?

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::bits::{Bits, bit, bits};
use crate::field::{At, read, write};
use crate::layout::{DecodeError, Layout, codes, operations};
use crate::register::{Protocol, TrapAction};

operations! {
    /// What the access does.
    pub struct RalueOp {
        /// Query: read.
        QUERY_READ = 0 "query_read",
        /// Query: read, and clear the activity.
        QUERY_CLEAR = 1 "query_clear",
        /// Write: set the entry.
        WRITE_WRITE = 0 "write_write",
        /// Write: change the parts of the entry that `op_u_mask` names.
        WRITE_UPDATE = 1 "write_update",
        /// Write: clear the activity.
        WRITE_CLEAR = 2 "write_clear",
        /// Write: delete the entry; refused if there is none.
        WRITE_DELETE = 3 "write_delete",
    }
}

codes! {
    /// What the entry is to the search tree.
    pub enum RalueEntry {
        /// A marker: longer prefixes exist.
        Marker = 1 "marker_entry",
        /// A route. The driver writes nothing else.
        Route = 2 "route_entry",
        /// Both.
        MarkerAndRoute = 3 "marker_and_route_entry",
    }
}

/// What happens to packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RalueAction {
    /// To next hops.
    Remote {
        /// What happens besides forwarding.
        trap_action: TrapAction,
        /// Trap id of such packets, 9 bits.
        trap_id: u16,
        /// First of the adjacencies, 24 bits; see [`crate::register::Ratr`].
        adjacency_index: u32,
        /// How many adjacencies, 13 bits.
        ecmp_size: u16,
    },
    /// To hosts on a router interface.
    Local {
        /// What happens besides forwarding.
        trap_action: TrapAction,
        /// Trap id of such packets, 9 bits.
        trap_id: u16,
        /// The router interface.
        local_erif: u16,
    },
    /// To the CPU: the address is the router's own.
    Ip2me {
        /// Decapsulate by this tunnel entry first.
        tunnel_ptr: Option<u32>,
    },
    /// The type without a name, 3.
    Other {
        /// The words at 0x20, 0x24 and 0x28.
        words: [u32; 3],
    },
}

/// Router Algorithmic LPM Unicast Entry register: one route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ralue {
    /// What the access does.
    pub op: RalueOp,
    /// Activity: a packet took the route. Read only.
    pub a: bool,
    /// The virtual router.
    pub virtual_router: u16,
    /// What an update changes: bit 0 entry type, bit 1 `bmp_len`, bit 2 action.
    pub op_u_mask: u8,
    /// Length of the prefix, 0..=32 or 128.
    pub prefix_len: u8,
    /// The prefix; its family is the register's `protocol`.
    pub dip: IpAddr,
    /// What the entry is to the search tree.
    pub entry_type: RalueEntry,
    /// Length of the best matching prefix; the driver writes `prefix_len`.
    pub bmp_len: u8,
    /// What happens to packets.
    pub action: RalueAction,
}

const PROTOCOL: Bits = bits(0x00, 27, 24);
const OP: Bits = bits(0x00, 22, 20);
const A: Bits = bit(0x00, 16);
const VIRTUAL_ROUTER: Bits = bits(0x04, 31, 16);
const OP_U_MASK: Bits = bits(0x04, 10, 8);
const PREFIX_LEN: Bits = bits(0x08, 7, 0);
const DIP6: At = At(0x0c);
const DIP4: At = At(0x18);
const ENTRY_TYPE: Bits = bits(0x1c, 31, 30);
const BMP_LEN: Bits = bits(0x1c, 23, 16);
const ACTION_TYPE: Bits = bits(0x1c, 1, 0);
const TRAP_ACTION: Bits = bits(0x20, 31, 28);
const TRAP_ID: Bits = bits(0x20, 8, 0);
const ADJACENCY_INDEX: Bits = bits(0x24, 23, 0);
const ECMP_SIZE: Bits = bits(0x28, 12, 0);
const LOCAL_ERIF: Bits = bits(0x24, 15, 0);
const IP2ME_V: Bits = bit(0x24, 31);
const IP2ME_TUNNEL_PTR: Bits = bits(0x24, 23, 0);
const OTHER: [Bits; 3] = [bits(0x20, 31, 0), bits(0x24, 31, 0), bits(0x28, 31, 0)];

impl Ralue {
    /// As the driver writes it: a route entry whose best match is its own prefix.
    #[must_use]
    pub const fn new(
        op: RalueOp,
        virtual_router: u16,
        dip: IpAddr,
        prefix_len: u8,
        action: RalueAction,
    ) -> Self {
        Self {
            op,
            a: false,
            virtual_router,
            op_u_mask: 0,
            prefix_len,
            dip,
            entry_type: RalueEntry::Route,
            bmp_len: prefix_len,
            action,
        }
    }
}

impl RalueAction {
    const fn code(&self) -> u8 {
        match self {
            Self::Remote { .. } => 0,
            Self::Local { .. } => 1,
            Self::Ip2me { .. } => 2,
            Self::Other { .. } => 3,
        }
    }

    fn read_from(payload: &[u8]) -> Self {
        let trap_action = read(payload, TRAP_ACTION);
        let trap_id = read(payload, TRAP_ID);
        match read(payload, ACTION_TYPE) {
            0u8 => Self::Remote {
                trap_action,
                trap_id,
                adjacency_index: read(payload, ADJACENCY_INDEX),
                ecmp_size: read(payload, ECMP_SIZE),
            },
            1 => Self::Local { trap_action, trap_id, local_erif: read(payload, LOCAL_ERIF) },
            2 => {
                let valid: bool = read(payload, IP2ME_V);
                Self::Ip2me { tunnel_ptr: valid.then(|| read(payload, IP2ME_TUNNEL_PTR)) }
            }
            _ => Self::Other { words: OTHER.map(|place| read(payload, place)) },
        }
    }

    fn write_to(&self, payload: &mut [u8]) {
        write(&self.code(), payload, ACTION_TYPE);
        match self {
            Self::Remote { trap_action, trap_id, adjacency_index, ecmp_size } => {
                write(trap_action, payload, TRAP_ACTION);
                write(trap_id, payload, TRAP_ID);
                write(adjacency_index, payload, ADJACENCY_INDEX);
                write(ecmp_size, payload, ECMP_SIZE);
            }
            Self::Local { trap_action, trap_id, local_erif } => {
                write(trap_action, payload, TRAP_ACTION);
                write(trap_id, payload, TRAP_ID);
                write(local_erif, payload, LOCAL_ERIF);
            }
            Self::Ip2me { tunnel_ptr } => {
                write(&tunnel_ptr.is_some(), payload, IP2ME_V);
                write(&tunnel_ptr.unwrap_or(0), payload, IP2ME_TUNNEL_PTR);
            }
            Self::Other { words } => {
                for (word, place) in words.iter().zip(OTHER) {
                    write(word, payload, place);
                }
            }
        }
    }
}

impl Layout for Ralue {
    const ID: u16 = 0x8013;
    const LEN: usize = 0x38;
    const NAME: &'static str = "ralue";

    fn write(&self, payload: &mut [u8]) {
        write(&self.op, payload, OP);
        write(&self.a, payload, A);
        write(&self.virtual_router, payload, VIRTUAL_ROUTER);
        write(&self.op_u_mask, payload, OP_U_MASK);
        write(&self.prefix_len, payload, PREFIX_LEN);
        match &self.dip {
            IpAddr::V4(dip) => {
                write(&Protocol::Ipv4, payload, PROTOCOL);
                write(dip, payload, DIP4);
            }
            IpAddr::V6(dip) => {
                write(&Protocol::Ipv6, payload, PROTOCOL);
                write(dip, payload, DIP6);
            }
        }
        write(&self.entry_type, payload, ENTRY_TYPE);
        write(&self.bmp_len, payload, BMP_LEN);
        self.action.write_to(payload);
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        let dip = match read(payload, PROTOCOL) {
            Protocol::Ipv4 => IpAddr::V4(read::<_, Ipv4Addr>(payload, DIP4)),
            Protocol::Ipv6 => IpAddr::V6(read::<_, Ipv6Addr>(payload, DIP6)),
            Protocol::Other(code) => {
                return Err(DecodeError::UnknownValue {
                    register: Self::NAME,
                    field: "protocol",
                    value: code.into(),
                });
            }
        };
        Ok(Self {
            op: read(payload, OP),
            a: read(payload, A),
            virtual_router: read(payload, VIRTUAL_ROUTER),
            op_u_mask: read(payload, OP_U_MASK),
            prefix_len: read(payload, PREFIX_LEN),
            dip,
            entry_type: read(payload, ENTRY_TYPE),
            bmp_len: read(payload, BMP_LEN),
            action: RalueAction::read_from(payload),
        })
    }
}
