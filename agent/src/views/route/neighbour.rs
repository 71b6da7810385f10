//! Hosts on the links of router interfaces.

use std::net::IpAddr;

use firsthop_model::Mac;
use firsthop_model::chip::{Entry, Key};
use firsthop_model::fib;
use firsthop_model::intent::{Reason, State, is_programmable};
use firsthop_model::reconcile::Reconciler;
use serde::{Deserialize, Serialize};

use super::super::name;
use super::said;

/// An entry of the kernel's ARP or neighbour table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its address
    pub dst: IpAddr,
    /// Name of the device
    pub dev: String,
    /// None: not known, or not any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lladdr: Option<Mac>,
    /// Router interface under which the chip has it, acknowledged
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rif: Option<u16>,
    /// State
    pub state: State,
    /// Stable code
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the chip said
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A chip may have a row for it.
pub(super) fn is_host(host: &fib::Neighbour) -> bool {
    is_programmable(host.ip) && host.mac.is_none_or(|mac| !mac.is_zero())
}

/// How a host stands.
pub(super) fn neighbour(reconciler: &Reconciler, host: &fib::Neighbour) -> Neighbour {
    let (state, rif) = standing(reconciler, host);
    let unsaid = (state == State::Pending).then_some((Reason::Unacknowledged, None));
    let reason = reconciler.neighbour_reason(host.ifindex, host.ip).or(unsaid);
    Neighbour {
        dst: host.ip,
        dev: name(reconciler, host.ifindex),
        lladdr: host.mac,
        rif,
        state,
        reason: reason.map(|(reason, _)| reason.code().to_owned()),
        text: said(reason),
    }
}

/// Its state, and the router interface under which the chip has it.
pub(super) fn standing(reconciler: &Reconciler, host: &fib::Neighbour) -> (State, Option<u16>) {
    let rif = reconciler.forwarding_rif(host.ifindex);
    let key = rif.map(|rif| Key::Neighbour(rif, host.ip));
    let there = key.as_ref().and_then(|key| reconciler.applied().get(key));
    let has =
        |entry: &Entry| matches!(entry, Entry::Neighbour { mac, .. } if Some(*mac) == host.mac);
    let is_sure = key.as_ref().is_some_and(|key| !reconciler.applied().is_presumed(key));
    let state = match (reconciler.neighbour_reason(host.ifindex, host.ip), there) {
        (Some((reason, _)), _) => reason.state(),
        (None, Some(entry)) if is_sure && has(entry) => State::Offload,
        (None, _) => State::Pending,
    };
    (state, rif.filter(|_| there.is_some()).map(|rif| rif.0))
}
