//! How large must the policer of VRRP's advertisements be?
//!
//! ```text
//!   interval of each virtual router ─▶ Need { rate, burst } ─▶ Size: what a chip can be set to
//! ```
//!
//! All routers of a LAN that were started together speak within the same few milliseconds, each interval, and at a handover
//! two do for each. So the burst counts routers, however slowly they speak.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The smallest rate and burst that is asked for.
const FLOOR: u32 = 128;
/// Rates are multiples of this.
const STEP: u32 = 128;
/// The largest rate that is asked for, packets per second: a CPU that has to hear more of VRRP wants BFD instead.
const CEILING: u32 = 20_480;

/// What is asked for where nobody says otherwise: 255 routers of each family, once a second.
pub const USUAL: Size = Size { rate: 1024, burst: 1024 };

/// What the advertisements of some virtual routers need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Need {
    /// Virtual routers: one for each VRID, family and network.
    pub routers: u32,
    /// Packets per second
    pub rate: u32,
    /// Packets at once
    pub burst: u32,
}

/// Rate and burst of a policer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Packets per second
    pub rate: u32,
    /// Packets at once; a power of two
    pub burst: u32,
}

impl Need {
    /// Of routers with these advertisement intervals: twice the mean rate, twice their number at once.
    pub fn of(intervals: impl IntoIterator<Item = Duration>) -> Self {
        let (mut routers, mut thousandths) = (0_u32, 0_u64);
        for interval in intervals {
            let millis = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX).max(1);
            routers = routers.saturating_add(1);
            thousandths = thousandths.saturating_add(2_000_000 / millis);
        }
        let rate = u32::try_from(thousandths.div_ceil(1000)).unwrap_or(u32::MAX);
        Self { routers, rate, burst: routers.saturating_mul(2) }
    }

    /// A policer of this size loses none of them.
    pub fn is_met(&self, rate: u64, burst: u64) -> bool {
        rate >= self.rate.into() && burst >= self.burst.into()
    }

    /// The next larger size that every chip can be set to: rates in steps, bursts as powers of two.
    pub fn size(&self) -> Size {
        let rate = self.rate.clamp(FLOOR, CEILING).next_multiple_of(STEP);
        // mlxsw's largest
        let burst = self.burst.saturating_add(1).clamp(FLOOR, 1 << 24).next_power_of_two();
        Size { rate, burst }
    }
}

impl Size {
    /// Large enough for both.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { rate: self.rate.max(other.rate), burst: self.burst.max(other.burst) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(routers: usize, millis: u64) -> Need {
        Need::of(vec![Duration::from_millis(millis); routers])
    }

    // Broken if some of the routers of a full LAN lost every one of their advertisements.
    #[test]
    fn sizes_of_usual_networks() {
        for (routers, millis, rate, burst) in [
            (0, 1000, 128, 128),
            (10, 1000, 128, 128),
            (510, 1000, 1024, 1024),
            (128, 100, 2560, 512),
            (510, 100, 10240, 1024),
            (1000, 1000, 2048, 2048),
            (1000, 40_000, 128, 2048),
            (255, 10, CEILING, 512),
        ] {
            let need = of(routers, millis);
            assert_eq!(need.size(), Size { rate, burst }, "{routers} each {millis} ms");
            assert_eq!(need.is_met(rate.into(), burst.into()), need.rate <= CEILING);
        }
    }

    // Broken if a policer that loses a packet now and then were called large enough.
    #[test]
    fn one_less_is_too_small() {
        let need = of(300, 700);
        assert_eq!(need, Need { routers: 300, rate: 858, burst: 600 });
        assert!(need.is_met(858, 600) && !need.is_met(857, 600) && !need.is_met(858, 599));
        assert_eq!(of(1, 0), of(1, 1));
    }
}
