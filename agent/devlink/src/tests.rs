//! Does each message survive encoding and decoding, and does the decoder survive anything?

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_generic::{GenlHeader, GenlMessage};
use proptest::prelude::*;

use crate::device::*;
use crate::dpipe::*;
use crate::port::*;
use crate::resource::*;
use crate::sample::Dice;
use crate::trap::*;
use crate::*;

mod second_decoder;
mod uapi;

/// An attribute with its padding.
fn nla(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut octets = u16::try_from(value.len() + 4).unwrap().to_ne_bytes().to_vec();
    octets.extend(kind.to_ne_bytes());
    octets.extend(value);
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

fn u64_nla(kind: u16, value: u64) -> Vec<u8> {
    nla(kind, &value.to_ne_bytes())
}

fn trap(octets: &[u8]) -> Trap {
    match Message::parse(63, octets) {
        Ok(Message::TrapNew(trap)) => trap,
        other => panic!("{other:?}"),
    }
}

// Broken if the packet counter, number 0, were skipped as "unspecified", or PAD between the counters confused them: the
// raw order that kernels without unaligned access send is 2, PAD, 0, PAD, 1.
#[test]
fn numbers_that_begin_at_zero_are_read_and_pads_are_not() {
    let stats = [
        u64_nla(2, 7),
        nla(61, &[]),
        u64_nla(0, 0x0102_0304_0506_0708),
        nla(61, &[]),
        u64_nla(1, 99),
    ]
    .concat();
    let octets = [nla(0x8000 | 134, &[nla(0, &[]), nla(1, &[])].concat()), nla(129, &stats)];
    let trap = trap(&octets.concat());
    assert_eq!(
        trap.stats,
        Some(TrapStats {
            rx_packets: Some(0x0102_0304_0506_0708),
            rx_bytes: Some(99),
            rx_dropped: Some(7),
            other: vec![],
        })
    );
    let metadata = trap.metadata.unwrap();
    assert!(metadata.in_port && metadata.fa_cookie);
    assert!(trap.other.is_empty());
}

// Broken if nests were told by NLA_F_NESTED, which the kernel sets on some of them only.
#[test]
fn a_nest_is_one_with_and_without_its_flag() {
    for flag in [0, 0x8000] {
        let stats = nla(129 | flag, &u64_nla(0, 5));
        assert_eq!(trap(&stats).stats.unwrap().rx_packets, Some(5), "flag {flag:#x}");
    }
}

// Broken if text without its NUL lost its last letter, or kept a NUL.
#[test]
fn text_is_read_with_and_without_its_nul() {
    for value in [b"ipv4_vrrp\0".as_slice(), b"ipv4_vrrp", b"ipv4_vrrp\0\0x"] {
        assert_eq!(trap(&nla(130, value)).name.as_deref(), Some("ipv4_vrrp"));
    }
    assert_eq!(trap(&nla(130, b"")).name.as_deref(), Some(""));
    assert_eq!(trap(&nla(130, b"\xff")).name.as_deref(), Some("\u{fffd}"));
}

// Broken if a handle of Linux 7.3, with a number of four or eight octets, were not understood.
#[test]
fn the_index_has_four_or_eight_octets() {
    for value in [7_u32.to_ne_bytes().as_slice(), &7_u64.to_ne_bytes()] {
        assert_eq!(trap(&nla(184, value)).handle.index, Some(Uint(7)));
    }
    let small = Handle { index: Some(Uint(7)), ..Handle::default() };
    let large = Handle { index: Some(Uint(1 << 32)), ..Handle::default() };
    let octets = |handle| Message::DevGet(Dev { handle, ..Dev::default() }).to_octets().len();
    assert_eq!((octets(small), octets(large)), (8, 12));
}

// Broken if a wrong length were read as another number, or its error did not say which attribute it was.
#[test]
fn a_wrong_length_names_the_attribute() {
    for (command, octets, text) in [
        (63, nla(131, &[1, 0]), "DEVLINK_ATTR_TRAP_ACTION has 2 octets, not 1"),
        (7, nla(77, &[1, 0, 0, 0]), "DEVLINK_ATTR_PORT_FLAVOUR has 4 octets, not 2"),
        (7, nla(3, &[]), "DEVLINK_ATTR_PORT_INDEX has 0 octets, not 4"),
        (71, nla(143, &[0; 4]), "DEVLINK_ATTR_TRAP_POLICER_RATE has 4 octets, not 8"),
        (63, nla(129, &nla(0, &[0; 4])), "DEVLINK_ATTR_STATS_RX_PACKETS has 4 octets, not 8"),
        (3, nla(184, &[0; 2]), "DEVLINK_ATTR_INDEX has 2 octets, not 4 or 8"),
        (37, nla(155, &[0; 4]), "DEVLINK_ATTR_RELOAD_LIMITS has 4 octets, not 8"),
        (
            63,
            [nla(130, b"x"), vec![9, 0, 131, 0, 1]].concat(),
            "Attribute 131 claims 9 octets of 5",
        ),
        (63, vec![3, 0, 131, 0, 1], "Attribute 131 claims 3 octets of 5"),
    ] {
        assert_eq!(Message::parse(command, &octets).unwrap_err().to_string(), text);
    }
}

// Broken if resources in resources without end could exhaust the stack.
#[test]
fn nests_without_end_are_refused() {
    let (mut legal, mut endless) = (Vec::new(), Vec::new());
    for level in 0..8000 {
        if level < 30 {
            legal = nla(if level % 2 == 0 { 64 } else { 63 }, &legal);
        }
        if endless.len() < 65_000 {
            endless = nla(if level % 2 == 0 { 64 } else { 63 }, &endless);
        }
    }
    assert!(Message::parse(36, &legal).is_ok());
    let error = Message::parse(36, &endless).unwrap_err();
    assert!(matches!(error, Fault::TooDeep { deepest: 32, .. }), "{error}");
}

// Broken if what a newer kernel adds were an error, or lost.
#[test]
fn what_is_not_known_is_kept() {
    let octets = [nla(130, b"x\0"), nla(0x8000 | 999, &[1, 2, 3]), nla(131, &[9])].concat();
    let trap = trap(&octets);
    assert_eq!(trap.action, Some(TrapAction::Other(9)));
    assert_eq!(trap.other, [OtherAttribute { kind: 0x8000 | 999, value: vec![1, 2, 3] }]);
    assert_eq!(trap.other[0].number(), 999);
    let message = Message::parse(200, &octets).unwrap();
    assert_eq!(message, Message::Other { command: 200, octets: octets.clone() });
    assert_eq!(message.to_octets(), octets);
}

// Broken if a request said something else than the kernel's policy for it wants: a TRAP_SET of the right shape.
#[test]
fn a_request_has_the_kernels_octets() {
    let message = Message::TrapSet(Trap {
        handle: Handle::new("pci", "0000:03:00.0"),
        name: Some("ipv4_vrrp".into()),
        action: Some(TrapAction::Mirror),
        ..Trap::default()
    });
    let octets =
        [nla(1, b"pci\0"), nla(2, b"0000:03:00.0\0"), nla(130, b"ipv4_vrrp\0"), nla(131, &[2])]
            .concat();
    assert_eq!(message.to_octets(), octets);
    let mut packet = NetlinkMessage::from(GenlMessage::from_payload(message));
    packet.finalize();
    let mut buffer = vec![0; packet.buffer_len()];
    packet.serialize(&mut buffer);
    assert_eq!(buffer[16..20], [62, 1, 0, 0], "command, version");
    assert_eq!(buffer[20..], octets);
}

// Broken if an attribute that netlink cannot carry gave a message that says something else.
#[test]
fn what_is_too_long_is_left_out() {
    let message = Message::TrapGet(Trap {
        name: Some("x".repeat(65_531)),
        group: Some("g".into()),
        ..Trap::default()
    });
    assert_eq!(message.to_octets(), nla(135, b"g\0"));
    let longest = Message::TrapGet(Trap { name: Some("x".repeat(65_530)), ..Trap::default() });
    assert_eq!(Message::parse(61, &longest.to_octets()).unwrap(), longest);
}

// Broken if the pipeline's nests were read at the wrong level: no device for tests has tables, so by hand.
#[test]
fn dpipe_tables_entries_and_headers_are_read() {
    let field = [
        nla(42, &0_u32.to_ne_bytes()),
        nla(55, &1_u32.to_ne_bytes()),
        nla(52, &2_u32.to_ne_bytes()),
        nla(58, &0_u32.to_ne_bytes()),
        nla(54, &[1]),
    ]
    .concat();
    let table = [
        nla(29, b"host4\0"),
        nla(61, &[]),
        u64_nla(30, 64),
        nla(33, &[1]),
        u64_nla(75, 3),
        u64_nla(76, 2),
        nla(31, &nla(40, &field)),
        nla(32, &[]),
    ]
    .concat();
    let tables = nla(27, &nla(28, &table));
    let Ok(Message::DpipeTableGet(tables)) = Message::parse(31, &tables) else { panic!() };
    let table = &tables.list.unwrap().tables[0];
    let ipv6 = DpipeMatch {
        match_type: Some(MatchType::FieldExact),
        header_index: Some(1),
        header_id: Some(GlobalHeader::Ipv6.into()),
        field_id: Some(0),
        header_global: Some(true),
        other: vec![],
    };
    assert_eq!((table.name.as_deref(), table.size), (Some("host4"), Some(64)));
    assert_eq!((table.resource_id, table.resource_units), (Some(3), Some(2)));
    assert_eq!(table.matches.as_ref().unwrap().matches[..], *std::slice::from_ref(&ipv6));

    let value = [nla(40, &field), nla(46, &[1, 2, 3]), nla(47, &[255, 0, 255])].concat();
    let entry = [u64_nla(36, 5), u64_nla(39, 6), nla(37, &nla(41, &value)), nla(38, &[])].concat();
    let entries = nla(34, &nla(35, &entry));
    let Ok(Message::DpipeEntriesGet(entries)) = Message::parse(32, &entries) else { panic!() };
    let entry = &entries.list.unwrap().entries[0];
    assert_eq!((entry.index, entry.counter), (Some(5), Some(6)));
    let value = &entry.matches.as_ref().unwrap().values[0];
    assert_eq!(value.field, Some(ipv6));
    assert_eq!(value.mask, Some(Octets(vec![255, 0, 255])));

    let mac = [
        nla(57, b"destination mac\0"),
        nla(58, &0_u32.to_ne_bytes()),
        nla(59, &48_u32.to_ne_bytes()),
        nla(60, &1_u32.to_ne_bytes()),
    ]
    .concat();
    let header = [
        nla(51, b"ethernet\0"),
        nla(52, &0_u32.to_ne_bytes()),
        nla(54, &[1]),
        nla(53, &nla(56, &mac)),
    ]
    .concat();
    let headers = nla(49, &nla(50, &header));
    let Ok(Message::DpipeHeadersGet(headers)) = Message::parse(33, &headers) else { panic!() };
    let header = &headers.list.unwrap().headers[0];
    let field = &header.fields.as_ref().unwrap().fields[0];
    assert_eq!((field.bitwidth, field.mapping), (Some(48), Some(FieldMapping::Ifindex)));
}

// Broken if a word of the devlink program led to another number.
#[test]
fn words_and_numbers_are_each_others_inverse() {
    for action in TrapAction::NAMED {
        assert_eq!(TrapAction::from_word(&action.to_string()), Some(*action));
        assert_eq!(TrapAction::from(u8::from(*action)), *action);
    }
    for flavour in PortFlavour::NAMED {
        assert_eq!(PortFlavour::from_word(&flavour.to_string()), Some(*flavour));
        assert_eq!(PortFlavour::from(u16::from(*flavour)), *flavour);
    }
    assert_eq!(ReloadAction::from(2), ReloadAction::FwActivate);
    assert_eq!(ResourceUnit::Other(7).to_string(), "7");
    assert_eq!(TrapAction::from_word("7"), None);
    assert_eq!(Handle::from_path("pci/0000:03:00.0").unwrap().to_string(), "pci/0000:03:00.0");
    assert_eq!(Handle::from_path("pci"), None);
}

proptest! {
    // Broken if any octets made the decoder panic, or what it read were not what it writes.
    #[test]
    fn any_octets_are_read_or_refused(
        command in any::<u8>(),
        octets in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        if let Ok(message) = Message::parse(command, &octets) {
            prop_assert_eq!(Message::parse(command, &message.to_octets()), Ok(message));
        }
    }

    // The same with octets that are nearly right: a message with some octets changed and its end cut off.
    #[test]
    fn mutated_messages_are_read_or_refused(
        command in proptest::sample::select(Message::COMMANDS),
        seed in proptest::collection::vec(any::<u8>(), 0..300),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut octets = Message::sample(command, &mut Dice::new(&seed)).to_octets();
        if !octets.is_empty() {
            for (place, octet) in changes {
                let place = place.index(octets.len());
                octets[place] = octet;
            }
            octets.truncate(cut.index(octets.len()) + 1);
        }
        if let Ok(message) = Message::parse(command, &octets) {
            prop_assert_eq!(Message::parse(command, &message.to_octets()), Ok(message));
        }
    }

    // Broken if a field of any message were written as another attribute than it is read from, or not at all.
    #[test]
    fn what_is_written_is_read(
        command in proptest::sample::select(Message::COMMANDS),
        seed in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let message = Message::sample(command, &mut Dice::new(&seed));
        let octets = message.to_octets();
        prop_assert_eq!(octets.len() % 4, 0);
        prop_assert_eq!(&Message::parse(command, &octets), &Ok(message.clone()));

        // And through the netlink crates, header and all.
        let mut packet = NetlinkMessage::from(GenlMessage::from_payload(message.clone()));
        packet.finalize();
        let mut buffer = vec![0; packet.buffer_len()];
        packet.serialize(&mut buffer);
        buffer[4..6].copy_from_slice(&40_u16.to_ne_bytes());
        let read = NetlinkMessage::<GenlMessage<Message>>::deserialize(&buffer).unwrap();
        let NetlinkPayload::InnerMessage(read) = read.payload else { panic!("{read:?}") };
        prop_assert_eq!(read.header, GenlHeader { cmd: command, version: 1 });
        prop_assert_eq!(read.payload, message);
    }
}
