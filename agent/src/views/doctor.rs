//! What around the agent may keep it, or the redundancy protocols, from working?
//!
//! ```text
//!   agent      the chip, what the daemon may do, what it hears; the policers and the watch
//!   kernel     which kinds of devices there are
//!   settings   sysctls, and which devices receive every frame
//!   strangers  who else configures the devices of virtual routers
//! ```
//!
//! What can't be known is told as such ([`CheckResult::Unknown`]), and how to find out.

mod agent;
mod kernel;
mod settings;
mod strangers;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::ErrorKind;

use firsthop_model::IfIndex;
use firsthop_model::intent::{Protocol, Scheme};
use firsthop_model::reconcile::Reconciler;
use firsthop_model::topology::Link;
use firsthop_netlink::Hearing;
use serde::{Deserialize, Serialize};

use super::status::Status;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// As it should be
    Ok,
    /// Nobody lets the agent know
    Unknown,
    /// Works, but not as well as it could
    Warning,
    /// Something does not work
    Failure,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at
    pub name: String,
    /// How it ended
    pub result: CheckResult,
    /// What is the case
    pub text: String,
    /// What to do, with a command between backticks; of what is not known: how to find out
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// What the checks need to know beyond the agent's own state.
pub trait Surroundings {
    /// A file's text, without white space around it.
    ///
    /// # Errors
    /// Why there is none: not found, a directory, not for the agent to read.
    fn file(&self, path: &str) -> Result<String, ErrorKind>;
    /// The running kernel can make devices of this kind now. None: it did not say.
    fn has_kind(&self, kind: &str) -> Option<bool>;
    /// How many want each device to receive every frame. None: the kernel did not say.
    fn promiscuity(&self) -> Option<BTreeMap<IfIndex, u32>>;
    /// What the kernel granted the event sockets.
    fn hearing(&self) -> Vec<Hearing>;
    /// The name of the network namespace; None: one without, as the machine's own.
    fn netns(&self) -> Option<String>;

    /// A setting below /proc/sys.
    fn sysctl(&self, path: &str) -> Option<String> {
        self.file(&format!("/proc/sys/{path}")).ok()
    }
}

/// All checks, in the order in which a person should read them.
pub fn check(reconciler: &Reconciler, status: &Status, around: &impl Surroundings) -> Vec<Check> {
    let mut checks = Checks(Vec::new());
    let routers = VirtualRouters::of(reconciler);
    agent::agent(&mut checks, status, around);
    agent::hearing(&mut checks, around);
    agent::policers(&mut checks, status);
    agent::liveness(&mut checks, status);
    kernel::kinds(&mut checks, around);
    settings::forwarding(&mut checks, around);
    settings::protocols(&mut checks, reconciler, &routers, around);
    settings::promiscuity(&mut checks, reconciler, &routers, around);
    strangers::managers(&mut checks, &routers, around);
    checks.0
}

/// The devices of the redundancy protocols' virtual routers.
struct VirtualRouters<'a> {
    /// Macvlans with a MAC of such a protocol, by name
    uppers: BTreeMap<&'a str, &'a Link>,
    /// The devices below them
    lowers: BTreeMap<&'a str, &'a Link>,
}

impl<'a> VirtualRouters<'a> {
    fn of(reconciler: &'a Reconciler) -> Self {
        let topology = reconciler.topology();
        let mut routers = Self { uppers: BTreeMap::new(), lowers: BTreeMap::new() };
        for link in topology.links() {
            let virtual_mac = link.mac.is_some_and(|m| Scheme::of(m).protocol != Protocol::Other);
            if virtual_mac && let Some(lower) = link.lower().and_then(|lower| topology.link(lower))
            {
                routers.lowers.insert(&lower.ifname, lower);
                routers.uppers.insert(&link.ifname, link);
            }
        }
        routers
    }
}

struct Checks(Vec<Check>);

impl Checks {
    fn tell(&mut self, name: &str, bad: Option<CheckResult>, text: String, fix: &str) {
        let result = bad.unwrap_or(CheckResult::Ok);
        let fix = bad.map(|_| fix.to_owned());
        self.0.push(Check { name: name.to_owned(), result, text, fix });
    }
}

/// How many names a line has.
const NAMED: usize = 4;

/// Names in a line, the first few of them.
fn listed(names: &[&str]) -> String {
    let first = names.get(..NAMED.min(names.len())).unwrap_or_default().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
