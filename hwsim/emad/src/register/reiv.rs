//! REIV: which VLAN tag does a routed packet get, by router interface and egress port?

use std::collections::BTreeMap;

use crate::bits::{Bits, bit, bits};
use crate::field::{read, write};
use crate::layout::{DecodeError, Layout, fields};

fields! {
    /// The tag at one egress port.
    #[derive(Default, Copy)]
    pub struct ReivRecord {
        /// A write takes this record over; without it the port keeps what it has.
        update: bool = bit(0x00, 31),
        /// VLAN, 0..=4095; 0 for untagged.
        evid: u16 = bits(0x00, 11, 0),
    }
}

/// Router Egress Interface to VID Register: the tags of 256 ports for one egress RIF.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reiv {
    /// Local ports `256 * port_page ..` are described, 0..=15.
    pub port_page: u8,
    /// Egress router interface.
    pub erif: u16,
    /// Records by local port modulo 256. Records that are all zero are left out.
    pub records: BTreeMap<u8, ReivRecord>,
}

const PORT_PAGE: Bits = bits(0x00, 3, 0);
const ERIF: Bits = bits(0x04, 15, 0);
const RECORDS: usize = 0x20;
const RECORD_LEN: usize = 4;

impl Reiv {
    /// The write that sets the tag of one port (0..=1023).
    #[must_use]
    pub fn port(erif: u16, local_port: u16, evid: u16) -> Self {
        let [page, slot] = local_port.to_be_bytes();
        let record = ReivRecord { update: true, evid };
        Self { port_page: page, erif, records: BTreeMap::from([(slot, record)]) }
    }
}

impl Layout for Reiv {
    const ID: u16 = 0x8034;
    const LEN: usize = RECORDS + 256 * RECORD_LEN;
    const NAME: &'static str = "reiv";

    fn write(&self, payload: &mut [u8]) {
        write(&self.port_page, payload, PORT_PAGE);
        write(&self.erif, payload, ERIF);
        for (&slot, record) in &self.records {
            let at = RECORDS + usize::from(slot) * RECORD_LEN;
            record.write_to(payload.get_mut(at..).unwrap_or_default());
        }
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        let records = payload.get(RECORDS..).unwrap_or_default().chunks_exact(RECORD_LEN);
        let records = (0..=u8::MAX).zip(records).map(|(slot, bytes)| {
            let record = ReivRecord::read_from(bytes);
            (slot, record)
        });
        Ok(Self {
            port_page: read(payload, PORT_PAGE),
            erif: read(payload, ERIF),
            records: records.filter(|(_, record)| *record != ReivRecord::default()).collect(),
        })
    }
}
