//! On the way to the CPU: which action has a trap (HPKT), which group, which policer and class has the
//! group (HTGT), and how much came through?
//!
//! ```text
//!   trap id ──HPKT──▶ action, group ──HTGT──▶ policer, priority, traffic class
//!      │ packets, bytes: after the policer
//!      └ policed: dropped by it
//! ```

use super::traps::{self, TRAPS, Trap, TrapAction};

/// What HPKT said of one trap, and its counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TrapState {
    /// `None`: as at power-on.
    pub(crate) action: Option<TrapAction>,
    /// `None`: HPKT was never written.
    pub(crate) group: Option<u8>,
    /// HPKT.ctrl as written; not interpreted.
    pub(crate) ctrl: u8,
    /// Packets that reached the CPU.
    pub(crate) packets: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Packets that the policer of the group dropped.
    pub(crate) policed: u64,
}

/// All traps, in the order of [`TRAPS`].
#[derive(Debug, Clone)]
pub(crate) struct TrapTable(Vec<TrapState>);

/// As at power-on.
impl Default for TrapTable {
    fn default() -> Self {
        Self(vec![TrapState::default(); TRAPS.len()])
    }
}

impl TrapTable {
    /// The trap of that id and its state.
    #[must_use]
    pub(crate) fn get(&self, id: u16) -> Option<(&'static Trap, &TrapState)> {
        let (index, trap) = traps::by_id(id)?;
        Some((trap, &self.0[index]))
    }

    /// The state of the trap of that id, to change it.
    pub(crate) fn get_mut(&mut self, id: u16) -> Option<&mut TrapState> {
        let (index, _) = traps::by_id(id)?;
        Some(&mut self.0[index])
    }

    /// The action that counts for a trap; an id that does not exist discards.
    #[must_use]
    pub(crate) fn action(&self, id: u16) -> TrapAction {
        self.get(id)
            .map_or(TrapAction::Discard, |(trap, state)| state.action.unwrap_or(trap.power_on))
    }

    /// Traps and their states by rising id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static Trap, &TrapState)> {
        TRAPS.iter().zip(&self.0)
    }
}

/// A trap group as HTGT sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TrapGroup {
    /// Was HTGT ever written? Until then the rest is zero.
    pub(crate) written: bool,
    /// The policer of its packets.
    pub(crate) policer: Option<u16>,
    /// 0..=7: of several matching traps the one whose group has the highest delivers.
    pub(crate) priority: u8,
    /// Traffic class towards the CPU.
    pub(crate) tclass: u8,
    /// Receive descriptor queue, as written; not interpreted.
    pub(crate) rdq: u8,
}
