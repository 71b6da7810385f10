//! Properties that every layout has.

use std::net::IpAddr;

use proptest::prelude::*;

use self::samples::{DRAWS, any_register};
use super::*;
use crate::field::Sampler;
use crate::mac::Mac;

mod samples;

prop_compose! {
    fn register()(numbers in prop::collection::vec(any::<u64>(), DRAWS)) -> Register {
        any_register(&mut Sampler(numbers))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    // Would break: a field that is not read where it is written, or two fields in the same bits.
    #[test]
    fn every_register_survives_the_wire(register in register()) {
        let payload = register.encode();
        prop_assert_eq!(Register::decode(register.id(), &payload), Ok(register));
    }

    // Would break: a payload of the other side could end the program, or read differently the second time.
    #[test]
    fn any_payload_is_decoded_or_refused(
        index in 0..REGISTERS.len(), payload in prop::collection::vec(any::<u8>(), 0..1200),
    ) {
        let (_, id, len) = REGISTERS[index];
        match Register::decode(id, &payload) {
            Ok(register) => {
                prop_assert!(payload.len() >= len);
                prop_assert_eq!(Register::decode(id, &register.encode()), Ok(register));
            }
            Err(error) => prop_assert_eq!(matches!(error, DecodeError::Short { .. }), payload.len() < len),
        }
    }

    // Would break: a payload damaged on its way could end the program.
    #[test]
    fn a_damaged_payload_is_decoded_or_refused(
        register in register(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..9),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut payload = register.encode();
        for (index, value) in damage {
            *index.get_mut(&mut payload) = value;
        }
        if let Ok(damaged) = Register::decode(register.id(), &payload) {
            prop_assert_eq!(Register::decode(register.id(), &damaged.encode()), Ok(damaged));
        }
        payload.truncate(cut.index(payload.len()));
        let is_short = matches!(Register::decode(register.id(), &payload), Err(DecodeError::Short { .. }));
        prop_assert!(is_short);
    }

    // Would break: firmware that appends fields to a register could not be read any more.
    #[test]
    fn bytes_after_a_register_are_ignored(register in register(), more in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut payload = register.encode();
        payload.extend(more);
        prop_assert_eq!(Register::decode(register.id(), &payload), Ok(register));
    }
}

// Would break: two registers share an id or a name, or a frame cannot hold one.
#[test]
fn registers_are_distinct_and_fit_a_frame() {
    for (index, &(name, id, len)) in REGISTERS.iter().enumerate() {
        assert_eq!((id_of(name), name_of(id)), (Some(id), Some(name)), "register {index}");
        assert!(len.is_multiple_of(4) && len <= crate::frame::MAX_PAYLOAD_LEN, "{name}");
    }
    assert_eq!(id_of("nope"), None);
    assert_eq!(name_of(0), None);
}

// Would break: a VLAN or profile that is out of range changes another field of the same word.
#[test]
fn values_out_of_range_stay_in_their_field() {
    let wide = Ritr {
        if_mac_profile_id: 0xff,
        op: RitrOp::Other(0xff),
        kind: RitrType::VlanIf { vlan_id: 0xffff, efid: 7 },
        ..Ritr::default()
    };
    let fitting = Ritr {
        if_mac_profile_id: 15,
        op: RitrOp::Other(3),
        kind: RitrType::VlanIf { vlan_id: 4095, efid: 7 },
        ..Ritr::default()
    };
    assert_eq!(Ritr::decode(&wide.encode()), Ok(fitting));

    let mac = Mac([2, 0, 0, 0, 0, 1]);
    let wide = SfdRecord::unicast(SfdPolicy::Static, mac, 1, 0xffff, SfdAction::Nop, 3);
    let fitting = SfdRecord::unicast(SfdPolicy::Static, mac, 1, 4095, SfdAction::Nop, 3);
    assert_eq!(
        Sfd::new(SfdOp::WRITE_EDIT, vec![wide]).encode(),
        Sfd::new(SfdOp::WRITE_EDIT, vec![fitting]).encode()
    );

    let wide = Spvid { local_port: 0xffff, pvid: 0xffff, ..Spvid::default() };
    let fitting = Spvid { local_port: 1023, pvid: 4095, ..Spvid::default() };
    assert_eq!(wide.encode(), fitting.encode());
}

// Would break: more records than fit spill over, or vanish together with those that fit.
#[test]
fn records_that_do_not_fit_are_left_out() {
    let record = SfdRecord::router(Mac([2, 0, 0, 0, 0, 1]), 1);
    assert_eq!(Sfd::new(SfdOp::WRITE_EDIT, vec![record; 70]).records.len(), 64);
    assert_eq!(
        Spvm::decode(&Spvm::range(1, 1..=300, true, false).encode()).unwrap().records.len(),
        255
    );
    let learn = Spvmlr::decode(&Spvmlr::range(1, 1..=300, true).encode()).unwrap();
    assert_eq!(learn.records.len(), 255);
    let spms = Spms::vlan(1, 4096, SpmsState::Forwarding);
    assert_eq!(Spms::decode(&spms.encode()).unwrap().states.iter().count(), 0);
    let smid2 = Smid2::member(1, 1024, true, None);
    assert_eq!(Smid2::decode(&smid2.encode()).unwrap().port.len(), 0);
}

// Would break: the answer of a dump is cut short, or a count that is too large is believed.
#[test]
fn record_counts_are_checked() {
    let mut payload = Sfd::dump(0).encode();
    assert_eq!(Sfd::decode(&payload).unwrap(), Sfd::dump(0));
    payload[0x0b] = 65;
    let error = DecodeError::TooManyRecords { register: "sfd", count: 65, max: 64 };
    assert_eq!(Sfd::decode(&payload), Err(error));
}

// Would break: a register of a family that is not IP would be taken for IPv4.
#[test]
fn unknown_families_are_refused() {
    let mut payload = vec![0; Ralue::LEN];
    payload[0] = 2;
    let error = DecodeError::UnknownValue { register: "ralue", field: "protocol", value: 2 };
    assert_eq!(Ralue::decode(&payload), Err(error));
    assert_eq!(
        error_text(Ralue::ID, &payload),
        "Register ralue, field protocol: value 2 is not known"
    );
    assert_eq!(error_text(0x1234, &payload), "Register 0x1234 is not known");
    assert_eq!(error_text(Ralue::ID, &[]), "Register ralue needs 56 bytes, got 0");
}

fn error_text(id: u16, payload: &[u8]) -> String {
    Register::decode(id, payload).unwrap_err().to_string()
}

// Would break: names printed for people, or read from vectors, would not lead back to their value.
#[test]
fn named_values_have_one_name() {
    for &action in SfdAction::NAMED {
        assert_eq!(action.name().and_then(SfdAction::from_name), Some(action));
        assert_eq!(SfdAction::from_code(action.code()), action);
    }
    assert_eq!(SfdAction::ForwardIpRouter.to_string(), "forward_ip_router");
    assert_eq!(SfdAction::from_code(9).to_string(), "9");
    assert_eq!(SfdOp::from_name("write_remove"), Some(SfdOp::WRITE_REMOVE));
}

// Would break: the page of registers in the documentation differs from the code.
#[test]
fn the_documentation_lists_the_registers() {
    let page = include_str!("../../../../docs/registers.md");
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let listed: Vec<_> = rows.iter().map(|row| row.splitn(5, '|').collect::<Vec<_>>()).collect();
    let listed: Vec<_> = listed.iter().map(|row| row[1..4].join("|")).collect();
    let expected: Vec<_> = REGISTERS
        .iter()
        .map(|(name, id, len)| format!(" `{name}` | 0x{id:04x} | {len} "))
        .collect();
    assert_eq!(listed, expected);
}

/// The words of a payload that are not zero, with their offsets.
fn words(register: impl Into<Register>) -> Vec<(usize, u32)> {
    let payload = register.into().encode();
    let words = payload.as_chunks::<4>().0.iter().map(|word| u32::from_be_bytes(*word));
    words.enumerate().map(|(n, word)| (n * 4, word)).filter(|(_, word)| *word != 0).collect()
}

// Would break: what the agent writes most differs from what the driver writes.
#[test]
fn constructors_write_what_the_driver_writes() {
    let mac = Mac([0x00, 0x00, 0x5e, 0x00, 0x01, 0x45]);
    assert_eq!(
        words(Sfd::new(SfdOp::WRITE_EDIT, vec![SfdRecord::router(mac, 5341)])),
        [(0x04, 0x4000_0000), (0x08, 1), (0x14, 0x5e00_0145), (0x18, 0x14dd), (0x1c, 0x3000_0000)]
    );
    let learned = SfdRecord::unicast(SfdPolicy::Dynamic, mac, 1, 10, SfdAction::Nop, 53);
    let lag = SfdRecord::unicast_lag(SfdPolicy::Dynamic, mac, 1, 0, SfdAction::Nop, 7);
    let group = SfdRecord::multicast(mac, 1, SfdAction::Nop, 9);
    let target = |record| words(Sfd::new(SfdOp::WRITE_REMOVE, vec![record]))[2..].to_vec();
    let key = (0x14, 0x5e00_0145);
    assert_eq!(
        target(learned),
        [(0x10, 0x000c_0000), key, (0x18, 0x8000_0001), (0x1c, 0x000a_0035)]
    );
    assert_eq!(target(lag), [(0x10, 0x001c_0000), key, (0x18, 0x8000_0001), (0x1c, 7)]);
    assert_eq!(target(group), [(0x10, 0x0020_0000), key, (0x18, 0x1fff_0001), (0x1c, 9)]);

    let ritr = Ritr { rif: 5, ..Ritr::default() };
    assert_eq!(words(ritr.clone()), [(0x00, 0xbc80_0005), (0x04, 0x3d00_0000)]);
    assert_eq!(words(ritr.removal()), [(0x00, 0x3c90_0005), (0x04, 0x3d00_0000)]);
    assert_eq!(words(Ritr::query(5)), [(0x00, 5)]);
    assert_eq!(words(Svfa::vid(10, 2, None)), [(0x00, 1), (0x04, 0x0002_000a)]);
    assert_eq!(
        words(Svfa::port_vid(300, 10, 2, Some(4))),
        [(0x00, 0x002c_1101), (0x04, 0x0002_000a), (0x14, 0x0100_0004)]
    );
    assert_eq!(words(Reiv::port(4, 300, 10)), [(0x00, 1), (0x04, 4), (0xd0, 0x8000_000a)]);
    assert_eq!(words(Sfdf::new(SfdfFlush::PerFid { fid: 3 })), [(0x04, 0x1100_0000), (0x0c, 3)]);
    assert_eq!(words(Smid2::member(2, 1, true, None)), [(0x00, 2), (0x9c, 2), (0x11c, 2)]);
    assert_eq!(
        words(Smid2::member(2, 1, false, Some(3))),
        [(0x00, 2), (0x08, 0x0010_0003), (0x11c, 2)]
    );
    assert_eq!(
        words(Htgt::new(20, Some(13), 5, 5)),
        [(0x00, 20), (0x04, 0x0000_800d), (0x0c, 5), (0x10, 0x0005_0014)]
    );
    assert_eq!(words(Sldr::create(7)), [(0x00, 7)]);
    assert_eq!(words(Sldr::destroy(7)), [(0x00, 0x2000_0007)]);
    assert_eq!(
        words(Sldr::add_port(7, 53)),
        [(0x00, 0x4000_0007), (0x04, 0x0100_0000), (0x08, 53)]
    );
    assert_eq!(
        words(Sldr::remove_port(7, 53)),
        [(0x00, 0x6000_0007), (0x04, 0x0100_0000), (0x08, 53)]
    );
    assert_eq!(words(Slcr::global(Slcr::DRIVER, 9)), [(0x04, 0x0000_3ffe), (0x08, 9)]);
    assert_eq!(words(Slcor::add_port(300, 7, 2)), [(0x00, 0x002c_1007), (0x04, 2)]);
    assert_eq!(words(Slcor::collector(1, 7, true)), [(0x00, 0x4001_0007)]);
    assert_eq!(words(Slcor::collector(1, 7, false)), [(0x00, 0x8001_0007)]);
    assert_eq!(words(Slcor::remove_port(1, 7)), [(0x00, 0xc001_0007)]);
    assert_eq!(words(Sfdat::seconds(300)), [(0x04, 300)]);
    assert_eq!(words(Spaft::untagged(300, false)), [(0x00, 0x002c_1000), (0x04, 0x6000_0000)]);
    let host = IpAddr::from([10, 0, 0, 1]);
    assert_eq!(
        words(Ralue::new(
            RalueOp::WRITE_WRITE,
            1,
            host,
            32,
            RalueAction::Ip2me { tunnel_ptr: None }
        )),
        [(0x04, 0x0001_0000), (0x08, 32), (0x18, 0x0a00_0001), (0x1c, 0x8020_0002)]
    );
    assert_eq!(
        words(Rauht::new(RauhtOp::WRITE_DELETE, 4, mac, host)),
        [(0x00, 0x0030_0004), (0x1c, 0x0a00_0001), (0x70, 0x5e00_0145)]
    );
}
