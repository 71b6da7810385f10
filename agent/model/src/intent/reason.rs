//! Why something is not in the chip: the one table of reason codes that feeds the client, the API, metrics and docs.
//!
//! Codes are stable: new ones are added, none is renamed. `docs/reasons.md` and `docs/man/firsthop-reasons.7` are made from this table
//! by tests.

use serde::{Deserialize, Serialize};

use super::verdict::State;

macro_rules! reasons {
    ($($variant:ident $code:literal $state:ident $sentence:literal $effect:literal $fix:literal)*) => {
        /// A stable reason code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Reason {
            $(#[doc = $sentence] #[serde(rename = $code)] $variant,)*
        }

        impl Reason {
            /// Every reason, in the order in which the first match wins.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The one with this code; none: it is of a newer daemon.
            pub fn of_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.code() == code)
            }

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The state that an object with this reason is in.
            pub const fn state(self) -> State {
                match self { $(Self::$variant => State::$state,)* }
            }

            /// What is the case.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }

            /// What follows for traffic.
            pub const fn effect(self) -> &'static str {
                match self { $(Self::$variant => $effect,)* }
            }

            /// What to do about it.
            pub const fn fix(self) -> &'static str {
                match self { $(Self::$variant => $fix,)* }
            }
        }
    };
}

