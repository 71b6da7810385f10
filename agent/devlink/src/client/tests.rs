//! Are acknowledgements read with and without text, whole and cut off?

use std::num::NonZeroI32;

use futures_util::{FutureExt as _, stream};
use netlink_packet_core::{DoneMessage, ErrorMessage};

use super::error::{acknowledged, dump_ended};
use super::*;

const CAPPED: u16 = 0x100;
const TLVS: u16 = 0x200;

/// An acknowledgement: error, a request of that length of which so many octets are echoed, and a text.
fn acknowledgement(code: i32, length: u32, echoed: usize, text: &[u8]) -> ErrorMessage {
    let mut octets = length.to_ne_bytes().to_vec();
    octets.resize(echoed, 0xff);
    // NLMSGERR_ATTR_OFFS comes first.
    octets.extend([8, 0, 2, 0, 20, 0, 0, 0]);
    octets.extend(u16::try_from(text.len() + 4).unwrap().to_ne_bytes());
    octets.extend([1, 0]);
    octets.extend(text);
    octets.resize(octets.len().next_multiple_of(4), 0);
    let mut message = ErrorMessage::default();
    message.code = NonZeroI32::new(code);
    message.header = octets;
    message
}

// Broken if the warning of a success were lost, or looked for inside the request that is echoed.
#[test]
fn texts_of_errors_and_successes_are_found() {
    let text = b"Cannot change action of non-drop traps. Skipping\0";
    for (flags, echoed) in [(TLVS | CAPPED, 16), (TLVS, 44)] {
        let success = acknowledged(flags, &acknowledgement(0, 42, echoed, text)).unwrap();
        assert_eq!(success.as_deref(), Some("Cannot change action of non-drop traps. Skipping"));
        let error = acknowledged(flags, &acknowledgement(-22, 42, echoed, text)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "The kernel refused: Cannot change action of non-drop traps. Skipping"
        );
    }
    assert_eq!(acknowledged(CAPPED, &acknowledgement(0, 42, 16, text)).unwrap(), None);
    let bare = acknowledged(CAPPED, &acknowledgement(-95, 42, 16, b"")).unwrap_err();
    let ClientError::Refused { source, text: None } = bare else { panic!("{bare:?}") };
    assert_eq!(source.raw_os_error(), Some(95));
}

// Broken if a short acknowledgement, or one that claims too much, were worse than one without text.
#[test]
fn acknowledgements_cut_off_are_acknowledgements() {
    let whole = acknowledgement(0, 42, 44, b"text\0");
    for end in 0..whole.header.len() {
        let mut short = whole.clone();
        short.header.truncate(end);
        for flags in [TLVS, TLVS | CAPPED] {
            assert!(acknowledged(flags, &short).is_ok(), "{end} octets");
        }
    }
    assert_eq!(acknowledged(TLVS, &acknowledgement(0, u32::MAX, 44, b"text\0")).unwrap(), None);
    assert!(acknowledged(0, &acknowledgement(i32::MIN, 42, 16, b"")).is_err());
}

// Broken if a dump that ended with an error passed for a short one.
#[test]
fn an_error_at_the_end_of_a_dump_is_one() {
    let mut done = DoneMessage::default();
    assert!(dump_ended(0, &done).is_ok());
    done.code = -95;
    done.extended_ack = vec![8, 0, 1, 0, b'n', b'o', 0, 0];
    let error = dump_ended(TLVS, &done).unwrap_err();
    assert!(error.to_string().ends_with(": no"), "{error}");
}

// Broken if a handle from an answer of Linux 7.3, with names and index, were sent back whole: the kernel refuses that.
#[test]
fn a_request_names_its_device_in_one_way() {
    use crate::device::Dev;
    use crate::{Handle, Uint};
    let sent = |handle: Handle| {
        let raw = Raw::of(30, Message::DevGet(Dev { handle, ..Dev::default() }));
        raw.decode().unwrap().handle().unwrap().clone()
    };
    let whole = Handle { index: Some(Uint(7)), ..Handle::new("netdevsim", "netdevsim10") };
    assert_eq!(sent(whole), Handle::new("netdevsim", "netdevsim10"));
    let index = Handle { index: Some(Uint(7)), ..Handle::default() };
    assert_eq!(sent(index.clone()), index);
}

