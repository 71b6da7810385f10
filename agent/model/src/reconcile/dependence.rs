//! What stands on what: who has to wait, who is looked at again, and when an object gives its chip indices back.
//!
//! ```text
//!   Traps ◀── VirtualRouter ◀─┬─ Interface ──▶ Lag
//!   Bridging ◀────────────────┴─ Domain ─────▶ Lag          A ──▶ B: A waits for B to come, and B waits for A to go
//! ```
//!
//! For routes, next hops and neighbours see [`super::forwarding`].

use std::collections::BTreeSet;

use super::Reconciler;
use super::forwarding::prefix_range;
use super::run::Run;
use crate::IfIndex;
use crate::chip::{Entry, Key, PortOrLag, RifKind, Vid, VrId};
use crate::intent::{Domain, RouterInterface};
use crate::plan::Object;

impl Reconciler {
    /// An object waits until what it stands on is there, and one that goes until nothing stands on it.
    pub(super) fn is_blocked(&self, object: Object) -> bool {
        let busy = |object| self.is_busy(object);
        // in the chip, or on their way
        let rifs = || {
            let coming =
                self.runs.values().flat_map(Run::contents).filter_map(|entry| match entry {
                    Entry::Rif(rif) => Some(rif),
                    _ => None,
                });
            self.allocation.interfaces().filter_map(|o| self.applied_rif_of(o)).chain(coming)
        };
        let router = |ifindex: &IfIndex| {
            let unit = self.units.get(ifindex).and_then(|unit| unit.router_interface.as_ref());
            unit.is_some_and(|interface| {
                busy(Object::VirtualRouter(interface.table))
                    || interface.lag().is_some_and(|lag| busy(Object::Lag(lag)))
            })
        };
        match object {
            Object::Traps => false,
            Object::Bridging => {
                let first = Domain { bridge: IfIndex(0), vlan: None };
                let last = Domain { bridge: IfIndex(u32::MAX), vlan: Some(Vid(u16::MAX)) };
                let domains = Object::Domain(first)..=Object::Domain(last);
                self.book.has_any(domains) && self.want_bridging().is_empty()
            }
            Object::VirtualRouter(table) => {
                let leaving = !self.tables.contains_key(&table);
                let vr = self.allocation.vr(table);
                let doubtful = || self.applied.unknown().any(|key| matches!(key, Key::Rif(_)));
                let led_to = || doubtful() || rifs().any(|rif| Some(rif.vr) == vr);
                let used = || {
                    led_to()
                        || self.has_routes(table)
                        || vr.is_some_and(|vr| self.has_own_routes(vr))
                };
                busy(Object::Traps) || leaving && used()
            }
            Object::Lag(ifindex) => {
                let leaving = !self.lags.contains_key(&ifindex);
                let lag = self.allocation.lag(ifindex);
                let on_it = |kind| matches!(kind, RifKind::Subport { at: PortOrLag::Lag(on), .. } if Some(on) == lag);
                leaving && rifs().any(|rif| on_it(rif.kind))
            }
            Object::Interface(ifindex) => busy(Object::Traps) || router(&ifindex),
            Object::Domain(domain) => {
                let members = self.bridges.get(&domain.bridge).and_then(|b| b.members(domain));
                let lags: BTreeSet<IfIndex> =
                    members.into_iter().flat_map(|m| m.values()).filter_map(|m| m.lag).collect();
                // when the last domain goes, the flood tables go after it
                let flooding = busy(Object::Bridging) && !self.want_bridging().is_empty();
                busy(Object::Traps)
                    || flooding
                    || lags.into_iter().any(|lag| busy(Object::Lag(lag)))
                    || self.routers.get(&domain).is_some_and(router)
            }
            Object::Leftover => self.due.len() > 1 || !self.runs.is_empty(),
            Object::Route(..) | Object::NextHops(_) | Object::Neighbour(..) => {
                self.is_bulk_blocked(object)
            }
        }
    }

    /// Router interfaces have addresses of their own in the virtual router.
    fn has_own_routes(&self, vr: VrId) -> bool {
        let [first, last] = prefix_range().map(|prefix| Key::Route(vr, prefix));
        let of_interface =
            |object: Object| matches!(object, Object::Interface(_) | Object::Domain(_));
        let mut routes = self.applied.range(first..=last);
        routes.any(|(key, _)| self.book.owners(key).any(of_interface))
    }

