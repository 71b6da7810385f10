//! HPKT, HTGT: which packets go to the CPU, in which group, and which policer limits the group?
//!
//! ```text
//!   packet ──▶ trap id ──HPKT──▶ action, group ──HTGT──▶ policer (QPCR), priority, CPU traffic class, queue
//! ```

use crate::bits::{Bits, bit, bits};
use crate::field::{read, write};
use crate::layout::{DecodeError, Layout, codes, register};

codes! {
    /// What happens to packets of a trap.
    pub enum HpktAction {
        /// Forward.
        Forward = 0 "forward",
        /// To the CPU only.
        TrapToCpu = 1 "trap_to_cpu",
        /// Forward, and a copy to the CPU.
        MirrorToCpu = 2 "mirror_to_cpu",
        /// Drop.
        Discard = 3 "discard",
        /// Drop unless another trap says otherwise.
        SoftDiscard = 4 "soft_discard",
        /// To the CPU, and soft discard.
        TrapAndSoftDiscard = 5 "trap_and_soft_discard",
        /// To the CPU as an exception: the packet was going to be dropped.
        TrapExceptionToCpu = 6 "trap_exception_to_cpu",
        /// What the firmware does by itself. The driver's constant is 15, of which three bits reach the wire.
        SetFwDefault = 7 "set_fw_default",
    }
}

codes! {
    /// Whether the packets count as control packets, which have a buffer of their own.
    pub enum HpktCtrl {
        /// As the chip is configured.
        Default = 0 "default",
        /// Not control packets.
        NoBuffer = 1 "no_buffer",
        /// Control packets.
        UseBuffer = 2 "use_buffer",
    }
}

register! {
    /// Host Packet Trap: what happens to the packets of a trap id, and the group they belong to.
    #[derive(Default)]
    pub struct Hpkt = (0x7003, 0x10, "hpkt") {
        /// Whether the CPU has to acknowledge events.
        ack: bool = bit(0x00, 24),
        /// What happens to the packets.
        action: HpktAction = bits(0x00, 22, 20),
        /// Trap group, 0..=63.
        trap_group: u8 = bits(0x00, 17, 12),
        /// Trap id, 0..=1023.
        trap_id: u16 = bits(0x00, 9, 0),
        /// Whether they are control packets.
        ctrl: HpktCtrl = bits(0x04, 17, 16),
    }
}

/// Host Trap Group Table: policer, priority and queue of a trap group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Htgt {
    /// Switch partition; the driver uses 0.
    pub swid: u8,
    /// Where the packets go: 0, the local CPU.
    pub path_type: u8,
    /// Trap group. `trap_group` in the driver.
    pub group: u8,
    /// Policer (`pid`), if the group has one (`pide`).
    pub policer: Option<u8>,
    /// 0: to the CPU.
    pub mirror_action: u8,
    /// Mirroring session, if `mirror_action` names one.
    pub mirroring_agent: u8,
    /// A packet of several groups is delivered for the one with the highest priority, 0..=7.
    pub priority: u8,
    /// CPU traffic class, 0..=63. `local_path_cpu_tclass` in the driver.
    pub tclass: u8,
    /// Receive queue, 0..=63; the driver uses the group's number. `local_path_rdq` in the driver.
    pub rdq: u8,
}

const SWID: Bits = bits(0x00, 31, 24);
const TYPE: Bits = bits(0x00, 11, 8);
const TRAP_GROUP: Bits = bits(0x00, 7, 0);
const PIDE: Bits = bit(0x04, 15);
const PID: Bits = bits(0x04, 7, 0);
const MIRROR_ACTION: Bits = bits(0x08, 9, 8);
const MIRRORING_AGENT: Bits = bits(0x08, 2, 0);
const PRIORITY: Bits = bits(0x0c, 3, 0);
const LOCAL_PATH_CPU_TCLASS: Bits = bits(0x10, 21, 16);
const LOCAL_PATH_RDQ: Bits = bits(0x10, 5, 0);

impl Htgt {
    /// The driver's write: to the CPU, in the queue of the group's number.
    #[must_use]
    pub fn new(group: u8, policer: Option<u8>, priority: u8, tclass: u8) -> Self {
        Self { group, policer, priority, tclass, rdq: group, ..Self::default() }
    }
}

impl Layout for Htgt {
    const ID: u16 = 0x7002;
    const LEN: usize = 0x20;
    const NAME: &'static str = "htgt";

    fn write(&self, payload: &mut [u8]) {
        write(&self.swid, payload, SWID);
        write(&self.path_type, payload, TYPE);
        write(&self.group, payload, TRAP_GROUP);
        write(&self.policer.is_some(), payload, PIDE);
        write(&self.policer.unwrap_or(0), payload, PID);
        write(&self.mirror_action, payload, MIRROR_ACTION);
        write(&self.mirroring_agent, payload, MIRRORING_AGENT);
        write(&self.priority, payload, PRIORITY);
        write(&self.tclass, payload, LOCAL_PATH_CPU_TCLASS);
        write(&self.rdq, payload, LOCAL_PATH_RDQ);
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        let pide: bool = read(payload, PIDE);
        Ok(Self {
            swid: read(payload, SWID),
            path_type: read(payload, TYPE),
            group: read(payload, TRAP_GROUP),
            policer: pide.then(|| read(payload, PID)),
            mirror_action: read(payload, MIRROR_ACTION),
            mirroring_agent: read(payload, MIRRORING_AGENT),
            priority: read(payload, PRIORITY),
            tclass: read(payload, LOCAL_PATH_CPU_TCLASS),
            rdq: read(payload, LOCAL_PATH_RDQ),
        })
    }
}
