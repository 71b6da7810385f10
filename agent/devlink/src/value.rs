//! How is a value of a type read from an attribute, and written? And the macros by which the message types say which
//! attribute a field is.
//!
//! ```text
//!   Field   what a struct has: Option<T> (absent or there), Vec<T> (any number of times), bool (a flag: present or not)
//!   Value   what one attribute holds: integers, text, octets, a code, a nest
//! ```

use crate::attribute::{Attribute, Attributes, append};
use crate::fault::Fault;

/// The value of one attribute.
pub(crate) trait Value: Sized {
    const NESTED: bool = false;
    fn parse(attribute: &Attribute<'_>, name: &'static str) -> Result<Self, Fault>;
    fn append_to(&self, out: &mut Vec<u8>);
}

/// A field of a message or a nest.
pub(crate) trait Field {
    fn read(&mut self, attribute: &Attribute<'_>, name: &'static str) -> Result<(), Fault>;
    fn append_to(&self, kind: u16, out: &mut Vec<u8>);
}

/// A struct whose fields are attributes.
pub(crate) trait Nest: Default {
    /// Reads the attribute, or says that it has no place here.
    fn read(&mut self, attribute: &Attribute<'_>) -> Result<bool, Fault>;
    fn keep(&mut self, attribute: &Attribute<'_>);
    fn append_fields(&self, out: &mut Vec<u8>);

    fn parse_all(attributes: Attributes<'_>) -> Result<Self, Fault> {
        let mut nest = Self::default();
        for attribute in attributes {
            let attribute = attribute?;
            if !attribute.is_pad() && !nest.read(&attribute)? {
                nest.keep(&attribute);
            }
        }
        Ok(nest)
    }
}

impl<T: Value> Field for Option<T> {
    /// Of several the last counts, as in the kernel's `nla_parse`.
    fn read(&mut self, attribute: &Attribute<'_>, name: &'static str) -> Result<(), Fault> {
        *self = Some(T::parse(attribute, name)?);
        Ok(())
    }

    fn append_to(&self, kind: u16, out: &mut Vec<u8>) {
        if let Some(value) = self {
            append(out, kind, T::NESTED, |out| value.append_to(out));
        }
    }
}

impl<T: Value> Field for Vec<T> {
    fn read(&mut self, attribute: &Attribute<'_>, name: &'static str) -> Result<(), Fault> {
        self.push(T::parse(attribute, name)?);
        Ok(())
    }

    fn append_to(&self, kind: u16, out: &mut Vec<u8>) {
        for value in self {
            append(out, kind, T::NESTED, |out| value.append_to(out));
        }
    }
}

/// NLA_FLAG.
impl Field for bool {
    fn read(&mut self, _: &Attribute<'_>, _: &'static str) -> Result<(), Fault> {
        *self = true;
        Ok(())
    }

    fn append_to(&self, kind: u16, out: &mut Vec<u8>) {
        if *self {
            append(out, kind, false, |_| {});
        }
    }
}

macro_rules! integers {
    ($($integer:ty = $size:literal),*) => {$(
        impl Value for $integer {
            fn parse(attribute: &Attribute<'_>, name: &'static str) -> Result<Self, Fault> {
                let octets = attribute.value.try_into().map_err(|_| Fault::Length {
                    attribute: name,
                    need: $size,
                    have: attribute.value.len(),
                })?;
                Ok(Self::from_ne_bytes(octets))
            }

            fn append_to(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_ne_bytes());
            }
        }
    )*};
}

integers!(u8 = "1", u16 = "2", u32 = "4", u64 = "8");

/// NLA_U8 that is 0 or 1.
impl Value for bool {
    fn parse(attribute: &Attribute<'_>, name: &'static str) -> Result<Self, Fault> {
        Ok(u8::parse(attribute, name)? != 0)
    }

    fn append_to(&self, out: &mut Vec<u8>) {
        u8::from(*self).append_to(out);
    }
}

/// NLA_NUL_STRING: written up to its first NUL and with one, read with and without. What is not UTF-8 is read as U+FFFD.
impl Value for String {
    fn parse(attribute: &Attribute<'_>, _: &'static str) -> Result<Self, Fault> {
        let text = attribute.value.split(|octet| *octet == 0).next().unwrap_or_default();
        Ok(Self::from_utf8_lossy(text).into_owned())
    }

    fn append_to(&self, out: &mut Vec<u8>) {
        out.extend(self.bytes().take_while(|octet| *octet != 0));
        out.push(0);
    }
}

/// A number of NLA_UINT: four octets when it fits, else eight; both are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uint(pub u64);

impl Value for Uint {
    fn parse(attribute: &Attribute<'_>, name: &'static str) -> Result<Self, Fault> {
        let have = attribute.value.len();
        u32::parse(attribute, name)
            .map(u64::from)
            .or_else(|_| u64::parse(attribute, name))
            .map(Self)
            .map_err(|_| Fault::Length { attribute: name, need: "4 or 8", have })
    }

    fn append_to(&self, out: &mut Vec<u8>) {
        match u32::try_from(self.0) {
            Ok(small) => small.append_to(out),
            Err(_) => self.0.append_to(out),
        }
    }
}

/// Octets of any meaning: a hardware address, the value of a match.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Octets(pub Vec<u8>);

impl Value for Octets {
    fn parse(attribute: &Attribute<'_>, _: &'static str) -> Result<Self, Fault> {
        Ok(Self(attribute.value.to_vec()))
    }

