//! What did the operator decide? Files of TOML in, one [`Config`] out.
//!
//! ```text
//!   /etc/firsthop/firsthop.toml          absent: defaults
//!   /etc/firsthop/conf.d/*.toml          by name; a later file's keys win
//!   -c FILE                              this file and no other
//! ```
//!
//! A key that is not known is an error with its place: a misspelt one must not be silently without effect.

mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use firsthop_model::intent::{Policy, Routing, VmacPolicy, VmacRule};
use serde::{Deserialize, Deserializer};
pub use settings::Setting;
use thiserror::Error;

/// Where the configuration is, unless `-c` says otherwise.
pub const DIRECTORY: &str = "/etc/firsthop";

/// Packets per second that a policer can be set to (mlxsw's limits).
const RATES: std::ops::RangeInclusive<u32> = 1..=2_000_000_000;
/// Packets of burst that a policer can be set to; powers of two (mlxsw's limits).
const BURSTS: std::ops::RangeInclusive<u32> = 16..=1 << 24;

/// Octets of the event socket's queue: one event of a link and what the kernel keeps with it, to what a signed 32-bit size takes
/// once the kernel has doubled it (`sock_setsockopt` of SO_RCVBUFFORCE in net/core/sock.c).
const RECEIVE_BUFFERS: std::ops::RangeInclusive<usize> = 4096..=1 << 29;

/// Seconds between two looks at devices.
const AUDITS: std::ops::RangeInclusive<u64> = 1..=3600;

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file or directory could not be read.
    #[error("Configuration {} can't be read", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("Configuration file {} is not valid", path.display())]
    Invalid {
        /// Which.
        path: PathBuf,
        /// Line, column, and what is wrong there.
        source: Box<toml::de::Error>,
    },
    /// Orphans can't be told without the watch.
    #[error(
        "Configuration file {} is not valid: `[liveness] withdraw_orphans` needs `watch`", path.display()
    )]
    Blind {
        /// Which.
        path: PathBuf,
    },
}

/// The operator's decisions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// What concerns router interfaces, virtual MACs, routes and traps.
    pub policy: Policy,
    /// Socket of the simulated chip.
    pub hwsim: Option<PathBuf>,
    /// Whether to write to the chip; None: as the kind of chip suggests.
    pub manage: Option<bool>,
    /// tc rules trap advertisements at routed ports of kernel drivers that have no trap for them.
    pub flower_traps: bool,
    /// What advertisements are watched for.
    pub liveness: Liveness,
    /// Size of the VRRP policer, where it does not follow from the virtual routers.
    pub policer: Policer,
    /// How devices that have a driver in the kernel are looked after.
    pub care: Care,
    /// Between two audits of what is believed of the kernel and of the chip.
    pub audits: Audits,
    /// Octets that the kernel may queue for the event socket; None: as many as firsthop-netlink thinks enough.
    pub receive_buffer: Option<usize>,
}

/// Size of the VRRP policer; what is None follows from the virtual routers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policer {
    /// Packets per second
    pub rate: Option<u32>,
    /// Packets at once
    pub burst: Option<u32>,
}

/// What is done about a setting of ours that somebody else changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Drift {
    /// It is set again, and told.
    #[default]
    Repair,
    /// It is told.
    Report,
}

impl Drift {
    /// The word in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Repair => "repair",
            Self::Report => "report",
        }
    }
}

/// How devices that have a driver in the kernel are looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Care {
    /// Between two looks: nobody announces a changed setting.
    pub audit: Duration,
    /// What is done about one.
    pub drift: Drift,
}

impl Default for Care {
    fn default() -> Self {
        Self { audit: Duration::from_secs(30), drift: Drift::Repair }
    }
}

/// How often what is believed is compared with the kernel and the chip although nothing was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audits(pub Option<Duration>);

impl Default for Audits {
    fn default() -> Self {
        Self(Some(Duration::from_secs(300)))
    }
}

/// What advertisements are watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Liveness {
    /// They are watched at all.
    pub watch: bool,
    /// The MAC of a router that has fallen silent is taken out of the chip.
    pub withdraw_orphans: bool,
}

impl Default for Liveness {
    fn default() -> Self {
        Self { watch: true, withdraw_orphans: false }
    }
}

