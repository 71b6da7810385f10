//! The methods of `org.firsthop.Agent` and of varlink's own service interface: what is asked, and what is wrong with it.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use firsthop_asic::spectrum::recording::Rows;
use firsthop_model::intent::State;
use ipnet::IpNet;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::{Call, Reply};
use crate::views::{Trap, TrapEvent};

/// The interface's name.
pub const NAME: &str = "org.firsthop.Agent";
/// The interface for other programs.
pub const DESCRIPTION: &str = include_str!("org.firsthop.Agent.varlink");

const SERVICE: &str = "org.varlink.service";
const SERVICE_DESCRIPTION: &str = include_str!("org.varlink.service.varlink");

/// The longest that a client may wait.
const MAX_WAIT: Duration = Duration::from_secs(24 * 3600);

/// What is asked of the daemon.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Router interfaces.
    ListRif(Filter),
    /// Virtual MACs.
    ListVmac(Filter),
    /// Routes, in as many answers as it takes.
    ListRoute(RouteFilter),
    /// Neighbours, in as many answers as it takes.
    ListNeighbour(NeighbourFilter),
    /// Front-panel ports.
    ListPort(Filter),
    /// Packet classes that go to the CPU, their groups and policers.
    ListTrap,
    /// An answer for each count and change of these.
    MonitorTrap(TrapFilter),
    /// Sizes and occupancy of the chip's tables.
    ListResource,
    /// The agent itself.
    Status,
    /// Where Intended and Applied differ.
    Diff {
        /// Instead of Applied: what a recording shows of the chip.
        recorded: Option<Box<Rows>>,
    },
    /// Why one device is or is not in the chip.
    Explain {
        /// Its name.
        dev: String,
    },
    /// Why packets to one prefix go where they go.
    ExplainRoute {
        /// The prefix; an address alone stands for the most specific prefix with it.
        prefix: IpNet,
        /// The kernel's table
        table: Option<u32>,
        /// Name of the VRF whose table it is
        vrf: Option<String>,
    },
    /// An answer when something is the case.
    Wait {
        /// What.
        wanted: Wanted,
        /// For how long.
        timeout: Duration,
    },
    /// An answer for each change.
    Monitor(MonitorFilter),
    /// What around the agent may keep it from working.
    Doctor,
    /// What can't work as it is, and what another configuration would change.
    Check {
        /// The text of its file.
        config: Option<String>,
    },
}

/// Which objects; all members together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Name of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// Name of the device below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lower: Option<String>,
    /// Virtual router id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vrid: Option<u8>,
}

/// What is told of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MonitorFilter {
    /// The objects; none: router interfaces and virtual MACs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<BTreeSet<Told>>,
}

impl MonitorFilter {
    /// Changes of these are told.
    pub fn has(&self, object: Told) -> bool {
        match &self.objects {
            None => matches!(object, Told::Rif | Told::Vmac),
            Some(objects) => objects.contains(&object),
        }
    }
}

/// What `Monitor` tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// What the kernel said.
    Kernel,
    /// Router interfaces.
    Rif,
    /// Virtual MACs.
    Vmac,
    /// What was written to the chip.
    Hw,
}

/// Which routes; all members together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouteFilter {
    /// Name of the device that packets leave by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// The kernel's table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<u32>,
    /// Name of the VRF whose table it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vrf: Option<String>,
    /// Exactly this prefix.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "prefix")]
    pub prefix: Option<IpNet>,
    /// The most specific prefix with this address; of the main table unless another is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

/// Which neighbours; all members together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NeighbourFilter {
    /// Name of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

/// A prefix without bits of a host, so that it is that of a route.
fn prefix<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IpNet>, D::Error> {
    let prefix = Option::<IpNet>::deserialize(deserializer)?;
    match prefix.filter(|prefix| *prefix != prefix.trunc()) {
        Some(_) => Err(serde::de::Error::custom("`prefix` has bits of a host")),
        None => Ok(prefix),
    }
}

/// Which traps; all members together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrapFilter {
    /// Handle of the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// Name of the trap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trap: Option<String>,
    /// Name of the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Number of the policer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policer: Option<u32>,
}

impl TrapFilter {
    /// This device is asked for.
    pub fn takes_device(&self, handle: &str) -> bool {
        self.dev.as_deref().is_none_or(|dev| dev == handle)
    }

    /// This trap is asked for.
    pub fn takes_trap(&self, trap: &Trap) -> bool {
        self.trap.as_deref().is_none_or(|name| trap.name == name)
            && self.group.as_deref().is_none_or(|group| trap.group == group)
            && self.policer.is_none_or(|policer| trap.policer == Some(policer))
    }

