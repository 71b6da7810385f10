use firsthop_model::types::Family;

use super::message::{self, Message};
use super::*;

const PORT: IfIndex = IfIndex(3);

fn rule(vlan: Option<u16>, family: Family) -> ControlRule {
    ControlRule { port: PORT, vlan, family }
}

/// What `tc` of iproute2 6.1 sends for a command, from the tcmsg on (`strace -e write=all tc …`, on a little-endian machine).
const RECORDED: [(&str, &str); 3] = [
    (
        "tc filter add dev v0 ingress protocol ip pref 50000 handle 1 flower skip_sw dst_ip 224.0.0.18 ip_proto 0x70 action trap \
         cookie 6669727374686f70",
        "00000000 03000000 01000000 f2ffffff 080050c3 0b000100 666c6f77 65720000 68000200 08000c00 e0000012 08000d00 ffffffff \
         05000900 70000000 3c000300 38000100 09000100 67616374 00000000 1c000280 18000200 00000000 00000000 08000000 00000000 \
         00000000 0c000600 66697273 74686f70 08001600 02000000 06000800 08000000",
    ),
    (
        "tc filter add dev v0 ingress protocol 802.1q pref 50023 handle 1 flower skip_sw vlan_id 10 vlan_ethtype ipv6 \
         dst_ip ff02::12 ip_proto 0x70 action trap cookie 6669727374686f70",
        "00000000 03000000 01000000 f2ffffff 810067c3 0b000100 666c6f77 65720000 90000200 06001700 0a000000 06001900 86dd0000 \
         14001000 ff020000 00000000 00000000 00000012 14001100 ffffffff ffffffff ffffffff ffffffff 05000900 70000000 3c000300 \
         38000100 09000100 67616374 00000000 1c000280 18000200 00000000 00000000 08000000 00000000 00000000 0c000600 66697273 \
         74686f70 08001600 02000000 06000800 81000000",
    ),
    (
        "tc qdisc add dev v0 clsact",
        "00000000 03000000 0000ffff f1ffffff 00000000 0b000100 636c7361 63740000",
    ),
];

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// Attributes in the order of their numbers, at any depth that has nests, without padding and the flag of nests.
fn sorted(octets: &[u8], nests: &[&[u16]], path: &[u16]) -> Vec<(Vec<u16>, Vec<u8>)> {
    let mut found = Vec::new();
    for (number, value) in message::attributes(octets).unwrap() {
        let path = [path, &[number]].concat();
        if nests.contains(&path.as_slice()) {
            found.extend(sorted(value, nests, &path));
        } else {
            found.push((path, value.to_vec()));
        }
    }
    found.sort();
    found
}

// Broken if a rule were another one than the `tc` command that tc-tests and the documentation have.
#[test]
#[cfg(target_endian = "little")]
fn the_octets_are_those_of_tc() {
    let nests: [&[u16]; 4] = [&[2], &[2, 3], &[2, 3, 1], &[2, 3, 1, 2]];
    let own = [
        message::add(rule(None, Family::Ipv4)),
        message::add(rule(Some(10), Family::Ipv6)),
        message::clsact(message::RTM_NEWQDISC, PORT),
    ];
    for (own, (command, recorded)) in own.iter().zip(RECORDED) {
        let recorded = octets(recorded);
        let ((own_header, own), (header, recorded)) =
            (own.octets.split_at(20), recorded.split_at(20));
        assert_eq!(own_header, header, "{command}");
        assert_eq!(sorted(own, &nests, &[]), sorted(recorded, &nests, &[]), "{command}");
    }
}

/// A rule as the kernel shows it: in hardware, with the inner Ethernet type, and what `change` makes of the request's octets.
fn shown(
    rule: ControlRule,
    change: impl FnOnce(&mut Vec<u8>),
) -> Result<Option<Filter>, FlowerError> {
    let mut row = message::add(rule);
    row.kind = message::RTM_NEWTFILTER;
    replace(&mut row.octets, &[8, 0, 22, 0, 2, 0, 0, 0], &[8, 0, 22, 0, 6, 0, 0, 0]);
    change(&mut row.octets);
    message::read(&row, PORT)
}

fn replace(octets: &mut [u8], old: &[u8], new: &[u8]) {
    let at = octets.windows(old.len()).position(|window| window == old).expect("it is there");
    octets[at..at + new.len()].copy_from_slice(new);
}

