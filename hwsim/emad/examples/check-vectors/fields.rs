//! How are the values of a vector read, when people spell them in several ways?
//!
//! In: the object `fields` of a vector. Out: numbers, flags, names, addresses, by any of the names they go by. Keys may
//! have the register's name in front (`ritr_if_mac`) or `rec_`; names of values may be the driver's constants, of
//! which the last words count (`MLXSW_REG_SFD_REC_ACTION_NOP`). A key that nobody asked for is an error, so that no
//! field goes unchecked.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use emad::Mac;
use serde_json::Value;

/// The fields of a vector or of one of its records.
pub(crate) struct Fields {
    values: BTreeMap<String, Value>,
}

impl Fields {
    pub(crate) fn new(register: &str, value: &Value) -> Result<Self, String> {
        let object = value.as_object().ok_or_else(|| format!("Not an object: {value}"))?;
        let prefix = format!("{register}_");
        let mut values = BTreeMap::new();
        for (key, value) in object {
            let key = key.to_ascii_lowercase();
            let key = key.strip_prefix(&prefix).unwrap_or(&key);
            let key = key.strip_prefix("rec_").unwrap_or(key);
            if values.insert(key.to_owned(), value.clone()).is_some() {
                return Err(format!("Field {key} is given twice"));
            }
        }
        Ok(Self { values })
    }

    /// Whether any of the names is there.
    pub(crate) fn has(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.values.contains_key(*name))
    }

    /// The value under the first of the names that is there.
    pub(crate) fn take(&mut self, names: &[&str]) -> Option<Value> {
        names.iter().find_map(|name| self.values.remove(*name))
    }

    /// A number, or `default` if it is not there.
    pub(crate) fn number<T: TryFrom<u64>>(
        &mut self,
        names: &[&str],
        default: T,
    ) -> Result<T, String> {
        let Some(value) = self.take(names) else { return Ok(default) };
        number(&value).and_then(|n| T::try_from(n).ok()).ok_or_else(|| bad(names, &value))
    }

    /// A number that has to be there.
    pub(crate) fn need<T: TryFrom<u64>>(&mut self, names: &[&str]) -> Result<T, String> {
        let value = self.take(names).ok_or_else(|| missing(names))?;
        number(&value).and_then(|n| T::try_from(n).ok()).ok_or_else(|| bad(names, &value))
    }

    /// A flag, or `default` if it is not there.
    pub(crate) fn flag(&mut self, names: &[&str], default: bool) -> Result<bool, String> {
        match self.number(names, u8::from(default))? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(bad(names, &other.into())),
        }
    }

    /// A value with a name or a number.
    pub(crate) fn code(
        &mut self,
        names: &[&str],
        default: u8,
        named: impl Fn(&str) -> Option<u8>,
    ) -> Result<u8, String> {
        let Some(value) = self.take(names) else { return Ok(default) };
        code(&value, named).ok_or_else(|| bad(names, &value))
    }

    pub(crate) fn mac(&mut self, names: &[&str]) -> Result<Mac, String> {
        let value = self.take(names).ok_or_else(|| missing(names))?;
        let text = value.as_str().ok_or_else(|| bad(names, &value))?;
        let octets = || hex(text).ok().and_then(|bytes| <[u8; 6]>::try_from(bytes).ok());
        text.parse().ok().or_else(|| octets().map(Mac)).ok_or_else(|| bad(names, &value))
    }

    /// An address `stem`, `stem4`, `stem6`, each also with `_hex`, or none.
    pub(crate) fn address(&mut self, stem: &str, suffix: &str) -> Result<Option<IpAddr>, String> {
        for infix in ["", "4", "6", "v4", "v6", "_ipv4", "_ipv6"] {
            for ending in ["", "_hex"] {
                let name = format!("{stem}{infix}{suffix}{ending}");
                if let Some(value) = self.values.remove(&name) {
                    return address(&value).map(Some).ok_or_else(|| bad(&[&name], &value));
                }
            }
        }
        Ok(None)
    }

    /// A list, empty if it is not there; `null` and a single value count as lists.
    pub(crate) fn list(&mut self, names: &[&str]) -> Vec<Value> {
        match self.take(names) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(values)) => values,
            Some(value) => vec![value],
        }
    }

    /// That nothing is left over.
    pub(crate) fn finish(&self) -> Result<(), String> {
        match self.values.keys().next() {
            None => Ok(()),
            Some(key) => Err(format!("Unknown field {key}")),
        }
    }
}

/// The bytes of hexadecimal text; spaces and colons between them are allowed.
pub(crate) fn hex(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text).bytes();
    let digits: Vec<u8> = digits.filter(|b| !matches!(b, b' ' | b':')).collect();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes = pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?));
    match bytes.collect::<Option<_>>() {
        Some(bytes) if rest.is_empty() => Ok(bytes),
        _ => Err(format!("Not hexadecimal: {text}")),
    }
}

/// A number, flag, or text of a number.
pub(crate) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Bool(flag) => Some((*flag).into()),
        Value::String(text) => match text.to_ascii_lowercase().strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        },
        value => value.as_u64(),
    }
}

/// A number or a name, of which leading words may be left over.
pub(crate) fn code(value: &Value, named: impl Fn(&str) -> Option<u8>) -> Option<u8> {
    if let Some(text) = value.as_str() {
        let text = text.to_ascii_lowercase().replace(['-', ' '], "_");
        let ends = text.match_indices('_').map(|(at, _)| &text[at + 1..]);
        if let Some(code) = std::iter::once(&*text).chain(ends).find_map(named) {
            return Some(code);
        }
    }
    number(value).and_then(|n| u8::try_from(n).ok())
}

fn address(value: &Value) -> Option<IpAddr> {
    let Some(text) = value.as_str() else {
        return u32::try_from(value.as_u64()?).ok().map(|ip| Ipv4Addr::from(ip).into());
    };
    if let Ok(ip) = text.parse() {
        return Some(ip);
    }
    let bytes = hex(text).ok()?;
    let ipv4 = || <[u8; 4]>::try_from(&*bytes).ok().map(|octets| Ipv4Addr::from(octets).into());
    let ipv6 = || <[u8; 16]>::try_from(&*bytes).ok().map(|octets| Ipv6Addr::from(octets).into());
    ipv4().or_else(ipv6)
}

fn bad(names: &[&str], value: &Value) -> String {
    format!("Field {} cannot be {value}", names[0])
}

fn missing(names: &[&str]) -> String {
    format!("Field {} is missing", names[0])
}