    fn append_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

/// `struct nla_bitfield32`: the values of the bits that are selected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Bitfield32 {
    /// The bits.
    pub value: u32,
    /// Which of them count.
    pub selector: u32,
}

impl Value for Bitfield32 {
    fn parse(attribute: &Attribute<'_>, name: &'static str) -> Result<Self, Fault> {
        let both = u64::parse(attribute, name)?.to_ne_bytes();
        let [a, b, c, d, e, f, g, h] = both;
        Ok(Self {
            value: u32::from_ne_bytes([a, b, c, d]),
            selector: u32::from_ne_bytes([e, f, g, h]),
        })
    }

    fn append_to(&self, out: &mut Vec<u8>) {
        self.value.append_to(out);
        self.selector.append_to(out);
    }
}

/// A struct of attributes: each field is its number and its name in `linux/devlink.h`. With `: handle` the attributes that
/// say which device are in it too. What has no field is in `other`.
macro_rules! nest {
    (
        $(#[$meta:meta])*
        pub struct $name:ident $(: $handle:ident)? {
            $($(#[$field_meta:meta])* $field:ident: $type:ty = $number:literal, $uapi:literal;)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct $name {
            $(
                /// Which device.
                pub $handle: $crate::handle::Handle,
            )?
            $(
                $(#[$field_meta])*
                #[doc = ""]
                #[doc = concat!("`", $uapi, "` = ", $number)]
                pub $field: $type,
            )*
            /// Attributes without a field here, in their order.
            pub other: Vec<$crate::attribute::OtherAttribute>,
        }

        impl $crate::value::Nest for $name {
            fn read(
                &mut self,
                attribute: &$crate::attribute::Attribute<'_>,
            ) -> Result<bool, $crate::fault::Fault> {
                $(
                    if self.$handle.read(attribute)? {
                        return Ok(true);
                    }
                )?
                match attribute.number() {
                    $($number => $crate::value::Field::read(&mut self.$field, attribute, $uapi)?,)*
                    _ => return Ok(false),
                }
                Ok(true)
            }

            fn keep(&mut self, attribute: &$crate::attribute::Attribute<'_>) {
                self.other.push(attribute.to_other());
            }

            fn append_fields(&self, out: &mut Vec<u8>) {
                $(self.$handle.append_to(out);)?
                $($crate::value::Field::append_to(&self.$field, $number, out);)*
                for other in &self.other {
                    let value = |out: &mut Vec<u8>| out.extend_from_slice(&other.value);
                    $crate::attribute::append(out, other.kind, false, value);
                }
            }
        }

        impl $crate::value::Value for $name {
            const NESTED: bool = true;

            fn parse(
                attribute: &$crate::attribute::Attribute<'_>,
                name: &'static str,
            ) -> Result<Self, $crate::fault::Fault> {
                $crate::value::Nest::parse_all(attribute.nested(name)?)
            }

            fn append_to(&self, out: &mut Vec<u8>) {
                $crate::value::Nest::append_fields(self, out);
            }
        }

        #[cfg(test)]
        impl $crate::sample::Sample for $name {
            fn sample(dice: &mut $crate::sample::Dice<'_>) -> Self {
                dice.nested(|dice| Self {
                    $($handle: $crate::sample::Sample::sample(dice),)?
                    $($field: $crate::sample::Sample::sample(dice),)*
                    other: $crate::sample::Sample::sample(dice),
                })
            }
        }
    };
}

/// An enum for the values of an attribute, with the words that the `devlink` program has for them. `Other` is for numbers
/// without a name; `From` never makes one for a number that has one.
macro_rules! codes {
    (
        $(#[$meta:meta])*
        pub enum $name:ident: $integer:ty {
            $($(#[$variant_meta:meta])* $variant:ident = $code:literal $word:literal, $uapi:literal;)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(
                $(#[$variant_meta])*
                #[doc = ""]
                #[doc = concat!("`", $uapi, "` = ", $code)]
                $variant,
            )*
            /// A number without a name here.
            Other($integer),
        }

        impl $name {
            /// Every value that has a name.
            pub const NAMED: &'static [Self] = &[$(Self::$variant,)*];

            /// The word that the `devlink` program has for it.
            #[must_use]
            pub const fn word(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some($word),)*
                    Self::Other(_) => None,
                }
            }

            /// The value that has this word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::NAMED.iter().copied().find(|value| value.word() == Some(word))
            }
        }

        impl From<$integer> for $name {
            fn from(code: $integer) -> Self {
                match code {
                    $($code => Self::$variant,)*
                    other => Self::Other(other),
                }
            }
        }

        impl From<$name> for $integer {
            fn from(value: $name) -> Self {
                match value {
                    $($name::$variant => $code,)*
                    $name::Other(code) => code,
                }
            }
        }

        /// The word, or the number.
        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                match self.word() {
                    Some(word) => f.write_str(word),
                    None => write!(f, "{}", <$integer>::from(*self)),
                }
            }
        }

        impl $crate::value::Value for $name {
            fn parse(
                attribute: &$crate::attribute::Attribute<'_>,
                name: &'static str,
            ) -> Result<Self, $crate::fault::Fault> {
                <$integer as $crate::value::Value>::parse(attribute, name).map(Self::from)
            }

            fn append_to(&self, out: &mut Vec<u8>) {
                $crate::value::Value::append_to(&<$integer>::from(*self), out);
            }
        }

        #[cfg(test)]
        impl $crate::sample::Sample for $name {
            fn sample(dice: &mut $crate::sample::Dice<'_>) -> Self {
                Self::from(<$integer as $crate::sample::Sample>::sample(dice))
            }
        }
    };
}

pub(crate) use {codes, nest};