    /// It is to be compared, or is being written.
    pub(super) fn is_busy(&self, object: Object) -> bool {
        self.due.contains(object) || self.runs.contains_key(&object)
    }

    /// What stands on an object is looked at again: it came, or can't come.
    pub(super) fn wake_dependents(&mut self, object: Object) {
        match object {
            Object::VirtualRouter(table) => {
                let users = self.tables.get(&table).into_iter().flatten();
                self.due.extend(users.filter_map(|ifindex| self.seats.get(ifindex)));
            }
            Object::Lag(lag) => {
                let interfaces = self.units.values().filter_map(|u| u.router_interface.as_ref());
                let on_it = interfaces.filter(|interface| interface.lag() == Some(lag));
                self.due.extend(on_it.map(RouterInterface::object));
                for (bridge, bridging) in &self.bridges {
                    for (vlan, members) in &bridging.domains {
                        if members.values().any(|member| member.lag == Some(lag)) {
                            let domain = Domain { bridge: *bridge, vlan: *vlan };
                            self.due.insert(Object::Domain(domain));
                        }
                    }
                }
            }
            Object::NextHops(number) => self.wake_group_users(number),
            Object::Interface(ifindex) => self.wake_users(ifindex),
            Object::Domain(domain) => {
                if let Some(ifindex) = self.routers.get(&domain).copied() {
                    self.wake_users(ifindex);
                }
            }
            _ => {}
        }
    }

    /// Nothing differs any more: what is gone from the chip gives its indices back.
    pub(super) fn settle_object(&mut self, object: Object) {
        if let Some(rif) = self.allocation.rif(object)
            && !self.is_there(&Key::Rif(rif))
        {
            self.allocation.release_interface(object);
            self.wake_waiting();
            self.due.extend(self.wants_router(object).then_some(object));
        }
        self.publish(object);
        match object {
            Object::Interface(_) => self.due.extend(self.leaving()),
            Object::Domain(domain) => {
                let fid = self.allocation.fid(domain.bridge).filter(|_| domain.vlan.is_none());
                if let Some(fid) = fid
                    && !self.is_there(&Key::Fid(fid))
                {
                    self.allocation.release_fid(domain.bridge);
                    self.wake_waiting();
                }
                self.due.extend(self.leaving());
            }
            Object::Lag(ifindex) if !self.lags.contains_key(&ifindex) => {
                let lag = self.allocation.lag(ifindex);
                if lag.is_some_and(|lag| !self.is_there(&Key::Lag(lag))) {
                    self.allocation.release_lag(ifindex);
                    self.wake_waiting();
                }
            }
            Object::VirtualRouter(table) if !self.tables.contains_key(&table) => {
                if self.allocation.vr(table).is_some() {
                    self.allocation.release_vr(table);
                    self.wake_waiting();
                }
            }
            Object::Leftover => self.due.extend(self.leaving()),
            Object::Traps
            | Object::Bridging
            | Object::VirtualRouter(_)
            | Object::Lag(_)
            | Object::Route(..)
            | Object::NextHops(_)
            | Object::Neighbour(..) => {}
        }
    }

    /// The chip holds the row, or may hold it.
    pub(super) fn is_there(&self, key: &Key) -> bool {
        self.applied.tables().contains_key(key) || self.applied.is_unknown(key)
    }

    /// Some device's router interface belongs to the object.
    pub(super) fn wants_router(&self, object: Object) -> bool {
        let ifindex = match object {
            Object::Interface(ifindex) => Some(ifindex),
            Object::Domain(domain) => self.routers.get(&domain).copied(),
            _ => None,
        };
        let interface = ifindex.and_then(|i| self.units.get(&i)?.router_interface.as_ref());
        interface.is_some_and(|interface| interface.object() == object)
    }

    /// Virtual routers and LAGs that nobody intends but that still have indices, and LAGs whose ports come or go. Those in trouble
    /// have a retry of their own.
    pub(super) fn leaving(&self) -> Vec<Object> {
        let tables = self.allocation.tables().filter(|table| !self.tables.contains_key(table));
        let lags = self.allocation.lags().filter(|lag| !self.lags.contains_key(lag));
        let lags = lags.chain(self.changing_lags()).map(Object::Lag);
        let all = tables.map(Object::VirtualRouter).chain(lags);
        all.filter(|object| !self.troubles.contains_key(object)).collect()
    }
}
