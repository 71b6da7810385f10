//! Any register, with values that fit its fields.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::field::Sampler;
use crate::mac::Mac;
use crate::register::*;

/// Numbers enough for the largest register: 64 SFD records of 16 draws.
pub(super) const DRAWS: usize = 2048;

fn address(source: &mut Sampler) -> IpAddr {
    if source.flag() {
        IpAddr::V6(Ipv6Addr::from(source.bytes::<16>()))
    } else {
        IpAddr::V4(Ipv4Addr::from(source.bytes::<4>()))
    }
}

fn number(source: &mut Sampler, width: u32) -> u32 {
    (source.draw() & ((1 << width) - 1)).try_into().unwrap()
}

fn short(source: &mut Sampler, width: u32) -> u16 {
    number(source, width).try_into().unwrap()
}

fn byte(source: &mut Sampler, width: u32) -> u8 {
    number(source, width).try_into().unwrap()
}

fn ritr(source: &mut Sampler) -> Ritr {
    let kind = match source.below(5) {
        0 => RitrType::VlanIf { vlan_id: short(source, 12), efid: short(source, 16) },
        1 => RitrType::FidIf { fid: short(source, 16) },
        2 => RitrType::SpIf {
            lag: source.flag(),
            system_port: short(source, 16),
            efid: short(source, 16),
            vid: short(source, 12),
        },
        3 => RitrType::Loopback { raw: source.bytes() },
        _ => RitrType::Other { code: 4 + byte(source, 2), raw: source.bytes() },
    };
    let mut ritr = Ritr {
        enable: source.flag(),
        ipv4: source.flag(),
        ipv6: source.flag(),
        ipv4_mc: source.flag(),
        ipv6_mc: source.flag(),
        ipv4_fe: source.flag(),
        ipv6_fe: source.flag(),
        ipv4_mc_fe: source.flag(),
        ipv6_mc_fe: source.flag(),
        lb_en: source.flag(),
        op: RitrOp::from_code(byte(source, 2)),
        rif: short(source, 16),
        virtual_router: short(source, 16),
        mtu: short(source, 16),
        ingress_counter: RitrCounter::sample(source),
        egress_counter: RitrCounter::sample(source),
        ..Ritr::default()
    };
    if kind.code() < 3 {
        ritr.if_mac = Mac(source.bytes());
        ritr.if_mac_profile_id = byte(source, 4);
        ritr.if_vrrp_id_ipv4 = byte(source, 8);
        ritr.if_vrrp_id_ipv6 = byte(source, 8);
    }
    Ritr { kind, ..ritr }
}

/// A MAC that keeps a record from being all zero, which would be taken for an absent one.
fn present_mac(source: &mut Sampler) -> Mac {
    let [_, rest @ ..] = source.bytes::<6>();
    Mac([1, rest[0], rest[1], rest[2], rest[3], rest[4]])
}

fn sfd(source: &mut Sampler) -> Sfd {
    let record = |source: &mut Sampler| SfdRecord {
        swid: byte(source, 8),
        policy: SfdPolicy::from_code(byte(source, 2)),
        a: source.flag(),
        mac: present_mac(source),
        fid: short(source, 16),
        action: SfdAction::from_code(byte(source, 4)),
        target: match source.below(4) {
            0 => SfdTarget::Unicast {
                sub_port: byte(source, 8),
                set_vid: source.flag(),
                vid: short(source, 12),
                system_port: short(source, 16),
            },
            1 => SfdTarget::UnicastLag {
                sub_port: byte(source, 8),
                set_vid: source.flag(),
                lag_vid: short(source, 12),
                lag_id: short(source, 10),
            },
            2 => SfdTarget::Multicast { pgi: short(source, 13), mid: short(source, 16) },
            _ => SfdTarget::Other {
                code: 3 + byte(source, 4) % 13,
                high: short(source, 16),
                low: number(source, 28),
            },
        },
    };
    let records: Vec<_> = (0..source.below(65)).map(|_| record(source)).collect();
    let asked = records.len() + source.below(65 - records.len());
    Sfd {
        swid: byte(source, 8),
        op: SfdOp(byte(source, 2)),
        record_locator: number(source, 30),
        num_rec: asked.try_into().unwrap(),
        records,
    }
}