// Broken if a restarted daemon did not know its rules, or took for one of its own what only looks like it.
#[test]
#[cfg(target_endian = "little")]
fn what_is_ours_and_what_is_as_good() {
    for rule in [rule(None, Family::Ipv4), rule(Some(10), Family::Ipv4), rule(None, Family::Ipv6)] {
        let own = Filter { ours: Some(rule), does: Some(rule), in_hardware: true };
        assert_eq!(shown(rule, |_| {}), Ok(Some(own.clone())));
        let foreign = Filter { ours: None, ..own.clone() };
        let other_prio = |octets: &mut Vec<u8>| octets[18] ^= 1;
        assert_eq!(shown(rule, other_prio), Ok(Some(foreign.clone())), "another prio");
        let other_handle = |octets: &mut Vec<u8>| octets[8] = 2;
        assert_eq!(shown(rule, other_handle), Ok(Some(foreign.clone())), "another handle");
        let other_cookie = |octets: &mut Vec<u8>| replace(octets, b"firsthop", b"lasthop!");
        assert_eq!(shown(rule, other_cookie), Ok(Some(foreign.clone())), "another cookie");
        // TC_ACT_SHOT in the place of TC_ACT_TRAP
        let other_action = |octets: &mut Vec<u8>| {
            replace(
                octets,
                &[24, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8],
                &[24, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
            );
        };
        let other = Filter { ours: None, does: None, in_hardware: true };
        assert_eq!(shown(rule, other_action), Ok(Some(other.clone())), "another action");
        let other_protocol =
            |octets: &mut Vec<u8>| replace(octets, &[5, 0, 9, 0, 112], &[5, 0, 9, 0, 89]);
        assert_eq!(shown(rule, other_protocol), Ok(Some(other.clone())), "OSPF");
        // one field more: TCP_SRC
        let narrower = |octets: &mut Vec<u8>| {
            let length = u16::from_ne_bytes([octets[32], octets[33]]) + 8;
            octets[32..34].copy_from_slice(&length.to_ne_bytes());
            octets.extend([6, 0, 18, 0, 0, 80, 0, 0]);
        };
        assert_eq!(shown(rule, narrower), Ok(Some(other)), "only some of the frames");
        let waiting = |octets: &mut Vec<u8>| replace(octets, &[22, 0, 6], &[22, 0, 10]);
        let waiting = shown(rule, waiting).unwrap().unwrap();
        assert_eq!((waiting.ours, waiting.in_hardware), (Some(rule), false), "not_in_hw");
        let software = |octets: &mut Vec<u8>| replace(octets, &[22, 0, 6], &[22, 0, 4]);
        assert!(!shown(rule, software).unwrap().unwrap().in_hardware, "in software as well");
        let elsewhere = |octets: &mut Vec<u8>| octets[4] = 4;
        assert_eq!(shown(rule, elsewhere), Ok(None), "another port");
    }
}

// Broken if a filter of another kind, or the row of a prio, did not keep a clsact from being removed.
#[test]
fn every_filter_counts() {
    let other = Filter { ours: None, does: None, in_hardware: false };
    let mut row = message::remove(rule(None, Family::Ipv4));
    assert_eq!(message::read(&row, PORT), Ok(Some(other.clone())), "no options");
    replace(&mut row.octets, b"flower", b"matchl");
    assert_eq!(message::read(&row, PORT), Ok(Some(other)));
}

// Broken if a damaged answer were a panic, or read as no filter at all.
#[test]
fn a_damaged_answer_is_no_answer() {
    let whole = message::add(rule(Some(10), Family::Ipv6)).octets;
    for length in 0..whole.len() {
        let row = Message { kind: message::RTM_NEWTFILTER, octets: whole[..length].to_vec() };
        let read = message::read(&row, PORT);
        // an end between two attributes, or in padding, cannot be told; it is a filter all the same
        assert!(
            matches!(length, 20 | 31 | 32) || read == Err(FlowerError::Undecodable),
            "{length}: {read:?}"
        );
    }
    for at in 20..whole.len() {
        let mut octets = whole.clone();
        octets[at] ^= 0xff;
        message::read(&Message { kind: message::RTM_NEWTFILTER, octets }, PORT).ok();
    }
}

// Broken if a rule that is not in hardware passed for a trap, or a rule of ours for somebody else's.
#[test]
fn how_a_rule_stands() {
    let rule = rule(None, Family::Ipv4);
    let ours = Filter { ours: Some(rule), does: Some(rule), in_hardware: true };
    let theirs = Filter { ours: None, ..ours.clone() };
    let absent = Filter { in_hardware: false, ..ours.clone() };
    assert_eq!(standing(&[], rule), Standing::Absent);
    assert_eq!(standing(std::slice::from_ref(&absent), rule), Standing::Absent);
    assert_eq!(standing(&[absent.clone(), theirs.clone()], rule), Standing::Theirs);
    assert_eq!(standing(&[theirs.clone(), ours.clone()], rule), Standing::Ours);
    let other = ControlRule { vlan: Some(10), ..rule };
    assert_eq!(standing(&[theirs, ours.clone()], other), Standing::Absent);
    let wish = |rules: &[ControlRule]| Wish {
        port: PORT,
        rules: rules.iter().copied().collect(),
        write: true,
        clsact: true,
    };
    assert_eq!(ours.unwanted(&wish(&[])), Some(rule));
    assert_eq!(ours.unwanted(&wish(&[rule])), None);
    assert_eq!(absent.unwanted(&wish(&[rule])), Some(rule), "it has to be made anew");
}
