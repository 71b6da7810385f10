//! SPVID, SPVM, SPAFT, SPVMLR: which VLANs does a port have, which one do untagged frames get and are they admitted at
//! all, and in which VLANs does it learn?
//!
//! A local port takes bits 23..16 of the first word, and its two high bits are bits 13 and 12. The VEPA sub-port of
//! older chips (bits 15..8) overlaps them and is not modelled; the driver never sets it.

use crate::bits::{Bits, bit, bits};
use crate::field::{LOCAL_PORT, read, write};
use crate::layout::{DecodeError, Layout, fields, register};

register! {
    /// Switch Port VID: the VLAN of frames that come in untagged.
    #[derive(Default)]
    pub struct Spvid = (0x200e, 0x08, "spvid") {
        /// `local_port` is a tunnel port.
        tport: bool = bit(0x00, 24),
        /// The port, 0..=1023.
        local_port: u16 = LOCAL_PORT,
        /// The EtherType of a pushed tag is chosen at egress.
        egr_et_set: bool = bit(0x04, 24),
        /// Which EtherType a pushed tag has: 0 is 802.1Q, 1 is 802.1ad.
        et_vlan: u8 = bits(0x04, 17, 16),
        /// The VLAN, 0..=4095.
        pvid: u16 = bits(0x04, 11, 0),
    }
}

register! {
    /// Switch Port Acceptable Frame Types. `Default` admits nothing; a port admits everything at power-on.
    #[derive(Default)]
    pub struct Spaft = (0x2010, 0x08, "spaft") {
        /// The port, 0..=1023.
        local_port: u16 = LOCAL_PORT,
        /// Untagged frames come in.
        allow_untagged: bool = bit(0x04, 31),
        /// Frames with a tag whose VLAN is 0 come in.
        allow_prio_tagged: bool = bit(0x04, 30),
        /// Frames with a VLAN come in.
        allow_tagged: bool = bit(0x04, 29),
    }
}

impl Spaft {
    /// The driver's write: tagged frames come in, untagged ones if there is a VLAN for them.
    #[must_use]
    pub const fn untagged(local_port: u16, allow_untagged: bool) -> Self {
        Self { local_port, allow_untagged, allow_prio_tagged: true, allow_tagged: true }
    }
}

fields! {
    /// Membership in one VLAN.
    #[derive(Default, Copy)]
    pub struct SpvmRecord {
        /// Member on ingress.
        i: bool = bit(0x00, 14),
        /// Member on egress.
        e: bool = bit(0x00, 13),
        /// Untagged on egress.
        u: bool = bit(0x00, 12),
        /// The VLAN, 0..=4095.
        vid: u16 = bits(0x00, 11, 0),
    }
}

/// Switch Port VLAN Membership.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spvm {
    /// Priority-tag frames that leave untagged.
    pub pt: bool,
    /// `pt` is to be changed.
    pub pte: bool,
    /// The port, 0..=1023.
    pub local_port: u16,
    /// The VLANs; more than 255 are not encoded.
    pub records: Vec<SpvmRecord>,
}

fields! {
    /// Learning in one VLAN.
    #[derive(Default, Copy)]
    pub struct SpvmlrRecord {
        /// Whether source MACs are learned.
        learn_enable: bool = bit(0x00, 31),
        /// The VLAN, 0..=4095.
        vid: u16 = bits(0x00, 11, 0),
    }
}

/// Switch Port VLAN MAC Learning Register.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spvmlr {
    /// The port, 0..=1023.
    pub local_port: u16,
    /// The VLANs; more than 255 are not encoded.
    pub records: Vec<SpvmlrRecord>,
}

const PT: Bits = bit(0x00, 31);
const PTE: Bits = bit(0x00, 30);
const NUM_REC: Bits = bits(0x00, 7, 0);
const RECORDS: usize = 0x04;
const RECORD_LEN: usize = 0x04;
const MAX_RECORDS: usize = 255;

impl Spvm {
    /// The driver's write: `local_port` becomes a member of these VLANs, or ceases to be one.
    #[must_use]
    pub fn range(
        local_port: u16,
        vids: std::ops::RangeInclusive<u16>,
        member: bool,
        untagged: bool,
    ) -> Self {
        let records = vids.map(|vid| SpvmRecord { i: member, e: member, u: untagged, vid });
        Self { local_port, records: records.collect(), ..Self::default() }
    }
}

impl Spvmlr {
    /// The driver's write: `local_port` learns in these VLANs, or ceases to.
    #[must_use]
    pub fn range(local_port: u16, vids: std::ops::RangeInclusive<u16>, learn_enable: bool) -> Self {
        let records = vids.map(|vid| SpvmlrRecord { learn_enable, vid });
        Self { local_port, records: records.collect() }
    }
}

impl Layout for Spvm {
    const ID: u16 = 0x200f;
    const LEN: usize = RECORDS + MAX_RECORDS * RECORD_LEN;
    const NAME: &'static str = "spvm";

    fn write(&self, payload: &mut [u8]) {
        write(&self.pt, payload, PT);
        write(&self.pte, payload, PTE);
        write(&self.local_port, payload, LOCAL_PORT);
        write(&count(self.records.len()), payload, NUM_REC);
        for (slot, record) in slots_mut(payload).zip(&self.records) {
            record.write_to(slot);
        }
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self {
            pt: read(payload, PT),
            pte: read(payload, PTE),
            local_port: read(payload, LOCAL_PORT),
            records: present(payload).map(SpvmRecord::read_from).collect(),
        })
    }
}

impl Layout for Spvmlr {
    const ID: u16 = 0x2020;
    const LEN: usize = RECORDS + MAX_RECORDS * RECORD_LEN;
    const NAME: &'static str = "spvmlr";

    fn write(&self, payload: &mut [u8]) {
        write(&self.local_port, payload, LOCAL_PORT);
        write(&count(self.records.len()), payload, NUM_REC);
        for (slot, record) in slots_mut(payload).zip(&self.records) {
            record.write_to(slot);
        }
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self {
            local_port: read(payload, LOCAL_PORT),
            records: present(payload).map(SpvmlrRecord::read_from).collect(),
        })
    }
}

/// The record count for so many records: as many as fit.
fn count(records: usize) -> u8 {
    u8::try_from(records).unwrap_or(u8::MAX)
}

fn slots_mut(payload: &mut [u8]) -> impl Iterator<Item = &mut [u8]> {
    let slots = payload.get_mut(RECORDS..).unwrap_or_default().chunks_exact_mut(RECORD_LEN);
    slots.take(MAX_RECORDS)
}

/// The records that the count says are there; eight bits count no more than fit.
fn present(payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    let count = read::<_, u8>(payload, NUM_REC);
    let slots = payload.get(RECORDS..).unwrap_or_default().chunks_exact(RECORD_LEN);
    slots.take(usize::from(count))
}