reasons! {
    ForeignNetns "foreign_netns" NotOffloaded
        "The device below is in another network namespace."
        "The chip does not route frames for this MAC; the kernel still serves it in software."
        "Move the device into the network namespace of its lower device."
    LowerNotAsic "lower_not_asic" NotOffloaded
        "There is no switch port below this device."
        "The kernel serves it in software; the chip is not involved."
        "Nothing, unless it should sit on a switch port."
    ExcludedByConfig "excluded_by_config" NotOffloaded
        "The configuration excludes this device."
        "The chip does not route frames for it."
        "Remove the device from `exclude` in firsthop.toml."
    PortEnslaved "port_enslaved" NotOffloaded
        "The port is a member of a bridge, bond or team, so its own addresses route nothing."
        "The chip has no router interface for it; the kernel ignores the addresses as well."
        "Put the address on the master, or take the port out of it (`ip link set DEV nomaster`)."
    UpperUnsupported "upper_unsupported" NotOffloaded
        "No chip has a counterpart of this kind of device over a switch port."
        "The chip does not tell its frames from those of the device below."
        "Use a VLAN (802.1Q), a bond, team, bridge, macvlan or VRF."
    LagModeUnsupported "lag_mode_unsupported" NotOffloaded
        "The bond distributes in a way that the chip can't; it can only distribute by a hash."
        "The chip neither routes nor bridges for the bond, nor for anything on it."
        "Use mode balance-xor or 802.3ad (`ip link set BOND type bond mode 802.3ad`, without members)."
    VlanProtocolUnsupported "vlan_protocol_unsupported" NotOffloaded
        "The VLAN device has service tags (802.1ad); the chip's VLANs have 802.1Q tags."
        "Its frames are not routed in hardware."
        "Create it with `protocol 802.1Q`."
    VlanOnLagPort "vlan_on_lag_port" NotOffloaded
        "The VLAN device stands on a single member of a bond or team."
        "Its frames belong to the bond or team; the chip gives it nothing."
        "Create the VLAN on the bond or team."
    VlanOnOvsPort "vlan_on_ovs_port" NotOffloaded
        "The VLAN device stands on a port of Open vSwitch."
        "Open vSwitch takes its frames."
        "Take the port out of Open vSwitch, or make the VLAN there."
    VlanOn8021adPort "vlan_on_8021ad_port" NotOffloaded
        "The VLAN device stands on a port of an 802.1ad bridge."
        "Its frames are not routed in hardware."
        "Take the port out of the bridge."
    VlanOnLockedPort "vlan_on_locked_port" NotOffloaded
        "The VLAN device stands on a locked bridge port."
        "Its frames are not routed in hardware: they would pass the lock."
        "Unlock the port (`bridge link set dev PORT locked off`)."
    VlanInBridge "vlan_in_bridge" NotOffloaded
        "The bridge of the port below bridges the same VLAN."
        "The frames are bridged; the VLAN device gets none in hardware."
        "Put the address on a VLAN device of the bridge, or take the VLAN off the port (`bridge vlan del`)."
    VlanInVlanAwareBridge "vlan_in_vlan_aware_bridge" NotOffloaded
        "A VLAN device is a member of a VLAN-aware bridge."
        "The chip does not bridge its frames."
        "Put the port itself into the bridge, with the VLAN (`bridge vlan add`)."
    VlansOfOnePortBridged "vlans_of_one_port_bridged" NotOffloaded
        "Another VLAN of the same port is a member of this VLAN-unaware bridge."
        "The chip bridges the one with the lowest interface index only."
        "Use one bridge for each VLAN, or a VLAN-aware bridge."
    ForeignBridgeMember "foreign_bridge_member" NotOffloaded
        "The device is a member of a bridge that the chip bridges for, but is not a port of the chip."
        "The kernel bridges its frames; the chip does not know the MACs behind it, so hosts at the chip's ports reach them by broadcast and multicast only."
        "Route between them, or use a port of the chip."
    VlanOfUnawareBridge "vlan_of_unaware_bridge" NotOffloaded
        "The VLAN device stands on a bridge that does not tell VLANs apart."
        "Its frames are not routed in hardware."
        "Turn on vlan_filtering (`ip link set BRIDGE type bridge vlan_filtering 1`), or use another bridge for the VLAN."
    Bridge8021ad "bridge_8021ad" NotOffloaded
        "The bridge has service tags (802.1ad)."
        "The chip neither bridges nor routes for it."
        "Use `vlan_protocol 802.1Q`."
    UpperOn8021adBridge "upper_on_8021ad_bridge" NotOffloaded
        "The device stands on a bridge with service tags (802.1ad)."
        "Its frames are not routed in hardware."
        "Use `vlan_protocol 802.1Q` for the bridge."
    BridgeProtocolUnknown "bridge_protocol_unknown" NotOffloaded
        "The bridge has a VLAN protocol that is neither 802.1Q nor 802.1ad."
        "The chip neither bridges nor routes for it."
        "Use `vlan_protocol 802.1Q`."
    SecondVlanAwareBridge "second_vlan_aware_bridge" NotOffloaded
        "The chip has room for one VLAN-aware bridge, and another one with a lower interface index has its ports."
        "The chip neither bridges nor routes for this one."
        "Put the ports into one bridge, or make this one VLAN-unaware."
    MacvlanEnslaved "macvlan_enslaved" NotOffloaded
        "The macvlan is a member of a bridge, bond or team."
        "The chip does not route frames for its MAC."
        "Take it out (`ip link set DEV nomaster`); only a VRF may hold a macvlan."
    MacvlanPassthru "macvlan_passthru" NotOffloaded
        "A passthru macvlan uses its lower device's own MAC."
        "There is no second MAC to route for."
        "Use mode private (keepalived) or bridge (FRR)."
    MacMulticast "mac_multicast" NotOffloaded
        "The MAC is a group address or all zero."
        "It can't be a router's MAC."
        "Give the device a unicast MAC (`ip link set DEV address MAC`)."
    IpvlanSharesMac "ipvlan_shares_mac" NotOffloaded
        "An ipvlan shares its lower device's MAC."
        "Frames for it already reach the router through the lower's MAC and are delivered by the kernel."
        "Nothing; use a macvlan where a MAC of its own is wanted."
    IpvlanVepaReflection "ipvlan_vepa_reflection" NotOffloaded
        "A vepa ipvlan expects the switch to send its frames back out of the port they came from."
        "A chip does not reflect frames: siblings can't talk to one another."
        "Use mode bridge or private."
    RifUnsupported "rif_unsupported" NotOffloaded
        "The driver of this switch does not route for such a device."
        "The kernel routes for it in software."
        "Nothing on this hardware; `firsthop doctor` says what its driver can."
    VmacUnsupported "vmac_unsupported" NotOffloaded
        "This chip or driver can't take a second router MAC."
        "The kernel serves the MAC in software."
        "On a switch that bridges: put the port into a bridge, and the macvlan on the bridge. Otherwise nothing on this hardware."
    NotManaged "not_managed" NotOffloaded
        "Firsthop may only look at this bridge or port, which is not a simulated chip's."
        "A bridge floods frames for the MAC, or sends them where it last saw it; a port has no trap for VRRP advertisements of ours."
        "Set `manage = true` in section `[device]` of firsthop.toml, and restart firsthopd."
    RouteUnsupported "route_unsupported" NotOffloaded
        "The route is of a kind that the chip has not: it counts for one type of service only, gives packets another header, has next hops on the link beside gateways, or says to look elsewhere."
        "Packets to it go to the CPU, and the kernel routes them."
        "Use a route with one way out, or with gateways only (`ip route replace PREFIX via GATEWAY`)."
    NextHopMissing "next_hop_missing" NotOffloaded
        "The route leads to a next-hop object that is not known."
        "Packets to it go to the CPU, and the kernel decides."
        "Look whether the object is there (`ip nexthop show`); the route is looked at again when it comes."
    NextHopMacvlan "next_hop_macvlan" NotOffloaded
        "The route leads out of a macvlan, which has no router interface of its own."
        "Packets to it go to the CPU, and the kernel routes them."
        "Let the route leave by the device below the macvlan; where both have one, give the macvlan's a higher metric or make its address a /32."
    NextHopNoRif "next_hop_no_rif" NotOffloaded
        "The route leads out of a device without a router interface in the chip."
        "Packets to it go to the CPU, and the kernel routes them."
        "Nothing, unless the device should be one of the chip's: `firsthop explain DEV` says why it is not."
    GroupTooLarge "group_too_large" NotOffloaded
        "The route has more next hops than a group of the chip."
        "Packets to it go to the CPU, and the kernel routes them."
        "Use fewer next hops."
    RoutedByKernel "routed_by_kernel" NotOffloaded
        "The configuration leaves routes to the kernel (`routing = \"cpu\"`)."
        "Packets between networks go to the CPU, and the kernel routes them."
        "Remove `routing = \"cpu\"` from firsthop.toml, and let the daemon read it again (`systemctl reload firsthopd`)."
    NoVirtualRouter "no_virtual_router" NotOffloaded
        "No device in the table's VRF has a router interface."
        "The chip gets no packet that this table is looked up for."
        "Nothing, unless the chip should route there: give a device of the VRF an address (`firsthop rif` lists those that have one)."
    RouteNotLookedUp "route_not_looked_up" NotOffloaded
        "A chip looks for no route of such a destination: loopback, link-local or multicast."
        "Packets to it are dropped or go to the CPU, by what they are."
        "Nothing: `firsthop trap` shows what goes to the CPU."
    NoPvid "no_pvid" Held
        "The VLAN-aware bridge has no PVID, so its own addresses are in no VLAN."
        "The chip has no router interface for it, and the kernel sees no untagged frames for it either."
        "Give it one (`bridge vlan add dev BRIDGE vid VID pvid untagged self`)."
    VlanIsPvid "vlan_is_pvid" Held
        "The VLAN is the bridge's PVID, so the bridge itself is its router interface."
        "Frames of this VLAN are routed for the bridge, not for this VLAN device."
        "Put the address on the bridge, or give the bridge another PVID."
    VlanNotOnBridge "vlan_not_on_bridge" Held
        "The bridge itself is not a member of the VLAN."
        "The bridge delivers no frames of this VLAN to the device."
        "Make it one (`bridge vlan add dev BRIDGE vid VID self`)."
    NoRif "no_rif" Held
        "The lower device has no router interface."
        "The chip does not route frames for this MAC."
        "Give the lower device an address (`ip addr add ADDR dev LOWER`)."
    MacvlanDown "macvlan_down" Held
        "The macvlan is down."
        "The chip does not route frames for its MAC, as a backup should not."
        "Bring it up (`ip link set DEV up`) when this router is to be active."
    Protodown "protodown" Held
        "The macvlan is held down by its daemon (proto_down), as FRR does with a backup."
        "The chip does not route frames for its MAC, as a backup should not."
        "Nothing: the daemon clears it when this router becomes active."
    LowerDown "lower_down" Held
        "The lower device is down or has no carrier."
        "No frames can arrive for this MAC."
        "Bring the lower device up and check its cable."
    NoAddress "no_address" Held
        "The device has no address that counts."
        "The chip does not route frames for its MAC, as a backup should not."
        "Nothing on a backup; otherwise add the virtual address (`ip addr add ADDR dev DEV`)."
    LinklocalOnly "linklocal_only" Held
        "The only addresses are link-local ones that a backup has as well."
        "The chip does not route frames for its MAC, as a backup should not."
        "Nothing on a backup; otherwise add the virtual address (`ip addr add ADDR dev DEV`)."
    BackupPolicy "backup_policy" Held
        "Withdrawn because no advertisements of this router were seen."
        "The chip does not route frames for its MAC."
        "Check that the VRRP daemon is running."
    NextHopUnresolved "next_hop_unresolved" Held
        "The MAC of the next hop is not known."
        "Packets to it go to the CPU, and the kernel asks for the MAC."
        "Nothing: the first packet resolves it. If it stays so, the next hop does not answer (`ip neigh show dev DEV`)."
    NeighbourMulticast "neighbour_multicast" Held
        "The host has a group address as its MAC, as clusters have."
        "Packets to it go to the CPU, and the kernel sends them."
        "Nothing: a chip would send them to one port only."
    RifTableFull "rif_table_full" Refused
        "The chip's table of router interfaces is full."
        "Frames for this interface are not routed in hardware; incumbents keep working."
        "Remove an address from another interface; this one is retried by itself."
    FidTableFull "fid_table_full" Refused
        "The chip's table of bridging domains is full."
        "The bridge or VLAN is not in the chip; incumbents keep working."
        "Remove a VLAN or a bridge; this one is retried by itself."
    LagTableFull "lag_table_full" Refused
        "The chip's table of link aggregation groups, or of the members of this one, is full."
        "The chip neither routes nor bridges for the bond or team."
        "Remove another bond or team; this one is retried by itself."
    FdbFull "fdb_full" Refused
        "The chip's forwarding database is full."
        "Frames for this MAC are not routed in hardware; incumbents keep working."
        "Remove other macvlans or static entries, or use ipvlans, which need no MAC of their own; this one is retried by itself."
    VrTableFull "vr_table_full" Refused
        "The chip has no free virtual router for this VRF."
        "The interfaces of this VRF are not routed in hardware."
        "Remove another VRF; this one is retried by itself."
    RifMacProfilesFull "rif_mac_profiles_full" Refused
        "The chip has no free MAC profile: router interfaces have too many different MAC prefixes."
        "The interface keeps its former MAC in the chip, or has no router interface."
        "Give the interface a MAC with the prefix of another one; it is retried when a profile frees."
    RouteTableFull "route_table_full" Refused
        "The chip's table of routes is full."
        "Packets to it go to the CPU, and the kernel routes them; incumbents keep working."
        "Summarise routes; this one is retried by itself when another goes."
    RouteCoversRefused "route_covers_refused" Refused
        "A more specific route did not fit into the chip's table."
        "Packets to all of this prefix go to the CPU, so that none takes the wrong way."
        "Summarise routes; this one is in the chip again as soon as the other fits."
    NeighbourTableFull "neighbour_table_full" Refused
        "The chip's table of hosts is full."
        "Packets to this host go to the CPU, and the kernel sends them; incumbents keep working."
        "Nothing: it is retried by itself when another host goes."
    AdjacencyTableFull "adjacency_table_full" Refused
        "The chip's table of next hops is full."
        "Packets to the routes with these next hops go to the CPU, and the kernel routes them; incumbents keep working."
        "Use fewer different sets of next hops; these are retried by themselves when others go."
    VrfMismatch "vrf_mismatch" Refused
        "The macvlan is in another VRF than its lower device."
        "The chip would look its packets up in the wrong table, so it does not route frames for this MAC."
        "Put both into the same VRF."
    FdbConflict "fdb_conflict" Refused
        "A static entry that Firsthop did not make holds this MAC, in the chip or in the bridge."
        "Frames for this MAC go where that entry says."
        "Remove that entry (`bridge fdb show` has those of the bridge)."
    MacDuplicate "mac_duplicate" Refused
        "Another device owns this MAC in the same bridging domain."
        "Frames for this MAC go to the other device."
        "Give one of the two another MAC."
    RifMissing "rif_missing" Failed
        "The driver should have a router interface for this device by its rules, and has none."
        "Frames for this interface are not routed in hardware."
        "Look for the driver's refusal in the kernel's log, then take the addresses off and put them back."
    BridgeRefused "bridge_refused" Failed
        "The kernel refused the entry in the bridge's forwarding table."
        "The bridge floods frames for this MAC, or sends them where it last saw it."
        "See the daemon's log for what the kernel said; it is tried again when the bridge changes."
    HwError "hw_error" Failed
        "The chip refused a write."
        "The former state is kept; the write is retried."
        "See `firsthop explain DEV` and the daemon's log for the register and the status."
    PendingRetry "pending_retry" Pending
        "A write to the chip waits to be made again."
        "The former state is kept meanwhile."
        "Nothing; `firsthop wait synced` waits for it."
    Unacknowledged "unacknowledged" Pending
        "The chip has not acknowledged it yet."
        "The former state holds meanwhile."
        "Nothing; `firsthop wait synced` waits for it. It stays so while the chip does not answer or the daemon only observes \
         (`firsthop status`)."
    VridConflict "vrid_conflict" Offload
        "Another VRID of this family holds the router interface's fast-path slot."
        "None for forwarding: frames for this MAC reach the router through the forwarding database."
        "Nothing; the slot is taken over when the other VRID leaves."
    PolicerTooSmall "policer_too_small" Offload
        "The VRRP policer is smaller than the advertisements of all virtual routers need."
        "Advertisements may be dropped, and backups may take over."
        "Remove `vrrp_rate` and `vrrp_burst` from firsthop.toml, or raise them; on a device of the kernel's set `manage = true` in section `[device]`."
    TrapPoliced "trap_policed" Offload
        "The policer of VRRP's traps stopped packets within the last minute."
        "Advertisements were lost; backups that miss three in a row take over."
        "Compare `need` with the size in `firsthop -j status`; if it is large enough, look for whoever sends that much to 224.0.0.18 or ff02::12."
    VrrpSilent "vrrp_silent" Offload
        "A backup waits for advertisements, and for four intervals none has reached the CPU."
        "The backup is about to take over, or has: there may be two active routers."
        "Look at the trap and its policer (`firsthop -s trap group vrrp`), and at what lies between the routers: VLANs, filters, snooping."
    TrapUnsupported "trap_unsupported" Offload
        "The driver of the port takes no tc rule that traps VRRP advertisements."
        "Advertisements reach the CPU only if the device sends it these multicasts anyway; no policer protects the CPU from them."
        "Nothing on this driver; set `flower_traps = false` in section `[device]` of firsthop.toml to stop asking."
    TrapNeedsCopy "trap_needs_copy" Offload
        "The port below is bridged, so its advertisements need a copy for the CPU, and a tc rule can't give one beside forwarding."
        "Flooding brings the CPU its copy. A trap would cut off the routers at the other ports of the bridge, so there is none."
        "Nothing, unless the port should not be in a bridge."
}