// Broken if the offsets above were not the kernel's: acknowledgements as Linux 6.12 and 7.3 sent them.
#[test]
fn recorded_acknowledgements_have_their_texts() {
    let recorded = [
        include_str!("../../tests/recorded-6.12.txt"),
        include_str!("../../tests/recorded-7.3.txt"),
    ];
    for recorded in recorded {
        let acknowledgement = |name: &str| {
            let hex = recorded.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            let octets: Vec<u8> = (0..hex.len() / 2)
                .map(|place| u8::from_str_radix(&hex[place * 2..place * 2 + 2], 16).unwrap())
                .collect();
            let packet = NetlinkMessage::<Raw>::deserialize(&octets).unwrap();
            let NetlinkPayload::Error(error) = packet.payload else { panic!("{packet:?}") };
            acknowledged(packet.header.flags, &error)
        };
        assert_eq!(
            acknowledgement("warning message ").unwrap().as_deref(),
            Some("Cannot change action of non-drop traps. Skipping")
        );
        let limit = acknowledgement("limit message ").unwrap_err().to_string();
        assert_eq!(limit, "The kernel refused: Policer rate higher than limit");
    }
}

fn packet(flags: u16, payload: NetlinkPayload<Raw>) -> NetlinkMessage<Raw> {
    let mut packet = NetlinkMessage::new(Default::default(), payload);
    packet.header.flags = flags;
    packet
}

/// What comes of these replies, all of which are there.
fn gathered(
    flags: u16,
    replies: Vec<NetlinkMessage<Raw>>,
) -> (Result<usize, ClientError>, Answer, usize) {
    let mut answer = Answer::default();
    let mut replies = stream::iter(replies);
    let messages = gather(&mut replies, flags, &mut answer).now_or_never().unwrap();
    (messages.map(|messages| messages.len()), answer, replies.size_hint().0)
}

fn row(flags: u16) -> NetlinkMessage<Raw> {
    let message = Message::DevNew(crate::device::Dev::default());
    packet(flags, NetlinkPayload::InnerMessage(Raw::of(30, message)))
}

// Broken if a dump that was interrupted passed for a whole one, whichever part says so.
#[test]
fn an_interrupted_dump_says_so() {
    let done =
        |flags| packet(flags | NLM_F_MULTIPART, NetlinkPayload::Done(DoneMessage::default()));
    let dump = NLM_F_REQUEST | NLM_F_DUMP;
    for (row_flags, done_flags, interrupted) in
        [(0, 0, false), (NLM_F_DUMP_INTR, 0, true), (0, NLM_F_DUMP_INTR, true)]
    {
        let replies =
            vec![row(NLM_F_MULTIPART | row_flags), row(NLM_F_MULTIPART), done(done_flags)];
        let (messages, answer, left) = gathered(dump, replies);
        assert_eq!((messages.unwrap(), answer.interrupted, left), (2, interrupted, 0));
    }
}

// Broken if an answer ended early or late: at its acknowledgement, its DONE, or alone; or if an end that does not come,
// or an overrun, passed for an answer.
#[test]
fn an_answer_ends_where_the_kernel_ends_it() {
    let acknowledged = || packet(CAPPED, NetlinkPayload::Error(ErrorMessage::default()));
    let done = || packet(NLM_F_MULTIPART, NetlinkPayload::Done(DoneMessage::default()));
    let request = NLM_F_REQUEST | NLM_F_ACK;
    assert_eq!(gathered(request, vec![row(0), acknowledged(), row(0)]).0.unwrap(), 1);
    let (messages, _, left) =
        gathered(NLM_F_REQUEST, vec![row(NLM_F_MULTIPART), done(), acknowledged()]);
    assert_eq!((messages.unwrap(), left), (1, 1));
    assert_eq!(gathered(NLM_F_REQUEST, vec![row(0), row(0)]).0.unwrap(), 1);
    assert!(matches!(gathered(request, vec![row(0)]).0, Err(ClientError::Closed)));
    let overrun = packet(0, NetlinkPayload::Overrun(vec![]));
    assert!(matches!(gathered(request, vec![overrun]).0, Err(ClientError::Overrun)));
}

// Broken if one message that cannot be decoded cost the others, or were not told of.
#[test]
fn a_message_that_cannot_be_decoded_is_told() {
    let good = Raw::of(30, Message::DevNew(crate::device::Dev::default()));
    let mut message = Message::TrapNew(crate::trap::Trap::default()).to_octets();
    message.extend([63, 1, 0, 0, 6, 0, 131, 0, 1, 1, 0, 0]);
    let bad = Raw::from_octets(30, message);
    let mut answer = Answer::default();
    answer.take(vec![good.clone(), bad, good]);
    assert_eq!(answer.messages.len(), 2);
    assert_eq!(answer.undecodable, ["DEVLINK_ATTR_TRAP_ACTION has 2 octets, not 1"]);
}

// Broken if the family could not be asked for, on this machine's own kernel: with devlink or without.
#[tokio::test]
async fn the_kernel_knows_devlink_or_says_that_it_does_not() {
    match Client::connect().await {
        Ok(client) => assert_ne!(client.config_group(), 0),
        Err(ClientError::Refused { source, .. }) => {
            assert_eq!(source.kind(), std::io::ErrorKind::NotFound, "{source}");
        }
        Err(other) => panic!("{other}"),
    }
}
