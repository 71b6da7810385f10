//! Any entry of a chip, from bytes: every kind, with numbers in and out of range.

use std::net::{Ipv4Addr, Ipv6Addr};

use firsthop_model::chip::{
    Bridging, Entry, Fid, FloodClass, FloodTo, FloodTraffic, LagId, MacProfile, PolicerId,
    PortOrLag, Rif, RifIndex, RifKind, RouteAction, TrapAction, TrapGroupId, TrapId, Vid, VrId,
};
use firsthop_model::topology::StpState;
use firsthop_model::types::Family;
use firsthop_model::{LocalPort, Mac, Vrid};

use crate::input::Input;

/// The next entry.
pub(crate) fn entry(input: &mut Input<'_>) -> Entry {
    let kind = input.byte() % 28;
    let (fid, port, vid) = (Fid(input.word()), LocalPort(input.word()), Vid(input.word()));
    let (rif, lag) = (RifIndex(vid.0), LagId(vid.0));
    let (vr, family) = (VrId(fid.0), input.pick(&[Family::Ipv4, Family::Ipv6]));
    let trap = TrapId(port.0);
    let at = if input.byte() & 1 == 0 { PortOrLag::Port(port) } else { PortOrLag::Lag(lag) };
    match kind {
        0 => Entry::Router { max_rifs: fid.0 },
        1 => Entry::Policer {
            id: PolicerId(fid.0),
            rate: u32::from_be_bytes(input.array()),
            burst: u32::from_be_bytes(input.array()),
        },
        2 => Entry::TrapGroup {
            id: TrapGroupId(input.byte()),
            policer: Some(PolicerId(fid.0)).filter(|id| id.0 != 0),
            priority: input.byte(),
            tclass: input.byte(),
        },
        3 => Entry::Trap {
            id: trap,
            action: input.pick(&[
                TrapAction::Trap,
                TrapAction::Mirror,
                TrapAction::Forward,
                TrapAction::Discard,
            ]),
            group: TrapGroupId(input.byte()),
        },
        4 => Entry::LpmTree { family },
        5 => Entry::LpmTreeShape { family },
        6 => Entry::VrTree { vr, family },
        7 => Entry::MulticastDefault { vr, family, trap },
        8 => Entry::Route { vr, prefix: prefix(input, family), action: route_action(input, trap) },
        9 => Entry::Fid { fid },
        10 => Entry::Rif(router_interface(input, at)),
        11 => Entry::RouterMac { fid, mac: Mac(input.array()) },
        12 => Entry::FidRif { fid, rif },
        13 => Entry::EgressVid { rif: RifIndex(fid.0), port, vid },
        14 => Entry::PortPvid { port, vid },
        15 => Entry::PortVlan { port, vid, untagged: fid.0 & 1 == 0 },
        16 => Entry::PortLearning { port, vid, enabled: fid.0 & 1 == 0 },
        17 => {
            let state =
                input.pick(&[StpState::Discarding, StpState::Learning, StpState::Forwarding]);
            Entry::PortStp { port, vid, state }
        }
        18 => Entry::PortVidFid { port, vid, fid, rif: some_rif(input) },
        19 => Entry::VidFid { vid, fid, rif: some_rif(input) },
        20 => Entry::AgeingTime { seconds: u32::from_be_bytes(input.array()) },
        21 => Entry::FloodTable {
            bridging: input.pick(&[Bridging::Dot1q, Bridging::Dot1d]),
            traffic: input.pick(&FloodTraffic::ALL),
        },
        22 => {
            let class = input.pick(&FloodClass::ALL);
            let to = match at {
                PortOrLag::Port(port) => FloodTo::Port(port),
                PortOrLag::Lag(_) => FloodTo::Router,
            };
            Entry::FloodPort { fid, class, to }
        }
        23 => Entry::Learnt { fid, at },
        24 => Entry::Lag { lag },
        25 => Entry::LagPort { lag, port },
        26 => Entry::LagCollector { port, lag },
        _ => Entry::LagCollecting { port, lag },
    }
}

fn some_rif(input: &mut Input<'_>) -> Option<RifIndex> {
    let rif = input.word();
    (rif != u16::MAX).then_some(RifIndex(rif))
}

fn route_action(input: &mut Input<'_>, trap: TrapId) -> RouteAction {
    input.pick(&[RouteAction::Ip2me, RouteAction::Trap(trap)])
}

fn prefix(input: &mut Input<'_>, family: Family) -> ipnet::IpNet {
    let length = input.byte();
    let net = match family {
        Family::Ipv4 => ipnet::IpNet::new(Ipv4Addr::from(input.array::<4>()).into(), length % 33),
        Family::Ipv6 => ipnet::IpNet::new(Ipv6Addr::from(input.array::<16>()).into(), length % 129),
    };
    net.expect("the length is in range")
}

fn router_interface(input: &mut Input<'_>, at: PortOrLag) -> Rif {
    let (fid, vid) = (Fid(input.word()), Vid(input.word()));
    Rif {
        rif: RifIndex(input.word()),
        enabled: input.byte() & 1 == 0,
        kind: input.pick(&[
            RifKind::Subport { at, fid },
            RifKind::Vlan { vid, fid },
            RifKind::Fid { fid },
        ]),
        vr: VrId(input.word()),
        mtu: input.word(),
        mac: Mac(input.array()),
        mac_profile: MacProfile(input.byte()),
        vrrp_ipv4: Vrid::try_from(input.byte()).ok(),
        vrrp_ipv6: Vrid::try_from(input.byte()).ok(),
    }
}
