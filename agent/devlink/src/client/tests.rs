//! Are acknowledgements read with and without text, whole and cut off?

use std::num::NonZeroI32;

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
            "Invalid argument (os error 22): Cannot change action of non-drop traps. Skipping"
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
        assert_eq!(limit, "Invalid argument (os error 22): Policer rate higher than limit");
    }
}
