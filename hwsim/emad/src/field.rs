//! How does a typed value get into its place in a payload, and out again?
//!
//! A place is [`Bits`] for numbers, flags and codes, [`At`] for values that fill whole bytes (addresses, 64-bit
//! counters), [`Split`] for numbers that lie in two pieces, such as a local port of more than eight bits, [`Array`] for sets of numbers,
//! one bit each.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::bits::{Bits, bits, element, get_bytes, put_bytes};
use crate::mac::Mac;

/// Whole bytes from `offset` on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At(pub(crate) usize);

/// An array of single bits: `len` bytes from `offset` on, bit 0 in the last of them ([`element`]).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Array {
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

/// A number whose high bits lie elsewhere than its low bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Split {
    pub(crate) high: Bits,
    pub(crate) low: Bits,
}

/// A local port, 0..=1023: eight bits where ports always were, two more beside them (`MLXSW_ITEM32_LP`).
pub(crate) const LOCAL_PORT: Split = Split { high: bits(0x00, 13, 12), low: bits(0x00, 23, 16) };

/// A type that can lie in a place of kind `P`.
pub(crate) trait Field<P>: Sized {
    fn read(bytes: &[u8], place: P) -> Self;
    fn write(&self, bytes: &mut [u8], place: P);
    #[cfg(test)]
    fn sample(place: P, source: &mut Sampler) -> Self;
}

/// A field with named values of at most eight bits.
pub(crate) trait Code {
    fn from_code(code: u8) -> Self;
    fn code(&self) -> u8;
}

pub(crate) fn read<P, T: Field<P>>(bytes: &[u8], place: P) -> T {
    T::read(bytes, place)
}

pub(crate) fn write<P, T: Field<P>>(value: &T, bytes: &mut [u8], place: P) {
    value.write(bytes, place);
}

#[cfg(test)]
pub(crate) fn sample<P, T: Field<P>>(place: P, source: &mut Sampler) -> T {
    T::sample(place, source)
}

/// Numbers from which tests make values; zeros when it has run dry.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Sampler(pub(crate) Vec<u64>);

#[cfg(test)]
impl Sampler {
    pub(crate) fn draw(&mut self) -> u64 {
        self.0.pop().unwrap_or(0)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.draw() % end as u64).unwrap()
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.draw() & 1 == 1
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.draw().to_le_bytes()[0])
    }
}

impl Field<Bits> for bool {
    fn read(bytes: &[u8], place: Bits) -> Self {
        place.get(bytes) != 0
    }

    fn write(&self, bytes: &mut [u8], place: Bits) {
        place.put(bytes, u32::from(*self));
    }

    #[cfg(test)]
    fn sample(_: Bits, source: &mut Sampler) -> Self {
        source.flag()
    }
}

/// Numbers: a place wider than the type would lose bits, which the debug assertion finds in the first test.
macro_rules! number {
    ($($type:ty),*) => {$(
        impl Field<Bits> for $type {
            #[expect(clippy::allow_attributes, reason = "u32 casts to itself")]
            #[allow(clippy::cast_possible_truncation, reason = "the place is no wider than the type")]
            fn read(bytes: &[u8], place: Bits) -> Self {
                debug_assert!(u32::from(place.high - place.low) < <$type>::BITS);
                place.get(bytes) as $type
            }

            fn write(&self, bytes: &mut [u8], place: Bits) {
                place.put(bytes, u32::from(*self));
            }

            #[cfg(test)]
            fn sample(place: Bits, source: &mut Sampler) -> Self {
                (source.draw() & u64::from(place.max())).try_into().unwrap()
            }
        }
    )*};
}
number!(u8, u16, u32);

impl<T: Code> Field<Bits> for T {
    fn read(bytes: &[u8], place: Bits) -> Self {
        T::from_code(u8::read(bytes, place))
    }

    fn write(&self, bytes: &mut [u8], place: Bits) {
        self.code().write(bytes, place);
    }

