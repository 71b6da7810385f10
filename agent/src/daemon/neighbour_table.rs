//! One request to the kernel's tables of neighbours, and everything that it says to it.
//!
//! Those of bridges (`PF_BRIDGE`) and those of ARP and neighbour discovery have the same messages.

use std::time::Duration;

use futures_util::StreamExt as _;
use nix::errno::Errno;
use rtnetlink::packet_core::{NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::neighbour::NeighbourMessage;
use rtnetlink::{Handle, new_connection_with_strict_check};
use thiserror::Error;
use tokio::time::timeout;

/// How long the kernel may take for one request.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the kernel did not do it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    /// No such row or device: as good as done for what removes.
    #[error("There is no such entry or device")]
    Absent,
    /// CAP_NET_ADMIN is missing.
    #[error("CAP_NET_ADMIN is missing")]
    Forbidden,
    /// Of a bridge: it is not there, or not in the VLAN.
    #[error("The bridge is not there, or not in this VLAN")]
    Invalid,
    /// Anything else that the kernel said.
    #[error("The kernel refused: {0}")]
    Refused(String),
    /// No answer came; it may be done or not.
    #[error("The kernel did not answer")]
    Silence,
}

/// The way to these tables. Its socket is opened with the first request, and after a silence.
#[derive(Debug, Default)]
pub(super) struct NeighbourTable {
    handle: Option<Handle>,
}

impl NeighbourTable {
    /// One request, and everything that the kernel says to it.
    pub(super) async fn ask(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
        take: impl FnMut(NeighbourMessage),
    ) -> Result<(), Refusal> {
        let answered = timeout(PATIENCE, self.exchange(message, flags, take)).await;
        let answered = answered.unwrap_or(Err(Refusal::Silence));
        if answered == Err(Refusal::Silence) {
            self.handle = None;
        }
        answered
    }

    async fn exchange(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
        mut take: impl FnMut(NeighbourMessage),
    ) -> Result<(), Refusal> {
        let handle = match &mut self.handle {
            Some(handle) => handle,
            None => self.handle.insert(connect()?),
        };
        let mut request = NetlinkMessage::from(message);
        request.header.flags = NLM_F_REQUEST | flags;
        let mut answers = handle.request(request).map_err(|_| Refusal::Silence)?;
        while let Some(answer) = answers.next().await {
            match answer.payload {
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNeighbour(entry)) => {
                    take(entry);
                }
                NetlinkPayload::Error(error) => return refused(&error.to_io()),
                NetlinkPayload::Overrun(_) => return Err(Refusal::Silence),
                _ => {}
            }
        }
        Ok(())
    }
}

fn connect() -> Result<Handle, Refusal> {
    let opened = new_connection_with_strict_check();
    let (connection, handle, _) = opened.map_err(|error| Refusal::Refused(error.to_string()))?;
    tokio::task::spawn_local(connection);
    Ok(handle)
}

fn refused(error: &std::io::Error) -> Result<(), Refusal> {
    match error.raw_os_error() {
        Some(0) => Ok(()),
        Some(ENOENT | ENODEV) => Err(Refusal::Absent),
        Some(EPERM) => Err(Refusal::Forbidden),
        Some(EINVAL) => Err(Refusal::Invalid),
        _ => Err(Refusal::Refused(error.to_string())),
    }
}

const EPERM: i32 = Errno::EPERM as i32;
const EINVAL: i32 = Errno::EINVAL as i32;
const ENOENT: i32 = Errno::ENOENT as i32;
const ENODEV: i32 = Errno::ENODEV as i32;
