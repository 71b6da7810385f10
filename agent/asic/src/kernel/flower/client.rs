//! The way to the kernel: one request at a time, on a socket that joins no group.
//!
//! ```text
//!   request ─▶ NETLINK_ROUTE ─▶ messages, then an acknowledgement (or DONE) with the kernel's words, if it has any
//! ```

use std::time::Duration;

use firsthop_model::IfIndex;
use firsthop_model::intent::ControlRule;
use futures_util::StreamExt as _;
use netlink_packet_devlink::client::{Client, ClientError};
use netlink_packet_devlink::trap::Trap;
use netlink_packet_devlink::{Handle, Message as Devlink};
use rtnetlink::packet_core::{
    ErrorMessage, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_EXCL, NLM_F_REQUEST,
    NetlinkMessage, NetlinkPayload,
};
use rtnetlink::proto::{ConnectionHandle, new_connection};
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{AsyncSocket as _, SocketAddr};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::message::{
    self, Filter, Message, RTM_DELQDISC, RTM_GETQDISC, RTM_NEWQDISC, RTM_NEWTFILTER, words,
};
use super::{Direction, FlowerError};

/// How long the kernel may take for one request.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a list is asked for that changes meanwhile.
const ATTEMPTS: usize = 5;
/// Of a request that is echoed without its payload (NLM_F_CAPPED).
const NETLINK_HEADER: usize = 16;
const NLM_F_ACK_TLVS: u16 = 0x200;

/// The traps for VRRP that drivers register: the generic ones, and prestera's.
const TRAPS: [&str; 3] = ["ipv4_vrrp", "ipv6_vrrp", "vrrp"];

/// Asks the kernel about the ports of the network namespace that the first request is made in.
#[derive(Debug, Default)]
pub struct Kernel {
    socket: Option<Socket>,
}

