//! SFDAT: after how long is a learned MAC forgotten that was not seen again?

use crate::bits::bits;
use crate::layout::register;

register! {
    /// Switch Filtering Database Aging Time.
    #[derive(Default)]
    pub struct Sfdat = (0x2009, 0x08, "sfdat") {
        /// Switch partition; the driver uses 0.
        swid: u8 = bits(0x00, 31, 24),
        /// Ageing time in seconds, 10..=1 000 000; 300 at power-on.
        age_time: u32 = bits(0x04, 19, 0),
    }
}

impl Sfdat {
    /// The ageing time that the chip starts with, in seconds.
    pub const POWER_ON: u32 = 300;

    /// The write that sets the ageing time, in seconds.
    #[must_use]
    pub fn seconds(age_time: u32) -> Self {
        Self { age_time, ..Self::default() }
    }
}
