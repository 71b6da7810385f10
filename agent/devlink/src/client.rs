//! Asks the kernel, and listens to it: requests with the text of their acknowledgement, and a monitor of its own.
//!
//! ```text
//!   Client  ── request, dump ──▶ netlink-proto ──▶ a socket that joins no group
//!   Monitor ◀── notifications ──────────────────── a socket that joined `config`, and never sends
//! ```
//!
//! Two sockets always: netlink-proto takes another process's notification for the reply to a request of ours when the
//! sequence numbers agree, which all of them count from 1.
//!
//! What netlink-proto would hide is asked of it: acknowledgements and the ends of dumps are forwarded, so that a warning
//! on success, and an error at the end of a dump, are seen. Messages are decoded here and not in its codec, which logs
//! one that cannot be decoded and goes on: then an answer would be incomplete, and nobody would know.

use std::sync::Arc;

use futures_util::{Stream, StreamExt as _};
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_MULTIPART, NLM_F_REQUEST, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_generic::GenlMessage;
use netlink_packet_generic::constants::{
    CTRL_ATTR_FAMILY_ID, CTRL_ATTR_MCAST_GROUPS, CTRL_ATTR_MCAST_GRP_ID, CTRL_ATTR_MCAST_GRP_NAME,
    GENL_ID_CTRL,
};
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_proto::sys::protocols::NETLINK_GENERIC;
use netlink_proto::sys::{AsyncSocket as _, SocketAddr};
use netlink_proto::{ConnectionHandle, new_connection};
use tokio::task::JoinHandle;

use crate::attribute::Attributes;
use crate::fault::Fault;
use crate::message::Message;
use crate::value::Field as _;
use error::{acknowledged, dump_ended, undecodable};
use raw::Raw;

mod error;
mod monitor;
mod raw;
#[cfg(test)]
mod tests;

pub use error::{Answer, ClientError};
pub use monitor::{Event, Monitor};

/// Sends requests to devlink. Clones share one socket, which is in the network namespace that the calling thread was in at
/// [`Client::connect`]: a client sees the devices of that namespace only.
#[derive(Debug, Clone)]
pub struct Client {
    handle: ConnectionHandle<Raw>,
    family: u16,
    config_group: u32,
    _connection: Arc<Connection>,
}

/// The task that owns the socket, which is closed with it.
#[derive(Debug)]
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Client {
    /// Opens a socket and asks `nlctrl` for the family. Must be called within a tokio runtime with I/O enabled, which
    /// then serves the socket.
    ///
    /// # Errors
    ///
    /// [`ClientError::Open`], and [`ClientError::Refused`] with ENOENT when the kernel has no devlink.
    pub async fn connect() -> Result<Self, ClientError> {
        let (mut connection, handle, _) =
            new_connection::<Raw>(NETLINK_GENERIC).map_err(ClientError::Open)?;
        connection.set_forward_ack(true);
        connection.set_forward_done(true);
        let socket = connection.socket_mut().socket_mut();
        socket.set_ext_ack(true).map_err(ClientError::Open)?;
        // An error without the request that it is about.
        socket.set_cap_ack(true).map_err(ClientError::Open)?;
        let task = Arc::new(Connection(tokio::spawn(connection)));
        let mut client = Self { handle, family: GENL_ID_CTRL, config_group: 0, _connection: task };
        (client.family, client.config_group) = client.resolve().await?;
        Ok(client)
    }

    /// The number of the multicast group [`crate::CONFIG_GROUP`]; different on each machine.
    #[must_use]
    pub fn config_group(&self) -> u32 {
        self.config_group
    }

    /// Sends a request about one object and returns its answers, none for most requests that change something.
    ///
    /// The kernel acknowledges each request, most with an error number alone. [`Answer::warning`] has the text that came
    /// with a success: a request that was accepted and did nothing, for example.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] with the kernel's text, and the errors of the socket.
    pub async fn request(&self, message: Message) -> Result<Answer, ClientError> {
        // Their answers end with a DONE; an acknowledgement would come after it, when nobody waits any more.
        let ends_with_done = matches!(
            message,
            Message::ResourceDump(_)
                | Message::DpipeTableGet(_)
                | Message::DpipeEntriesGet(_)
                | Message::DpipeHeadersGet(_)
        );
        let flags = if ends_with_done { NLM_F_REQUEST } else { NLM_F_REQUEST | NLM_F_ACK };
        self.exchange(Raw::of(self.family, message), flags).await
    }

    /// Sends a request about all objects of a kind. A handle in it restricts the answer to that device, where the kernel
    /// knows that: not for [`Message::DevGet`] and [`Message::InfoGet`], which it then refuses.
    ///
    /// [`Answer::interrupted`] says whether objects came or went meanwhile; then some may be missing. Of one loss the kernel
    /// says nothing: when a driver cannot read a counter of a trap or policer, the dump ends there, as a success
    /// (`devlink_nl_inst_iter_dumpit` takes the EMSGSIZE of `devlink_nl_trap_fill` for a full message). A
    /// [`Client::request`] for that object has the error.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] with the kernel's text, and the errors of the socket.
    pub async fn dump(&self, message: Message) -> Result<Answer, ClientError> {
        self.exchange(Raw::of(self.family, message), NLM_F_REQUEST | NLM_F_DUMP).await
    }

    async fn exchange(&self, request: Raw, flags: u16) -> Result<Answer, ClientError> {
        let mut answer = Answer::default();
        let messages = self.ask(request, flags, &mut answer).await?;
        answer.take(messages);
        Ok(answer)
    }

    async fn ask(
        &self,
        request: Raw,
        flags: u16,
        answer: &mut Answer,
    ) -> Result<Vec<Raw>, ClientError> {
        let mut packet = NetlinkMessage::from(request);
        packet.header.flags = flags;
        let mut replies =
            self.handle.request(packet, SocketAddr::new(0, 0)).map_err(|_| ClientError::Closed)?;
        gather(&mut replies, flags, answer).await
    }

    /// Number of the family, number of its group.
    async fn resolve(&self) -> Result<(u16, u32), ClientError> {
        let request = GenlMessage::from_payload(GenlCtrl {
            cmd: GenlCtrlCmd::GetFamily,
            nlas: vec![GenlCtrlAttrs::FamilyName(crate::FAMILY.to_owned())],
        });
        let flags = NLM_F_REQUEST | NLM_F_ACK;
        let answers =
            self.ask(Raw::from_genl(GENL_ID_CTRL, &request), flags, &mut Answer::default()).await?;
        let (mut family, mut group) = (None, None);
        for raw in &answers {
            (family, group) = family_and_group(raw.attributes())
                .map_err(|fault| undecodable(fault.to_string()))?;
        }
        family.zip(group).ok_or_else(|| undecodable("no family or no group in it"))
    }
}

