//! Which moment is it? The chip never asks; whoever calls it says.

use std::time::Duration;

/// A moment: nanoseconds since an arbitrary start, the same start for every call of one chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Nanos(pub u64);

impl Nanos {
    /// The nanoseconds from `earlier` to here; 0 if time ran backwards.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl From<Duration> for Nanos {
    /// The moment that long after the start; saturates after 584 years.
    fn from(elapsed: Duration) -> Self {
        Self(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }
}