    /// This event is asked for.
    pub fn takes(&self, event: &TrapEvent) -> bool {
        let is_policer = event.object == "policer";
        let named = |name: &String| {
            if is_policer { event.traps.contains(name) } else { event.name == *name }
        };
        self.takes_device(&event.handle)
            && self.trap.as_ref().is_none_or(named)
            && self
                .group
                .as_ref()
                .is_none_or(|group| is_policer || event.group.as_ref() == Some(group))
            && self.policer.is_none_or(|policer| event.policer == Some(policer))
    }
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Not stale, nothing pending, Applied is Intended.
    Synced,
    /// An audit that began after the request has ended.
    Audited,
    /// A router interface or virtual MAC.
    Object {
        /// A virtual MAC; else a router interface.
        vmac: bool,
        /// Name of its device.
        dev: String,
        /// Its acknowledged state; None: it is gone.
        state: Option<State>,
    },
}

/// Why a request is not answered with results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// No interface of that name.
    InterfaceNotFound(String),
    /// No method of that name.
    MethodNotFound(String),
    /// This argument is missing, unknown or of another type.
    InvalidParameter(String),
    /// The method answers several times, which the client did not ask for.
    ExpectedMore,
    /// What came is no call.
    NotUnderstood(String),
    /// The configuration is not valid.
    InvalidConfiguration(String),
    /// There is no such device.
    NoSuchDevice(String),
    /// There is no such route.
    NoSuchRoute(String),
    /// What was waited for did not come; how it stands.
    TimedOut(String),
    /// The chip did not say.
    ChipFailed(String),
    /// There is no chip, so that nothing should be in one.
    NoChip,
    /// Others of this user, or of all users, have to end first.
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
}

impl Failure {
    /// As it goes to the client.
    pub fn reply(&self) -> Reply {
        let service = |error: &str, details| Reply::error(format!("{SERVICE}.{error}"), &details);
        let own = |error: &str, details| Reply::error(format!("{NAME}.{error}"), &details);
        match self {
            Self::InterfaceNotFound(interface) => {
                service("InterfaceNotFound", json!({ "interface": interface }))
            }
            Self::MethodNotFound(method) => service("MethodNotFound", json!({ "method": method })),
            Self::InvalidParameter(parameter) => {
                service("InvalidParameter", json!({ "parameter": parameter }))
            }
            Self::ExpectedMore => service("ExpectedMore", json!({})),
            Self::NotUnderstood(reason) => own("NotUnderstood", json!({ "reason": reason })),
            Self::InvalidConfiguration(reason) => {
                own("InvalidConfiguration", json!({ "reason": reason }))
            }
            Self::NoSuchDevice(dev) => own("NoSuchDevice", json!({ "dev": dev })),
            Self::NoSuchRoute(prefix) => own("NoSuchRoute", json!({ "prefix": prefix })),
            Self::TimedOut(standing) => own("TimedOut", json!({ "standing": standing })),
            Self::ChipFailed(reason) => own("ChipFailed", json!({ "reason": reason })),
            Self::NoChip => own("NoChip", json!({})),
            Self::TooMany { what, limit } => {
                own("TooMany", json!({ "what": what, "limit": limit }))
            }
        }
    }
}

/// What is to be done about a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Answer with this.
    Answer(Reply),
    /// Ask the daemon.
    Ask(Request),
}

/// Reads a call from the bytes of a message.
///
/// # Errors
/// [`Failure::NotUnderstood`]
pub fn parse(message: &[u8]) -> Result<Call, Failure> {
    serde_json::from_slice(message).map_err(|error| Failure::NotUnderstood(error.to_string()))
}

/// What a call comes to.
///
/// # Errors
/// The method is unknown, or its arguments are not right.
pub fn dispatch(call: &Call) -> Result<Step, Failure> {
    let (interface, method) = call
        .method
        .rsplit_once('.')
        .ok_or_else(|| Failure::InterfaceNotFound(call.method.clone()))?;
    match interface {
        NAME => request(call, method).map(Step::Ask),
        SERVICE => service(call, method).map(Step::Answer),
        _ => Err(Failure::InterfaceNotFound(interface.to_owned())),
    }
}

