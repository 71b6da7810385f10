//! SFD: where does the chip send a frame, by FID and destination MAC?
//!
//! A router MAC is a record whose action is "forward to the IP router". Up to 64 records travel in one register.
//!
//! ```text
//!  0x00 swid   0x04 op, record locator   0x08 num_rec   0x10 + 16 n: record n
//!
//!  record  0x00  swid [31:24]  type [23:20]  policy [19:18]  a [16]  MAC, first two octets
//!          0x04  MAC, last four octets
//!          0x08  set_vid [31]  sub_port [23:16] or pgi [28:16]      FID [15:0]
//!          0x0C  action [31:28]  vid [27:16]                        port, LAG or MID [15:0]
//! ```

use crate::bits::{Bits, bit, bits};
use crate::field::{At, read, write};
use crate::layout::{DecodeError, Layout, codes, operations, records};
use crate::mac::Mac;

operations! {
    /// What the access does. Answers to writes say in `num_rec` how many records took effect.
    pub struct SfdOp {
        /// Query: the records from `record_locator` on.
        QUERY_DUMP = 0 "query_dump",
        /// Query: the records named by FID and MAC.
        QUERY = 1 "query",
        /// Query: as `QUERY`, and clear their activity.
        QUERY_AND_CLEAR_ACTIVITY = 2 "query_and_clear_activity",
        /// Write: say whether the records could be added.
        WRITE_TEST = 0 "write_test",
        /// Write: add the records or change them.
        WRITE_EDIT = 1 "write_edit",
        /// Write: remove the records.
        WRITE_REMOVE = 2 "write_remove",
    }
}

codes! {
    /// Who may replace or age a record.
    pub enum SfdPolicy {
        /// Neither replaced by learning nor aged.
        Static = 0 "static",
        /// Replaced by learning, not aged: learned by the other switch of an MLAG.
        DynamicMlag = 1 "dynamic_mlag",
        /// Replaced by learning, and aged.
        Dynamic = 3 "dynamic",
    }
}

codes! {
    /// What happens to a frame that hits the record.
    pub enum SfdAction {
        /// Forward to the record's target.
        Nop = 0 "nop",
        /// Forward, and a copy to the CPU.
        MirrorToCpu = 1 "mirror_to_cpu",
        /// To the CPU only.
        Trap = 2 "trap",
        /// To the IP router: this is a router MAC.
        ForwardIpRouter = 3 "forward_ip_router",
        /// Drop.
        DiscardError = 15 "discard_error",
    }
}

/// Where the record points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SfdTarget {
    /// A port.
    Unicast {
        /// VEPA channel; the driver writes 0.
        sub_port: u8,
        /// Whether frames get `vid`.
        set_vid: bool,
        /// VLAN, 0..=4095.
        vid: u16,
        /// The port; 0 in router records.
        system_port: u16,
    },
    /// A LAG.
    UnicastLag {
        /// VEPA channel; the driver writes 0.
        sub_port: u8,
        /// Whether frames get `lag_vid`. The driver always sets it.
        set_vid: bool,
        /// VLAN, 0..=4095.
        lag_vid: u16,
        /// The LAG, 0..=1023.
        lag_id: u16,
    },
    /// A multicast group.
    Multicast {
        /// Port group; always 0x1FFF on Spectrum.
        pgi: u16,
        /// Multicast id, see [`crate::register::Smid2`].
        mid: u16,
    },
    /// Another type, such as a tunnel.
    Other {
        /// The type.
        code: u8,
        /// Bits 31..16 of the word at 0x08.
        high: u16,
        /// Bits 27..0 of the word at 0x0C.
        low: u32,
    },
}

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SfdRecord {
    /// Switch partition; the driver uses 0.
    pub swid: u8,
    /// Who may replace or age it.
    pub policy: SfdPolicy,
    /// Activity: a frame with this source MAC was seen, or the record is new. Read only.
    pub a: bool,
    /// Destination MAC, part of the key.
    pub mac: Mac,
    /// Filtering id, part of the key.
    pub fid: u16,
    /// What happens to frames.
    pub action: SfdAction,
    /// Where it points.
    pub target: SfdTarget,
}