fn sfn(source: &mut Sampler) -> Sfn {
    let record = |source: &mut Sampler| {
        let sub_port = byte(source, 8);
        let (system_port, lag_id) = (short(source, 16), short(source, 10));
        let event = match source.below(5) {
            0 => SfnEvent::LearnedMac { sub_port, system_port },
            1 => SfnEvent::LearnedMacLag { sub_port, lag_id },
            2 => SfnEvent::AgedOutMac { sub_port, system_port },
            3 => SfnEvent::AgedOutMacLag { sub_port, lag_id },
            _ => SfnEvent::Other {
                code: 9 + byte(source, 3) % 7,
                high: system_port,
                low: number(source, 32),
            },
        };
        SfnRecord { swid: byte(source, 8), mac: present_mac(source), fid: short(source, 16), event }
    };
    let records: Vec<_> = (0..source.below(65)).map(|_| record(source)).collect();
    let asked = records.len() + source.below(65 - records.len());
    Sfn { swid: byte(source, 8), end: source.flag(), num_rec: asked.try_into().unwrap(), records }
}

fn sfdf(source: &mut Sampler) -> Sfdf {
    let (fid, system_port, lag_id) = (short(source, 16), short(source, 16), short(source, 10));
    Sfdf {
        swid: byte(source, 8),
        flush_static: source.flag(),
        flush_type: match source.below(9) {
            0 => SfdfFlush::PerSwid,
            1 => SfdfFlush::PerFid { fid },
            2 => SfdfFlush::PerPort { system_port },
            3 => SfdfFlush::PerPortAndFid { system_port, fid },
            4 => SfdfFlush::PerLag { lag_id },
            5 => SfdfFlush::PerLagAndFid { lag_id, fid },
            6 => SfdfFlush::PerNve,
            7 => SfdfFlush::PerNveAndFid { fid },
            _ => SfdfFlush::Other {
                code: 8 + byte(source, 3),
                words: [number(source, 32), number(source, 32)],
            },
        },
    }
}

fn reiv(source: &mut Sampler) -> Reiv {
    let records = (0..source.below(300)).map(|_| (byte(source, 8), ReivRecord::sample(source)));
    let records = records.filter(|(_, record)| *record != ReivRecord::default()).collect();
    Reiv { port_page: byte(source, 4), erif: short(source, 16), records }
}

fn spvm(source: &mut Sampler) -> Spvm {
    Spvm {
        pt: source.flag(),
        pte: source.flag(),
        local_port: short(source, 10),
        records: (0..source.below(256)).map(|_| SpvmRecord::sample(source)).collect(),
    }
}

fn spvmlr(source: &mut Sampler) -> Spvmlr {
    Spvmlr {
        local_port: short(source, 10),
        records: (0..source.below(256)).map(|_| SpvmlrRecord::sample(source)).collect(),
    }
}

fn spms(source: &mut Sampler) -> Spms {
    const STATES: [SpmsState; 3] =
        [SpmsState::Discarding, SpmsState::Learning, SpmsState::Forwarding];
    let state = |source: &mut Sampler| (short(source, 12), STATES[source.below(3)]);
    Spms {
        local_port: short(source, 10),
        states: (0..source.below(300)).map(|_| state(source)).collect(),
    }
}

fn smid2(source: &mut Sampler) -> Smid2 {
    Smid2 {
        swid: byte(source, 8),
        mid: short(source, 16),
        smpe_valid: source.flag(),
        smpe: short(source, 16),
        port: (0..source.below(100)).map(|_| short(source, 10)).collect(),
        port_mask: (0..source.below(100)).map(|_| short(source, 10)).collect(),
    }
}

fn htgt(source: &mut Sampler) -> Htgt {
    Htgt {
        swid: byte(source, 8),
        path_type: byte(source, 4),
        group: byte(source, 8),
        policer: source.flag().then(|| byte(source, 8)),
        mirror_action: byte(source, 2),
        mirroring_agent: byte(source, 3),
        priority: byte(source, 4),
        tclass: byte(source, 6),
        rdq: byte(source, 6),
    }
}

fn ralst(source: &mut Sampler) -> Ralst {
    let bin = |source: &mut Sampler| {
        let children =
            RalstBin { left_child_bin: byte(source, 7), right_child_bin: byte(source, 8) };
        (1 + byte(source, 7), children)
    };
    Ralst {
        root_bin: byte(source, 8),
        tree_id: byte(source, 8),
        bins: (0..source.below(200)).map(|_| bin(source)).collect(),
    }
}

fn ralue(source: &mut Sampler) -> Ralue {
    let trap_action = TrapAction::from_code(byte(source, 4));
    let trap_id = short(source, 9);
    let action = match source.below(4) {
        0 => RalueAction::Remote {
            trap_action,
            trap_id,
            adjacency_index: number(source, 24),
            ecmp_size: short(source, 13),
        },
        1 => RalueAction::Local { trap_action, trap_id, local_erif: short(source, 16) },
        2 => RalueAction::Ip2me { tunnel_ptr: source.flag().then(|| number(source, 24)) },
        _ => RalueAction::Other {
            words: [number(source, 32), number(source, 32), number(source, 32)],
        },
    };
    Ralue {
        op: RalueOp(byte(source, 3)),
        a: source.flag(),
        virtual_router: short(source, 16),
        op_u_mask: byte(source, 3),
        prefix_len: byte(source, 8),
        dip: address(source),
        entry_type: RalueEntry::from_code(byte(source, 2)),
        bmp_len: byte(source, 8),
        action,
    }
}

