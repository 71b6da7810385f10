//! QPCR: how many packets per second does a policer let through, and how many did it drop?

use crate::bits::{bit, bits};
use crate::field::At;
use crate::layout::{codes, register};

codes! {
    /// What kind of policer it is.
    pub enum QpcrScope {
        /// For trap groups and ACLs.
        Global = 2 "global",
        /// For storm control of a port.
        StormControl = 3 "storm_control",
    }
}

codes! {
    /// Unit of the rate, when it is in bits.
    pub enum QpcrUnits {
        /// Mbit/s; packets/s when the policer counts packets.
        M = 0 "m",
        /// kbit/s.
        K = 1 "k",
    }
}

codes! {
    /// How many rates the policer has.
    pub enum RateType {
        /// One.
        Single = 1 "single",
        /// A committed one and an excess one.
        Double = 2 "double",
    }
}

codes! {
    /// What happens to packets over the rate.
    pub enum QpcrAction {
        /// Dropped.
        Discard = 1 "discard",
        /// Forwarded.
        Forward = 2 "forward",
    }
}

register! {
    /// QoS Policer Configuration Register. `Default` is the driver's: global, packets, one rate, drop what is over it.
    pub struct Qpcr = (0x4004, 0x28, "qpcr") {
        /// What kind of policer it is.
        g: QpcrScope = bits(0x00, 15, 14),
        /// Index of the policer, 14 bits.
        pid: u16 = bits(0x00, 13, 0),
        /// Set `violate_count` to zero.
        clear_counter: bool = bit(0x04, 31),
        /// Consider the colour that the packet has.
        color_aware: bool = bit(0x04, 15),
        /// Count bits rather than packets.
        bytes: bool = bit(0x04, 14),
        /// Unit of the rate, when it is in bits.
        ir_units: QpcrUnits = bit(0x04, 12),
        /// How many rates.
        rate_type: RateType = bits(0x04, 9, 8),
        /// Burst: binary logarithm of packets, 4..=24. `cbs` in the driver.
        cbs_log2: u8 = bits(0x08, 29, 24),
        /// Committed rate: packets/s, 1..=2 000 000 000.
        cir: u32 = bits(0x0c, 31, 0),
        /// Excess rate.
        eir: u32 = bits(0x10, 31, 0),
        /// What happens over the committed rate, when there are two.
        exceed_action: QpcrAction = bits(0x14, 3, 0),
        /// What happens over the rate.
        violate_action: QpcrAction = bits(0x18, 3, 0),
        /// Packets over the rate so far. Read only.
        violate_count: u64 = At(0x20),
    }
}

impl Default for Qpcr {
    fn default() -> Self {
        Self {
            g: QpcrScope::Global,
            pid: 0,
            clear_counter: false,
            color_aware: false,
            bytes: false,
            ir_units: QpcrUnits::M,
            rate_type: RateType::Single,
            cbs_log2: 0,
            cir: 0,
            eir: 0,
            exceed_action: QpcrAction::default(),
            violate_action: QpcrAction::Discard,
            violate_count: 0,
        }
    }
}
