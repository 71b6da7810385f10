use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

// keepalived 2.2.7 with use_vmac, as captured behind its device. VRID 51, priority 200, every 100 ms.
const V4: &str = "01005e000012 00005e000133 0800 45c0002000030000ff70d08e 0a090001 e0000012 \
    3133c801000a1121 0a0900fe";
const V6: &str = "333300000012 00005e000233 86dd 6c056b9d002870ff \
    fe8000000000000050c5a6fffec7a493 ff020000000000000000000000000012 \
    3133c802000a3e89 fe800000000000000000000000000051 20010db8000900000000000000000254";
// VRID 52, priority 150, every second, with a password.
const V2: &str = "01005e000012 00005e000134 0800 45c0002800010000ff70d088 0a090001 e0000012 \
    213496010101 0077 0a0900fd 7365637265740000";

fn bytes(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(octet).collect()
}

fn advertisement(frame: &[u8]) -> Advertisement {
    match parse(frame) {
        Ok(Found::Advertisement(advertisement)) => advertisement,
        other => panic!("{other:?}"),
    }
}

/// The IPv4 header and message of a captured frame with another message, and as Ethernet pads it.
fn with_message(protocol: u8, message: &[u8]) -> Vec<u8> {
    let mut frame = bytes(V4);
    frame.truncate(34);
    frame.extend(message);
    frame[17] = u8::try_from(20 + message.len()).unwrap();
    frame[23] = protocol;
    frame.resize(frame.len().max(60), 0);
    frame
}

// Broken if a member of a version 3 advertisement were read from another place.
#[test]
fn version_3() {
    let found = advertisement(&bytes(V4));
    assert_eq!((found.version, found.family, found.vrid.get()), (3, Family::Ipv4, 51));
    assert_eq!((found.priority, found.interval), (200, Duration::from_millis(100)));
    assert_eq!(found.mac.to_string(), "00:00:5e:00:01:33");
    assert_eq!(found.source.to_string(), "10.9.0.1");
    assert_eq!(found.addresses, BTreeSet::from(["10.9.0.254".parse().unwrap()]));
    // the four bits before the interval are reserved
    let mut odd = bytes(V4);
    odd[38] = 0xf1;
    assert_eq!(advertisement(&odd).interval, Duration::from_millis((256 + 10) * 10));
}

// Broken if IPv6 advertisements were not read, or their addresses taken for four octets each.
#[test]
fn version_3_over_ipv6() {
    let found = advertisement(&bytes(V6));
    assert_eq!((found.version, found.family, found.vrid.get()), (3, Family::Ipv6, 51));
    assert_eq!((found.priority, found.interval), (200, Duration::from_millis(100)));
    assert_eq!(found.source.to_string(), "fe80::50c5:a6ff:fec7:a493");
    let addresses = ["fe80::51", "2001:db8:9::254"].map(|text| text.parse().unwrap());
    assert_eq!(found.addresses, BTreeSet::from(addresses));
    assert_eq!(found.checksum, Checksum::PseudoHeader);
}

// Broken if the authentication text were taken for addresses, or the interval for hundredths.
#[test]
fn version_2_with_a_password() {
    let found = advertisement(&bytes(V2));
    assert_eq!((found.version, found.vrid.get(), found.priority), (2, 52, 150));
    assert_eq!(found.interval, Duration::from_secs(1));
    assert_eq!(found.addresses, BTreeSet::from(["10.9.0.253".parse().unwrap()]));
    assert_eq!(found.checksum, Checksum::Message);
}

// Broken if the two ways to compute a checksum could not be told apart, or a wrong one decided anything.
#[test]
fn checksums() {
    let of = |frame: &[u8]| advertisement(frame).checksum;
    assert_eq!(of(&bytes(V4)), Checksum::PseudoHeader);
    // 3133 + c801 + 000a + 0a09 + 00fe = 10445, carried 0446; its complement
    let mut message_only = bytes(V4);
    message_only[40..42].copy_from_slice(&[0xfb, 0xb9]);
    assert_eq!(of(&message_only), Checksum::Message);
    let mut wrong = bytes(V4);
    wrong[41] ^= 1;
    assert_eq!(of(&wrong), Checksum::Neither);
    let rest = |frame: &[u8]| Advertisement { checksum: Checksum::Neither, ..advertisement(frame) };
    assert_eq!(rest(&wrong), rest(&bytes(V4)));
}

// Broken if CARP were taken for a VRRP router with seven addresses, or such a VRRP router for CARP.
#[test]
fn carp_is_told_apart() {
    let mut carp = vec![0x21, 1, 0, 7, 0, 1, 0, 0];
    carp.extend([0xaa; 28]);
    assert_eq!(parse(&with_message(VRRP, &carp)), Ok(Found::Carp));
    carp.extend([0; 8]);
    assert_eq!(advertisement(&with_message(VRRP, &carp)).version, 2);
}