/// The messages of the answer to a request with these flags, as they are; what the kernel said of them goes to `answer`.
async fn gather(
    replies: &mut (impl Stream<Item = NetlinkMessage<Raw>> + Unpin),
    flags: u16,
    answer: &mut Answer,
) -> Result<Vec<Raw>, ClientError> {
    let mut messages = Vec::new();
    while let Some(reply) = replies.next().await {
        let header = reply.header;
        answer.interrupted |= header.flags & NLM_F_DUMP_INTR != 0;
        match reply.payload {
            NetlinkPayload::InnerMessage(raw) => messages.push(raw),
            NetlinkPayload::Error(error) => {
                answer.warning = acknowledged(header.flags, &error)?;
                return Ok(messages);
            }
            NetlinkPayload::Done(done) => {
                dump_ended(header.flags, &done)?;
                return Ok(messages);
            }
            NetlinkPayload::Overrun(_) => return Err(ClientError::Overrun),
            _ => {}
        }
        // No acknowledgement, no DONE: it was the answer.
        if flags & (NLM_F_ACK | NLM_F_DUMP) == 0 && header.flags & NLM_F_MULTIPART == 0 {
            return Ok(messages);
        }
    }
    Err(ClientError::Closed)
}

/// Read here, because `netlink-packet-generic` refuses a family with an attribute that it does not know.
fn family_and_group(attributes: Attributes<'_>) -> Result<(Option<u16>, Option<u32>), Fault> {
    let (mut family, mut group) = (None, None);
    for attribute in attributes {
        let attribute = attribute?;
        match attribute.number() {
            CTRL_ATTR_FAMILY_ID => family.read(&attribute, "CTRL_ATTR_FAMILY_ID")?,
            CTRL_ATTR_MCAST_GROUPS => {
                for entry in attribute.nested("CTRL_ATTR_MCAST_GROUPS")? {
                    let (mut name, mut id) = (None::<String>, None);
                    for field in entry?.nested("CTRL_ATTR_MCAST_GROUPS")? {
                        let field = field?;
                        match field.number() {
                            CTRL_ATTR_MCAST_GRP_NAME => {
                                name.read(&field, "CTRL_ATTR_MCAST_GRP_NAME")?;
                            }
                            CTRL_ATTR_MCAST_GRP_ID => id.read(&field, "CTRL_ATTR_MCAST_GRP_ID")?,
                            _ => {}
                        }
                    }
                    if name.as_deref() == Some(crate::CONFIG_GROUP) {
                        group = id;
                    }
                }
            }
            _ => {}
        }
    }
    Ok((family, group))
}
