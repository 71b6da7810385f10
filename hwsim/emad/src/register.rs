//! Which registers are known, and which struct belongs to a register id?
//!
//! In: an id and a payload from a frame. Out: [`Register`], one variant per layout. A layout is a table: field, type
//! and place (`bits(0x04, 31, 30)` is bits 31 to 30 of the word at byte 4). Field names are those of the data sheet.
//!
//! ```text
//!   router    RGCR  RITR  RICNT REIV  RALTA RALST RALTB  RALUE  RAUHT RAUHTD  RMFT2
//!             RATR  RATRAD  RALEU   RECR2
//!   switch    SFD   SFN   SFDF  SFDAT SFMR  SVFA  SPVID SPVM  SPAFT  SPVMLR SPMS  SFGC  SMID2
//!   LAGs      SLDR  SLCR  SLCOR
//!   traps     HPKT  HTGT  QPCR
//! ```

use crate::layout::{DecodeError, Layout};

mod flood;
mod lag;
mod port_vlan;
mod qpcr;
mod raleu;
mod ralue;
mod ratr;
mod ratrad;
mod rauht;
mod rauhtd;
mod recr2;
mod reiv;
mod rgcr;
mod ricnt;
mod ritr;
mod rmft2;
mod sfd;
mod sfdat;
mod sfdf;
mod sfmr;
mod sfn;
mod spms;
mod svfa;
mod trap;
mod tree;

pub use flood::{BridgeType, FloodTable, FloodType, Sfgc, Smid2};
pub use lag::{Slcor, SlcorCol, Slcr, SlcrType, Sldr, SldrOp};
pub use port_vlan::{Spaft, Spvid, Spvm, SpvmRecord, Spvmlr, SpvmlrRecord};
pub use qpcr::{Qpcr, QpcrAction, QpcrScope, QpcrUnits, RateType};
pub use raleu::Raleu;
pub use ralue::{Ralue, RalueAction, RalueEntry, RalueOp};
pub use ratr::{Ratr, RatrOp, RatrType};
pub use ratrad::{Ratrad, RatradOp};
pub use rauht::{Rauht, RauhtOp};
pub use rauhtd::{Rauhtd, RauhtdEntry, RauhtdOp, RauhtdRecord};
pub use recr2::Recr2;
pub use reiv::{Reiv, ReivRecord};
pub use rgcr::Rgcr;
pub use ricnt::{Ricnt, RicntOp};
pub use ritr::{Ritr, RitrCounter, RitrOp, RitrType};
pub use rmft2::{FlexActions, IrifMask, Rmft2, Rmft2Groups};
pub use sfd::{Sfd, SfdAction, SfdOp, SfdPolicy, SfdRecord, SfdTarget};
pub use sfdat::Sfdat;
pub use sfdf::{Sfdf, SfdfFlush};
pub use sfmr::{Sfmr, SfmrOp};
pub use sfn::{Sfn, SfnEvent, SfnRecord};
pub use spms::{Spms, SpmsState, VlanStates};
pub use svfa::{Svfa, SvfaMapping};
pub use trap::{Hpkt, HpktAction, HpktCtrl, Htgt};
pub use tree::{Ralst, RalstBin, Ralta, RaltaOp, Raltb};

crate::layout::codes! {
    /// Address family in router registers.
    pub enum Protocol {
        /// IPv4.
        Ipv4 = 0 "ipv4",
        /// IPv6.
        Ipv6 = 1 "ipv6",
    }
}

crate::layout::codes! {
    /// What a route or a neighbour does with a packet besides forwarding it.
    pub enum TrapAction {
        /// Forward.
        Nop = 0 "nop",
        /// To the CPU under the trap id, and no further.
        Trap = 1 "trap",
        /// To the CPU, and forward.
        MirrorToCpu = 2 "mirror_to_cpu",
        /// To the mirror, and forward.
        Mirror = 3 "mirror",
        /// Drop, and count as an error.
        DiscardError = 4 "discard_error",
    }
}

/// Makes the enum, its `From` conversions and the table of names, from one list.
macro_rules! registers {
    ($($name:ident)*) => {
        /// Any register that has a layout here.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant is described at its struct")]
        pub enum Register {
            $($name($name),)*
        }

        /// Name, id and length in bytes of every register, in the order of ids.
        pub const REGISTERS: &[(&str, u16, usize)] =
            &[$((<$name>::NAME, <$name>::ID, <$name>::LEN),)*];

        impl Register {
            /// The register in `payload`.
            ///
            /// # Errors
            /// An id without a layout, or a payload that the layout refuses.
            pub fn decode(id: u16, payload: &[u8]) -> Result<Self, DecodeError> {
                match id {
                    $(<$name>::ID => <$name>::decode(payload).map(Self::$name),)*
                    _ => Err(DecodeError::UnknownRegister { id }),
                }
            }

            /// Register id.
            #[must_use]
            pub const fn id(&self) -> u16 {
                match self {
                    $(Self::$name(_) => <$name>::ID,)*
                }
            }

            /// Register name, lower case.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => <$name>::NAME,)*
                }
            }

            /// The payload.
            #[must_use]
            pub fn encode(&self) -> Vec<u8> {
                match self {
                    $(Self::$name(register) => register.encode(),)*
                }
            }
        }

        $(
            impl From<$name> for Register {
                fn from(register: $name) -> Self {
                    Self::$name(register)
                }
            }
        )*
    };
}

registers! {
    Sfdat Sfd Sfn Spms Spvid Spvm Spaft Sfgc Sfdf Sldr Slcr Slcor Svfa Sfmr Spvmlr Smid2
    Qpcr
    Htgt Hpkt
    Rgcr Ritr Ratr Ricnt Ralta Ralst Raltb Ralue Rauht Raleu Rauhtd Ratrad Recr2 Rmft2 Reiv
}

/// The id of the register called `name` (lower case).
#[must_use]
pub fn id_of(name: &str) -> Option<u16> {
    REGISTERS.iter().find(|(known, ..)| *known == name).map(|(_, id, _)| *id)
}

/// The name of register `id`.
#[must_use]
pub fn name_of(id: u16) -> Option<&'static str> {
    REGISTERS.iter().find(|(_, known, _)| *known == id).map(|(name, ..)| *name)
}

#[cfg(test)]
mod tests;