#[derive(Debug)]
struct Socket {
    handle: ConnectionHandle<Message>,
    task: JoinHandle<()>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Kernel {
    /// Whether a device (`BUS/DEVICE`) has a trap for VRRP of its own.
    ///
    /// # Errors
    /// devlink can't be asked: CAP_NET_ADMIN is missing, or there is no such device.
    pub async fn has_trap(&self, device: &str) -> Result<bool, ClientError> {
        let handle = Handle::from_path(device).unwrap_or_default();
        let client = Client::connect().await?;
        for name in TRAPS {
            let trap =
                Trap { handle: handle.clone(), name: Some(name.to_owned()), ..Trap::default() };
            match client.request(Devlink::TrapGet(trap)).await {
                Ok(_) => return Ok(true),
                // no such trap, or no traps at all
                Err(ClientError::Refused { source, .. })
                    if matches!(source.raw_os_error(), Some(ENOENT | EOPNOTSUPP)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Every filter at a side of a port, of whatever kind.
    pub(super) async fn filters(
        &mut self,
        port: IfIndex,
        direction: Direction,
    ) -> Result<Vec<Filter>, FlowerError> {
        for _ in 0..ATTEMPTS {
            let request = message::filters(port, direction);
            let (messages, interrupted) = self.ask(request, NLM_F_DUMP).await?;
            if interrupted {
                continue;
            }
            let mut filters = Vec::new();
            for message in messages.iter().filter(|message| message.kind == RTM_NEWTFILTER) {
                filters.extend(message::read(message, port)?);
            }
            return Ok(filters);
        }
        Err(FlowerError::Undecodable)
    }

    /// Whether filters can be added at ingress.
    pub(super) async fn has_qdisc(&mut self, port: IfIndex) -> Result<bool, FlowerError> {
        match self.ask(message::clsact(RTM_GETQDISC, port), NLM_F_ACK).await {
            Ok(_) => Ok(true),
            Err(FlowerError::Refused { errno: ENOENT, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn add_clsact(&mut self, port: IfIndex) -> Result<(), FlowerError> {
        let request = message::clsact(RTM_NEWQDISC, port);
        self.ask(request, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL).await.map(drop)
    }

    pub(super) async fn remove_clsact(&mut self, port: IfIndex) -> Result<(), FlowerError> {
        self.ask(message::clsact(RTM_DELQDISC, port), NLM_F_ACK).await.map(drop)
    }

    pub(super) async fn add(&mut self, rule: ControlRule) -> Result<(), FlowerError> {
        self.ask(message::add(rule), NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL).await.map(drop)
    }

    pub(super) async fn remove(&mut self, rule: ControlRule) -> Result<(), FlowerError> {
        self.ask(message::remove(rule), NLM_F_ACK).await.map(drop)
    }

    /// One request and what the kernel says to it; true: it changed while it was listed.
    async fn ask(
        &mut self,
        request: Message,
        flags: u16,
    ) -> Result<(Vec<Message>, bool), FlowerError> {
        let answered = timeout(PATIENCE, self.exchange(request, flags)).await;
        let answered = answered.unwrap_or(Err(FlowerError::Silence));
        if answered == Err(FlowerError::Silence) {
            self.socket = None;
        }
        answered
    }

    async fn exchange(
        &mut self,
        request: Message,
        flags: u16,
    ) -> Result<(Vec<Message>, bool), FlowerError> {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            None => self.socket.insert(open()?),
        };
        let mut packet = NetlinkMessage::from(request);
        packet.header.flags = NLM_F_REQUEST | flags;
        let sent = socket.handle.request(packet, SocketAddr::new(0, 0));
        let mut answers = sent.map_err(|_| FlowerError::Silence)?;
        let (mut messages, mut interrupted) = (Vec::new(), false);
        while let Some(answer) = answers.next().await {
            interrupted |= answer.header.flags & NLM_F_DUMP_INTR != 0;
            match answer.payload {
                NetlinkPayload::InnerMessage(message) => messages.push(message),
                NetlinkPayload::Error(error) => {
                    acknowledged(answer.header.flags, &error)?;
                    return Ok((messages, interrupted));
                }
                NetlinkPayload::Done(done) if done.code < 0 => {
                    let text = words_of(answer.header.flags, &done.extended_ack);
                    return Err(refused(done.code, text));
                }
                NetlinkPayload::Done(_) => return Ok((messages, interrupted)),
                NetlinkPayload::Overrun(_) => return Err(FlowerError::Silence),
                _ => {}
            }
        }
        Err(FlowerError::Silence)
    }
}

fn open() -> Result<Socket, FlowerError> {
    let failed = |error: std::io::Error| FlowerError::Open(error.to_string());
    let (mut connection, handle, _) = new_connection::<Message>(NETLINK_ROUTE).map_err(failed)?;
    connection.set_forward_ack(true);
    connection.set_forward_done(true);
    let socket = connection.socket_mut().socket_mut();
    socket.set_ext_ack(true).map_err(failed)?;
    // an error without the request that it is about
    socket.set_cap_ack(true).map_err(failed)?;
    Ok(Socket { handle, task: tokio::spawn(connection) })
}

fn acknowledged(flags: u16, error: &ErrorMessage) -> Result<(), FlowerError> {
    match error.code {
        None => Ok(()),
        Some(code) => {
            let attributes = error.header.get(NETLINK_HEADER..).unwrap_or_default();
            Err(refused(code.get(), words_of(flags, attributes)))
        }
    }
}

fn words_of(flags: u16, attributes: &[u8]) -> Option<String> {
    if flags & NLM_F_ACK_TLVS == 0 {
        return None;
    }
    words(attributes)
}

fn refused(code: i32, text: Option<String>) -> FlowerError {
    let errno = code.saturating_abs();
    let text = text.unwrap_or_else(|| nix::errno::Errno::from_raw(errno).desc().to_owned());
    FlowerError::Refused { errno, text }
}

const ENOENT: i32 = nix::errno::Errno::ENOENT as i32;
const EOPNOTSUPP: i32 = nix::errno::Errno::EOPNOTSUPP as i32;
