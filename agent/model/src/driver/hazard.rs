//! What goes wrong with virtual routers on switches whose drivers nobody can tell what to do: named, so that it can be watched
//! for.

use super::{Evidence, Readings};
use crate::IfIndex;

macro_rules! hazards {
    ($($variant:ident $code:literal $sentence:literal $fix:literal)*) => {
        /// A kind of hazard.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum HazardKind {
            $(#[doc = $sentence] $variant,)*
        }

        impl HazardKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What is the case, and what follows.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }

            /// What to do about it.
            pub const fn fix(self) -> &'static str {
                match self { $(Self::$variant => $fix,)* }
            }
        }
    };
}

hazards! {
    SecondVridSlot "second_vrid_slot"
        "Several VRIDs of one family share the one VRRP slot of their router interface: the driver keeps the last one that it wrote, \
         and empties the slot when any of them leaves. All of them are routed all the same, by the forwarding database."
        "Nothing for routing; one VRID of a family on each interface keeps the slot."
    BackupAttracts "backup_attracts"
        "The driver routes frames for the MAC of a router that is not active: it asks for an address only, not for the state of the \
         macvlan, and for nothing when it makes the router interface anew."
        "Take the addresses off the macvlan while this router is a backup (`ip addr flush dev DEV`), link-local ones too \
         (`ip link set DEV addrgenmode none`)."
    StaleRecord "stale_record"
        "The MAC of a macvlan was changed while the driver had it: the driver still routes frames for the former one, and takes the \
         new one with the next address only."
        "Take all addresses off the device below and put them back, which makes its router interface anew."
    TableNearFull "table_near_full"
        "A table of the chip is nearly full: the driver refuses addresses when it is."
        "Use fewer router interfaces; for `rif_mac_profiles` give interfaces MACs with the same first bits."
    PolicerTooSmall "policer_too_small"
        "The policer of the trap group `vrrp` lets less pass than the virtual routers send: backups may take over."
        "Let Firsthop size it (`manage = true`), raise it (`devlink trap policer set DEV policer N rate RATE burst BURST`), or advertise less often."
}

/// Something that goes wrong, or may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hazard {
    /// Which one.
    pub kind: HazardKind,
    /// The device that it is about; None: the switch.
    pub about: Option<IfIndex>,
    /// False: whether it is the case depends on what happened before anybody looked.
    pub certain: bool,
    /// How that is known.
    pub evidence: Evidence,
    /// What it was told from.
    pub text: String,
}

/// Hazards of a device as a whole.
pub(super) fn of_device(readings: &Readings) -> Vec<Hazard> {
    let read =
        |kind, text| Hazard { kind, about: None, certain: true, evidence: Evidence::Read, text };
    let mut hazards = Vec::new();
    for (name, table) in [("rifs", readings.rifs), ("rif_mac_profiles", readings.rif_mac_profiles)]
    {
        if let Some(table) = table.filter(|table| table.is_near_full()) {
            let text = format!("{name}: {} of {} are taken", table.occ, table.size);
            hazards.push(read(HazardKind::TableNearFull, text));
        }
    }
    if let (Some(has), Some(needs)) = (readings.vrrp_policer, readings.vrrp_need)
        && (has.rate < needs.rate || has.burst < needs.burst)
    {
        let text = format!(
            "{} packets a second and {} at once pass, {} and {} are needed",
            has.rate, has.burst, needs.rate, needs.burst
        );
        hazards.push(read(HazardKind::PolicerTooSmall, text));
    }
    hazards
}