/// Switch Filtering Database register: up to 64 records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sfd {
    /// Switch partition of a query; the driver uses 0.
    pub swid: u8,
    /// What the access does.
    pub op: SfdOp,
    /// Where a dump goes on, 30 bits: 0 starts it; the answer has the next, 0 at the end.
    pub record_locator: u32,
    /// Requests: records asked for (dump) or present. Answers: records returned or in effect, which may be fewer than
    /// were sent. Decoding reads this many, less those at the end that are all zero.
    pub num_rec: u8,
    /// The records; more than 64 are not encoded.
    pub records: Vec<SfdRecord>,
}

const SWID: Bits = bits(0x00, 31, 24);
const OP: Bits = bits(0x04, 31, 30);
const RECORD_LOCATOR: Bits = bits(0x04, 29, 0);
const NUM_REC: Bits = bits(0x08, 7, 0);
const RECORDS: usize = 0x10;
const RECORD_LEN: usize = 0x10;

const REC_SWID: Bits = bits(0x00, 31, 24);
const REC_TYPE: Bits = bits(0x00, 23, 20);
const REC_POLICY: Bits = bits(0x00, 19, 18);
const REC_A: Bits = bit(0x00, 16);
const REC_MAC: At = At(0x02);
const REC_FID: Bits = bits(0x08, 15, 0);
const REC_ACTION: Bits = bits(0x0c, 31, 28);
const UC_SET_VID: Bits = bit(0x08, 31);
const UC_SUB_PORT: Bits = bits(0x08, 23, 16);
const UC_VID: Bits = bits(0x0c, 27, 16);
const UC_SYSTEM_PORT: Bits = bits(0x0c, 15, 0);
const UC_LAG_LAG_ID: Bits = bits(0x0c, 9, 0);
const MC_PGI: Bits = bits(0x08, 28, 16);
const MC_MID: Bits = bits(0x0c, 15, 0);
const OTHER_HIGH: Bits = bits(0x08, 31, 16);
const OTHER_LOW: Bits = bits(0x0c, 27, 0);

impl Sfd {
    /// The most records that fit.
    pub const MAX_RECORDS: usize = 64;

    /// `op` on these records.
    #[must_use]
    pub fn new(op: SfdOp, mut records: Vec<SfdRecord>) -> Self {
        records.truncate(Self::MAX_RECORDS);
        let num_rec = u8::try_from(records.len()).unwrap_or(u8::MAX);
        Self { swid: 0, op, record_locator: 0, num_rec, records }
    }

    /// The query for the next 64 records of a dump.
    #[must_use]
    pub const fn dump(record_locator: u32) -> Self {
        Self { swid: 0, op: SfdOp::QUERY_DUMP, record_locator, num_rec: 64, records: Vec::new() }
    }
}

impl SfdRecord {
    /// The static record of a router MAC.
    #[must_use]
    pub const fn router(mac: Mac, fid: u16) -> Self {
        Self::unicast(SfdPolicy::Static, mac, fid, 0, SfdAction::ForwardIpRouter, 0)
    }

    /// A record that points to a port. A `vid` of 0 leaves the frame's own.
    #[must_use]
    pub const fn unicast(
        policy: SfdPolicy,
        mac: Mac,
        fid: u16,
        vid: u16,
        action: SfdAction,
        system_port: u16,
    ) -> Self {
        let target = SfdTarget::Unicast { sub_port: 0, set_vid: vid != 0, vid, system_port };
        Self { swid: 0, policy, a: false, mac, fid, action, target }
    }

    /// A record that points to a LAG.
    #[must_use]
    pub const fn unicast_lag(
        policy: SfdPolicy,
        mac: Mac,
        fid: u16,
        lag_vid: u16,
        action: SfdAction,
        lag_id: u16,
    ) -> Self {
        let target = SfdTarget::UnicastLag { sub_port: 0, set_vid: true, lag_vid, lag_id };
        Self { swid: 0, policy, a: false, mac, fid, action, target }
    }

