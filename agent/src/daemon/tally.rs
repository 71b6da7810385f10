//! How many routes are in which state, for everybody who asks? They may be very many: they are counted in parts, a share of each turn.
//!
//! An answer is never older than its question: it is taken from a count that began later.

use firsthop_model::reconcile::Reconciler;
use tokio::time::Instant;

use super::desk::SHARE;
use crate::views::{Census, Counting};

/// Routes and neighbours that are counted before the clock is looked at.
const ROWS: usize = 256;

/// The last count, and one that is under way.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Counts that came to their end.
    ended: u64,
    counting: Option<Counting>,
    census: Option<Census>,
}

impl Tally {
    /// Goes on counting until the turn's share is over, which began at a time. True: a count has ended that began after the first
    /// call for this question.
    pub(super) fn is_done(
        &mut self,
        question: &mut Option<u64>,
        reconciler: &Reconciler,
        began: Instant,
    ) -> bool {
        let under_way = u64::from(self.counting.is_some());
        let wanted = *question.get_or_insert(self.ended + under_way + 1);
        while self.ended < wanted {
            if began.elapsed() >= SHARE {
                return false;
            }
            let counting = self.counting.get_or_insert_default();
            if counting.step(reconciler, ROWS) {
                self.census = counting.census(reconciler);
                self.counting = None;
                self.ended += 1;
            }
        }
        true
    }

    /// What the last count came to; None where the kernel routes.
    pub(super) const fn census(&self) -> Option<&Census> {
        self.census.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use firsthop_model::intent::Policy;

    use super::*;
    use crate::engine::Engine;

    // Broken if somebody were told what was counted before they asked, or waited for one more count than it takes.
    #[test]
    fn a_count_begins_after_the_question() {
        let engine = Engine::new(false, Policy::default(), 1);
        let reconciler = engine.reconciler();
        let mut tally = Tally { counting: Some(Counting::default()), ..Tally::default() };
        let (mut one, mut other) = (None, None);
        let over = Instant::now() - SHARE;
        assert!(!tally.is_done(&mut one, reconciler, over), "the share is over");
        assert!(tally.is_done(&mut one, reconciler, Instant::now()));
        assert_eq!(tally.ended, 2);
        assert!(tally.is_done(&mut one, reconciler, over), "it is answered already");
        assert!(tally.is_done(&mut other, reconciler, Instant::now()));
        assert_eq!(tally.ended, 3);
        assert!(tally.census().is_some());
    }
}
