//! What devlink says: messages as they come from the kernel, one after the other.
//!
//! Nothing may be lost by decoding and encoding: what was encoded decodes to the same, and encodes to the same.

use firsthop_netlink::messages;
use netlink_packet_core::NetlinkMessage;
use netlink_packet_devlink::Message;
use netlink_packet_generic::GenlMessage;

/// `struct genlmsghdr`
const GENERIC: usize = 4;

/// The target.
pub fn run(data: &[u8]) {
    NetlinkMessage::<GenlMessage<Message>>::deserialize(data).ok();
    for message in messages(data).flatten() {
        let (Some(&command), Some(octets)) =
            (message.payload.first(), message.payload.get(GENERIC..))
        else {
            continue;
        };
        let Ok(said) = Message::parse(command, octets) else { continue };
        let again = said.to_octets();
        let heard = Message::parse(command, &again).expect("what was encoded can be decoded");
        assert_eq!(heard, said, "decoding and encoding lose something");
        assert_eq!(heard.to_octets(), again);
        assert_eq!(said.handle().is_some(), heard.handle().is_some());
    }
}
