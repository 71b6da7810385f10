//! Routes and hosts for which the chip has no room.

use std::time::Duration;

use crate::chip::{Change, Entry};
use crate::plan::Object;
use crate::reconcile::Reconciler;
use crate::retry::{Failure, FailureClass};
use crate::types::Family;

impl Reconciler {
    /// The chip has no room for a route or host: it waits by itself. False: it is another failure.
    pub(in crate::reconcile) fn waits_for_room(
        &mut self,
        object: Object,
        change: &Change,
        failure: &Failure,
        now: Duration,
    ) -> bool {
        if failure.class != FailureClass::Capacity || !matches!(change, Change::Add(_)) {
            return false;
        }
        match object {
            Object::Route(table, prefix) => {
                let route = (table, prefix);
                let below = self.less_specific(&route);
                let shortage = &mut self.forwarding.shortage;
                let concerned = shortage.refuse_route(route, &failure.text, below, now);
                self.due.extend(concerned.map(|(table, prefix)| Object::Route(table, prefix)));
                true
            }
            Object::Neighbour(ifindex, ip) => {
                self.forwarding.shortage.refuse_host((ifindex, ip), &failure.text, now);
                true
            }
            _ => false,
        }
    }

    /// A route or host is in the chip, or has left it.
    pub(in crate::reconcile) fn note_bulk(&mut self, object: Object, change: &Change) {
        if self.forwarding.shortage.is_over() {
            return;
        }
        let shortage = &mut self.forwarding.shortage;
        match (object, change) {
            (_, Change::Remove(Entry::Route { prefix, .. })) => {
                let next = shortage.retry_route(Family::of(prefix.addr()));
                self.due.extend(next.map(|(table, prefix)| Object::Route(table, prefix)));
            }
            (_, Change::Remove(Entry::Neighbour { .. })) => {
                let next = shortage.retry_host();
                self.due.extend(next.map(|(ifindex, ip)| Object::Neighbour(ifindex, ip)));
            }
            (Object::Route(table, prefix), Change::Add(_)) => {
                let concerned = shortage.settle_route(&(table, prefix));
                self.due.extend(concerned.map(|(table, prefix)| Object::Route(table, prefix)));
            }
            (Object::Neighbour(ifindex, ip), Change::Add(_)) => {
                shortage.settle_host(&(ifindex, ip));
            }
            _ => {}
        }
    }

    /// One route of each family and one host try again, if it is time.
    pub(in crate::reconcile) fn expire_shortage(&mut self, now: Duration) {
        let shortage = &mut self.forwarding.shortage;
        if !shortage.expire(now) {
            return;
        }
        let routes = [Family::Ipv4, Family::Ipv6].map(|family| shortage.retry_route(family));
        let host = shortage.retry_host();
        let routes = routes.into_iter().flatten();
        self.due.extend(routes.map(|(table, prefix)| Object::Route(table, prefix)));
        self.due.extend(host.map(|(ifindex, ip)| Object::Neighbour(ifindex, ip)));
    }

    pub(in crate::reconcile) const fn shortage_deadline(&self) -> Option<Duration> {
        self.forwarding.shortage.deadline()
    }
}
