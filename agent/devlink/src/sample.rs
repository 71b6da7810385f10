//! Any message, from any octets: what the property tests draw from. Octets that run out give what is absent, so proptest
//! shrinks a message by shrinking octets.

use crate::attribute::OtherAttribute;
use crate::value::{Bitfield32, Octets, Uint};

/// How deep a sample nests.
const DEEPEST: usize = 8;

pub(crate) struct Dice<'a> {
    octets: &'a [u8],
    depth: usize,
}

impl<'a> Dice<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self { octets, depth: 0 }
    }

    fn octet(&mut self) -> u8 {
        let (first, rest) = self.octets.split_first().unwrap_or((&0, &[]));
        self.octets = rest;
        *first
    }

    fn up_to(&mut self, most: u8) -> u8 {
        self.octet() % (most + 1)
    }

    pub(crate) fn nested<T: Default>(&mut self, sample: impl FnOnce(&mut Self) -> T) -> T {
        if self.depth == DEEPEST {
            return T::default();
        }
        self.depth += 1;
        let value = sample(self);
        self.depth -= 1;
        value
    }
}

pub(crate) trait Sample {
    fn sample(dice: &mut Dice<'_>) -> Self;
}

pub(crate) fn octets(dice: &mut Dice<'_>) -> Vec<u8> {
    (0..dice.up_to(9)).map(|_| dice.octet()).collect()
}

impl<T: Sample> Sample for Option<T> {
    fn sample(dice: &mut Dice<'_>) -> Self {
        (dice.up_to(1) == 1).then(|| T::sample(dice))
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(dice: &mut Dice<'_>) -> Self {
        (0..dice.up_to(2)).map(|_| T::sample(dice)).collect()
    }
}

impl Sample for bool {
    fn sample(dice: &mut Dice<'_>) -> Self {
        dice.up_to(1) == 1
    }
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl Sample for $integer {
            fn sample(dice: &mut Dice<'_>) -> Self {
                // Small ones more often than not: they have names.
                let few = dice.up_to(1) == 0;
                Self::from_le_bytes(std::array::from_fn(|place| {
                    if few && place > 0 { 0 } else { dice.octet() }
                }))
            }
        }
    )*};
}

integers!(u8, u16, u32, u64);

impl Sample for String {
    fn sample(dice: &mut Dice<'_>) -> Self {
        octets(dice).into_iter().map(|octet| char::from(octet.max(1))).collect()
    }
}

impl Sample for Octets {
    fn sample(dice: &mut Dice<'_>) -> Self {
        Self(octets(dice))
    }
}

impl Sample for Uint {
    fn sample(dice: &mut Dice<'_>) -> Self {
        Self(u64::sample(dice))
    }
}

impl Sample for Bitfield32 {
    fn sample(dice: &mut Dice<'_>) -> Self {
        Self { value: u32::sample(dice), selector: u32::sample(dice) }
    }
}

/// Numbers that no nest of devlink has, with all combinations of flags.
impl Sample for OtherAttribute {
    fn sample(dice: &mut Dice<'_>) -> Self {
        Self {
            kind: (1000 + u16::from(dice.octet())) | (u16::from(dice.up_to(3)) << 14),
            value: octets(dice),
        }
    }
}
