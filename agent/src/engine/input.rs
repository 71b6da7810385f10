//! What the engine is told, and what it wants done: plain data, so that a run can be written down and played again.

use std::collections::BTreeSet;
use std::time::Duration;

use firsthop_asic::ReadBack;
use firsthop_model::chip::{Change, Entry, Key};
use firsthop_model::fib::{FibEvent, FibSnapshot};
use firsthop_model::intent::{ChipIdentity, Policy};
use firsthop_model::plan::Limits;
use firsthop_model::policer::Size;
use firsthop_model::retry::Failure;
use firsthop_model::topology::{Event, Snapshot};
use firsthop_model::{IfIndex, Mac};
use serde::{Deserialize, Serialize};

use super::audit::Auditing;
use crate::chain;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// The kernel said something.
    Heard(Heard),
    /// A dump of everything ended.
    Dumped(Dumped),
    /// The kernel said something of routes.
    HeardRoutes(HeardRoutes),
    /// A dump of routes ended; None: it failed.
    DumpedRoutes(Option<Box<FibSnapshot>>),
    /// The kernel answered a question; `None`: it did not.
    Answered(Question, Option<Vec<Event>>),
    /// It is known that there is no chip: the kernel alone is looked at.
    NoChip,
    /// A connection to a chip stands.
    Connected(Box<Connected>),
    /// The connection is gone.
    Disconnected,
    /// A change ended.
    Completed {
        /// Its number.
        ticket: u64,
        /// `Ok`: acknowledged.
        result: Result<(), Failure>,
    },
    /// What a scan found, or why there is none.
    Scanned(Result<Found, String>),
    /// What the rows that were asked for hold, or why it is not known.
    Rows(Result<Found, String>),
    /// Units are to be computed for what was told so far.
    Compute,
    /// The operator decided anew.
    Policy(Box<Policy>),
    /// The VRRP policer is to have another size.
    VrrpPolicer(Size),
    /// Macvlans whose routers are silent.
    Withdrawn(BTreeSet<IfIndex>),
    /// Devices whose drivers route by themselves, by devlink's handle.
    RoutingDevices(BTreeSet<String>),
    /// MACs that devices had before, from an earlier run; believed after the first snapshot.
    Recall(BTreeSet<Former>),
    /// Something happened after which the view can't be trusted, by a word for counters.
    Distrust(String),
    /// How often is audited from now on.
    Auditing(Auditing),
    /// Somebody asks for an audit.
    Audit,
    /// Somebody looks: while observing, the chip is read again if what is known is old.
    Look,
}

/// What was taken off the event socket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Heard {
    /// In the order of the kernel.
    pub events: Vec<Event>,
    /// A word for the way in which something was missed.
    pub loss: Option<String>,
}

/// What was taken off the socket of routes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HeardRoutes {
    /// In the order of the kernel.
    pub events: Vec<FibEvent>,
    /// A word for the way in which something was missed.
    pub loss: Option<String>,
}

/// How a dump ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dumped {
    /// Everything that there is.
    Whole(Box<Snapshot>),
    /// Everything in it exists, but what is not in it may exist as well.
    Partial(Box<Snapshot>),
    /// Nothing is known.
    Failed,
}

/// What the kernel is asked because it does not announce it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// All ipvlans.
    Ipvlans,
    /// The VLANs of all bridges and their ports.
    Vlans,
    /// The unicast MACs in the filters of a device.
    Filters(IfIndex),
}

/// A chip that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connected {
    /// Which one.
    pub chip: ChipIdentity,
    /// Sizes of its tables.
    pub limits: Limits,
    /// Differs after each reset.
    pub generation: u64,
    /// The intent log of this chip as it was found; none: there is none that can be read.
    pub log: Option<String>,
}

/// Rows of a chip that were read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Found {
    /// Rows that hold something.
    pub entries: Vec<Entry>,
    /// Rows whose registers can't be read.
    pub unreadable: BTreeSet<Key>,
    /// Rows whose query the chip refused, and what it said.
    pub failed: Vec<(Key, String)>,
}

impl From<ReadBack> for Found {
    fn from(found: ReadBack) -> Self {
        Self {
            entries: found.tables.into_values().collect(),
            unreadable: found.unreadable,
            failed: found.failed.iter().map(|(key, error)| (key.clone(), chain(error))).collect(),
        }
    }
}

/// A MAC that was a device's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Former {
    /// The device.
    pub ifindex: IfIndex,
    /// Its name, so that a device that got a former one's index is not taken for it.
    pub name: String,
    /// What its MAC was.
    pub mac: Mac,
}

/// What is to be done now, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// A dump of everything; answered by [`Input::Dumped`].
    Dump,
    /// A dump of routes; answered by [`Input::DumpedRoutes`]. Events about them are heard from before it on.
    DumpRoutes,
    /// A question; answered by [`Input::Answered`].
    Ask(Question),
    /// A step of the intent log's file.
    Log(LogStep),
    /// Changes with their numbers; each is answered by [`Input::Completed`].
    Write(Vec<(u64, Change)>),
    /// A scan of the chip; answered by [`Input::Scanned`].
    Scan,
    /// These rows of the chip; answered by [`Input::Rows`].
    Read(Vec<Key>),
}

/// A step of a log file. What was done stays: a step comes before the changes that it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStep {
    /// The file consists of this text.
    Replace(String),
    /// The file gets these lines.
    Append(String),
}

/// What an input led to beyond the engine's own state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effect {
    /// A dump ended, whole or not.
    pub dumped: bool,
    /// The number among all events of the snapshot that replaced the view.
    pub snapshot: Option<u64>,
    /// The chip was taken over in full.
    pub adopted: bool,
    /// Rows in doubt were read.
    pub settled: bool,
    /// There is another reconciler: nothing that was known of the former one's chip counts.
    pub renewed: bool,
    /// A device may have another former MAC than before.
    pub mac_changed: bool,
}

/// Time since the engine's start.
pub type Time = Duration;
