//! SFDF: which forwarding records are to be forgotten at once?

use crate::bits::{Bits, bit, bits};
use crate::field::{read, write};
use crate::layout::{DecodeError, Layout};

/// Which records are flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SfdfFlush {
    /// All.
    PerSwid,
    /// Those of a FID.
    PerFid {
        /// The FID.
        fid: u16,
    },
    /// Those that point to a port.
    PerPort {
        /// The port.
        system_port: u16,
    },
    /// Those of a FID that point to a port.
    PerPortAndFid {
        /// The port.
        system_port: u16,
        /// The FID.
        fid: u16,
    },
    /// Those that point to a LAG.
    PerLag {
        /// The LAG.
        lag_id: u16,
    },
    /// Those of a FID that point to a LAG.
    PerLagAndFid {
        /// The LAG.
        lag_id: u16,
        /// The FID.
        fid: u16,
    },
    /// Those that point into tunnels.
    PerNve,
    /// Those of a FID that point into tunnels.
    PerNveAndFid {
        /// The FID.
        fid: u16,
    },
    /// A type without a name, 8..=15.
    Other {
        /// The type.
        code: u8,
        /// The words at 0x08 and 0x0C.
        words: [u32; 2],
    },
}

/// Switch Filtering DB Flush: forget records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sfdf {
    /// Switch partition; the driver uses 0.
    pub swid: u8,
    /// Which records.
    pub flush_type: SfdfFlush,
    /// Static ones too. The driver always sets it.
    pub flush_static: bool,
}

const SWID: Bits = bits(0x00, 31, 24);
const FLUSH_TYPE: Bits = bits(0x04, 31, 28);
const FLUSH_STATIC: Bits = bit(0x04, 24);
const FIRST: Bits = bits(0x08, 31, 0);
const SECOND: Bits = bits(0x0c, 31, 0);
const PORT_FID_SYSTEM_PORT: Bits = bits(0x08, 15, 0);
const LAG_FID_LAG_ID: Bits = bits(0x08, 9, 0);
const FID: Bits = bits(0x0c, 15, 0);
const SYSTEM_PORT: Bits = bits(0x0c, 15, 0);
const LAG_ID: Bits = bits(0x0c, 9, 0);

impl Sfdf {
    /// As the driver writes it: static records too.
    #[must_use]
    pub const fn new(flush_type: SfdfFlush) -> Self {
        Self { swid: 0, flush_type, flush_static: true }
    }
}

impl SfdfFlush {
    /// The type as the register has it.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::PerSwid => 0,
            Self::PerFid { .. } => 1,
            Self::PerPort { .. } => 2,
            Self::PerPortAndFid { .. } => 3,
            Self::PerLag { .. } => 4,
            Self::PerLagAndFid { .. } => 5,
            Self::PerNve => 6,
            Self::PerNveAndFid { .. } => 7,
            Self::Other { code, .. } => *code,
        }
    }
}

impl Layout for Sfdf {
    const ID: u16 = 0x2013;
    const LEN: usize = 0x14;
    const NAME: &'static str = "sfdf";

    fn write(&self, payload: &mut [u8]) {
        write(&self.swid, payload, SWID);
        write(&self.flush_type.code(), payload, FLUSH_TYPE);
        write(&self.flush_static, payload, FLUSH_STATIC);
        match &self.flush_type {
            SfdfFlush::PerSwid | SfdfFlush::PerNve => {}
            SfdfFlush::PerFid { fid } | SfdfFlush::PerNveAndFid { fid } => {
                write(fid, payload, FID);
            }
            SfdfFlush::PerPort { system_port } => write(system_port, payload, SYSTEM_PORT),
            SfdfFlush::PerPortAndFid { system_port, fid } => {
                write(system_port, payload, PORT_FID_SYSTEM_PORT);
                write(fid, payload, FID);
            }
            SfdfFlush::PerLag { lag_id } => write(lag_id, payload, LAG_ID),
            SfdfFlush::PerLagAndFid { lag_id, fid } => {
                write(lag_id, payload, LAG_FID_LAG_ID);
                write(fid, payload, FID);
            }
            SfdfFlush::Other { words: [first, second], .. } => {
                write(first, payload, FIRST);
                write(second, payload, SECOND);
            }
        }
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        let flush_type = match read(payload, FLUSH_TYPE) {
            0u8 => SfdfFlush::PerSwid,
            1 => SfdfFlush::PerFid { fid: read(payload, FID) },
            2 => SfdfFlush::PerPort { system_port: read(payload, SYSTEM_PORT) },
            3 => SfdfFlush::PerPortAndFid {
                system_port: read(payload, PORT_FID_SYSTEM_PORT),
                fid: read(payload, FID),
            },
            4 => SfdfFlush::PerLag { lag_id: read(payload, LAG_ID) },
            5 => SfdfFlush::PerLagAndFid {
                lag_id: read(payload, LAG_FID_LAG_ID),
                fid: read(payload, FID),
            },
            6 => SfdfFlush::PerNve,
            7 => SfdfFlush::PerNveAndFid { fid: read(payload, FID) },
            code => SfdfFlush::Other { code, words: [read(payload, FIRST), read(payload, SECOND)] },
        };
        Ok(Self {
            swid: read(payload, SWID),
            flush_type,
            flush_static: read(payload, FLUSH_STATIC),
        })
    }
}
