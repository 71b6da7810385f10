//! How is an operation said to a switch chip?
//!
//! In: [`Change`](firsthop_model::chip::Change)s, each with a [`Ticket`]. Out: one [`Completion`] a ticket, and on
//! request what the chip holds and what it learnt. Ports and indices only: nothing here knows a netdev.
//!
//! ```text
//!            submit(ticket, change)          ┌ Spectrum ── EMAD frames ──▶ the chip's socket
//!   apply ──────────────────────▶ Backend ───┤ DryRun  ── remembers what it would write
//!         ◀────────────────────── (Asic)     └ Faulty  ── fails some, passes the rest on to another one
//!            next() → Event
//! ```
#![forbid(unsafe_code)]

mod asic;
mod backend;
mod capabilities;
pub mod contract;
mod dry_run;
mod error;
mod faulty;
pub mod kernel;
mod lock;
mod notices;
pub mod spectrum;

pub use asic::{Asic, Completion, Event, ReadBack, Readability, Ticket, readability};
pub use backend::Backend;
pub use capabilities::{Capabilities, Port};
pub use dry_run::DryRun;
pub use error::{AsicError, Class, Subject, Transaction};
pub use faulty::{Faulty, Pick, Plan};
pub use lock::ChipLock;
pub use notices::{Notice, Noticed, Notices};
