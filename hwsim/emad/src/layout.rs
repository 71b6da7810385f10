//! What is a register layout, and what can be wrong with a payload?
//!
//! In: a payload, as it lies in the register TLV. Out: a struct, or [`DecodeError`].
//! The macros at the end let a layout be written as the table that the data sheet has: field, type, place.

use std::ops::Range;

/// A register: a struct with a fixed place in the payload for each of its fields.
pub trait Layout: Sized {
    /// Register id in the operation TLV.
    const ID: u16;
    /// Payload length in bytes; a multiple of four.
    const LEN: usize;
    /// The register's name, lower case, e.g. `ritr`.
    const NAME: &'static str;

    /// Writes the fields into `payload`, `LEN` zero bytes. Values wider than their field lose their high bits.
    fn write(&self, payload: &mut [u8]);

    /// Reads the fields from `payload`, at least `LEN` bytes; missing bytes read as zero.
    ///
    /// # Errors
    /// A value that no variant can hold, or too many records.
    fn read(payload: &[u8]) -> Result<Self, DecodeError>;

    /// The payload, `LEN` bytes.
    #[must_use]
    fn encode(&self) -> Vec<u8> {
        let mut payload = vec![0; Self::LEN];
        self.write(&mut payload);
        payload
    }

    /// The fields of `payload`. Bytes after `LEN` are ignored: newer firmware appends fields.
    ///
    /// # Errors
    /// [`DecodeError::Short`], and those of [`Layout::read`].
    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        if payload.len() < Self::LEN {
            return Err(DecodeError::Short {
                register: Self::NAME,
                expected: Self::LEN,
                actual: payload.len(),
            });
        }
        Self::read(payload)
    }
}

/// Why a payload is not the register that it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Fewer bytes than the register has.
    #[error("Register {register} needs {expected} bytes, got {actual}")]
    Short {
        /// Name of the register.
        register: &'static str,
        /// Its length in bytes.
        expected: usize,
        /// Length of the payload in bytes.
        actual: usize,
    },
    /// No layout is known for this id.
    #[error("Register 0x{id:04x} is not known")]
    UnknownRegister {
        /// The id from the operation TLV.
        id: u16,
    },
    /// A field decides how the rest is read, and has a value for which that is not known.
    #[error("Register {register}, field {field}: value {value} is not known")]
    UnknownValue {
        /// Name of the register.
        register: &'static str,
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: u32,
    },
    /// The record count is larger than the payload has room for.
    #[error("Register {register} holds at most {max} records, got {count}")]
    TooManyRecords {
        /// Name of the register.
        register: &'static str,
        /// The count in the payload.
        count: usize,
        /// The most that fit.
        max: usize,
    },
}

/// The records that are there, of `len` bytes each: the first `count` in `area`, less those at the end that say nothing,
/// as in the request of a dump, which says how many records it wants and has none.
pub(crate) fn records<L: Layout, R: PartialEq>(
    payload: &[u8],
    area: Range<usize>,
    len: usize,
    count: u8,
    read: impl Fn(&[u8]) -> Result<R, DecodeError>,
) -> Result<Vec<R>, DecodeError> {
    let area = payload.get(area).unwrap_or_default();
    let (count, max) = (usize::from(count), area.len() / len);
    if count > max {
        return Err(DecodeError::TooManyRecords { register: L::NAME, count, max });
    }
    let mut records =
        area.chunks_exact(len).take(count).map(&read).collect::<Result<Vec<_>, _>>()?;
    let blank = read(&vec![0; len])?;
    while records.last() == Some(&blank) {
        records.pop();
    }
    Ok(records)
}

/// A struct whose fields have fixed places: `field: Type = place`. Adds `read_from` and `write_to`.
macro_rules! fields {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[$field_meta:meta])* $field:ident: $type:ty = $place:expr,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $(
                $(#[$field_meta])*
                #[doc = concat!("\n\nPlace: `", stringify!($place), "`.")]
                pub $field: $type,
            )*
        }

        impl $name {
            pub(crate) fn read_from(bytes: &[u8]) -> Self {
                Self { $($field: $crate::field::read(bytes, $place),)* }
            }

            pub(crate) fn write_to(&self, bytes: &mut [u8]) {
                $($crate::field::write(&self.$field, bytes, $place);)*
            }

            /// A value of each field that fits its place.
            #[cfg(test)]
            pub(crate) fn sample(source: &mut $crate::field::Sampler) -> Self {
                Self { $($field: $crate::field::sample($place, source),)* }
            }
        }
    };
}

/// A register that consists of [`fields!`] alone: `struct Name = (id, length, "name")`.
macro_rules! register {
    (
        $(#[$meta:meta])*
        pub struct $name:ident = ($id:literal, $len:literal, $text:literal) { $($body:tt)* }
    ) => {
        $crate::layout::fields! {
            $(#[$meta])*
            pub struct $name { $($body)* }
        }

        impl $crate::Layout for $name {
            const ID: u16 = $id;
            const LEN: usize = $len;
            const NAME: &'static str = $text;

            fn write(&self, payload: &mut [u8]) {
                self.write_to(payload);
            }

            fn read(payload: &[u8]) -> Result<Self, $crate::DecodeError> {
                Ok(Self::read_from(payload))
            }
        }
    };
}

/// The values of a field that have names; all others are `Other`.
macro_rules! codes {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $code:literal $text:literal,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)*
            /// A value without a name. Only as many bits as the field has reach the wire.
            Other(u8),
        }

        impl $name {
            /// Every value that has a name.
            pub const NAMED: &'static [Self] = &[$(Self::$variant,)*];

            /// The variant for a value; never fails.
            #[must_use]
            pub const fn from_code(code: u8) -> Self {
                match code {
                    $($code => Self::$variant,)*
                    other => Self::Other(other),
                }
            }

            /// The value on the wire.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self {
                    $(Self::$variant => $code,)*
                    Self::Other(code) => code,
                }
            }

            /// The name of the value, lower case with underscores.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some($text),)*
                    Self::Other(_) => None,
                }
            }

            /// The variant of that name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        /// The value 0.
        impl Default for $name {
            fn default() -> Self {
                Self::from_code(0)
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{}", self.code()),
                }
            }
        }

        impl $crate::field::Code for $name {
            fn from_code(code: u8) -> Self {
                Self::from_code(code)
            }

            fn code(&self) -> u8 {
                (*self).code()
            }
        }
    };
}

/// An operation whose meaning depends on the method: the same number says one thing in a query and another in a write.
macro_rules! operations {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[$const_meta:meta])* $constant:ident = $code:literal $text:literal,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub u8);

        impl $name {
            $($(#[$const_meta])* pub const $constant: Self = Self($code);)*

            /// The operation of that name, e.g. `write_edit`.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$constant),)*
                    _ => None,
                }
            }
        }

        impl $crate::field::Code for $name {
            fn from_code(code: u8) -> Self {
                Self(code)
            }

            fn code(&self) -> u8 {
                self.0
            }
        }
    };
}

pub(crate) use {codes, fields, operations, register};
