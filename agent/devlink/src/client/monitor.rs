//! Listens to the group of all notifications. The kernel's queue is the only one: who reads too slowly is told.

use std::collections::VecDeque;
use std::io;

use netlink_packet_core::{NetlinkBuffer, NetlinkMessage, NetlinkPayload};
use netlink_proto::sys::protocols::NETLINK_GENERIC;
use netlink_proto::sys::{AsyncSocket as _, AsyncSocketExt as _, TokioSocket};

use super::Client;
use super::error::{ClientError, undecodable};
use super::raw::Raw;
use crate::message::Message;

/// ENOBUFS: the kernel dropped notifications.
const ENOBUFS: i32 = 105;

/// What a [`Monitor`] hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An object is new, changed or gone. The command of its type says which.
    Message(Box<Message>),
    /// A notification that could not be decoded, and why.
    Undecodable(String),
    /// Notifications were lost: this socket's buffer was full. What was known must be dumped anew.
    Overrun,
}

/// A socket that joined the group [`crate::CONFIG_GROUP`] in the network namespace that the calling thread was in. It
/// never sends.
pub struct Monitor {
    socket: TokioSocket,
    family: u16,
    heard: VecDeque<Event>,
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Monitor")
            .field("family", &self.family)
            .field("heard", &self.heard)
            .finish_non_exhaustive()
    }
}

impl Monitor {
    /// Listens; from now on nothing is missed without an [`Event::Overrun`]. To know what was there before, dump after
    /// this. The client is asked for the numbers of family and group only.
    ///
    /// # Errors
    ///
    /// [`ClientError::Open`]
    pub fn open(client: &Client) -> Result<Self, ClientError> {
        let open = || -> io::Result<TokioSocket> {
            let mut socket = TokioSocket::new(NETLINK_GENERIC)?;
            socket.socket_mut().bind_auto()?;
            socket.socket_ref().add_membership(client.config_group)?;
            Ok(socket)
        };
        let socket = open().map_err(ClientError::Open)?;
        Ok(Self { socket, family: client.family, heard: VecDeque::new() })
    }

    /// Waits for the next event. What was heard is not lost when this is cancelled.
    ///
    /// # Errors
    ///
    /// When the socket failed.
    pub async fn next(&mut self) -> io::Result<Event> {
        loop {
            if let Some(event) = self.heard.pop_front() {
                return Ok(event);
            }
            match self.socket.recv_from_full().await {
                Ok((datagram, _)) => self.hear(&datagram),
                Err(error) if error.raw_os_error() == Some(ENOBUFS) => return Ok(Event::Overrun),
                Err(error) => return Err(error),
            }
        }
    }

    fn hear(&mut self, mut datagram: &[u8]) {
        while !datagram.is_empty() {
            let Ok(buffer) = NetlinkBuffer::new_checked(datagram) else {
                self.heard.push_back(Event::Undecodable(
                    undecodable("A notification overruns its datagram").to_string(),
                ));
                return;
            };
            let length = usize::try_from(buffer.length()).unwrap_or(usize::MAX);
            let (message, rest) = datagram.split_at(length.min(datagram.len()));
            // Each message begins at a multiple of four.
            datagram = rest.get(length.next_multiple_of(4) - length..).unwrap_or_default();
            let Ok(message) = NetlinkMessage::<Raw>::deserialize(message) else { continue };
            if message.header.message_type != self.family {
                continue;
            }
            if let NetlinkPayload::InnerMessage(raw) = message.payload {
                self.heard.push_back(match raw.decode() {
                    Ok(message) => Event::Message(Box::new(message)),
                    Err(error) => Event::Undecodable(error.to_string()),
                });
            }
        }
    }
}
