//! What does each front-panel port let in and out? Carrier, PVID, tags, VLAN membership, spanning tree, learning.
//!
//! ```text
//!   port ─▶ carrier (wire) · PVID (SPVID) · which tags are admitted (SPAFT)
//!        └▶ per VID 0..=4095: member, untagged (SPVM) · STP state (SPMS) · learning (SPVMLR)
//! ```
//!
//! At power-on: no carrier, PVID 1, every frame admitted, member of every VLAN (untagged in VLAN 1), STP discarding, learning on.

use serde::Serialize;

/// A front-panel port: 1..=N. 0 is the CPU port, N + 1 in flood vectors the router port.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct LocalPort(pub u16);

/// Spanning-tree state of a {port, VID}.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum StpState {
    /// Nothing passes but link-local control frames.
    #[default]
    Discarding,
    /// Nothing passes, source addresses are learnt.
    Learning,
    /// Everything passes.
    Forwarding,
}

/// Which frames a port admits, by their tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Admitted {
    /// Without a tag.
    pub(crate) untagged: bool,
    /// With a tag whose VLAN is 0.
    pub(crate) prio_tagged: bool,
    /// With a VLAN.
    pub(crate) tagged: bool,
}

impl Admitted {
    /// Is a frame with this tag admitted?
    #[must_use]
    pub(crate) fn admits(self, tag: Option<u16>) -> bool {
        match tag {
            None => self.untagged,
            Some(0) => self.prio_tagged,
            Some(_) => self.tagged,
        }
    }
}

/// How many VLAN ids there are. 4095 is valid here: the driver classifies a port's untagged frames to it.
const VIDS: usize = 4096;

/// What a port does with the frames of one VLAN; a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct VlanState(u8);

impl VlanState {
    const LETS_IN: u8 = 1;
    const LETS_OUT: u8 = 1 << 1;
    const UNTAGGED: u8 = 1 << 2;
    const STP_LEARNING: u8 = 1 << 3;
    const STP_FORWARDING: u8 = 1 << 4;
    const LEARNS: u8 = 1 << 5;

    const fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    const fn set(&mut self, bit: u8, value: bool) {
        if value {
            self.0 |= bit;
        } else {
            self.0 &= !bit;
        }
    }
}

/// One front-panel port.
#[derive(Debug, Clone)]
pub(crate) struct Port {
    /// Carrier.
    pub(crate) up: bool,
    /// VLAN id of untagged and priority-tagged frames.
    pub(crate) pvid: u16,
    /// Which frames come in at all.
    pub(crate) admitted: Admitted,
    vlans: Box<[VlanState; VIDS]>,
}

impl Port {
    fn new() -> Self {
        let power_on = VlanState(VlanState::LETS_IN | VlanState::LETS_OUT | VlanState::LEARNS);
        let mut vlans = Box::new([power_on; VIDS]);
        vlans[1].set(VlanState::UNTAGGED, true);
        Self {
            up: false,
            pvid: 1,
            admitted: Admitted { untagged: true, prio_tagged: true, tagged: true },
            vlans,
        }
    }

    fn vlan(&self, vid: u16) -> VlanState {
        self.vlans[usize::from(vid) % VIDS]
    }

    fn vlan_mut(&mut self, vid: u16) -> &mut VlanState {
        &mut self.vlans[usize::from(vid) % VIDS]
    }

    /// Are the VLAN's frames let in?
    #[must_use]
    pub(crate) fn lets_in(&self, vid: u16) -> bool {
        self.vlan(vid).has(VlanState::LETS_IN)
    }

    /// Are the VLAN's frames let out?
    #[must_use]
    pub(crate) fn lets_out(&self, vid: u16) -> bool {
        self.vlan(vid).has(VlanState::LETS_OUT)
    }

    /// Do the VLAN's frames leave untagged?
    #[must_use]
    pub(crate) fn is_untagged(&self, vid: u16) -> bool {
        self.vlan(vid).has(VlanState::UNTAGGED)
    }

    /// Sets membership; `untagged` is how the VLAN's frames leave.
    pub(crate) fn set_member(&mut self, vid: u16, ingress: bool, egress: bool, untagged: bool) {
        let state = self.vlan_mut(vid);
        state.set(VlanState::LETS_IN, ingress);
        state.set(VlanState::LETS_OUT, egress);
        state.set(VlanState::UNTAGGED, egress && untagged);
    }

    /// Spanning-tree state of the VLAN.
    #[must_use]
    pub(crate) fn stp(&self, vid: u16) -> StpState {
        let state = self.vlan(vid);
        if state.has(VlanState::STP_FORWARDING) {
            StpState::Forwarding
        } else if state.has(VlanState::STP_LEARNING) {
            StpState::Learning
        } else {
            StpState::Discarding
        }
    }

    /// Sets the spanning-tree state of the VLAN.
    pub(crate) fn set_stp(&mut self, vid: u16, state: StpState) {
        let vlan = self.vlan_mut(vid);
        vlan.set(VlanState::STP_FORWARDING, state == StpState::Forwarding);
        vlan.set(VlanState::STP_LEARNING, state == StpState::Learning);
    }

    /// Are source addresses learnt in the VLAN?
    #[must_use]
    pub(crate) fn learns(&self, vid: u16) -> bool {
        self.vlan(vid).has(VlanState::LEARNS)
    }

    /// Switches learning in the VLAN.
    pub(crate) fn set_learning(&mut self, vid: u16, on: bool) {
        self.vlan_mut(vid).set(VlanState::LEARNS, on);
    }
}

/// All front-panel ports.
#[derive(Debug, Clone)]
pub(crate) struct Ports(Vec<Port>);

impl Ports {
    /// `count` ports as at power-on, without carrier.
    #[must_use]
    pub(crate) fn new(count: u16) -> Self {
        Self((0..count).map(|_| Port::new()).collect())
    }

    /// How many there are.
    #[must_use]
    pub(crate) fn count(&self) -> u16 {
        u16::try_from(self.0.len()).expect("made from a u16")
    }

    /// The number that stands for the router in flood vectors.
    #[must_use]
    pub(crate) fn router_port(&self) -> u16 {
        self.count().saturating_add(1)
    }

    /// The port of that number, `None` for the CPU port and beyond the last.
    #[must_use]
    pub(crate) fn get(&self, port: u16) -> Option<&Port> {
        self.0.get(usize::from(port).checked_sub(1)?)
    }

    /// The same, to change it.
    pub(crate) fn get_mut(&mut self, port: u16) -> Option<&mut Port> {
        self.0.get_mut(usize::from(port).checked_sub(1)?)
    }

    /// Numbers and ports, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &Port)> {
        (1..=self.count()).zip(&self.0)
    }
}
