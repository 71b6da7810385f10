//! Vectors of the switch registers.

use std::collections::{BTreeMap, BTreeSet};

use emad::register::{
    BridgeType, FloodTable, FloodType, Sfd, SfdAction, SfdOp, SfdPolicy, SfdRecord, SfdTarget,
    Sfdat, Sfdf, SfdfFlush, Sfgc, Sfmr, SfmrOp, Sfn, SfnEvent, SfnRecord, Smid2, Spaft, Spms,
    SpmsState, Spvid, Spvm, SpvmRecord, Spvmlr, SpvmlrRecord, Svfa, SvfaMapping,
};
use serde_json::Value;

use super::{Built, LOCAL_PORT, RECORDS, SYSTEM_PORT, vid_range};
use crate::fields::{Fields, code, number};

pub(super) fn sfdat(f: &mut Fields) -> Built<Sfdat> {
    Ok(Sfdat {
        swid: f.number(&["swid"], 0)?,
        age_time: f.need(&["age_time", "ageing_time", "seconds"])?,
    })
}

pub(super) fn sfd(f: &mut Fields) -> Built<Sfd> {
    let op = f.code(&["op"], SfdOp::WRITE_EDIT.0, |text| match text {
        "query_query" => Some(SfdOp::QUERY.0),
        "query_query_and_clear_activity" => Some(SfdOp::QUERY_AND_CLEAR_ACTIVITY.0),
        "write_remove_notification" => Some(SfdOp::WRITE_REMOVE.0),
        text => SfdOp::from_name(text).map(|op| op.0),
    })?;
    let records: Vec<_> = f.list(RECORDS).iter().map(sfd_record).collect::<Result<_, _>>()?;
    let listed = Sfd::new(SfdOp(op), records);
    Ok(Sfd {
        swid: f.number(&["swid"], 0)?,
        record_locator: f.number(&["record_locator", "locator"], 0)?,
        num_rec: f.number(&["num_rec", "num_records"], listed.num_rec)?,
        ..listed
    })
}

fn sfd_record(value: &Value) -> Built<SfdRecord> {
    const FID: &[&str] =
        &["fid", "fid_vid", "uc_fid_vid", "uc_lag_fid_vid", "mc_fid_vid", "uc_tunnel_fid"];
    let f = &mut Fields::new("sfd", value)?;
    let kind = f.code(&["type"], 0, |text| match text {
        "unicast" | "uc" => Some(0),
        "lag" | "uc_lag" => Some(1),
        "multicast" | "mc" => Some(2),
        _ => None,
    })?;
    let policy = f.code(&["policy"], 0, |text| match text {
        "static_entry" => Some(SfdPolicy::Static.code()),
        "mlag" | "dynamic_entry_mlag" => Some(SfdPolicy::DynamicMlag.code()),
        "dynamic_ingress" | "dynamic_entry_ingress" => Some(SfdPolicy::Dynamic.code()),
        text => SfdPolicy::from_name(text).map(SfdPolicy::code),
    })?;
    let action = f.code(&["action"], 0, |text| SfdAction::from_name(text).map(SfdAction::code))?;
    let target = match kind {
        0 => {
            let vid = f.number(&["vid", "uc_vid"], 0)?;
            SfdTarget::Unicast {
                sub_port: f.number(&["sub_port", "uc_sub_port"], 0)?,
                set_vid: f.flag(&["set_vid", "uc_set_vid"], vid != 0)?,
                vid,
                system_port: f.number(SYSTEM_PORT, 0)?,
            }
        }
        1 => SfdTarget::UnicastLag {
            sub_port: f.number(&["sub_port", "uc_lag_sub_port"], 0)?,
            set_vid: f.flag(&["set_vid", "uc_lag_set_vid"], true)?,
            lag_vid: f.number(&["lag_vid", "vid", "uc_lag_lag_vid"], 0)?,
            lag_id: f.number(&["lag_id", "uc_lag_lag_id", "lag", "system_port"], 0)?,
        },
        2 => SfdTarget::Multicast {
            pgi: f.number(&["pgi", "mc_pgi"], 0x1fff)?,
            mid: f.number(&["mid", "mc_mid", "mid_idx"], 0)?,
        },
        code => {
            SfdTarget::Other { code, high: f.number(&["high"], 0)?, low: f.number(&["low"], 0)? }
        }
    };
    let record = SfdRecord {
        swid: f.number(&["swid"], 0)?,
        policy: SfdPolicy::from_code(policy),
        a: f.flag(&["a", "activity"], false)?,
        mac: f.mac(&["mac"])?,
        fid: f.number(FID, 0)?,
        action: SfdAction::from_code(action),
        target,
    };
    f.finish()?;
    Ok(record)
}