#[cfg(test)]
mod tests {
    use super::*;

    // Broken if a code on the wire differed from the one in the table, or a reason had no cause, effect or fix.
    #[test]
    fn codes_are_the_serialised_names() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_string(reason).unwrap(), format!("\"{}\"", reason.code()));
            for text in [reason.sentence(), reason.effect(), reason.fix()] {
                assert!(text.ends_with('.') && text.len() > 8, "{reason:?}: {text}");
            }
        }
    }

    // Broken if the page that people read said something else than the table. UPDATE=1 rewrites the page.
    #[test]
    fn the_page_is_the_table() {
        use std::fmt::Write as _;
        let mut page = String::from(
            "# Reason codes\n\n\
             Why a router interface, virtual MAC, route or neighbour is not in the chip, or what is worth knowing although it is. The\n\
             first match in this order wins. Codes are stable: new ones are added, none is renamed. `firsthop explain DEV` and\n\
             `firsthop explain PREFIX` show each condition.\n",
        );
        let mut state = None;
        for reason in Reason::ALL {
            if state.replace(reason.state()) != Some(reason.state()) {
                write!(page, "\n## State `{}`\n", reason.state()).unwrap();
            }
            write!(
                page,
                "\n### `{}`\n{}\n\n* effect: {}\n* fix: {}\n",
                reason.code(),
                reason.sentence(),
                reason.effect(),
                reason.fix()
            )
            .unwrap();
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reasons.md");
        compare(path, &page);
    }

    // Broken if the man page said something else than the table. UPDATE=1 rewrites the page.
    #[test]
    fn the_man_page_is_the_table() {
        use std::fmt::Write as _;
        let mut page = String::from(
            ".Dd November 22, 2026\n.Dt FIRSTHOP-REASONS 7\n.Os Firsthop\n.Sh NAME\n.Nm firsthop-reasons\n\
             .Nd why a router interface, virtual MAC or route is not in the chip\n.Sh DESCRIPTION\n\
             .Xr firsthop 1\ngives one of these codes to whatever is not in the chip, and to what is worth knowing although it is.\n\
             The first match in this order wins.\nCodes are stable: new ones are added, none is renamed.\n\
             .Ic firsthop explain\nshows each condition.\n",
        );
        // what the page's language would take for something else
        let plain = |text: &str| text.replace('\\', "\\e").replace('`', "").replace(". ", ".\n");
        let (mut state, mut end) = (None, "");
        for reason in Reason::ALL {
            if state.replace(reason.state()) != Some(reason.state()) {
                page.push_str(end);
                end = ".El\n";
                write!(page, ".Ss State {}\n.Bl -tag -width Ds\n", reason.state()).unwrap();
            }
            let code = reason.code();
            write!(page, ".Tg {code}\n.It Li {code}\n").unwrap();
            let [is, then, fix] = [reason.sentence(), reason.effect(), reason.fix()].map(plain);
            write!(page, "{is}\n.Pp\nEffect: {then}\n.Pp\nFix: {fix}\n").unwrap();
        }
        page.push_str(end);
        page.push_str(".Sh SEE ALSO\n.Xr firsthop 1 ,\n.Xr firsthopd 8\n");
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/man/firsthop-reasons.7");
        compare(path, &page);
    }

    fn compare(path: &str, page: &str) {
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, page).unwrap();
        }
        let there = std::fs::read_to_string(path).unwrap_or_default();
        assert!(there == page, "Run this test with UPDATE=1: {path}");
    }
}
