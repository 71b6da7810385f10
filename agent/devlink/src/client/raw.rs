//! A generic netlink message that is not decoded yet: its family and its octets.

use std::convert::Infallible;

use netlink_packet_core::{
    DecodeError, Emitable, NetlinkDeserializable, NetlinkHeader, NetlinkPayload,
    NetlinkSerializable, ParseableParametrized,
};
use netlink_packet_generic::constants::GENL_HDRLEN;
use netlink_packet_generic::{GenlFamily, GenlMessage};

use crate::attribute::Attributes;
use crate::message::Message;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raw {
    family: u16,
    octets: Vec<u8>,
}

impl Raw {
    /// A request. Its handle may be one from an answer.
    pub(super) fn of(family: u16, mut message: Message) -> Self {
        if let Some(handle) = message.handle_mut() {
            handle.use_one_key();
        }
        Self::from_genl(family, &GenlMessage::from_payload(message))
    }

    pub(super) fn from_genl<F: GenlFamily + Emitable + std::fmt::Debug>(
        family: u16,
        message: &GenlMessage<F>,
    ) -> Self {
        let mut octets = vec![0; Emitable::buffer_len(message)];
        message.emit(&mut octets);
        Self { family, octets }
    }

    #[cfg(test)]
    pub(super) fn from_octets(family: u16, octets: Vec<u8>) -> Self {
        Self { family, octets }
    }

    pub(super) fn decode(&self) -> Result<Message, DecodeError> {
        GenlMessage::parse_with_param(self.octets.as_slice(), self.family)
            .map(|message| message.into_parts().1)
    }

    /// The attributes, whatever they are.
    pub(super) fn attributes(&self) -> Attributes<'_> {
        Attributes::new(self.octets.get(GENL_HDRLEN..).unwrap_or_default())
    }
}

impl NetlinkSerializable for Raw {
    fn message_type(&self) -> u16 {
        self.family
    }

    fn buffer_len(&self) -> usize {
        self.octets.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer[..self.octets.len()].copy_from_slice(&self.octets);
    }
}

impl NetlinkDeserializable for Raw {
    type Error = Infallible;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, Infallible> {
        Ok(Self { family: header.message_type, octets: payload.to_vec() })
    }
}

impl From<Raw> for NetlinkPayload<Raw> {
    fn from(raw: Raw) -> Self {
        Self::InnerMessage(raw)
    }
}
