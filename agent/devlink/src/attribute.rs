//! Which attributes are there? Walks `struct nlattr` with bounds checks, and writes it.
//!
//! ```text
//!  0        2      4
//!  | length | type | value …, padded to 4 octets | next attribute …      length counts the first four octets
//!             └ NLA_F_NESTED 0x8000 and NLA_F_NET_BYTEORDER 0x4000 are not part of the number
//! ```
//!
//! Nothing is skipped for being number 0, which statistics and metadata use, and nothing depends on NLA_F_NESTED, which
//! the kernel sets on some of devlink's nests only (`nla_nest_start_noflag`).

use crate::fault::Fault;

const HEADER: usize = 4;
const NESTED: u16 = 0x8000;
const NUMBER: u16 = 0x3fff;
/// `DEVLINK_ATTR_PAD`: comes before numbers of 64 bits where the machine wants them aligned.
const PAD: u16 = 61;
/// How deep attributes may nest. The kernel's devlink has at most 8 levels, and 4 of resources.
const DEEPEST: usize = 32;

/// An attribute that the type it was found in does not know.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OtherAttribute {
    /// `nla_type`, with its flags `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`.
    pub kind: u16,
    /// The value, without padding; at most 65,531 octets.
    pub value: Vec<u8>,
}

impl OtherAttribute {
    /// The number without the flags; it counts in the nest it was found in.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.kind & NUMBER
    }
}

/// One attribute of a message, and how deep it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attribute<'a> {
    kind: u16,
    pub(crate) value: &'a [u8],
    depth: usize,
}

impl<'a> Attribute<'a> {
    pub(crate) fn number(&self) -> u16 {
        self.kind & NUMBER
    }

    pub(crate) fn is_pad(&self) -> bool {
        self.number() == PAD && self.value.is_empty()
    }

    /// What is inside.
    pub(crate) fn nested(&self, name: &'static str) -> Result<Attributes<'a>, Fault> {
        if self.depth >= DEEPEST {
            return Err(Fault::TooDeep { attribute: name, deepest: DEEPEST });
        }
        Ok(Attributes { rest: self.value, depth: self.depth + 1 })
    }

    pub(crate) fn to_other(self) -> OtherAttribute {
        OtherAttribute { kind: self.kind, value: self.value.to_vec() }
    }
}

/// The attributes of a message or a nest; ends after the first that does not fit. As in the kernel's `nla_ok`, fewer
/// octets than a header at the end are padding.
#[derive(Debug, Clone)]
pub(crate) struct Attributes<'a> {
    rest: &'a [u8],
    depth: usize,
}

impl<'a> Attributes<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets, depth: 0 }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest;
        let [l0, l1, k0, k1] = *rest.first_chunk::<HEADER>()?;
        let kind = u16::from_ne_bytes([k0, k1]);
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let Some(value) = rest.get(HEADER..length) else {
            self.rest = &[];
            return Some(Err(Fault::Overrun {
                number: kind & NUMBER,
                need: length,
                have: rest.len(),
            }));
        };
        self.rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some(Ok(Attribute { kind, value, depth: self.depth }))
    }
}

/// Appends an attribute. One that is longer than `nla_len` can say, 65,535 octets with its header, is left out: netlink
/// cannot carry it.
pub(crate) fn append(out: &mut Vec<u8>, kind: u16, nested: bool, value: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    let kind = if nested { kind | NESTED } else { kind };
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&kind.to_ne_bytes());
    value(out);
    let Ok(length) = u16::try_from(out.len() - start) else {
        out.truncate(start);
        return;
    };
    out[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    out.resize(start + usize::from(length).next_multiple_of(4), 0);
}
