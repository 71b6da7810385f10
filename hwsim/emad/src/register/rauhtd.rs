//! RAUHTD: which hosts are in the host table, and which were used since last asked?
//!
//! An IPv4 record holds up to four hosts, an IPv6 record one; 32 records travel in one register.
//!
//! ```text
//!  record, IPv4   0x00  entries - 1 [29:28]  type [25:24]  a [16]  rif [15:0]    0x04  address    first host
//!                 0x08                                     a [16]  rif [15:0]    0x0C  address    second host …
//!  record, IPv6   0x00                       type [25:24]  a [16]  rif [15:0]    0x10  address
//! ```

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::bits::{Bits, bit, bits};
use crate::field::{At, read, write};
use crate::layout::{DecodeError, Layout, codes, records};
use crate::register::Protocol;

codes! {
    /// What the query does.
    pub enum RauhtdOp {
        /// Return hosts.
        Dump = 0 "dump",
        /// Return hosts, and clear their activity.
        DumpAndClear = 1 "dump_and_clear",
    }
}

/// A host of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RauhtdEntry<Address> {
    /// Activity: a packet went to the host.
    pub a: bool,
    /// The router interface.
    pub rif: u16,
    /// Its address.
    pub dip: Address,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RauhtdRecord {
    /// One to four IPv4 hosts; an empty list is encoded as one host of zeros, and hosts after the fourth not at all.
    Ipv4(Vec<RauhtdEntry<Ipv4Addr>>),
    /// An IPv6 host.
    Ipv6(RauhtdEntry<Ipv6Addr>),
}

/// Router Algorithmic LPM Unicast Host Table Dump register. `Default` is the driver's query for IPv4: all active hosts,
/// clearing their activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rauhtd {
    /// Which filters apply: [`Rauhtd::FILTER_A`], [`Rauhtd::FILTER_RIF`].
    pub filter_fields: u8,
    /// What the query does.
    pub op: RauhtdOp,
    /// Requests: records wanted. Answers: records returned; fewer than wanted means that this was the last answer.
    /// Decoding reads this many, less those at the end that are all zero.
    pub num_rec: u8,
    /// Activity to filter by.
    pub entry_a: bool,
    /// Family of the hosts. `type` in the data sheet.
    pub kind: Protocol,
    /// Router interface to filter by.
    pub entry_rif: u16,
    /// The records; more than 32 are not encoded.
    pub records: Vec<RauhtdRecord>,
}

const FILTER_FIELDS: Bits = bits(0x00, 7, 0);
const OP: Bits = bits(0x04, 25, 24);
const NUM_REC: Bits = bits(0x04, 7, 0);
const ENTRY_A: Bits = bit(0x08, 16);
const TYPE: Bits = bits(0x08, 3, 0);
const ENTRY_RIF: Bits = bits(0x0c, 15, 0);
const RECORDS: usize = 0x20;
const RECORD_LEN: usize = 0x20;

const REC_NUM_ENTRIES: Bits = bits(0x00, 29, 28);
const REC_TYPE: Bits = bits(0x00, 25, 24);
const IPV4_ENTRY_LEN: usize = 0x08;
const ENT_A: Bits = bit(0x00, 16);
const ENT_RIF: Bits = bits(0x00, 15, 0);
const IPV4_ENT_DIP: At = At(0x04);
const IPV6_ENT_DIP: At = At(0x10);

impl Default for Rauhtd {
    fn default() -> Self {
        Self::query(Protocol::Ipv4)
    }
}

impl Rauhtd {
    /// The most records that fit.
    pub const MAX_RECORDS: usize = 32;
    /// IPv4 hosts per record.
    pub const IPV4_PER_RECORD: usize = 4;
    /// Only hosts whose activity is `entry_a`.
    pub const FILTER_A: u8 = 1 << 0;
    /// Only hosts on `entry_rif`.
    pub const FILTER_RIF: u8 = 1 << 3;

