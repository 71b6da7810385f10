//! Who is told more than fits into one answer, and how far?
//!
//! ```text
//!   request ─▶ Listing ─▶ a page ─▶ Replies ─▶ … ─▶ the last page
//!                 ▲          │
//!                 └── queue ◀┘     a share of each turn, one page for each in its order
//! ```
//!
//! The table may change between two pages: a row that is there all the time is told once, one that comes or goes may be told or not.
//! Nobody who reads slowly makes more than [`ROOM`] pages wait.

use std::collections::VecDeque;
use std::time::Duration;

use firsthop_model::reconcile::Reconciler;
use serde_json::json;
use tokio::time::Instant;

use super::Daemon;
use super::desk::SHARE;
use crate::api::listener::Replies;
use crate::api::{Failure, NeighbourFilter, Reply, Request, RouteFilter};
use crate::views;

/// Pages that wait for a client to read them.
const ROOM: usize = 16;
/// Before somebody is told more who has not read that many.
const CATCH_UP: Duration = Duration::from_millis(5);

/// What is listed, and how far it has been told.
#[derive(Debug)]
pub(super) enum Rows {
    Routes(views::Routes),
    Neighbours(views::Neighbours),
}

impl Rows {
    /// What a request lists; None: it is no list that comes in pages.
    pub(super) fn of(request: &Request, reconciler: &Reconciler) -> Option<Result<Self, Failure>> {
        match request {
            Request::ListRoute(filter) => Some(routes(filter, reconciler).map(Self::Routes)),
            Request::ListNeighbour(filter) => {
                Some(neighbours(filter, reconciler).map(Self::Neighbours))
            }
            _ => None,
        }
    }

    /// The next page, and whether another one follows.
    fn page(&mut self, reconciler: &Reconciler, stale: bool) -> (Reply, bool) {
        let routing = if views::is_in_hardware(reconciler) { "hardware" } else { "cpu" };
        let (results, more) = match self {
            Self::Routes(routes) => {
                let (rows, more) = routes.page(reconciler);
                (json!({ "routes": rows, "routing": routing, "stale": stale }), more)
            }
            Self::Neighbours(neighbours) => {
                let (rows, more) = neighbours.page(reconciler);
                (json!({ "neighbours": rows, "routing": routing, "stale": stale }), more)
            }
        };
        (if more { Reply::continued(&results) } else { Reply::of(&results) }, more)
    }
}

fn routes(filter: &RouteFilter, reconciler: &Reconciler) -> Result<views::Routes, Failure> {
    let RouteFilter { dev, table, vrf, prefix, address } = filter;
    let dev = dev.as_ref().map(|dev| device(dev, reconciler)).transpose()?;
    let table = table_asked_for(*table, vrf.as_deref(), reconciler)?;
    Ok(views::Routes::of(dev, table, *prefix, *address))
}

fn neighbours(
    filter: &NeighbourFilter,
    reconciler: &Reconciler,
) -> Result<views::Neighbours, Failure> {
    let dev = filter.dev.as_ref().map(|dev| device(dev, reconciler)).transpose()?;
    Ok(views::Neighbours::of(dev, filter.address))
}

fn device(name: &str, reconciler: &Reconciler) -> Result<firsthop_model::IfIndex, Failure> {
    let link = reconciler.topology().link_by_name(name);
    link.map(|link| link.ifindex).ok_or_else(|| Failure::NoSuchDevice(name.to_owned()))
}

/// The table by its number, or by the name of its VRF, which wins.
pub(super) fn table_asked_for(
    table: Option<u32>,
    vrf: Option<&str>,
    reconciler: &Reconciler,
) -> Result<Option<u32>, Failure> {
    let Some(vrf) = vrf else { return Ok(table) };
    let found = views::table_of_vrf(reconciler, vrf);
    found.map(Some).ok_or_else(|| Failure::NoSuchDevice(vrf.to_owned()))
}

/// One request that is being answered.
#[derive(Debug)]
struct Listing {
    rows: Rows,
    replies: Replies,
}

/// Everybody who is being told more than fits into one answer.
#[derive(Debug, Default)]
pub(super) struct Listings(VecDeque<Listing>);

impl Listings {
    pub(super) fn add(&mut self, rows: Rows, replies: Replies) {
        self.0.push_back(Listing { rows, replies });
    }

    /// Tells pages for a share of a turn. When there is more to be told; None: everybody knows everything.
    pub(super) fn tell(&mut self, reconciler: &Reconciler, stale: bool) -> Option<Instant> {
        let began = Instant::now();
        let mut slow = 0;
        while slow < self.0.len()
            && let Some(mut listing) = self.0.pop_front()
        {
            if listing.replies.waiting() >= ROOM {
                slow += 1;
                self.0.push_back(listing);
                continue;
            }
            slow = 0;
            let (reply, more) = listing.rows.page(reconciler, stale);
            if listing.replies.send(reply) && more {
                self.0.push_back(listing);
            }
            if began.elapsed() >= SHARE && !self.0.is_empty() {
                return Some(began);
            }
        }
        (!self.0.is_empty()).then(|| Instant::now() + CATCH_UP)
    }
}

impl Daemon {
    /// Tells more to those who list something.
    pub(super) fn list(&mut self) {
        let stale = self.engine.is_stale();
        if let Some(at) = self.desk.listings.tell(self.engine.reconciler(), stale) {
            self.desk.wake_at(at);
        }
    }
}

#[cfg(test)]
mod tests;