fn rauht(source: &mut Sampler) -> Rauht {
    Rauht {
        op: RauhtOp(byte(source, 3)),
        a: source.flag(),
        rif: short(source, 16),
        dip: address(source),
        trap_action: TrapAction::from_code(byte(source, 4)),
        trap_id: short(source, 9),
        counter_set_type: byte(source, 8),
        counter_index: number(source, 24),
        mac: Mac(source.bytes()),
    }
}

fn rauhtd(source: &mut Sampler) -> Rauhtd {
    fn entry<T>(source: &mut Sampler, dip: T) -> RauhtdEntry<T> {
        // A RIF that keeps the record from being all zero.
        RauhtdEntry { a: source.flag(), rif: 1 | short(source, 16), dip }
    }
    let record = |source: &mut Sampler| {
        if source.flag() {
            let dip = source.bytes::<16>().into();
            RauhtdRecord::Ipv6(entry(source, dip))
        } else {
            let entries = (0..=source.below(4)).map(|_| {
                let dip = source.bytes::<4>().into();
                entry(source, dip)
            });
            RauhtdRecord::Ipv4(entries.collect())
        }
    };
    let records: Vec<_> = (0..source.below(33)).map(|_| record(source)).collect();
    let asked = records.len() + source.below(33 - records.len());
    Rauhtd {
        filter_fields: byte(source, 8),
        op: RauhtdOp::from_code(byte(source, 2)),
        num_rec: asked.try_into().unwrap(),
        entry_a: source.flag(),
        kind: Protocol::from_code(byte(source, 4)),
        entry_rif: short(source, 16),
        records,
    }
}

fn rmft2(source: &mut Sampler) -> Rmft2 {
    let groups = if source.flag() {
        Rmft2Groups::Ipv6 {
            dip: source.bytes::<16>().into(),
            dip_mask: source.bytes::<16>().into(),
            sip: source.bytes::<16>().into(),
            sip_mask: source.bytes::<16>().into(),
        }
    } else {
        Rmft2Groups::Ipv4 {
            dip: source.bytes::<4>().into(),
            dip_mask: source.bytes::<4>().into(),
            sip: source.bytes::<4>().into(),
            sip_mask: source.bytes::<4>().into(),
        }
    };
    Rmft2 {
        v: source.flag(),
        op: byte(source, 2),
        a: source.flag(),
        offset: short(source, 16),
        virtual_router: short(source, 16),
        irif_mask: IrifMask::from_code(byte(source, 1)),
        irif: short(source, 16),
        groups,
        flexible_action_set: Box::new(source.bytes()),
    }
}

/// Any register, with values that fit its fields.
pub(super) fn any_register(source: &mut Sampler) -> Register {
    let kinds: [fn(&mut Sampler) -> Register; REGISTERS.len()] = [
        |source| Sfdat::sample(source).into(),
        |source| sfd(source).into(),
        |source| sfn(source).into(),
        |source| spms(source).into(),
        |source| Spvid::sample(source).into(),
        |source| spvm(source).into(),
        |source| Spaft::sample(source).into(),
        |source| Sfgc::sample(source).into(),
        |source| sfdf(source).into(),
        |source| Sldr::sample(source).into(),
        |source| Slcr::sample(source).into(),
        |source| Slcor::sample(source).into(),
        |source| Svfa::sample(source).into(),
        |source| Sfmr::sample(source).into(),
        |source| spvmlr(source).into(),
        |source| smid2(source).into(),
        |source| Qpcr::sample(source).into(),
        |source| htgt(source).into(),
        |source| Hpkt::sample(source).into(),
        |source| Rgcr::sample(source).into(),
        |source| ritr(source).into(),
        |source| Ratr::sample(source).into(),
        |source| Ricnt::sample(source).into(),
        |source| Ralta::sample(source).into(),
        |source| ralst(source).into(),
        |source| Raltb::sample(source).into(),
        |source| ralue(source).into(),
        |source| rauht(source).into(),
        |source| Raleu::sample(source).into(),
        |source| rauhtd(source).into(),
        |source| Ratrad::sample(source).into(),
        |source| Recr2::sample(source).into(),
        |source| rmft2(source).into(),
        |source| reiv(source).into(),
    ];
    kinds[source.below(kinds.len())](source)
}
