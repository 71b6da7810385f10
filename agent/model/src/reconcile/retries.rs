//! What failed or found no room: when is it tried again?

use std::time::Duration;

use super::{Reconciler, Refusal};
use crate::retry::{Retry, Trouble};

impl Reconciler {
    /// When [`Self::ready`] has to be asked again though nothing happened.
    pub fn deadline(&self) -> Option<Duration> {
        let refusals = self.refusals.values().map(|refusal| &refusal.trouble);
        let troubles = self.troubles.values().chain(refusals);
        let retries = troubles.filter_map(|trouble| trouble.retry.time());
        let at_once = self.goes_on.then_some(Duration::ZERO);
        retries.chain(self.shortage_deadline()).chain(at_once).min()
    }

    /// Retries whose time has come become due.
    pub(super) fn expire(&mut self, now: Duration) {
        self.retry(|trouble| trouble.retry.time().is_some_and(|at| at <= now));
        self.expire_shortage(now);
    }

    /// One of the many left the chip: rows that a router interface could not get may be tried again.
    pub(super) fn wake_rows(&mut self) {
        let waits =
            |refusal: &&mut Refusal| matches!(refusal.trouble.retry, Retry::OnRelease { .. });
        for (key, refusal) in self.refusals.iter_mut() {
            if waits(&refusal) {
                refusal.trouble.retry = Retry::Now;
                self.due.extend(self.book.owners(key));
            }
        }
    }

    /// A row was freed: whatever waits for one may try again.
    pub(super) fn wake_waiting(&mut self) {
        self.retry(|trouble| matches!(trouble.retry, Retry::OnRelease { .. }));
    }

    fn retry(&mut self, ripe: impl Fn(&Trouble) -> bool) {
        for (object, trouble) in self.troubles.iter_mut().filter(|(_, trouble)| ripe(trouble)) {
            trouble.retry = Retry::Now;
            self.due.insert(*object);
        }
        let refusals = self.refusals.iter_mut().filter(|(_, refusal)| ripe(&refusal.trouble));
        for (key, refusal) in refusals {
            refusal.trouble.retry = Retry::Now;
            self.due.extend(self.book.owners(key));
        }
    }
}