    /// The driver's query: all active hosts of the family, clearing their activity.
    #[must_use]
    pub const fn query(kind: Protocol) -> Self {
        Self {
            filter_fields: Self::FILTER_A,
            op: RauhtdOp::DumpAndClear,
            num_rec: 32,
            entry_a: true,
            kind,
            entry_rif: 0,
            records: Vec::new(),
        }
    }
}

impl RauhtdRecord {
    fn read_from(bytes: &[u8]) -> Result<Self, DecodeError> {
        match read(bytes, REC_TYPE) {
            Protocol::Ipv4 => {
                let entries = 1 + usize::from(read::<_, u8>(bytes, REC_NUM_ENTRIES));
                let slots = bytes.chunks_exact(IPV4_ENTRY_LEN).take(entries);
                let entry = |slot| RauhtdEntry {
                    a: read(slot, ENT_A),
                    rif: read(slot, ENT_RIF),
                    dip: read(slot, IPV4_ENT_DIP),
                };
                Ok(Self::Ipv4(slots.map(entry).collect()))
            }
            Protocol::Ipv6 => Ok(Self::Ipv6(RauhtdEntry {
                a: read(bytes, ENT_A),
                rif: read(bytes, ENT_RIF),
                dip: read(bytes, IPV6_ENT_DIP),
            })),
            Protocol::Other(code) => Err(DecodeError::UnknownValue {
                register: Rauhtd::NAME,
                field: "rec_type",
                value: code.into(),
            }),
        }
    }

    fn write_to(&self, bytes: &mut [u8]) {
        match self {
            Self::Ipv4(entries) => {
                let more = entries.len().clamp(1, Rauhtd::IPV4_PER_RECORD) - 1;
                write(&u8::try_from(more).unwrap_or(0), bytes, REC_NUM_ENTRIES);
                write(&Protocol::Ipv4, bytes, REC_TYPE);
                for (slot, entry) in bytes.chunks_exact_mut(IPV4_ENTRY_LEN).zip(entries) {
                    write(&entry.a, slot, ENT_A);
                    write(&entry.rif, slot, ENT_RIF);
                    write(&entry.dip, slot, IPV4_ENT_DIP);
                }
            }
            Self::Ipv6(entry) => {
                write(&Protocol::Ipv6, bytes, REC_TYPE);
                write(&entry.a, bytes, ENT_A);
                write(&entry.rif, bytes, ENT_RIF);
                write(&entry.dip, bytes, IPV6_ENT_DIP);
            }
        }
    }
}

impl Layout for Rauhtd {
    const ID: u16 = 0x8018;
    const LEN: usize = RECORDS + Self::MAX_RECORDS * RECORD_LEN;
    const NAME: &'static str = "rauhtd";

    fn write(&self, payload: &mut [u8]) {
        write(&self.filter_fields, payload, FILTER_FIELDS);
        write(&self.op, payload, OP);
        write(&self.num_rec, payload, NUM_REC);
        write(&self.entry_a, payload, ENTRY_A);
        write(&self.kind, payload, TYPE);
        write(&self.entry_rif, payload, ENTRY_RIF);
        let slots = payload.get_mut(RECORDS..).unwrap_or_default().chunks_exact_mut(RECORD_LEN);
        for (slot, record) in slots.zip(&self.records) {
            record.write_to(slot);
        }
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        let num_rec = read(payload, NUM_REC);
        let records = records::<Self, _>(
            payload,
            RECORDS..Self::LEN,
            RECORD_LEN,
            num_rec,
            RauhtdRecord::read_from,
        )?;
        Ok(Self {
            filter_fields: read(payload, FILTER_FIELDS),
            op: read(payload, OP),
            num_rec,
            entry_a: read(payload, ENTRY_A),
            kind: read(payload, TYPE),
            entry_rif: read(payload, ENTRY_RIF),
            records,
        })
    }
}