    #[cfg(test)]
    fn sample(place: Bits, source: &mut Sampler) -> Self {
        T::from_code(u8::sample(place, source))
    }
}

impl Field<Split> for u16 {
    fn read(bytes: &[u8], place: Split) -> Self {
        let low_width = place.low.high - place.low.low + 1;
        u16::read(bytes, place.high) << low_width | u16::read(bytes, place.low)
    }

    fn write(&self, bytes: &mut [u8], place: Split) {
        let low_width = place.low.high - place.low.low + 1;
        place.low.put(bytes, u32::from(*self));
        place.high.put(bytes, u32::from(*self) >> low_width);
    }

    #[cfg(test)]
    fn sample(place: Split, source: &mut Sampler) -> Self {
        let width = place.low.high - place.low.low + place.high.high - place.high.low + 2;
        u16::sample(bits(0, width - 1, 0), source)
    }
}

impl Field<Split> for u32 {
    fn read(bytes: &[u8], place: Split) -> Self {
        let low_width = place.low.high - place.low.low + 1;
        place.high.get(bytes) << low_width | place.low.get(bytes)
    }

    fn write(&self, bytes: &mut [u8], place: Split) {
        let low_width = place.low.high - place.low.low + 1;
        place.low.put(bytes, *self);
        place.high.put(bytes, *self >> low_width);
    }

    #[cfg(test)]
    fn sample(place: Split, source: &mut Sampler) -> Self {
        let width = place.low.high - place.low.low + place.high.high - place.high.low + 2;
        u32::sample(bits(0, width - 1, 0), source)
    }
}

/// Numbers that the array has no bit for are left out.
impl<T: Copy + Ord + Into<usize> + TryFrom<usize>> Field<Array> for BTreeSet<T> {
    fn read(bytes: &[u8], Array { offset, len }: Array) -> Self {
        let is_set = |index: &usize| {
            element(offset, len, 1, *index).is_some_and(|place| place.get(bytes) == 1)
        };
        (0..len * 8).filter(is_set).filter_map(|index| T::try_from(index).ok()).collect()
    }

    fn write(&self, bytes: &mut [u8], Array { offset, len }: Array) {
        for place in self.iter().filter_map(|index| element(offset, len, 1, (*index).into())) {
            place.put(bytes, 1);
        }
    }

    #[cfg(test)]
    fn sample(place: Array, source: &mut Sampler) -> Self {
        let members = source.below(6);
        (0..members).filter_map(|_| T::try_from(source.below(place.len * 8)).ok()).collect()
    }
}

impl<const N: usize> Field<At> for [u8; N] {
    fn read(bytes: &[u8], place: At) -> Self {
        get_bytes(bytes, place.0)
    }

    fn write(&self, bytes: &mut [u8], place: At) {
        put_bytes(bytes, place.0, *self);
    }

    #[cfg(test)]
    fn sample(_: At, source: &mut Sampler) -> Self {
        source.bytes()
    }
}

/// Types that are a big-endian byte array in disguise.
macro_rules! octets {
    ($($type:ty: $from:expr, $to:expr;)*) => {$(
        impl Field<At> for $type {
            fn read(bytes: &[u8], place: At) -> Self {
                $from(get_bytes(bytes, place.0))
            }

            fn write(&self, bytes: &mut [u8], place: At) {
                put_bytes(bytes, place.0, $to(*self));
            }

            #[cfg(test)]
            fn sample(_: At, source: &mut Sampler) -> Self {
                $from(source.bytes())
            }
        }
    )*};
}
octets! {
    Mac: Mac, Mac::octets;
    Ipv4Addr: |octets: [u8; 4]| Ipv4Addr::from(octets), |ip: Ipv4Addr| ip.octets();
    Ipv6Addr: |octets: [u8; 16]| Ipv6Addr::from(octets), |ip: Ipv6Addr| ip.octets();
    u64: u64::from_be_bytes, u64::to_be_bytes;
}