    /// A record that points to a multicast group.
    #[must_use]
    pub const fn multicast(mac: Mac, fid: u16, action: SfdAction, mid: u16) -> Self {
        let target = SfdTarget::Multicast { pgi: 0x1fff, mid };
        Self { swid: 0, policy: SfdPolicy::Static, a: false, mac, fid, action, target }
    }

    fn read_from(bytes: &[u8]) -> Self {
        let target = match read(bytes, REC_TYPE) {
            0u8 => SfdTarget::Unicast {
                sub_port: read(bytes, UC_SUB_PORT),
                set_vid: read(bytes, UC_SET_VID),
                vid: read(bytes, UC_VID),
                system_port: read(bytes, UC_SYSTEM_PORT),
            },
            1 => SfdTarget::UnicastLag {
                sub_port: read(bytes, UC_SUB_PORT),
                set_vid: read(bytes, UC_SET_VID),
                lag_vid: read(bytes, UC_VID),
                lag_id: read(bytes, UC_LAG_LAG_ID),
            },
            2 => SfdTarget::Multicast { pgi: read(bytes, MC_PGI), mid: read(bytes, MC_MID) },
            code => SfdTarget::Other {
                code,
                high: read(bytes, OTHER_HIGH),
                low: read(bytes, OTHER_LOW),
            },
        };
        Self {
            swid: read(bytes, REC_SWID),
            policy: read(bytes, REC_POLICY),
            a: read(bytes, REC_A),
            mac: read(bytes, REC_MAC),
            fid: read(bytes, REC_FID),
            action: read(bytes, REC_ACTION),
            target,
        }
    }

    fn write_to(&self, bytes: &mut [u8]) {
        write(&self.swid, bytes, REC_SWID);
        write(&self.target.code(), bytes, REC_TYPE);
        write(&self.policy, bytes, REC_POLICY);
        write(&self.a, bytes, REC_A);
        write(&self.mac, bytes, REC_MAC);
        write(&self.fid, bytes, REC_FID);
        write(&self.action, bytes, REC_ACTION);
        match &self.target {
            SfdTarget::Unicast { sub_port, set_vid, vid, system_port } => {
                write(sub_port, bytes, UC_SUB_PORT);
                write(set_vid, bytes, UC_SET_VID);
                write(vid, bytes, UC_VID);
                write(system_port, bytes, UC_SYSTEM_PORT);
            }
            SfdTarget::UnicastLag { sub_port, set_vid, lag_vid, lag_id } => {
                write(sub_port, bytes, UC_SUB_PORT);
                write(set_vid, bytes, UC_SET_VID);
                write(lag_vid, bytes, UC_VID);
                write(lag_id, bytes, UC_LAG_LAG_ID);
            }
            SfdTarget::Multicast { pgi, mid } => {
                write(pgi, bytes, MC_PGI);
                write(mid, bytes, MC_MID);
            }
            SfdTarget::Other { high, low, .. } => {
                write(high, bytes, OTHER_HIGH);
                write(low, bytes, OTHER_LOW);
            }
        }
    }
}

impl SfdTarget {
    /// The record type as the register has it.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::Unicast { .. } => 0,
            Self::UnicastLag { .. } => 1,
            Self::Multicast { .. } => 2,
            Self::Other { code, .. } => *code,
        }
    }
}

impl Layout for Sfd {
    const ID: u16 = 0x200a;
    const LEN: usize = RECORDS + Self::MAX_RECORDS * RECORD_LEN;
    const NAME: &'static str = "sfd";

    fn write(&self, payload: &mut [u8]) {
        write(&self.swid, payload, SWID);
        write(&self.op, payload, OP);
        write(&self.record_locator, payload, RECORD_LOCATOR);
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
                Ok(SfdRecord::read_from(slot))
            })?;
        Ok(Self {
            swid: read(payload, SWID),
            op: read(payload, OP),
            record_locator: read(payload, RECORD_LOCATOR),
            num_rec,
            records,
        })
    }
}
