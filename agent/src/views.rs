//! What people and scripts get to see: the three columns of state as values for JSON and text.
//!
//! ```text
//!   Reconciler ──▶ Rif, Vmac, Route, Neighbour, Port, Trap, Resource, Status, Difference, Explanation ──▶ api ──▶ client
//! ```
//!
//! Names are fixed: scripts rely on them. A member that is missing is not zero: there is nothing to say.

mod change;
mod check;
pub(crate) mod device;
mod diff;
mod doctor;
mod explain;
mod linux_bridge;
mod liveness;
mod object;
mod recorded;
pub(crate) mod route;
mod status;
mod story;
#[cfg(test)]
pub(crate) mod tests;
mod trap;
pub mod trap_words;
mod vrrp_rule;

pub use change::{Change, Happening, Scene};
pub use check::{Remark, changed_keys, consequences, troubles};
pub use device::{Devices, Hazard};
pub use diff::{Difference, differences, unknown_rows};
pub use doctor::{Check, CheckResult, Surroundings, check};
pub use explain::{Condition, Explanation, explain, should_be_in_chip};
pub use linux_bridge::bridge_differences;
pub use liveness::{Advertiser, Liveness, Power, Watch};
pub use object::{Port, Rif, Role, Vmac, ports, rifs, vmacs};
pub use recorded::recorded_differences;
pub use route::{
    Action, Advice, Census, Counting, Hop, Neighbour, Neighbours, Route, RouteExplanation,
    RouteRow, Routes, explain_route, is_in_hardware, table_of_vrf, table_words,
};
pub use status::{Audit, Device, Hardware, Mode, Netlink, Status, count_states, transit};
pub use story::{KernelEvent, Telling, Write};
pub use trap::{
    Counters, Resource, Sizes, Trap, TrapDevice, TrapEvent, TrapGroup, TrapPolicer, TrapStats,
    VrrpPolicer, chip_traps, count, device_traps, resources,
};
pub use vrrp_rule::{VrrpRule, clsact_difference};

use firsthop_model::IfIndex;
use firsthop_model::reconcile::Reconciler;
use firsthop_model::topology::Link;

/// The handle of a simulated chip, as devlink would name it.
pub fn handle(chip_id: &str) -> String {
    format!("hwsim/{chip_id}")
}

/// The name of a device; its index where it is gone.
fn name(reconciler: &Reconciler, ifindex: IfIndex) -> String {
    let link = reconciler.topology().link(ifindex);
    link.map_or_else(|| format!("if{ifindex}"), |link| link.ifname.clone())
}

/// The name of the VRF that a device is in.
fn vrf(reconciler: &Reconciler, link: &Link) -> String {
    let master = link.master.and_then(|master| reconciler.topology().link(master));
    let vrf = master.filter(|m| matches!(m.kind, firsthop_model::topology::LinkKind::Vrf { .. }));
    vrf.map_or_else(|| "default".to_owned(), |vrf| vrf.ifname.clone())
}