pub(super) fn sfn(f: &mut Fields) -> Built<Sfn> {
    let records: Vec<_> = f.list(RECORDS).iter().map(sfn_record).collect::<Result<_, _>>()?;
    let listed = if records.is_empty() { Sfn::default() } else { Sfn::answer(records) };
    Ok(Sfn {
        swid: f.number(&["swid"], 0)?,
        end: f.flag(&["end"], false)?,
        num_rec: f.number(&["num_rec", "num_records"], listed.num_rec)?,
        ..listed
    })
}

fn sfn_record(value: &Value) -> Built<SfnRecord> {
    let f = &mut Fields::new("sfn", value)?;
    let kind = f.code(&["type"], 5, |text| match text {
        "learned_mac" | "learned" => Some(5),
        "learned_mac_lag" | "learned_lag" => Some(6),
        "aged_out_mac" | "aged_out" | "aged" => Some(7),
        "aged_out_mac_lag" | "aged_out_lag" | "aged_lag" => Some(8),
        _ => None,
    })?;
    let sub_port = f.number(&["sub_port", "mac_sub_port"], 0)?;
    let event = match kind {
        5 | 7 => {
            let system_port =
                f.number(&["system_port", "mac_system_port", "local_port", "port"], 0)?;
            match kind {
                5 => SfnEvent::LearnedMac { sub_port, system_port },
                _ => SfnEvent::AgedOutMac { sub_port, system_port },
            }
        }
        6 | 8 => {
            let lag_id = f.number(&["lag_id", "mac_lag_lag_id", "lag"], 0)?;
            match kind {
                6 => SfnEvent::LearnedMacLag { sub_port, lag_id },
                _ => SfnEvent::AgedOutMacLag { sub_port, lag_id },
            }
        }
        code => {
            SfnEvent::Other { code, high: f.number(&["high"], 0)?, low: f.number(&["low"], 0)? }
        }
    };
    let record = SfnRecord {
        swid: f.number(&["swid"], 0)?,
        mac: f.mac(&["mac"])?,
        fid: f.number(&["fid", "mac_fid", "vid"], 0)?,
        event,
    };
    f.finish()?;
    Ok(record)
}

pub(super) fn sfdf(f: &mut Fields) -> Built<Sfdf> {
    const FID: &[&str] = &["fid", "fid_fid", "port_fid_fid", "lag_fid_fid"];
    const PORT: &[&str] = &["system_port", "port_fid_system_port", "local_port", "port"];
    const LAG: &[&str] = &["lag_id", "lag_fid_lag_id", "lag"];
    let kind = f.code(&["flush_type", "type"], 0, |text| match text {
        "per_swid" => Some(0),
        "per_fid" => Some(1),
        "per_port" => Some(2),
        "per_port_and_fid" => Some(3),
        "per_lag" => Some(4),
        "per_lag_and_fid" => Some(5),
        "per_nve" => Some(6),
        "per_nve_and_fid" => Some(7),
        _ => None,
    })?;
    let flush_type = match kind {
        0 => SfdfFlush::PerSwid,
        1 => SfdfFlush::PerFid { fid: f.need(FID)? },
        2 => SfdfFlush::PerPort { system_port: f.need(PORT)? },
        3 => SfdfFlush::PerPortAndFid { system_port: f.need(PORT)?, fid: f.need(FID)? },
        4 => SfdfFlush::PerLag { lag_id: f.need(LAG)? },
        5 => SfdfFlush::PerLagAndFid { lag_id: f.need(LAG)?, fid: f.need(FID)? },
        6 => SfdfFlush::PerNve,
        7 => SfdfFlush::PerNveAndFid { fid: f.need(FID)? },
        code => SfdfFlush::Other { code, words: [0; 2] },
    };
    Ok(Sfdf {
        swid: f.number(&["swid"], 0)?,
        flush_type,
        flush_static: f.flag(&["flush_static", "static"], true)?,
    })
}

