//! What does every back end promise?
//!
//! ```text
//!   submit(7, Add …) ─┐            ┌─▶ Completed { 7, Ok }
//!   submit(8, Edit …) ┼─▶ chip ────┼─▶ Completed { 8, Err(class Capacity) }       each ticket exactly once,
//!   submit(9, …)     ─┘            └─▶ Completed { 9, Err(class Unknown) }        in any order
//!   ask_rows(…) ────────────────────▶ Rows(…)                                     changes do not wait for it
//!                                      Disconnected(…)                             at most once, and last
//! ```
//!
//! * Changes of one row are executed in the order of submission; those of different rows in any order.
//! * A change that completed with `Ok` is in the chip. One that failed with another class than
//!   [`Class::Unknown`](crate::Class::Unknown) is not, and the row is as it was.
//! * A removal of what is absent is a success.
//! * A question is no change: it is not counted in [`Asic::in_flight`].
//! * Every failure is a completion; no method panics on what a chip answers.
//!
//! [`contract::check`](crate::contract::check) tries them; docs/back-ends.md goes through a back end that keeps them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use firsthop_model::chip::{Change, Key, RifIndex, Tables};

use crate::{AsicError, Capabilities, Notices};

/// The caller's number of a change; the caller keeps it unique among those in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// How a change ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The change's number.
    pub ticket: Ticket,
    /// `Ok`: the chip acknowledged it.
    pub result: Result<(), AsicError>,
}

/// What [`Asic::next`] reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A change ended.
    Completed(Completion),
    /// The answer to [`Asic::ask_notices`]. After an error notices may be lost, as with [`Notices::lost`].
    Noticed(Result<Notices, AsicError>),
    /// The answer to [`Asic::ask_rows`]. An error: the chip did not answer, or can't be reached. A refusal for one row is in
    /// [`ReadBack::failed`] instead.
    Rows(Result<ReadBack, AsicError>),
    /// The answer to [`Asic::ask_activity`]: hosts that a packet went to, by router interface and address. After an error some that
    /// were used are missing, for good.
    Active(Result<Vec<(RifIndex, IpAddr)>, AsicError>),
    /// The chip can't be reached any more. Every change got its completion before; later ones fail with
    /// [`Class::Gone`](crate::Class::Gone). Connecting again is the owner's decision, with a new back end.
    Disconnected(AsicError),
}

/// What the chip holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadBack {
    /// Rows that hold an entry. A key that was asked for and is in none of the fields is an empty row.
    pub tables: Tables,
    /// Rows whose registers can't be read.
    pub unreadable: BTreeSet<Key>,
    /// Rows that hold something that no entry says: another type of router interface, a route with another action.
    /// Adding an entry replaces it, removing any entry of that key empties the row.
    pub foreign: BTreeSet<Key>,
    /// Rows whose query the chip refused.
    pub failed: BTreeMap<Key, AsicError>,
}

/// How the content of a row can be learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readability {
    /// Found without knowing its key: a restart finds it by itself.
    Enumerable,
    /// Read by key: a restart has to know that it might be there.
    ByKey,
    /// Never read; it has to be written again.
    Unreadable,
}

/// How the row of this key can be learned on chips that are spoken to by registers.
pub const fn readability(key: &Key) -> Readability {
    match key {
        Key::Rif(_) | Key::RouterMac(..) => Readability::Enumerable,
        Key::Router
        | Key::Policer(_)
        | Key::TrapGroup(_)
        | Key::Trap(_)
        | Key::Route(..)
        | Key::Adjacency(_)
        | Key::Neighbour(..)
        | Key::Fid(_)
        | Key::FidRif(_)
        | Key::EgressVid(..)
        | Key::PortPvid(_)
        | Key::PortStp(..)
        | Key::PortVidFid(..)
        | Key::VidFid(_)
        | Key::AgeingTime
        | Key::FloodTable(..)
        | Key::FloodPort(..) => Readability::ByKey,
        Key::LpmTree(_)
        | Key::LpmTreeShape(_)
        | Key::VrTree(..)
        | Key::MulticastDefault(..)
        | Key::Multipath
        | Key::PortVlan(..)
        | Key::PortLearning(..)
        | Key::Learnt(..)
        | Key::Lag(_)
        | Key::LagPort(..)
        | Key::LagCollector(_)
        | Key::LagCollecting(_) => Readability::Unreadable,
    }
}

/// A switch chip, as the module head describes it.
#[expect(async_fn_in_trait, reason = "the daemon has one thread, so no future has to be Send")]
pub trait Asic {
    /// Takes a change; its outcome comes out of [`Asic::next`]. Never blocks; the caller bounds what it submits by
    /// [`Asic::in_flight`].
    fn submit(&mut self, ticket: Ticket, change: Change);

    /// Asks which MACs the chip learnt or forgot since it was last asked; [`Asic::next`] has the answer, as one
    /// [`Event::Noticed`]. Never blocks, and gives way to every change that can be sent. One question at a time: while
    /// one is under way, and when the chip can't be reached any more, another one is ignored.
    fn ask_notices(&mut self);

    /// Asks what the rows of `keys` hold, and with `enumerate` everything that can be enumerated (router interfaces, router
    /// MACs); [`Asic::next`] has the answer, as one [`Event::Rows`]. Never blocks, and gives way to every change that can be
    /// sent. Questions are answered in their order; when the chip can't be reached any more, another one is ignored.
    ///
    /// Rows with changes in flight are read after those. The picture is of one moment if nothing is in flight, and nothing is
    /// submitted before it is there.
    fn ask_rows(&mut self, enumerate: bool, keys: Vec<Key>);

    /// Asks which hosts of the host table were used since this was last asked; [`Asic::next`] has the answer, as one
    /// [`Event::Active`]. Never blocks, and takes its turn with [`Asic::ask_rows`]. When the chip can't be reached any more it is
    /// ignored.
    fn ask_activity(&mut self);

    /// Changes that were submitted and have not been reported.
    fn in_flight(&self) -> usize;

    /// The next event; pends while there is none. Cancel-safe: a dropped future loses nothing.
    async fn next(&mut self) -> Event;

    /// What the chip is now. Another [`Capabilities::generation`] than before means that it was reset and is empty.
    ///
    /// # Errors
    /// The chip did not answer, or does not say what Firsthop can't do without.
    async fn capabilities(&mut self) -> Result<Capabilities, AsicError>;
}
