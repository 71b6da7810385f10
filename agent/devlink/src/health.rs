//! Health reporters: which parts of a device watch themselves, and what did they see?

use crate::value::{codes, nest};

codes! {
    /// How a part of a device is.
    pub enum HealthState: u8 {
        /// Well.
        Healthy = 0 "healthy", "DEVLINK_HEALTH_REPORTER_STATE_HEALTHY";
        /// An error was reported and not recovered from.
        Error = 1 "error", "DEVLINK_HEALTH_REPORTER_STATE_ERROR";
    }
}

nest! {
    /// A health reporter; source: `devlink_nl_health_reporter_fill`.
    pub struct Health: handle {
        /// The port it belongs to; absent for those of the device.
        port: Option<u32> = 3, "DEVLINK_ATTR_PORT_INDEX";
        /// In a request: its name.
        name: Option<String> = 115, "DEVLINK_ATTR_HEALTH_REPORTER_NAME";
        /// In an answer: what it says.
        reporter: Option<HealthReporter> = 114, "DEVLINK_ATTR_HEALTH_REPORTER";
    }
}

nest! {
    /// What a health reporter says.
    pub struct HealthReporter {
        /// Its name.
        name: Option<String> = 115, "DEVLINK_ATTR_HEALTH_REPORTER_NAME";
        /// How its part is.
        state: Option<HealthState> = 116, "DEVLINK_ATTR_HEALTH_REPORTER_STATE";
        /// Errors so far.
        errors: Option<u64> = 117, "DEVLINK_ATTR_HEALTH_REPORTER_ERR_COUNT";
        /// Recoveries so far.
        recoveries: Option<u64> = 118, "DEVLINK_ATTR_HEALTH_REPORTER_RECOVER_COUNT";
        /// Milliseconds that must pass between two recoveries.
        graceful_period: Option<u64> = 120, "DEVLINK_ATTR_HEALTH_REPORTER_GRACEFUL_PERIOD";
        /// Whether it recovers by itself.
        auto_recover: Option<bool> = 121, "DEVLINK_ATTR_HEALTH_REPORTER_AUTO_RECOVER";
        /// When its dump was made, in jiffies.
        dump_jiffies: Option<u64> = 119, "DEVLINK_ATTR_HEALTH_REPORTER_DUMP_TS";
        /// When its dump was made, in nanoseconds of the real-time clock.
        dump_ns: Option<u64> = 137, "DEVLINK_ATTR_HEALTH_REPORTER_DUMP_TS_NS";
        /// Whether it makes a dump at an error by itself.
        auto_dump: Option<bool> = 141, "DEVLINK_ATTR_HEALTH_REPORTER_AUTO_DUMP";
        /// Milliseconds in which errors count as one burst; since Linux 7.3.
        burst_period: Option<u64> = 181, "DEVLINK_ATTR_HEALTH_REPORTER_BURST_PERIOD";
    }
}