pub(super) fn sfmr(f: &mut Fields) -> Built<Sfmr> {
    let op = f.code(&["op"], 0, |text| match text {
        "create_fid" => Some(SfmrOp::Create.code()),
        "destroy_fid" => Some(SfmrOp::Destroy.code()),
        text => SfmrOp::from_name(text).map(SfmrOp::code),
    })?;
    let bridge_type = f.code(&["bridge_type", "flood_bridge_type"], 0, bridge_type)?;
    Ok(Sfmr {
        op: SfmrOp::from_code(op),
        fid: f.need(&["fid"])?,
        flood_rsp: f.flag(&["flood_rsp"], false)?,
        bridge_type: bridge_type == 1,
        fid_offset: f.number(&["fid_offset"], 0)?,
        vtfp: f.flag(&["vtfp"], false)?,
        nve_tunnel_flood_ptr: f.number(&["nve_tunnel_flood_ptr"], 0)?,
        vv: f.flag(&["vv", "vni_valid"], false)?,
        vni: f.number(&["vni"], 0)?,
        irif_v: f.flag(&["irif_v", "irif_valid"], false)?,
        irif: f.number(&["irif"], 0)?,
        cff_mid_base: f.number(&["cff_mid_base"], 0)?,
        nve_flood_prf_id: f.number(&["nve_flood_prf_id"], 0)?,
        cff_prf_id: f.number(&["cff_prf_id"], 0)?,
        smpe_valid: f.flag(&["smpe_valid"], false)?,
        smpe: f.number(&["smpe"], 0)?,
    })
}

pub(super) fn svfa(f: &mut Fields) -> Built<Svfa> {
    let mapping = f.code(&["mapping", "mapping_table", "mt"], 0, |text| {
        SvfaMapping::from_name(text).map(SvfaMapping::code)
    })?;
    Ok(Svfa {
        swid: f.number(&["swid"], 0)?,
        local_port: f.number(LOCAL_PORT, 0)?,
        mapping: SvfaMapping::from_code(mapping),
        valid: f.flag(&["valid", "v"], false)?,
        fid: f.number(&["fid"], 0)?,
        vid: f.number(&["vid"], 0)?,
        counter_set_type: f.number(&["counter_set_type"], 0)?,
        counter_index: f.number(&["counter_index"], 0)?,
        vni: f.number(&["vni"], 0)?,
        irif_v: f.flag(&["irif_v", "irif_valid"], false)?,
        irif: f.number(&["irif"], 0)?,
    })
}

pub(super) fn spvid(f: &mut Fields) -> Built<Spvid> {
    zero_sub_port(f)?;
    Ok(Spvid {
        tport: f.flag(&["tport"], false)?,
        local_port: f.need(LOCAL_PORT)?,
        egr_et_set: f.flag(&["egr_et_set"], false)?,
        et_vlan: f.number(&["et_vlan", "ethtype", "sver_type"], 0)?,
        pvid: f.need(&["pvid", "vid"])?,
    })
}

pub(super) fn spaft(f: &mut Fields) -> Built<Spaft> {
    zero_sub_port(f)?;
    Ok(Spaft {
        local_port: f.need(LOCAL_PORT)?,
        allow_untagged: f.flag(&["allow_untagged"], true)?,
        allow_prio_tagged: f.flag(&["allow_prio_tagged"], true)?,
        allow_tagged: f.flag(&["allow_tagged"], true)?,
    })
}

