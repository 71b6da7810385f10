//! SPMS: in which spanning-tree state is a port, by VLAN?

use std::collections::BTreeMap;

use crate::bits::element;
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
    pub states: BTreeMap<u16, SpmsState>,
}

const STATES: usize = 0x04;
const STATES_LEN: usize = 0x400;
const STATE_WIDTH: u8 = 2;

impl Spms {
    /// The write that puts one VLAN of a port into a state.
    #[must_use]
    pub fn vlan(local_port: u16, vid: u16, state: SpmsState) -> Self {
        Self { local_port, states: BTreeMap::from([(vid, state)]) }
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
        for (&vid, state) in &self.states {
            if let Some(place) = element(STATES, STATES_LEN, STATE_WIDTH, usize::from(vid)) {
                place.put(payload, u32::from(state.code()));
            }
        }
    }

    fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        let state = |vid: u16| {
            let place = element(STATES, STATES_LEN, STATE_WIDTH, usize::from(vid))?;
            SpmsState::from_code(place.get(payload)).map(|state| (vid, state))
        };
        Ok(Self {
            local_port: read(payload, LOCAL_PORT),
            states: (0..4096).filter_map(state).collect(),
        })
    }
}
