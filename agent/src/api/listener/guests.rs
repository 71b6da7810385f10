//! Who may come in, and ask? Counts by user, so that nobody takes what others need.
//!
//! ```text
//!   user ──▶ connections  1 … 32 ──▶ of all users 128, of which the last 16 are for root and for the daemon's own user
//!        └─▶ requests     1 … 4      that the daemon answers at once; waits and monitors are bounded by connections
//! ```
//!
//! Root and the daemon's own user are bounded only by what there is: they could take the daemon's memory anyway.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::interface::Failure;

/// Connections at the same time.
pub(super) const CONNECTIONS: usize = 128;
/// Those of them that only root and the daemon's own user get.
pub(super) const RESERVED: usize = 16;
/// Connections of one other user.
pub(super) const PER_USER: usize = 32;
/// Requests of one other user that the daemon works at.
pub(super) const REQUESTS: usize = 4;

/// Everybody who is connected.
#[derive(Debug, Default)]
pub(super) struct Guests {
    users: RefCell<BTreeMap<u32, Rc<User>>>,
    connections: Cell<usize>,
}

#[derive(Debug, Default)]
struct User {
    connections: Cell<usize>,
    requests: Cell<usize>,
}

/// One connection; leaves when it is dropped.
#[derive(Debug)]
pub(super) struct Guest {
    guests: Rc<Guests>,
    user: Rc<User>,
    uid: u32,
    own: bool,
}

/// One request that the daemon works at; done when it is dropped.
#[derive(Debug)]
pub(super) struct Asking(Rc<User>);

impl Guests {
    /// Lets a connection of this user in; `own`: it is root, or the daemon's own user.
    ///
    /// # Errors
    /// [`Failure::TooMany`], for this user or for all.
    pub(super) fn enter(self: &Rc<Self>, uid: u32, own: bool) -> Result<Guest, Failure> {
        let limit = if own { CONNECTIONS } else { CONNECTIONS - RESERVED };
        if self.connections.get() >= limit {
            return Err(Failure::TooMany { what: "connections", limit });
        }
        let user = Rc::clone(self.users.borrow_mut().entry(uid).or_default());
        if !own && user.connections.get() >= PER_USER {
            return Err(Failure::TooMany { what: "connections of one user", limit: PER_USER });
        }
        user.connections.set(user.connections.get() + 1);
        self.connections.set(self.connections.get() + 1);
        Ok(Guest { guests: Rc::clone(self), user, uid, own })
    }
}

impl Guest {
    /// It is root, or the daemon's own user.
    pub(super) const fn is_own(&self) -> bool {
        self.own
    }

    /// Begins a request that the daemon answers at once.
    ///
    /// # Errors
    /// [`Failure::TooMany`]: the user has others under way.
    pub(super) fn ask(&self) -> Result<Asking, Failure> {
        let requests = self.user.requests.get();
        if !self.own && requests >= REQUESTS {
            return Err(Failure::TooMany { what: "requests of one user", limit: REQUESTS });
        }
        self.user.requests.set(requests + 1);
        Ok(Asking(Rc::clone(&self.user)))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let left = self.user.connections.get() - 1;
        self.user.connections.set(left);
        self.guests.connections.set(self.guests.connections.get() - 1);
        if left == 0 {
            self.guests.users.borrow_mut().remove(&self.uid);
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.requests.set(self.0.requests.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T>(result: &Result<T, Failure>) -> Option<(&'static str, usize)> {
        match result {
            Err(Failure::TooMany { what, limit }) => Some((*what, *limit)),
            _ => None,
        }
    }

    // Broken if one user could keep the others out, or if who left were counted for ever.
    #[test]
    fn users_have_a_share_each() {
        let guests = Rc::new(Guests::default());
        let mut one: Vec<_> = (0..PER_USER).map(|_| guests.enter(1000, false).unwrap()).collect();
        let own_share = Some(("connections of one user", PER_USER));
        assert_eq!(refused(&guests.enter(1000, false)), own_share);
        let other = guests.enter(1001, false).unwrap();
        one.pop();
        one.push(guests.enter(1000, false).unwrap());
        assert_eq!(refused(&guests.enter(1000, false)), own_share);
        drop((one, other));
        assert!(guests.users.borrow().is_empty());
        assert_eq!(guests.connections.get(), 0);
    }

    // Broken if all other users together could keep root out.
    #[test]
    fn root_always_gets_in() {
        let guests = Rc::new(Guests::default());
        let others = CONNECTIONS - RESERVED;
        let full: Vec<_> = (0..u32::try_from(others).unwrap())
            .map(|uid| guests.enter(1000 + uid, false).unwrap())
            .collect();
        assert_eq!(refused(&guests.enter(7, false)), Some(("connections", others)));
        let own: Vec<_> = (0..RESERVED).map(|_| guests.enter(0, true).unwrap()).collect();
        assert_eq!(refused(&guests.enter(0, true)), Some(("connections", CONNECTIONS)));
        drop((full, own));
        guests.enter(7, false).unwrap();
    }

    // Broken if a user could give the daemon any amount of work at once, or if root were kept from it.
    #[test]
    fn requests_are_counted_by_user() {
        let guests = Rc::new(Guests::default());
        let (one, two) = (guests.enter(1000, false).unwrap(), guests.enter(1000, false).unwrap());
        let mut asking: Vec<_> = (0..REQUESTS).map(|_| one.ask().unwrap()).collect();
        assert_eq!(refused(&two.ask()), Some(("requests of one user", REQUESTS)));
        asking.pop();
        two.ask().unwrap();
        let root = guests.enter(0, true).unwrap();
        let many: Vec<_> = (0..REQUESTS * 4).map(|_| root.ask().unwrap()).collect();
        assert_eq!(many.len(), REQUESTS * 4);
    }
}