pub(super) fn spvm(f: &mut Fields) -> Built<Spvm> {
    zero_sub_port(f)?;
    let (pt, pte) = (f.flag(&["pt"], false)?, f.flag(&["pte"], false)?);
    let local_port = f.need(LOCAL_PORT)?;
    let member = f.flag(&["is_member", "member"], true)?;
    let untagged = f.flag(&["untagged", "u"], false)?;
    let listed = f.list(RECORDS);
    let mut spvm = Spvm { pt, pte, local_port, records: Vec::new() };
    if listed.is_empty() && f.has(&["vid_begin", "vid", "vid_first", "begin"]) {
        spvm.records = Spvm::range(local_port, vid_range(f)?, member, untagged).records;
    }
    for value in listed {
        spvm.records.push(match number(&value) {
            Some(vid) => {
                let vid = u16::try_from(vid).map_err(|_| format!("VLAN {vid} is too large"))?;
                SpvmRecord { i: member, e: member, u: untagged, vid }
            }
            None => {
                let f = &mut Fields::new("spvm", &value)?;
                let member = f.flag(&["is_member", "member"], member)?;
                let record = SpvmRecord {
                    i: f.flag(&["i", "ingress"], member)?,
                    e: f.flag(&["e", "egress"], member)?,
                    u: f.flag(&["u", "untagged"], untagged)?,
                    vid: f.need(&["vid"])?,
                };
                f.finish()?;
                record
            }
        });
    }
    count(f, spvm.records.len())?;
    Ok(spvm)
}

pub(super) fn spvmlr(f: &mut Fields) -> Built<Spvmlr> {
    let local_port = f.need(LOCAL_PORT)?;
    let learn_enable = f.flag(&["learn_enable", "learn", "learning"], false)?;
    let listed = f.list(RECORDS);
    let mut spvmlr = Spvmlr { local_port, records: Vec::new() };
    if listed.is_empty() && f.has(&["vid_begin", "vid", "vid_first", "begin"]) {
        spvmlr.records = Spvmlr::range(local_port, vid_range(f)?, learn_enable).records;
    }
    for value in listed {
        spvmlr.records.push(match number(&value) {
            Some(vid) => {
                let vid = u16::try_from(vid).map_err(|_| format!("VLAN {vid} is too large"))?;
                SpvmlrRecord { learn_enable, vid }
            }
            None => {
                let f = &mut Fields::new("spvmlr", &value)?;
                let record = SpvmlrRecord {
                    learn_enable: f.flag(&["learn_enable", "learn", "learning"], learn_enable)?,
                    vid: f.need(&["vid"])?,
                };
                f.finish()?;
                record
            }
        });
    }
    count(f, spvmlr.records.len())?;
    Ok(spvmlr)
}

pub(super) fn spms(f: &mut Fields) -> Built<Spms> {
    let local_port = f.need(LOCAL_PORT)?;
    let common = f.take(&["state"]);
    let mut states = BTreeMap::new();
    let mut put = |vid: Value, state: &Value| -> Built<()> {
        let vid = number(&vid).and_then(|vid| u16::try_from(vid).ok());
        let vid = vid.ok_or("Field vid is no VLAN")?;
        if let Some(state) = spms_state(state)? {
            states.insert(vid, state);
        }
        Ok(())
    };
    let state_of =
        |state: Option<Value>| state.or_else(|| common.clone()).ok_or("Field state is missing");
    if f.has(&["vid_begin", "vid", "vid_first", "begin"]) {
        for vid in vid_range(f)? {
            put(vid.into(), &state_of(None)?)?;
        }
    }
    for value in
        f.list(&["states", "vid_states", "records", "recs", "entries", "vids", "vlans", "list"])
    {
        match &value {
            // {"10": "forwarding"}
            Value::Object(by_vid) if by_vid.keys().all(|key| key.parse::<u16>().is_ok()) => {
                for (vid, state) in by_vid {
                    put(Value::from(vid.as_str()), state)?;
                }
            }
            Value::Object(_) => {
                let f = &mut Fields::new("spms", &value)?;
                let vid = f.take(&["vid"]).ok_or("Field vid is missing")?;
                put(vid, &state_of(f.take(&["state"]))?)?;
                f.finish()?;
            }
            Value::Array(pair) if pair.len() == 2 => put(pair[0].clone(), &pair[1])?,
            _ => put(value, &state_of(None)?)?,
        }
    }
    Ok(Spms { local_port, states: states.into_iter().collect() })
}

