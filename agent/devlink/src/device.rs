//! Devices: what is there, how often was it reloaded, which versions does it run, how does it forward between functions?

use crate::handle::NestedDevice;
use crate::value::{Bitfield32, codes, nest};

codes! {
    /// What a reload does.
    pub enum ReloadAction: u8 {
        /// The driver starts anew.
        DriverReinit = 1 "driver_reinit", "DEVLINK_RELOAD_ACTION_DRIVER_REINIT";
        /// New firmware starts.
        FwActivate = 2 "fw_activate", "DEVLINK_RELOAD_ACTION_FW_ACTIVATE";
    }
}

codes! {
    /// What a reload may not do.
    pub enum ReloadLimit: u8 {
        /// No limit.
        Unspecified = 0 "unspecified", "DEVLINK_RELOAD_LIMIT_UNSPEC";
        /// Links stay up.
        NoReset = 1 "no_reset", "DEVLINK_RELOAD_LIMIT_NO_RESET";
    }
}

nest! {
    /// A device; source: `devlink_nl_fill`.
    pub struct Dev: handle {
        /// The last reload failed: there are no ports and no traps until one succeeds.
        reload_failed: Option<bool> = 136, "DEVLINK_ATTR_RELOAD_FAILED";
        /// What happened to it since it was registered.
        stats: Option<DevStats> = 156, "DEVLINK_ATTR_DEV_STATS";
        /// Devices that are part of it.
        nested: Vec<NestedDevice> = 175, "DEVLINK_ATTR_NESTED_DEVLINK";
    }
}

nest! {
    /// What happened to a device since it was registered.
    pub struct DevStats {
        /// Reloads that this host asked for.
        reload: Option<ReloadStats> = 157, "DEVLINK_ATTR_RELOAD_STATS";
        /// Reloads that other hosts asked for.
        remote_reload: Option<ReloadStats> = 161, "DEVLINK_ATTR_REMOTE_RELOAD_STATS";
    }
}

nest! {
    /// Reloads by their action.
    pub struct ReloadStats {
        /// One for each action that the driver has.
        actions: Vec<ReloadActionInfo> = 162, "DEVLINK_ATTR_RELOAD_ACTION_INFO";
    }
}

nest! {
    /// Reloads of one action.
    pub struct ReloadActionInfo {
        /// The action.
        action: Option<ReloadAction> = 153, "DEVLINK_ATTR_RELOAD_ACTION";
        /// How often.
        stats: Option<ReloadActionStats> = 163, "DEVLINK_ATTR_RELOAD_ACTION_STATS";
    }
}

nest! {
    /// Reloads of one action by their limit.
    pub struct ReloadActionStats {
        /// One for each limit that the driver has.
        entries: Vec<ReloadStatsEntry> = 158, "DEVLINK_ATTR_RELOAD_STATS_ENTRY";
    }
}

nest! {
    /// How often a device was reloaded in one way.
    pub struct ReloadStatsEntry {
        /// The limit it had.
        limit: Option<ReloadLimit> = 159, "DEVLINK_ATTR_RELOAD_STATS_LIMIT";
        /// Reloads.
        value: Option<u32> = 160, "DEVLINK_ATTR_RELOAD_STATS_VALUE";
    }
}

nest! {
    /// A request to reload a device, and its answer, which comes only when the request had an action or limits. At most
    /// one of the three network namespaces, and then only [`ReloadAction::DriverReinit`]; source: `devlink_nl_reload_doit`.
    pub struct Reload: handle {
        /// What to do; the driver starts anew when absent.
        action: Option<ReloadAction> = 153, "DEVLINK_ATTR_RELOAD_ACTION";
        /// Limits, as bits: 1 << [`ReloadLimit`]; the kernel takes one at most.
        limits: Option<Bitfield32> = 155, "DEVLINK_ATTR_RELOAD_LIMITS";
        /// Where the device goes: a file descriptor of the network namespace.
        netns_fd: Option<u32> = 138, "DEVLINK_ATTR_NETNS_FD";
        /// ... the network namespace of this process.
        netns_pid: Option<u32> = 139, "DEVLINK_ATTR_NETNS_PID";
        /// ... the network namespace with this identifier.
        netns_id: Option<u32> = 140, "DEVLINK_ATTR_NETNS_ID";
        /// In an answer, what was done, as bits: 1 << [`ReloadAction`].
        actions_performed: Option<Bitfield32> = 154, "DEVLINK_ATTR_RELOAD_ACTIONS_PERFORMED";
    }
}

