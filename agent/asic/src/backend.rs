//! Which chip is it? Chosen when the daemon starts.

use firsthop_model::chip::{Change, Key};

use crate::spectrum::Spectrum;
use crate::{Asic, AsicError, Capabilities, DryRun, Event, Faulty, Ticket};

/// A chip of any kind.
#[derive(Debug)]
pub enum Backend {
    /// A chip that is spoken to by EMAD, such as hwsim.
    Spectrum(Box<Spectrum>),
    /// No chip: what would be written.
    DryRun(Box<DryRun>),
    /// One of these, of which some changes fail.
    Faulty(Box<Faulty<Backend>>),
}

impl Asic for Backend {
    fn submit(&mut self, ticket: Ticket, change: Change) {
        match self {
            Self::Spectrum(chip) => chip.submit(ticket, change),
            Self::DryRun(chip) => chip.submit(ticket, change),
            Self::Faulty(chip) => chip.submit(ticket, change),
        }
    }

    fn ask_notices(&mut self) {
        match self {
            Self::Spectrum(chip) => chip.ask_notices(),
            Self::DryRun(chip) => chip.ask_notices(),
            Self::Faulty(chip) => chip.ask_notices(),
        }
    }

    fn ask_rows(&mut self, enumerate: bool, keys: Vec<Key>) {
        match self {
            Self::Spectrum(chip) => chip.ask_rows(enumerate, keys),
            Self::DryRun(chip) => chip.ask_rows(enumerate, keys),
            Self::Faulty(chip) => chip.ask_rows(enumerate, keys),
        }
    }

    fn ask_activity(&mut self) {
        match self {
            Self::Spectrum(chip) => chip.ask_activity(),
            Self::DryRun(chip) => chip.ask_activity(),
            Self::Faulty(chip) => chip.ask_activity(),
        }
    }

    fn in_flight(&self) -> usize {
        match self {
            Self::Spectrum(chip) => chip.in_flight(),
            Self::DryRun(chip) => chip.in_flight(),
            Self::Faulty(chip) => chip.in_flight(),
        }
    }

    async fn next(&mut self) -> Event {
        match self {
            Self::Spectrum(chip) => chip.next().await,
            Self::DryRun(chip) => chip.next().await,
            // Boxed because it waits for a back end itself, which makes the future's size endless.
            Self::Faulty(chip) => Box::pin(chip.next()).await,
        }
    }

    async fn capabilities(&mut self) -> Result<Capabilities, AsicError> {
        match self {
            Self::Spectrum(chip) => chip.capabilities().await,
            Self::DryRun(chip) => chip.capabilities().await,
            Self::Faulty(chip) => Box::pin(chip.capabilities()).await,
        }
    }
}