fn spms_state(value: &Value) -> Built<Option<SpmsState>> {
    let named = |text: &str| match text {
        "no_change" => Some(0),
        "discarding" | "disabled" | "blocking" | "listening" => Some(1),
        "learning" => Some(2),
        "forwarding" => Some(3),
        _ => None,
    };
    match code(value, named) {
        Some(0) => Ok(None),
        Some(1) => Ok(Some(SpmsState::Discarding)),
        Some(2) => Ok(Some(SpmsState::Learning)),
        Some(3) => Ok(Some(SpmsState::Forwarding)),
        _ => Err(format!("Field state cannot be {value}")),
    }
}

pub(super) fn sfgc(f: &mut Fields) -> Built<Sfgc> {
    let kind = f.code(&["type", "packet_type"], 0, |text| {
        FloodType::from_name(text).map(FloodType::code)
    })?;
    let bridge_type = f.code(&["bridge_type"], 0, bridge_type)?;
    let table_type =
        f.code(&["table_type"], 0, |text| FloodTable::from_name(text).map(FloodTable::code))?;
    Ok(Sfgc {
        kind: FloodType::from_code(kind),
        bridge_type: BridgeType::from_code(bridge_type),
        table_type: FloodTable::from_code(table_type),
        flood_table: f.number(&["flood_table", "table"], 0)?,
        counter_set_type: f.number(&["counter_set_type"], 0)?,
        counter_index: f.number(&["counter_index"], 0)?,
        mid_base: f.number(&["mid_base"], 0)?,
    })
}

fn bridge_type(text: &str) -> Option<u8> {
    BridgeType::from_name(text).map(BridgeType::code)
}

pub(super) fn smid2(f: &mut Fields) -> Built<Smid2> {
    let set = f.flag(&["set"], true)?;
    let (mut port, mut mask) = (BTreeSet::new(), BTreeSet::new());
    for value in f.list(&["port", "ports", "local_port", "local_ports", "members"]) {
        let (local_port, set) = match number(&value) {
            Some(local_port) => (u16::try_from(local_port).ok(), set),
            None => {
                let f = &mut Fields::new("smid2", &value)?;
                let entry = (Some(f.need(LOCAL_PORT)?), f.flag(&["set", "member"], set)?);
                f.finish()?;
                entry
            }
        };
        let local_port = local_port.ok_or_else(|| format!("Field port cannot be {value}"))?;
        mask.insert(local_port);
        if set {
            port.insert(local_port);
        }
    }
    if f.has(&["port_mask", "mask"]) {
        let listed = f.list(&["port_mask", "mask"]);
        let ports = listed.iter().map(|v| number(v).and_then(|port| u16::try_from(port).ok()));
        mask = ports.collect::<Option<_>>().ok_or("Field port_mask is no list of ports")?;
    }
    let smpe = f.number(&["smpe"], 0)?;
    let smpe_valid = f.flag(&["smpe_valid"], false)?;
    Ok(Smid2 {
        swid: f.number(&["swid"], 0)?,
        mid: f.need(&["mid"])?,
        smpe_valid,
        // The packing function writes it only if it is valid.
        smpe: if smpe_valid { smpe } else { 0 },
        port,
        port_mask: mask,
    })
}

/// The VEPA sub-port overlaps the high bits of the port and is always 0.
fn zero_sub_port(f: &mut Fields) -> Built<()> {
    match f.number(&["sub_port"], 0u8)? {
        0 => Ok(()),
        other => Err(format!("Field sub_port cannot be {other}")),
    }
}

/// A listed record count has to be that of the records.
fn count(f: &mut Fields, records: usize) -> Built<()> {
    match f.number(&["num_rec", "num_records"], records)? {
        listed if listed == records => Ok(()),
        listed => Err(format!("Field num_rec is {listed}, there are {records} records")),
    }
}
