//! Does neli, which shares no code with this, read what is written here, and is what neli writes read here?

use std::io::Cursor;

use neli::genl::{AttrTypeBuilder, Genlmsghdr, GenlmsghdrBuilder, Nlattr, NlattrBuilder};
use neli::types::{Buffer, GenlBuffer};
use neli::{FromBytesWithInput as _, ToBytes};
use proptest::prelude::*;

use crate::Message;
use crate::device::{Dev, DevStats, ReloadAction, ReloadActionInfo, ReloadStats};
use crate::handle::Handle;
use crate::sample::Dice;
use crate::trap::{Trap, TrapAction, TrapMetadata, TrapStats, TrapType};
use crate::value::Uint;

/// An attribute as neli reads it: number, and what is in it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tree {
    Leaf(u16, Vec<u8>),
    Nest(u16, Vec<Tree>),
}

impl Tree {
    fn number(&self) -> u16 {
        match self {
            Self::Leaf(number, _) | Self::Nest(number, _) => *number,
        }
    }
}

/// The generic netlink message that neli reads; all of it, or the test fails.
fn read(octets: &[u8]) -> Genlmsghdr<u8, u16> {
    let mut cursor = Cursor::new(octets);
    let message = Genlmsghdr::from_bytes_with_input(&mut cursor, octets.len()).unwrap();
    assert_eq!(usize::try_from(cursor.position()).unwrap(), octets.len());
    message
}

fn leaf(attribute: &Nlattr<u16, Buffer>) -> Tree {
    let number = *attribute.nla_type().nla_type();
    Tree::Leaf(number, attribute.nla_payload().as_ref().to_vec())
}

/// What we wrote: nests have their flag.
fn written<'a>(attributes: impl Iterator<Item = &'a Nlattr<u16, Buffer>>) -> Vec<Tree> {
    let tree = |attribute: &Nlattr<u16, Buffer>| {
        let (kind, inside) = (attribute.nla_type(), attribute.nla_payload().as_ref());
        if !*kind.nla_nested() {
            return leaf(attribute);
        }
        let mut cursor = Cursor::new(inside);
        let inside: GenlBuffer<u16, Buffer> =
            GenlBuffer::from_bytes_with_input(&mut cursor, inside.len()).unwrap();
        Tree::Nest(*kind.nla_type(), written(inside.iter()))
    };
    attributes.map(tree).collect()
}

/// What the kernel wrote, whose nests have no flag for the most part: a nest is what is one in `ours`.
fn recorded(octets: &[u8], ours: &[Tree]) -> Vec<Tree> {
    let mut cursor = Cursor::new(octets);
    let attributes: GenlBuffer<u16, Buffer> =
        GenlBuffer::from_bytes_with_input(&mut cursor, octets.len()).unwrap();
    let mut trees = Vec::new();
    let mut used = vec![false; ours.len()];
    for attribute in attributes.iter() {
        let (number, value) = (*attribute.nla_type().nla_type(), attribute.nla_payload().as_ref());
        if number == 61 && value.is_empty() {
            continue;
        }
        // The one of the same number that comes next.
        let same = (0..ours.len()).find(|place| !used[*place] && ours[*place].number() == number);
        trees.push(match same.map(|place| (&ours[place], used[place] = true).0) {
            Some(Tree::Nest(_, inside)) => Tree::Nest(number, recorded(value, inside)),
            _ => leaf(attribute),
        });
    }
    trees
}

/// The order of attributes of different numbers means nothing.
fn in_order(mut trees: Vec<Tree>) -> Vec<Tree> {
    trees.sort_by_key(Tree::number);
    let inside = |tree| match tree {
        Tree::Nest(number, inside) => Tree::Nest(number, in_order(inside)),
        leaf @ Tree::Leaf(..) => leaf,
    };
    trees.into_iter().map(inside).collect()
}

fn genl(message: &Message) -> Vec<u8> {
    use netlink_packet_core::Emitable as _;
    let message = netlink_packet_generic::GenlMessage::from_payload(message.clone());
    let mut octets = vec![0; message.buffer_len()];
    message.emit(&mut octets);
    octets
}

// Broken if a message that we read and write again were not the one that the kernel sent: an attribute lost, in another
// nest, or of another length.
#[test]
fn recorded_messages_are_written_as_the_kernel_wrote_them() {
    let files = [
        include_str!("../../tests/recorded-6.12.txt"),
        include_str!("../../tests/recorded-7.3.txt"),
    ];
    let mut compared = 0;
    for line in files.iter().flat_map(|file| file.lines()) {
        let Some((_, hex)) = line.split_once(" message ") else { continue };
        let octets: Vec<u8> = (0..hex.len() / 2)
            .map(|place| u8::from_str_radix(&hex[place * 2..place * 2 + 2], 16).unwrap())
            .collect();
        if octets[5] == 0 && octets[4] < 16 {
            continue; // DONE, acknowledgement
        }
        let message = Message::parse(octets[16], &octets[20..]).unwrap();
        if matches!(message, Message::Other { .. }) {
            continue;
        }
        let ours = written(read(&genl(&message)).attrs().iter());
        let theirs = recorded(&octets[20..], &ours);
        assert_eq!(in_order(ours), in_order(theirs), "{message:?}");
        compared += 1;
    }
    assert!(compared > 150, "{compared} messages");
}

