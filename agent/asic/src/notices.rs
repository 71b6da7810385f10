//! What does a chip tell of its own accord? Which MACs it learnt in a FID, and which ones it forgot because they were not
//! seen for the ageing time.
//!
//! ```text
//!   ask_notices() ─▶ one query ─▶ next() → Event::Noticed(Notices)       up to 64, oldest first
//! ```
//!
//! A query takes what it tells away from the chip, so that nobody else may ask, and what is lost on its way is lost for
//! good: [`Notices::lost`].

use firsthop_model::Mac;
use firsthop_model::chip::{Fid, PortOrLag};

/// What happened to a MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Noticed {
    /// It was seen for the first time, or moved here.
    Learnt,
    /// It was not seen for the ageing time, and is forgotten.
    Aged,
}

/// A MAC that the chip learnt or forgot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// Which of the two.
    pub what: Noticed,
    /// The MAC.
    pub mac: Mac,
    /// The bridging domain.
    pub fid: Fid,
    /// Behind what it is, or was.
    pub at: PortOrLag,
}

/// The answer to one query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notices {
    /// In the order in which it happened.
    pub list: Vec<Notice>,
    /// There may be more already.
    pub more: bool,
    /// An answer before this one was lost, with up to 64 notices in it.
    pub lost: bool,
}
