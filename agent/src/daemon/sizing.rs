//! How large is the VRRP policer of a chip made?
//!
//! ```text
//!   macvlans with VRRP's MACs ─┐
//!   advertisements heard ──────┴─▶ the size that both need ─▶ grown at once, made smaller after a minute ─▶ Reconciler
//! ```

use std::time::Duration;

use firsthop_model::chip::{Entry, Key, PolicerId};
use firsthop_model::intent::group_named;
use firsthop_model::policer::{Need, Size, USUAL};

use super::Daemon;
use crate::config::Policer;
use crate::engine::Input;

/// How long less has to be enough before a policer is made smaller: daemons restart.
const SETTLED: Duration = Duration::from_secs(60);
/// The interval of routers that were not heard: VRRP's default (RFC 9568 section 5.2.7).
const INTERVAL: Duration = Duration::from_secs(1);

/// The size of one policer over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizer {
    size: Size,
    /// Since when less would do.
    ample: Option<Duration>,
}

impl Default for Sizer {
    fn default() -> Self {
        Self { size: USUAL, ample: None }
    }
}

impl Sizer {
    /// A former daemon had reason for this size.
    pub(super) fn take_over(&mut self, found: Size) {
        *self = Self { size: self.size.max(found), ample: None };
    }

    /// The size now that this much is needed.
    pub(super) fn follow(&mut self, needed: Size, now: Duration) -> Size {
        let needed = needed.max(USUAL);
        let grown = self.size.max(needed);
        if grown != self.size || needed == self.size {
            *self = Self { size: grown, ample: None };
        } else if now.saturating_sub(*self.ample.get_or_insert(now)) >= SETTLED {
            *self = Self { size: needed, ample: None };
        }
        self.size
    }

    /// When less may be enough for long.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.ample.map(|since| since + SETTLED)
    }
}

/// What some routers need that are not heard.
pub(super) fn unheard(routers: u32) -> Need {
    Need::of((0..routers).map(|_| INTERVAL))
}

/// The operator's numbers, or else these.
pub(super) fn decided(wish: Policer, size: Size) -> Size {
    Size { rate: wish.rate.unwrap_or(size.rate), burst: wish.burst.unwrap_or(size.burst) }
}

impl Daemon {
    /// Gives the VRRP policer of the chip the size that it needs now.
    pub(super) fn size_policer(&mut self) {
        let needed = self.vrrp_need();
        let size = self.sizer.follow(needed.size(), self.start.elapsed());
        let size = decided(self.source.config.policer, size);
        let policy = self.engine.reconciler().policy();
        if size != (Size { rate: policy.vrrp_rate, burst: policy.vrrp_burst }) {
            self.tell(Input::VrrpPolicer(size));
        }
    }

    /// What the virtual routers of the chip need: by their macvlans, and by what is heard.
    pub(super) fn vrrp_need(&self) -> Need {
        let (told, heard) =
            (unheard(self.engine.reconciler().virtual_routers()), self.watch.live().need());
        Need {
            routers: told.routers.max(heard.routers),
            rate: told.rate.max(heard.rate),
            burst: told.burst.max(heard.burst),
        }
    }

    /// A chip is taken over with the policer that it has, if it is larger.
    pub(super) fn take_over_policer(&mut self) {
        let id = group_named("vrrp").policer.map(|(id, ..)| PolicerId(id));
        let entry = id.and_then(|id| self.engine.reconciler().applied().get(&Key::Policer(id)));
        if let Some(Entry::Policer { rate, burst, .. }) = entry {
            self.sizer.take_over(Size { rate: *rate, burst: *burst });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Broken if a policer were too small for a moment, were made smaller at each restart of a daemon, or never.
    #[test]
    fn grows_at_once_and_shrinks_late() {
        let at = Duration::from_secs;
        let large = Size { rate: 2048, burst: 4096 };
        let mut sizer = Sizer::default();
        assert_eq!(sizer.follow(Size { rate: 128, burst: 128 }, at(0)), USUAL);
        assert_eq!(sizer.deadline(), None);
        assert_eq!(sizer.follow(large, at(1)), large);
        assert_eq!(sizer.follow(USUAL, at(2)), large);
        assert_eq!(sizer.deadline(), Some(at(62)));
        assert_eq!(sizer.follow(large, at(30)), large);
        assert_eq!(sizer.follow(USUAL, at(40)), large);
        assert_eq!(sizer.follow(USUAL, at(99)), large);
        assert_eq!(sizer.follow(USUAL, at(100)), USUAL);
        sizer.take_over(large);
        assert_eq!(sizer.follow(USUAL, at(101)), large);
    }

    // Broken if the operator's number were overruled.
    #[test]
    fn the_operators_numbers_stand() {
        let wish = Policer { rate: None, burst: Some(16) };
        assert_eq!(decided(wish, USUAL), Size { rate: 1024, burst: 16 });
    }
}