fn request(call: &Call, method: &str) -> Result<Request, Failure> {
    #[derive(Deserialize, Default)]
    #[serde(default, deny_unknown_fields)]
    struct Nothing {}
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Dev {
        dev: String,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Way {
        #[serde(deserialize_with = "prefix")]
        prefix: Option<IpNet>,
        table: Option<u32>,
        vrf: Option<String>,
    }
    #[derive(Deserialize, Default)]
    #[serde(default, deny_unknown_fields)]
    struct Recorded {
        recorded: Option<Box<Rows>>,
    }
    #[derive(Deserialize, Default)]
    #[serde(default, deny_unknown_fields)]
    struct Checked {
        config: Option<String>,
    }
    Ok(match method {
        "ListRif" => Request::ListRif(arguments(call)?),
        "ListVmac" => Request::ListVmac(arguments(call)?),
        "ListRoute" if call.more => Request::ListRoute(arguments(call)?),
        "ListNeighbour" if call.more => Request::ListNeighbour(arguments(call)?),
        "ListRoute" | "ListNeighbour" => return Err(Failure::ExpectedMore),
        "ListPort" => Request::ListPort(arguments(call)?),
        "ListTrap" => arguments::<Nothing>(call).map(|_| Request::ListTrap)?,
        "MonitorTrap" if call.more => Request::MonitorTrap(arguments(call)?),
        "MonitorTrap" => return Err(Failure::ExpectedMore),
        "ListResource" => arguments::<Nothing>(call).map(|_| Request::ListResource)?,
        "Status" => arguments::<Nothing>(call).map(|_| Request::Status)?,
        "Diff" => Request::Diff { recorded: arguments::<Recorded>(call)?.recorded },
        "Doctor" => arguments::<Nothing>(call).map(|_| Request::Doctor)?,
        "Check" => Request::Check { config: arguments::<Checked>(call)?.config },
        "Explain" => Request::Explain { dev: arguments::<Dev>(call)?.dev },
        "ExplainRoute" => {
            let Way { prefix, table, vrf } = arguments(call)?;
            let prefix = prefix.ok_or_else(|| Failure::InvalidParameter("prefix".to_owned()))?;
            Request::ExplainRoute { prefix, table, vrf }
        }
        "Wait" => wait(arguments(call)?)?,
        "Monitor" if call.more => Request::Monitor(arguments(call)?),
        "Monitor" => return Err(Failure::ExpectedMore),
        _ => return Err(Failure::MethodNotFound(call.method.clone())),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wait {
    object: String,
    dev: Option<String>,
    state: Option<String>,
    timeout_ms: u64,
}

fn wait(arguments: Wait) -> Result<Request, Failure> {
    let invalid = |name: &str| Failure::InvalidParameter(name.to_owned());
    let timeout = Duration::from_millis(arguments.timeout_ms);
    if timeout > MAX_WAIT {
        return Err(invalid("timeout_ms"));
    }
    let vmac = match (arguments.object.as_str(), &arguments.dev, &arguments.state) {
        ("synced", None, None) => return Ok(Request::Wait { wanted: Wanted::Synced, timeout }),
        ("audited", None, None) => return Ok(Request::Wait { wanted: Wanted::Audited, timeout }),
        ("synced" | "audited", Some(_), _) => return Err(invalid("dev")),
        ("synced" | "audited", None, Some(_)) => return Err(invalid("state")),
        ("vmac", ..) => true,
        ("rif", ..) => false,
        _ => return Err(invalid("object")),
    };
    let dev = arguments.dev.ok_or_else(|| invalid("dev"))?;
    let state = match arguments.state.as_deref() {
        Some("gone") => None,
        Some(word) => Some(state(word).ok_or_else(|| invalid("state"))?),
        None => return Err(invalid("state")),
    };
    Ok(Request::Wait { wanted: Wanted::Object { vmac, dev, state }, timeout })
}

/// The state that a word stands for.
pub fn state(word: &str) -> Option<State> {
    serde_json::from_value(Value::from(word)).ok()
}

/// The arguments of a call.
fn arguments<T: DeserializeOwned>(call: &Call) -> Result<T, Failure> {
    let invalid = |error: serde_json::Error| Failure::InvalidParameter(blamed(&error.to_string()));
    serde_json::from_value(Value::Object(call.parameters.clone())).map_err(invalid)
}

/// varlink wants the name of the argument; serde puts it between backticks where it knows it.
fn blamed(error: &str) -> String {
    error.split('`').nth(1).unwrap_or(error).to_owned()
}

fn service(call: &Call, method: &str) -> Result<Reply, Failure> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Interface {
        interface: String,
    }
    match method {
        "GetInfo" => Ok(Reply::of(&json!({
            "vendor": "Firsthop",
            "product": "firsthopd",
            "version": env!("CARGO_PKG_VERSION"),
            "url": "",
            "interfaces": [SERVICE, NAME],
        }))),
        "GetInterfaceDescription" => {
            let Interface { interface } = arguments(call)?;
            let description = match interface.as_str() {
                NAME => DESCRIPTION,
                SERVICE => SERVICE_DESCRIPTION,
                _ => return Err(Failure::InterfaceNotFound(interface)),
            };
            Ok(Reply::of(&json!({ "description": description })))
        }
        _ => Err(Failure::MethodNotFound(call.method.clone())),
    }
}