// Broken if a router alert or another option moved what is read.
#[test]
fn ipv4_options() {
    let mut frame = bytes(V4);
    frame[14] = 0x46;
    frame[17] += 4;
    frame.splice(34..34, [0x94, 4, 0, 0]);
    assert_eq!(advertisement(&frame), advertisement(&bytes(V4)));
}

// Broken if what a daemon ignores were believed.
#[test]
fn what_daemons_ignore() {
    let with = |at: usize, octet: u8| {
        let mut frame = bytes(V4);
        frame[at] = octet;
        parse(&frame)
    };
    assert_eq!(with(22, 254), Err(Malformed::HopLimit(254)));
    assert_eq!(with(20, 0x20), Err(Malformed::Fragment), "the first of several");
    assert_eq!(with(21, 1), Err(Malformed::Fragment), "a later one");
    assert!(with(20, 0x40).is_ok(), "FRR says: not to be fragmented");
    assert_eq!(with(14, 0x44), Err(Malformed::Header));
    assert_eq!(with(14, 0x65), Err(Malformed::Header));
    assert_eq!(with(17, 19), Err(Malformed::Header));
    assert_eq!(with(34, 0x41), Err(Malformed::Version(0x41)));
    assert_eq!(with(34, 0x32), Err(Malformed::Version(0x32)));
    assert_eq!(with(35, 0), Err(Malformed::Vrid));
    assert_eq!(with(39, 0), Err(Malformed::Interval));
    assert_eq!(with(37, 2), Err(Malformed::Short("VRRP message")), "more addresses than there are");
    let mut unicast = bytes(V4);
    (unicast[30], unicast[22]) = (10, 64);
    let peer = advertisement(&unicast).peer;
    assert_eq!(peer, Some("10.0.0.18".parse().unwrap()), "a peer in a cloud");
    assert_eq!(advertisement(&bytes(V4)).peer, None);
    let mut second = bytes(V6);
    second[54] = 0x21;
    assert_eq!(parse(&second), Err(Malformed::Version(0x21)), "there is no version 2 over IPv6");
}

// Broken if an authentication header went unnoticed, or a membership report were taken for one.
#[test]
fn other_protocols_on_the_group() {
    let source = "10.9.0.1".parse().unwrap();
    let foreign = |protocol| Ok(Found::Foreign { protocol, source });
    let mut inside = vec![112, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
    inside.extend(&bytes(V2)[34..]);
    assert_eq!(parse(&with_message(51, &inside)), foreign(51));
    assert_eq!(parse(&with_message(103, &[0x20, 0, 0, 0])), foreign(103));
    assert_eq!(parse(&with_message(2, &bytes("16000904e0000012"))), Ok(Found::Nothing));
    let mut arp = bytes(V4);
    arp[13] = 6;
    assert_eq!(parse(&arp), Ok(Found::Nothing));
}

// Broken if a frame that ends anywhere were read beyond its end, or half of one were believed.
#[test]
fn truncated_at_each_length() {
    for (text, whole) in [(V4, 46), (V2, 54), (V6, 94)] {
        let frame = bytes(text);
        for length in 0..whole {
            assert!(matches!(parse(&frame[..length]), Err(Malformed::Short(_))), "{length}");
        }
        assert!(parse(&frame).is_ok());
    }
}

/// Nothing impossible may come out, whatever goes in.
fn check(frame: &[u8]) {
    if let Ok(Found::Advertisement(found)) = parse(frame) {
        assert!(!found.interval.is_zero());
        assert!(found.addresses.len() <= 255);
        assert!(found.addresses.iter().all(|ip| ip.is_ipv4() == (found.family == Family::Ipv4)));
    }
}

proptest! {
    // Broken if any input led to a panic, or an advertisement without an interval.
    #[test]
    fn no_input_panics(noise in vec(any::<u8>(), 0..300)) {
        check(&noise);
    }

    // Broken if a frame that is almost right did.
    #[test]
    fn no_damage_panics(
        which in 0..3_usize,
        damage in vec((0..100_usize, any::<u8>()), 0..6),
        tail in vec(any::<u8>(), 0..80),
        cut in 0..200_usize,
    ) {
        let mut frame = bytes([V4, V6, V2][which]);
        frame.extend(tail);
        for (at, octet) in damage {
            if let Some(place) = frame.get_mut(at) {
                *place = octet;
            }
        }
        frame.truncate(cut);
        check(&frame);
    }
}
