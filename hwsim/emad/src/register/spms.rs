//! SPMS: in which spanning-tree state is a port, by VLAN?

use std::fmt;

use crate::bits::{Bits, element, get_bytes, put_bytes};
use crate::field::{LOCAL_PORT, read, write};
use crate::layout::{DecodeError, Layout};

/// A spanning-tree state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpmsState {
    /// Neither forwards nor learns.
    Discarding,
    /// Learns, does not forward.
    Learning,
    /// Learns and forwards.
    Forwarding,
}

/// Switch Port MSTP/RSTP State Register.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spms {
    /// The port, 0..=1023.
    pub local_port: u16,
    /// State by VLAN (0..=4095); a write leaves VLANs that are not in here as they are.
    pub states: VlanStates,
}

const STATES: usize = 0x04;
const STATES_LEN: usize = 0x400;
const STATE_WIDTH: u8 = 2;

/// Spanning-tree states by VLAN (0..=4095), two bits each as in the register: thousands of them are read with each answer.
#[derive(Clone, PartialEq, Eq)]
pub struct VlanStates(Box<[u8; STATES_LEN]>);

impl VlanStates {
    /// The state of a VLAN; none if there is none, or no such VLAN.
    #[must_use]
    pub fn get(&self, vid: u16) -> Option<SpmsState> {
        SpmsState::from_code(place(vid)?.get(self.0.as_slice()))
    }

    /// Sets the state of a VLAN; one that the register has no place for is left out.
    pub fn set(&mut self, vid: u16, state: SpmsState) {
        if let Some(place) = place(vid) {
            place.put(self.0.as_mut_slice(), u32::from(state.code()));
        }
    }

    /// VLANs that have a state, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u16, SpmsState)> {
        let octets = self.0.iter().rev().zip(0_u16..).filter(|(octet, _)| **octet != 0);
        let vids = octets.flat_map(|(_, index)| index * 4..index * 4 + 4);
        vids.filter_map(|vid| Some((vid, self.get(vid)?)))
    }
}

fn place(vid: u16) -> Option<Bits> {
    element(0, STATES_LEN, STATE_WIDTH, usize::from(vid))
}

impl Default for VlanStates {
    fn default() -> Self {
        Self(Box::new([0; STATES_LEN]))
    }
}

impl FromIterator<(u16, SpmsState)> for VlanStates {
    fn from_iter<T: IntoIterator<Item = (u16, SpmsState)>>(states: T) -> Self {
        let mut all = Self::default();
        states.into_iter().for_each(|(vid, state)| all.set(vid, state));
        all
    }
}

impl<const N: usize> From<[(u16, SpmsState); N]> for VlanStates {
    fn from(states: [(u16, SpmsState); N]) -> Self {
        states.into_iter().collect()
    }
}

impl fmt::Debug for VlanStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Spms {
    /// The write that puts one VLAN of a port into a state.
    #[must_use]
    pub fn vlan(local_port: u16, vid: u16, state: SpmsState) -> Self {
        Self { local_port, states: [(vid, state)].into() }
    }
}

impl SpmsState {
    /// The state as the register has it, where 0 is "no change".
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Discarding => 1,
            Self::Learning => 2,
            Self::Forwarding => 3,
        }
    }

    const fn from_code(code: u32) -> Option<Self> {
        match code {
            1 => Some(Self::Discarding),
            2 => Some(Self::Learning),
            3 => Some(Self::Forwarding),
            _ => None,
        }
    }
}

impl Layout for Spms {
    const ID: u16 = 0x200d;
    const LEN: usize = STATES + STATES_LEN;
    const NAME: &'static str = "spms";

    fn write(&self, payload: &mut [u8]) {
        write(&self.local_port, payload, LOCAL_PORT);
        put_bytes(payload, STATES, *self.states.0);
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        let states = VlanStates(Box::new(get_bytes(payload, STATES)));
        Ok(Self { local_port: read(payload, LOCAL_PORT), states })
    }
}