fn attribute(number: u16, nested: bool, value: impl neli::Size + ToBytes) -> Nlattr<u16, Buffer> {
    let kind = AttrTypeBuilder::default().nla_nested(nested).nla_type(number).build().unwrap();
    NlattrBuilder::default().nla_type(kind).nla_payload(value).build().unwrap()
}

fn neli_nest(number: u16, flag: bool, inside: Vec<Nlattr<u16, Buffer>>) -> Nlattr<u16, Buffer> {
    let mut octets = Cursor::new(Vec::new());
    for attribute in inside {
        attribute.to_bytes(&mut octets).unwrap();
    }
    attribute(number, flag, Buffer::from(octets.into_inner()))
}

// Broken if we read something else than neli writes: text, integers of all sizes, nests with and without their flag,
// attributes of number 0.
#[test]
fn what_neli_writes_is_read() {
    for flag in [false, true] {
        let message = GenlmsghdrBuilder::<u8, u16>::default()
            .cmd(63)
            .version(1)
            .attrs(
                vec![
                    attribute(1, false, "pci".to_owned()),
                    attribute(2, false, "0000:03:00.0".to_owned()),
                    attribute(184, false, 3_u32),
                    attribute(130, false, "ipv4_vrrp".to_owned()),
                    attribute(131, false, 1_u8),
                    attribute(132, false, 2_u8),
                    attribute(133, false, Buffer::new()),
                    neli_nest(134, flag, vec![attribute(0, false, Buffer::new())]),
                    neli_nest(
                        129,
                        flag,
                        vec![attribute(0, false, 5_u64), attribute(1, false, 6_u64)],
                    ),
                ]
                .into_iter()
                .collect(),
            )
            .build()
            .unwrap();
        let mut octets = Cursor::new(Vec::new());
        message.to_bytes(&mut octets).unwrap();
        let octets = octets.into_inner();
        let handle = Handle { index: Some(Uint(3)), ..Handle::new("pci", "0000:03:00.0") };
        let trap = Trap {
            handle,
            name: Some("ipv4_vrrp".into()),
            trap_type: Some(TrapType::Control),
            generic: true,
            action: Some(TrapAction::Trap),
            metadata: Some(TrapMetadata { in_port: true, ..TrapMetadata::default() }),
            stats: Some(TrapStats {
                rx_packets: Some(5),
                rx_bytes: Some(6),
                ..TrapStats::default()
            }),
            ..Trap::default()
        };
        assert_eq!(Message::parse(octets[0], &octets[4..]), Ok(Message::TrapNew(trap)));
    }
}

// Broken if neli read something else than we mean.
#[test]
fn neli_reads_what_is_meant() {
    let action = ReloadActionInfo { action: Some(ReloadAction::FwActivate), ..Default::default() };
    let reload = ReloadStats { actions: vec![action], ..ReloadStats::default() };
    let message = Message::DevNew(Dev {
        handle: Handle::new("pci", "0000:03:00.0"),
        reload_failed: Some(true),
        stats: Some(DevStats { reload: Some(reload), ..DevStats::default() }),
        ..Dev::default()
    });
    let read = read(&genl(&message));
    assert_eq!((*read.cmd(), *read.version()), (3, 1));
    let attributes = read.attrs().get_attr_handle();
    assert_eq!(attributes.get_attr_payload_as_with_len::<String>(2).unwrap(), "0000:03:00.0");
    assert_eq!(attributes.get_attr_payload_as::<u8>(136).unwrap(), 1);
    let stats = attributes.get_nested_attributes::<u16>(156).unwrap();
    let reloads = stats.get_nested_attributes::<u16>(157).unwrap();
    let action = reloads.get_nested_attributes::<u16>(162).unwrap();
    assert_eq!(action.get_attr_payload_as::<u8>(153).unwrap(), 2);
}

proptest! {
    // Broken if some message were written in a way that neli cannot walk to its end.
    #[test]
    fn neli_walks_through_any_message(
        command in proptest::sample::select(Message::COMMANDS),
        seed in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let message = Message::sample(command, &mut Dice::new(&seed));
        let octets = genl(&message);
        let read = read(&octets);
        prop_assert_eq!(*read.cmd(), command);
        let mut again = Cursor::new(Vec::new());
        read.to_bytes(&mut again).unwrap();
        prop_assert_eq!(again.into_inner(), octets, "{:?}", message);
    }
}
