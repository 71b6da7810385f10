//! SFN: which MACs did the chip learn or forget since it was last asked?

use crate::bits::{Bits, bit, bits};
use crate::field::{At, read, write};
use crate::layout::{DecodeError, Layout, records};
use crate::mac::Mac;

/// What happened, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SfnEvent {
    /// Learned on a port.
    LearnedMac {
        /// VEPA channel.
        sub_port: u8,
        /// The port.
        system_port: u16,
    },
    /// Learned on a LAG.
    LearnedMacLag {
        /// VEPA channel.
        sub_port: u8,
        /// The LAG, 0..=1023.
        lag_id: u16,
    },
    /// Aged out on a port.
    AgedOutMac {
        /// VEPA channel.
        sub_port: u8,
        /// The port.
        system_port: u16,
    },
    /// Aged out on a LAG.
    AgedOutMacLag {
        /// VEPA channel.
        sub_port: u8,
        /// The LAG, 0..=1023.
        lag_id: u16,
    },
    /// Another type, such as those of tunnels (13, 14).
    Other {
        /// The type.
        code: u8,
        /// Bits 31..16 of the word at 0x08.
        high: u16,
        /// The word at 0x0C.
        low: u32,
    },
}

/// One notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SfnRecord {
    /// Switch partition.
    pub swid: u8,
    /// The source MAC.
    pub mac: Mac,
    /// The FID in which it was seen.
    pub fid: u16,
    /// What happened.
    pub event: SfnEvent,
}

/// Switch FDB Notification register: up to 64 notifications. `Default` is the driver's query: as many as there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sfn {
    /// Switch partition; the driver uses 0.
    pub swid: u8,
    /// End the session.
    pub end: bool,
    /// Requests: notifications wanted. Answers: notifications returned. Decoding reads this many, less those at the end
    /// that are all zero.
    pub num_rec: u8,
    /// The notifications; more than 64 are not encoded.
    pub records: Vec<SfnRecord>,
}

const SWID: Bits = bits(0x00, 31, 24);
const END: Bits = bit(0x04, 20);
const NUM_REC: Bits = bits(0x04, 7, 0);
const RECORDS: usize = 0x10;
const RECORD_LEN: usize = 0x10;

const REC_SWID: Bits = bits(0x00, 31, 24);
const REC_TYPE: Bits = bits(0x00, 23, 20);
const REC_MAC: At = At(0x02);
const MAC_SUB_PORT: Bits = bits(0x08, 23, 16);
const MAC_FID: Bits = bits(0x08, 15, 0);
const MAC_SYSTEM_PORT: Bits = bits(0x0c, 15, 0);
const MAC_LAG_LAG_ID: Bits = bits(0x0c, 9, 0);
const OTHER_HIGH: Bits = bits(0x08, 31, 16);
const OTHER_LOW: Bits = bits(0x0c, 31, 0);

impl Default for Sfn {
    fn default() -> Self {
        Self { swid: 0, end: false, num_rec: 64, records: Vec::new() }
    }
}

impl Sfn {
    /// The most records that fit.
    pub const MAX_RECORDS: usize = 64;

    /// The answer with these notifications.
    #[must_use]
    pub fn answer(mut records: Vec<SfnRecord>) -> Self {
        records.truncate(Self::MAX_RECORDS);
        let num_rec = u8::try_from(records.len()).unwrap_or(u8::MAX);
        Self { num_rec, records, ..Self::default() }
    }
}

impl SfnEvent {
    /// The record type as the register has it.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::LearnedMac { .. } => 5,
            Self::LearnedMacLag { .. } => 6,
            Self::AgedOutMac { .. } => 7,
            Self::AgedOutMacLag { .. } => 8,
            Self::Other { code, .. } => *code,
        }
    }
}

impl SfnRecord {
    fn read_from(bytes: &[u8]) -> Self {
        let sub_port = read(bytes, MAC_SUB_PORT);
        let system_port = read(bytes, MAC_SYSTEM_PORT);
        let lag_id = read(bytes, MAC_LAG_LAG_ID);
        let event = match read(bytes, REC_TYPE) {
            5u8 => SfnEvent::LearnedMac { sub_port, system_port },
            6 => SfnEvent::LearnedMacLag { sub_port, lag_id },
            7 => SfnEvent::AgedOutMac { sub_port, system_port },
            8 => SfnEvent::AgedOutMacLag { sub_port, lag_id },
            code => {
                SfnEvent::Other { code, high: read(bytes, OTHER_HIGH), low: read(bytes, OTHER_LOW) }
            }
        };
        Self {
            swid: read(bytes, REC_SWID),
            mac: read(bytes, REC_MAC),
            fid: read(bytes, MAC_FID),
            event,
        }
    }

    fn write_to(&self, bytes: &mut [u8]) {
        write(&self.swid, bytes, REC_SWID);
        write(&self.event.code(), bytes, REC_TYPE);
        write(&self.mac, bytes, REC_MAC);
        write(&self.fid, bytes, MAC_FID);
        match &self.event {
            SfnEvent::LearnedMac { sub_port, system_port }
            | SfnEvent::AgedOutMac { sub_port, system_port } => {
                write(sub_port, bytes, MAC_SUB_PORT);
                write(system_port, bytes, MAC_SYSTEM_PORT);
            }
            SfnEvent::LearnedMacLag { sub_port, lag_id }
            | SfnEvent::AgedOutMacLag { sub_port, lag_id } => {
                write(sub_port, bytes, MAC_SUB_PORT);
                write(lag_id, bytes, MAC_LAG_LAG_ID);
            }
            SfnEvent::Other { high, low, .. } => {
                write(high, bytes, OTHER_HIGH);
                write(low, bytes, OTHER_LOW);
            }
        }
    }
}

impl Layout for Sfn {
    const ID: u16 = 0x200b;
    const LEN: usize = RECORDS + Self::MAX_RECORDS * RECORD_LEN;
    const NAME: &'static str = "sfn";

    fn write(&self, payload: &mut [u8]) {
        write(&self.swid, payload, SWID);
        write(&self.end, payload, END);
        write(&self.num_rec, payload, NUM_REC);
        let slots = payload.get_mut(RECORDS..).unwrap_or_default().chunks_exact_mut(RECORD_LEN);
        for (slot, record) in slots.zip(&self.records) {
            record.write_to(slot);
        }
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        let num_rec = read(payload, NUM_REC);
        let records =
            records::<Self, _>(payload, RECORDS..Self::LEN, RECORD_LEN, num_rec, |slot| {
                Ok(SfnRecord::read_from(slot))
            })?;
        Ok(Self { swid: read(payload, SWID), end: read(payload, END), num_rec, records })
    }
}