/// One file; every key may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    vmac_policy: Option<VmacPolicy>,
    /// `[[vmac]]` sections: exceptions for macvlans over a device or with a MAC prefix; the first that matches wins.
    vmac: Option<Vec<Rule>>,
    exclude: Option<BTreeSet<String>>,
    routing: Option<Routing>,
    #[serde(default, deserialize_with = "rate")]
    vrrp_rate: Option<u32>,
    #[serde(default, deserialize_with = "burst")]
    vrrp_burst: Option<u32>,
    device: Option<Device>,
    liveness: Option<Watch>,
    netlink: Option<Netlink>,
    audit: Option<Audit>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Audit {
    /// Seconds; 0: never by itself
    interval: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Netlink {
    /// Octets
    #[serde(default, deserialize_with = "receive_buffer")]
    receive_buffer: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Device {
    hwsim: Option<PathBuf>,
    manage: Option<bool>,
    /// Seconds
    #[serde(default, deserialize_with = "audit")]
    audit: Option<u64>,
    drift: Option<Drift>,
    flower_traps: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Watch {
    watch: Option<bool>,
    withdraw_orphans: Option<bool>,
}

/// A rule that says which macvlans it is about.
#[derive(Debug)]
struct Rule(VmacRule);

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rule = VmacRule::deserialize(deserializer)?;
        if rule.lower.is_none() && rule.mac.is_none() {
            return Err(serde::de::Error::custom(
                "a rule for all macvlans: say `lower` or `mac`, or set `vmac_policy` instead",
            ));
        }
        Ok(Self(rule))
    }
}

impl Config {
    /// The file that `-c` names, or those of [`DIRECTORY`].
    ///
    /// # Errors
    /// A named file is missing, or any file can't be read or is not valid.
    pub fn load(named: Option<&Path>) -> Result<Self, ConfigError> {
        match named {
            Some(path) => Self::from_files([path.to_owned()]),
            None => Self::from_files(files(Path::new(DIRECTORY))?),
        }
    }

    /// Merges files in this order.
    ///
    /// # Errors
    /// See [`Config::load`].
    pub fn from_files(paths: impl IntoIterator<Item = PathBuf>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        for path in paths {
            let text = fs::read_to_string(&path)
                .map_err(|source| ConfigError::Read { path: path.clone(), source })?;
            config.add(&path, &text)?;
        }
        Ok(config)
    }

    /// Adds what a file says; its keys win. `path` is for messages.
    ///
    /// # Errors
    /// The text is not valid.
    pub fn add(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let document = toml::from_str(text).map_err(|source| ConfigError::Invalid {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        self.merge(document);
        if self.liveness.withdraw_orphans && !self.liveness.watch {
            return Err(ConfigError::Blind { path: path.to_owned() });
        }
        Ok(())
    }

    fn merge(&mut self, document: Document) {
        let Document {
            vmac_policy,
            vmac,
            exclude,
            routing,
            vrrp_rate,
            vrrp_burst,
            device,
            liveness,
            netlink,
            audit: looks,
        } = document;
        let policy = &mut self.policy;
        policy.vmac_policy = vmac_policy.unwrap_or(policy.vmac_policy);
        if let Some(rules) = vmac {
            policy.vmac_rules = rules.into_iter().map(|Rule(rule)| rule).collect();
        }
        self.policer.rate = vrrp_rate.or(self.policer.rate);
        self.policer.burst = vrrp_burst.or(self.policer.burst);
        policy.vrrp_rate = vrrp_rate.unwrap_or(policy.vrrp_rate);
        policy.vrrp_burst = vrrp_burst.unwrap_or(policy.vrrp_burst);
        if let Some(exclude) = exclude {
            policy.exclude = exclude;
        }
        policy.routing = routing.unwrap_or(policy.routing);
        let Device { hwsim, manage, audit, drift, flower_traps } = device.unwrap_or_default();
        self.hwsim = hwsim.or(self.hwsim.take());
        self.manage = manage.or(self.manage);
        self.care.audit = audit.map_or(self.care.audit, Duration::from_secs);
        self.care.drift = drift.unwrap_or(self.care.drift);
        self.flower_traps = flower_traps.unwrap_or(self.flower_traps);
        if let Some(Audit { interval: Some(seconds) }) = looks {
            let interval = Duration::from_secs(seconds.into());
            self.audits = Audits((!interval.is_zero()).then_some(interval));
        }
        let Netlink { receive_buffer } = netlink.unwrap_or_default();
        self.receive_buffer = receive_buffer.or(self.receive_buffer);
        let Watch { watch, withdraw_orphans } = liveness.unwrap_or_default();
        let liveness = &mut self.liveness;
        liveness.watch = watch.unwrap_or(liveness.watch);
        liveness.withdraw_orphans = withdraw_orphans.unwrap_or(liveness.withdraw_orphans);
    }
}

/// The files of a configuration directory that exist, in the order in which they are read.
///
/// # Errors
/// A directory can't be read.
pub fn files(directory: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let main = directory.join("firsthop.toml");
    let mut files = Vec::new();
    if main.exists() {
        files.push(main);
    }
    let parts = directory.join("conf.d");
    let failed = |source| ConfigError::Read { path: parts.clone(), source };
    let entries = match fs::read_dir(&parts) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
        Err(error) => return Err(failed(error)),
    };
    let mut named = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            named.push(path);
        }
    }
    named.sort();
    files.extend(named);
    Ok(files)
}

fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let rate = u32::deserialize(deserializer)?;
    if RATES.contains(&rate) {
        return Ok(Some(rate));
    }
    let (least, most) = (RATES.start(), RATES.end());
    Err(serde::de::Error::custom(format!("{rate} is not in {least}..{most} packets per second")))
}

fn burst<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let burst = u32::deserialize(deserializer)?;
    if BURSTS.contains(&burst) && burst.is_power_of_two() {
        return Ok(Some(burst));
    }
    let near = burst.clamp(*BURSTS.start(), *BURSTS.end()).next_power_of_two();
    let (least, most) = (BURSTS.start(), BURSTS.end());
    Err(serde::de::Error::custom(format!(
        "{burst} is not a power of two in {least}..{most} packets; {near} is"
    )))
}

fn audit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let seconds = u64::deserialize(deserializer)?;
    if AUDITS.contains(&seconds) {
        return Ok(Some(seconds));
    }
    let (least, most) = (AUDITS.start(), AUDITS.end());
    Err(serde::de::Error::custom(format!("{seconds} is not in {least}..{most} seconds")))
}

fn receive_buffer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let octets = usize::deserialize(deserializer)?;
    if RECEIVE_BUFFERS.contains(&octets) {
        return Ok(Some(octets));
    }
    let (least, most) = (RECEIVE_BUFFERS.start(), RECEIVE_BUFFERS.end());
    Err(serde::de::Error::custom(format!("{octets} is not in {least}..{most} octets")))
}
