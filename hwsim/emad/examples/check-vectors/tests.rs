//! The vectors of the repository, and what the checker says of wrong ones.

use std::collections::BTreeSet;

use emad::register::REGISTERS;
use serde_json::{Value, json};

use crate::check;

const DRIVER: &str = include_str!("../../vectors/registers.jsonl");
const LAYOUTS: &str = include_str!("../../vectors/layouts.jsonl");

fn problems(vectors: &str) -> Vec<String> {
    vectors.lines().filter_map(|line| check::line(line).err()).collect()
}

// Would break: a register does not have the bytes that the driver gives it.
#[test]
fn the_drivers_encodings_hold() {
    assert_eq!(problems(DRIVER), [""; 0]);
}

// Would break: a field lies elsewhere than the table of the driver says.
#[test]
fn the_field_tables_hold() {
    assert_eq!(problems(LAYOUTS), [""; 0]);
}

// Would break: a register could be wrong without any vector to show it.
#[test]
fn every_register_has_a_vector() {
    let tested: BTreeSet<String> = [DRIVER, LAYOUTS]
        .iter()
        .flat_map(|vectors| vectors.lines())
        .map(|line| {
            let vector: Value = serde_json::from_str(line).unwrap();
            vector["reg"].as_str().unwrap().to_owned()
        })
        .collect();
    let known: BTreeSet<String> = REGISTERS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(tested, known);
}

// Would break: a checker that finds nothing wrong with anything.
#[test]
fn one_wrong_byte_is_found() {
    for line in DRIVER.lines().chain(LAYOUTS.lines()) {
        let vector: Value = serde_json::from_str(line).unwrap();
        let hex = vector["hex"].as_str().unwrap();
        for digit in [0, hex.len() / 2, hex.len() - 1] {
            let mut wrong = vector.clone();
            let other = if hex.as_bytes()[digit] == b'0' { "f" } else { "0" };
            wrong["hex"] = Value::from(format!("{}{other}{}", &hex[..digit], &hex[digit + 1..]));
            let problem = check::line(&wrong.to_string()).unwrap_err();
            let place = format!("at byte 0x{:02x}:", digit / 2);
            assert!(problem.contains(&place), "{problem}");
        }
    }
}

/// A vector that is right.
fn spvid() -> Value {
    json!({"reg": "spvid", "fields": {"local_port": 5, "pvid": 10}, "hex": "000500000000000a", "id": 8206, "len": 8})
}

fn problem(vector: &Value) -> String {
    check::line(&vector.to_string()).unwrap_err()
}

// Would break: a vector that says nothing that can be checked passes.
#[test]
fn malformed_vectors_fail_by_name() {
    assert_eq!(check::line(&spvid().to_string()), Ok(()));
    assert!(check::line("{").unwrap_err().starts_with("Not JSON"));
    assert_eq!(check::line("[]").unwrap_err(), "Key reg is missing");
    for (key, value, expected) in [
        ("reg", json!("spam"), "spam: Unknown register"),
        ("fields", json!(7), "spvid: Not an object: 7"),
        ("hex", json!("00050"), "spvid: Not hexadecimal: 00050"),
        ("hex", json!("0x"), "spvid: Length is 8, the hex has 0 bytes"),
        ("id", json!(1), "spvid: Register id is 0x0001, ours is 0x200e"),
        ("len", json!(4), "spvid: Length is 4, the hex has 8 bytes"),
    ] {
        let mut vector = spvid();
        vector[key] = value;
        assert_eq!(problem(&vector), expected);
    }
    for (key, value, expected) in [
        ("pvid", Value::Null, "spvid: Field pvid cannot be null"),
        ("colour", json!(1), "spvid: Unknown field colour"),
        ("sub_port", json!(1), "spvid: Field sub_port cannot be 1"),
        (
            "pvid",
            json!(11),
            "spvid: Encoding differs at byte 0x07: in the word at 0x04 expected 0000000a, got 0000000b",
        ),
    ] {
        let mut vector = spvid();
        vector["fields"][key] = value;
        assert_eq!(problem(&vector), expected);
    }
    // A value that does not fit its field cannot be read back.
    let mut vector = spvid();
    vector["fields"]["pvid"] = json!(0x100a);
    assert!(problem(&vector).starts_with("spvid: Decoding differs"));
}

// Would break: vectors that spell fields otherwise, as the driver's packing functions do, could not be checked.
#[test]
fn fields_may_be_spelled_in_other_ways() {
    for fields in [
        json!({"spvid_local_port": "0x5", "vid": "10", "et_vlan": false}),
        json!({"port": 5, "pvid": 10, "sub_port": 0}),
    ] {
        let mut vector = spvid();
        vector["fields"] = fields;
        assert_eq!(check::line(&vector.to_string()), Ok(()));
    }
    let hpkt = json!({
        "reg": "HPKT", "hex": "00 10 40 59 00 02 00 00 00 00 00 00 00 00 00 00",
        "fields": {"trap_id": 89, "action": "MLXSW_REG_HPKT_ACTION_TRAP_TO_CPU", "group": 4, "is_ctrl": true},
    });
    assert_eq!(check::line(&hpkt.to_string()), Ok(()));
}
