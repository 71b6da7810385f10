//! Packets that the device gives to the host: which, what happens to them, how many, at which rate?
//!
//! The kernel announces that traps, groups and policers come and go, but no change of one: who needs to know reads again.

use crate::value::{codes, nest};

codes! {
    /// What happens to a packet.
    pub enum TrapAction: u8 {
        /// It is dropped in the device.
        Drop = 0 "drop", "DEVLINK_TRAP_ACTION_DROP";
        /// The host gets the only copy.
        Trap = 1 "trap", "DEVLINK_TRAP_ACTION_TRAP";
        /// The host gets a copy, the device forwards the packet.
        Mirror = 2 "mirror", "DEVLINK_TRAP_ACTION_MIRROR";
    }
}

codes! {
    /// Why packets are trapped.
    pub enum TrapType: u8 {
        /// They would be dropped. The only type whose action can be set.
        Drop = 0 "drop", "DEVLINK_TRAP_TYPE_DROP";
        /// The device cannot forward them.
        Exception = 1 "exception", "DEVLINK_TRAP_TYPE_EXCEPTION";
        /// The host must see them: VRRP, for example. A [`crate::Message::TrapSet`] of such a trap answers success, with
        /// a warning, and changes nothing.
        Control = 2 "control", "DEVLINK_TRAP_TYPE_CONTROL";
    }
}

nest! {
    /// A packet trap; source: `devlink_nl_trap_fill`. A request to set it has the name and an action.
    pub struct Trap: handle {
        /// The group it belongs to.
        group: Option<String> = 135, "DEVLINK_ATTR_TRAP_GROUP_NAME";
        /// Its name: `ipv4_vrrp`.
        name: Option<String> = 130, "DEVLINK_ATTR_TRAP_NAME";
        /// Why packets are trapped.
        trap_type: Option<TrapType> = 132, "DEVLINK_ATTR_TRAP_TYPE";
        /// It is one of those that every driver names alike.
        generic: bool = 133, "DEVLINK_ATTR_TRAP_GENERIC";
        /// What happens to the packets.
        action: Option<TrapAction> = 131, "DEVLINK_ATTR_TRAP_ACTION";
        /// What the device says about a trapped packet.
        metadata: Option<TrapMetadata> = 134, "DEVLINK_ATTR_TRAP_METADATA";
        /// How many.
        stats: Option<TrapStats> = 129, "DEVLINK_ATTR_STATS";
    }
}

nest! {
    /// What the device says about a trapped packet. The numbers begin at 0.
    pub struct TrapMetadata {
        /// The port it came in on.
        in_port: bool = 0, "DEVLINK_ATTR_TRAP_METADATA_TYPE_IN_PORT";
        /// The cookie of the flow action that dropped it.
        fa_cookie: bool = 1, "DEVLINK_ATTR_TRAP_METADATA_TYPE_FA_COOKIE";
    }
}

nest! {
    /// Packets. The numbers begin at 0. `rx_packets` and `rx_bytes` count what the host got, and begin anew at each reload.
    pub struct TrapStats {
        /// Packets that the host got.
        rx_packets: Option<u64> = 0, "DEVLINK_ATTR_STATS_RX_PACKETS";
        /// Octets that the host got.
        rx_bytes: Option<u64> = 1, "DEVLINK_ATTR_STATS_RX_BYTES";
        /// Packets that the device dropped; only if the driver counts them.
        rx_dropped: Option<u64> = 2, "DEVLINK_ATTR_STATS_RX_DROPPED";
    }
}

nest! {
    /// Traps that share a policer; source: `devlink_nl_trap_group_fill`. A request to set it has the name, and an action
    /// for all its drop traps, or a policer, or both.
    pub struct TrapGroup: handle {
        /// Its name: `vrrp`.
        name: Option<String> = 135, "DEVLINK_ATTR_TRAP_GROUP_NAME";
        /// It is one of those that every driver names alike.
        generic: bool = 133, "DEVLINK_ATTR_TRAP_GENERIC";
        /// In a request: what shall happen to the packets of its traps.
        action: Option<TrapAction> = 131, "DEVLINK_ATTR_TRAP_ACTION";
        /// Its policer; absent when there is none, 0 in a request to take it away.
        policer: Option<u32> = 142, "DEVLINK_ATTR_TRAP_POLICER_ID";
        /// How many packets its traps got.
        stats: Option<TrapStats> = 129, "DEVLINK_ATTR_STATS";
    }
}

nest! {
    /// How many packets a second reach the host; source: `devlink_nl_trap_policer_fill`. A request to set it has the
    /// number, and a rate, or a burst, or both.
    pub struct TrapPolicer: handle {
        /// Its number, from 1.
        id: Option<u32> = 142, "DEVLINK_ATTR_TRAP_POLICER_ID";
        /// Packets a second.
        rate: Option<u64> = 143, "DEVLINK_ATTR_TRAP_POLICER_RATE";
        /// Packets at once.
        burst: Option<u64> = 144, "DEVLINK_ATTR_TRAP_POLICER_BURST";
        /// Packets over the rate: `rx_dropped` alone, and only if the driver counts them.
        stats: Option<TrapStats> = 129, "DEVLINK_ATTR_STATS";
    }
}