nest! {
    /// Driver, serial numbers and versions of a device; source: `devlink_nl_info_fill`.
    pub struct Info: handle {
        /// Name of the driver.
        driver: Option<String> = 98, "DEVLINK_ATTR_INFO_DRIVER_NAME";
        /// Serial number of the device.
        serial_number: Option<String> = 99, "DEVLINK_ATTR_INFO_SERIAL_NUMBER";
        /// Serial number of the board.
        board_serial_number: Option<String> = 146, "DEVLINK_ATTR_INFO_BOARD_SERIAL_NUMBER";
        /// What cannot change: the board.
        fixed: Vec<Version> = 100, "DEVLINK_ATTR_INFO_VERSION_FIXED";
        /// What runs.
        running: Vec<Version> = 101, "DEVLINK_ATTR_INFO_VERSION_RUNNING";
        /// What would run after the next start.
        stored: Vec<Version> = 102, "DEVLINK_ATTR_INFO_VERSION_STORED";
    }
}

nest! {
    /// The version of one component.
    pub struct Version {
        /// The component: `fw.mgmt`.
        name: Option<String> = 103, "DEVLINK_ATTR_INFO_VERSION_NAME";
        /// Its version.
        value: Option<String> = 104, "DEVLINK_ATTR_INFO_VERSION_VALUE";
    }
}

codes! {
    /// Who forwards between the functions of a device.
    pub enum EswitchMode: u16 {
        /// The device, by MAC and VLAN.
        Legacy = 0 "legacy", "DEVLINK_ESWITCH_MODE_LEGACY";
        /// The host, through representors.
        Switchdev = 1 "switchdev", "DEVLINK_ESWITCH_MODE_SWITCHDEV";
        /// As switchdev, but nothing passes yet; since Linux 7.3.
        SwitchdevInactive = 2 "switchdev_inactive", "DEVLINK_ESWITCH_MODE_SWITCHDEV_INACTIVE";
    }
}

codes! {
    /// How much of a packet's headers a function must put into its descriptors.
    pub enum EswitchInlineMode: u8 {
        /// Nothing.
        None = 0 "none", "DEVLINK_ESWITCH_INLINE_MODE_NONE";
        /// Ethernet.
        Link = 1 "link", "DEVLINK_ESWITCH_INLINE_MODE_LINK";
        /// Up to IP.
        Network = 2 "network", "DEVLINK_ESWITCH_INLINE_MODE_NETWORK";
        /// Up to TCP and UDP.
        Transport = 3 "transport", "DEVLINK_ESWITCH_INLINE_MODE_TRANSPORT";
    }
}

codes! {
    /// Whether the device encapsulates.
    pub enum EswitchEncapMode: u8 {
        /// It does not.
        None = 0 "none", "DEVLINK_ESWITCH_ENCAP_MODE_NONE";
        /// It does.
        Basic = 1 "basic", "DEVLINK_ESWITCH_ENCAP_MODE_BASIC";
    }
}

nest! {
    /// The switch between the functions of a device; asking needs CAP_NET_ADMIN too. Source: `devlink_nl_eswitch_fill`.
    pub struct Eswitch: handle {
        /// Who forwards.
        mode: Option<EswitchMode> = 25, "DEVLINK_ATTR_ESWITCH_MODE";
        /// Headers in descriptors.
        inline_mode: Option<EswitchInlineMode> = 26, "DEVLINK_ATTR_ESWITCH_INLINE_MODE";
        /// Encapsulation.
        encap_mode: Option<EswitchEncapMode> = 62, "DEVLINK_ATTR_ESWITCH_ENCAP_MODE";
    }
}
