//! Is one vector right in both directions?
//!
//! In: a line of JSON. Out: nothing, or what is wrong: the register, the direction, the first byte that differs.

use emad::Register;
use emad::register::id_of;
use serde_json::Value;

use crate::build;
use crate::fields::{Fields, hex};

/// Checks one vector: `fields` encode to `hex`, and `hex` decodes to `fields`.
///
/// Fields that the vector does not list have the value that the driver always writes; so the decoded register has to
/// equal the one that was built, field by field.
pub(crate) fn line(text: &str) -> Result<(), String> {
    let vector: Value = serde_json::from_str(text).map_err(|error| format!("Not JSON: {error}"))?;
    let name = vector.get("reg").and_then(Value::as_str).ok_or("Key reg is missing")?;
    let name = name.to_ascii_lowercase();
    register(&name, &vector).map_err(|problem| format!("{name}: {problem}"))
}

fn register(name: &str, vector: &Value) -> Result<(), String> {
    let id = id_of(name).ok_or("Unknown register")?;
    let fields = vector.get("fields").ok_or("Key fields is missing")?;
    let expected = vector.get("hex").and_then(Value::as_str).ok_or("Key hex is missing")?;
    let expected = hex(expected)?;
    if let Some(listed) = vector.get("id").and_then(Value::as_u64)
        && listed != u64::from(id)
    {
        return Err(format!("Register id is 0x{listed:04x}, ours is 0x{id:04x}"));
    }
    if let Some(listed) = vector.get("len").and_then(Value::as_u64)
        && listed != expected.len() as u64
    {
        return Err(format!("Length is {listed}, the hex has {} bytes", expected.len()));
    }

    let mut fields = Fields::new(name, fields)?;
    let built = build::register(name, &mut fields)?;
    fields.finish()?;

    let encoded = built.encode();
    if encoded != expected {
        return Err(format!("Encoding differs {}", difference(&expected, &encoded)));
    }
    let decoded =
        Register::decode(id, &expected).map_err(|error| format!("Not decoded: {error}"))?;
    if decoded != built {
        return Err(format!("Decoding differs: expected {built:?}, got {decoded:?}"));
    }
    Ok(())
}

/// Where two payloads begin to differ, and the words there.
fn difference(expected: &[u8], actual: &[u8]) -> String {
    let pairs = expected.iter().zip(actual);
    let Some(offset) = pairs.clone().position(|(a, b)| a != b) else {
        return format!("in length: expected {} bytes, got {}", expected.len(), actual.len());
    };
    let word = |bytes: &[u8]| {
        let bytes = bytes.iter().skip(offset & !3).take(4);
        bytes.map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    format!(
        "at byte 0x{offset:02x}: in the word at 0x{:02x} expected {}, got {}",
        offset & !3,
        word(expected),
        word(actual)
    )
}
