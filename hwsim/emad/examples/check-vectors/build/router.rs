//! Vectors of the router registers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use emad::Mac;
use emad::register::{
    IrifMask, Protocol, Raleu, Ralst, RalstBin, Ralta, RaltaOp, Raltb, Ralue, RalueAction,
    RalueEntry, RalueOp, Ratr, RatrOp, RatrType, Ratrad, RatradOp, Rauht, RauhtOp, Rauhtd,
    RauhtdEntry, RauhtdOp, RauhtdRecord, Recr2, Reiv, ReivRecord, Rgcr, Ricnt, RicntOp, Ritr,
    RitrCounter, RitrOp, RitrType, Rmft2, Rmft2Groups, TrapAction,
};
use serde_json::Value;

use super::{Built, PROTOCOL, RECORDS, VIRTUAL_ROUTER};
use crate::fields::{Fields, hex, number};

pub(super) fn rgcr(f: &mut Fields) -> Built<Rgcr> {
    Ok(Rgcr {
        ipv4_en: f.flag(&["ipv4_en", "ipv4"], false)?,
        ipv6_en: f.flag(&["ipv6_en", "ipv6"], false)?,
        max_router_interfaces: f.number(&["max_router_interfaces"], 0)?,
        usp: f.flag(&["usp"], false)?,
        pcp_rw: f.number(&["pcp_rw"], 0)?,
        activity_dis: f.number(&["activity_dis"], 0)?,
    })
}

pub(super) fn ritr(f: &mut Fields) -> Built<Ritr> {
    const EFID: &[&str] = &["efid", "vlan_if_efid", "sp_if_efid"];
    let driver = Ritr::default();
    let enable = f.flag(&["enable"], true)?;
    let op = f.code(&["op"], u8::from(!enable), |text| match text {
        "rif_create" => Some(0),
        "del" | "rif_del" => Some(1),
        text => RitrOp::from_name(text).map(RitrOp::code),
    })?;
    let kind = f.code(&["type", "if_type", "kind"], 1, |text| match text {
        "vlan_if" | "vlan" => Some(0),
        "fid_if" | "fid" => Some(1),
        "sp_if" | "subport" | "sp" => Some(2),
        _ => None,
    })?;
    let kind = match kind {
        0 => RitrType::VlanIf {
            vlan_id: f.need(&["vlan_id", "vlan_if_vlan_id", "vid"])?,
            efid: f.number(EFID, 0)?,
        },
        1 => RitrType::FidIf { fid: f.need(&["fid", "fid_if_fid"])? },
        2 => {
            let lag = f.flag(&["lag", "sp_if_lag"], f.has(&["lag_id"]))?;
            RitrType::SpIf {
                lag,
                system_port: f.need(&[
                    "system_port",
                    "sp_if_system_port",
                    "lag_id",
                    "local_port",
                ])?,
                efid: f.number(EFID, 0)?,
                vid: f.number(&["vid", "sp_if_vid"], 0)?,
            }
        }
        _ => return Err("Field type: only VLAN_IF, FID_IF and SP_IF have fields here".to_owned()),
    };
    Ok(Ritr {
        enable,
        ipv4: f.flag(&["ipv4"], driver.ipv4)?,
        ipv6: f.flag(&["ipv6"], driver.ipv6)?,
        ipv4_mc: f.flag(&["ipv4_mc"], driver.ipv4_mc)?,
        ipv6_mc: f.flag(&["ipv6_mc"], driver.ipv6_mc)?,
        ipv4_fe: f.flag(&["ipv4_fe"], driver.ipv4_fe)?,
        ipv6_fe: f.flag(&["ipv6_fe"], driver.ipv6_fe)?,
        ipv4_mc_fe: f.flag(&["ipv4_mc_fe"], driver.ipv4_mc_fe)?,
        ipv6_mc_fe: f.flag(&["ipv6_mc_fe"], driver.ipv6_mc_fe)?,
        lb_en: f.flag(&["lb_en"], driver.lb_en)?,
        op: RitrOp::from_code(op),
        rif: f.need(&["rif", "rif_index"])?,
        virtual_router: f.number(VIRTUAL_ROUTER, 0)?,
        if_mac: if f.has(&["if_mac", "mac"]) { f.mac(&["if_mac", "mac"])? } else { Mac::ZERO },
        if_mac_profile_id: f.number(&["if_mac_profile_id", "mac_profile_id", "mac_profile"], 0)?,
        if_vrrp_id_ipv4: f.number(&["if_vrrp_id_ipv4", "vrrp_id_ipv4"], 0)?,
        if_vrrp_id_ipv6: f.number(&["if_vrrp_id_ipv6", "vrrp_id_ipv6"], 0)?,
        mtu: f.number(&["mtu"], 0)?,
        ingress_counter: RitrCounter {
            set_type: f.number(&["ingress_counter_set_type"], 0)?,
            index: f.number(&["ingress_counter_index"], 0)?,
        },
        egress_counter: RitrCounter {
            set_type: f.number(&["egress_counter_set_type"], 0)?,
            index: f.number(&["egress_counter_index"], 0)?,
        },
        kind,
    })
}

pub(super) fn ratr(f: &mut Fields) -> Built<Ratr> {
    const MAC: &[&str] = &["eth_destination_mac", "dest_mac", "mac"];
    let op = f.code(&["op"], RatrOp::WRITE_WRITE_ENTRY.0, |text| {
        RatrOp::from_name(text).map(|op| op.0)
    })?;
    let kind = f.code(&["type"], 0, |text| RatrType::from_name(text).map(RatrType::code))?;
    let counter = f.has(&["counter_index"]);
    Ok(Ratr {
        op: RatrOp(op),
        v: f.flag(&["v", "valid"], true)?,
        a: f.flag(&["a"], false)?,
        kind: RatrType::from_code(kind),
        adjacency_index: f.number(&["adjacency_index"], 0)?,
        egress_router_interface: f
            .number(&["egress_router_interface", "egress_rif", "erif", "rif"], 0)?,
        trap_action: trap_action(f)?,
        trap_id: f.code(&["trap_id"], 0, rtr_egress)?,
        eth_destination_mac: if f.has(MAC) { f.mac(MAC)? } else { Mac::ZERO },
        counter_set_type: f.number(&["counter_set_type"], if counter { 3 } else { 0 })?,
        counter_index: f.number(&["counter_index"], 0)?,
    })
}

pub(super) fn ratrad(f: &mut Fields) -> Built<Ratrad> {
    let op = f.code(&["op"], 0, |text| RatradOp::from_name(text).map(RatradOp::code))?;
    Ok(Ratrad {
        op: RatradOp::from_code(op),
        ecmp_size: f.number(&["ecmp_size"], 0)?,
        adjacency_index: f.number(&["adjacency_index"], 0)?,
        activity: set(f, &["activity_vector", "activity"])?,
    })
}

pub(super) fn raleu(f: &mut Fields) -> Built<Raleu> {
    Ok(Raleu {
        protocol: protocol(f, PROTOCOL)?,
        virtual_router: f.number(VIRTUAL_ROUTER, 0)?,
        adjacency_index: f.number(&["adjacency_index"], 0)?,
        ecmp_size: f.number(&["ecmp_size"], 0)?,
        new_adjacency_index: f.number(&["new_adjacency_index"], 0)?,
        new_ecmp_size: f.number(&["new_ecmp_size"], 0)?,
    })
}

pub(super) fn recr2(f: &mut Fields) -> Built<Recr2> {
    Ok(Recr2 {
        pp: f.flag(&["pp"], false)?,
        sh: f.flag(&["sh"], true)?,
        seed: f.number(&["seed"], 0)?,
        outer_header_enables: set(f, &["outer_header_enables"])?,
        outer_fields: set(f, &["outer_header_fields_enable", "outer_fields"])?,
        inner_header_enables: set(f, &["inner_header_enables"])?,
        inner_fields: set(f, &["inner_header_fields_enable", "inner_fields"])?,
    })
}

pub(super) fn ricnt(f: &mut Fields) -> Built<Ricnt> {
    let op = f.code(&["op"], 0, |text| RicntOp::from_name(text).map(RicntOp::code))?;
    Ok(Ricnt {
        op: RicntOp::from_code(op),
        counter_set_type: f.number(&["counter_set_type"], Ricnt::BASIC)?,
        counter_index: f.number(&["counter_index", "index"], 0)?,
        good_unicast_packets: f.number(&["good_unicast_packets"], 0)?,
        good_multicast_packets: f.number(&["good_multicast_packets"], 0)?,
        good_broadcast_packets: f.number(&["good_broadcast_packets"], 0)?,
        good_unicast_bytes: f.number(&["good_unicast_bytes"], 0)?,
        good_multicast_bytes: f.number(&["good_multicast_bytes"], 0)?,
        good_broadcast_bytes: f.number(&["good_broadcast_bytes"], 0)?,
        error_packets: f.number(&["error_packets"], 0)?,
        discard_packets: f.number(&["discard_packets"], 0)?,
        error_bytes: f.number(&["error_bytes"], 0)?,
        discard_bytes: f.number(&["discard_bytes"], 0)?,
    })
}

/// Numbers of the bits that are set.
fn set<T: TryFrom<u64> + Ord>(f: &mut Fields, names: &[&str]) -> Built<BTreeSet<T>> {
    let values = f.list(names);
    let bit = |value: &Value| number(value).and_then(|n| T::try_from(n).ok());
    let set: Option<_> = values.iter().map(bit).collect();
    set.ok_or_else(|| format!("Field {} is no list of bits", names[0]))
}

pub(super) fn reiv(f: &mut Fields) -> Built<Reiv> {
    let erif = f.need(&["erif", "rif"])?;
    let port_page = f.take(&["port_page"]);
    let mut port_page = match &port_page {
        Some(value) => Some(
            number(value).and_then(|n| u8::try_from(n).ok()).ok_or("Field port_page is no page")?,
        ),
        None => None,
    };
    let mut records = BTreeMap::new();
    let mut put = |f: &mut Fields, position: usize| -> Built<()> {
        let slot = f.number(&["index", "slot", "local_port", "port", "system_port"], position)?;
        let page = u8::try_from(slot / 256).map_err(|_| format!("Port {slot} is too large"))?;
        // A port above 255 says the page; a record index does not.
        port_page = port_page.or(Some(page).filter(|&page| page > 0));
        let record =
            ReivRecord { update: f.flag(&["update"], true)?, evid: f.number(&["evid", "vid"], 0)? };
        if record != ReivRecord::default() {
            records.insert((slot % 256).try_into().unwrap_or(0), record);
        }
        Ok(())
    };
    if f.has(&["evid", "vid"]) {
        put(f, 0)?;
    }
    for (position, value) in f.list(RECORDS).iter().enumerate() {
        let f = &mut Fields::new("reiv", value)?;
        put(f, position)?;
        f.finish()?;
    }
    Ok(Reiv { port_page: port_page.unwrap_or(0), erif, records })
}

pub(super) fn ralta(f: &mut Fields) -> Built<Ralta> {
    let alloc = f.flag(&["alloc"], true)?;
    let op = f.code(&["op"], u8::from(!alloc), |text| match text {
        "alloc" => Some(0),
        "free" | "dealloc" => Some(1),
        text => RaltaOp::from_name(text).map(RaltaOp::code),
    })?;
    Ok(Ralta {
        op: RaltaOp::from_code(op),
        protocol: protocol(f, PROTOCOL)?,
        tree_id: f.need(&["tree_id", "tree"])?,
    })
}

pub(super) fn raltb(f: &mut Fields) -> Built<Raltb> {
    Ok(Raltb {
        virtual_router: f.need(VIRTUAL_ROUTER)?,
        protocol: protocol(f, PROTOCOL)?,
        tree_id: f.need(&["tree_id", "tree"])?,
    })
}

pub(super) fn ralst(f: &mut Fields) -> Built<Ralst> {
    let (root_bin, tree_id) = (f.need(&["root_bin"])?, f.need(&["tree_id", "tree"])?);
    let mut bins = BTreeMap::new();
    for value in f.list(&["bins", "records", "entries", "nodes", "structure"]) {
        let child = |value: Option<Value>| match value {
            None | Some(Value::Null) => Ok(Ralst::NO_CHILD),
            Some(value) => crate::fields::code(&value, |text| match text {
                "none" | "no_child" => Some(Ralst::NO_CHILD),
                _ => None,
            })
            .ok_or_else(|| format!("Bin cannot be {value}")),
        };
        let (bin, left, right) = match &value {
            Value::Array(triple) => {
                (triple.first().cloned(), triple.get(1).cloned(), triple.get(2).cloned())
            }
            value => {
                let f = &mut Fields::new("ralst", value)?;
                // Records count from 0, bins from 1.
                let index = f.take(&["bin_index", "index"]).and_then(|v| number(&v));
                let bin = f.take(&["bin_number", "bin"]).or(index.map(|n| (n + 1).into()));
                let children =
                    (f.take(&["left_child_bin", "left"]), f.take(&["right_child_bin", "right"]));
                f.finish()?;
                (bin, children.0, children.1)
            }
        };
        let bin = bin.and_then(|bin| number(&bin)).and_then(|bin| u8::try_from(bin).ok());
        let bin = bin.filter(|bin| (1..=128).contains(bin)).ok_or("Bin is not in 1..=128")?;
        let children = RalstBin { left_child_bin: child(left)?, right_child_bin: child(right)? };
        bins.insert(bin, children);
    }
    bins.retain(|_, RalstBin { left_child_bin, right_child_bin }| {
        (*left_child_bin, *right_child_bin) != (Ralst::NO_CHILD, Ralst::NO_CHILD)
    });
    Ok(Ralst { root_bin, tree_id, bins })
}

pub(super) fn ralue(f: &mut Fields) -> Built<Ralue> {
    let op = f.code(&["op"], 0, |text| RalueOp::from_name(text).map(|op| op.0))?;
    let protocol = protocol(f, &["protocol", "proto", "family"])?;
    let dip = dip(f, protocol)?;
    let prefix_len = f.need(&["prefix_len", "prefix_length", "plen"])?;
    let entry_type = f.code(&["entry_type"], RalueEntry::Route.code(), |text| match text {
        "marker" => Some(RalueEntry::Marker.code()),
        "route" => Some(RalueEntry::Route.code()),
        "marker_and_route" => Some(RalueEntry::MarkerAndRoute.code()),
        text => RalueEntry::from_name(text).map(RalueEntry::code),
    })?;
    let action = match f.take(&["action"]) {
        Some(value @ Value::Object(_)) => {
            let f = &mut Fields::new("ralue", &value)?;
            let action = ralue_action(f, &["type", "action_type"])?;
            f.finish()?;
            action
        }
        Some(value) => {
            let kind = ralue_action_type(&value)?;
            ralue_action_of(f, kind)?
        }
        None => ralue_action(f, &["action_type"])?,
    };
    Ok(Ralue {
        a: f.flag(&["a"], false)?,
        op_u_mask: f.number(&["op_u_mask"], 0)?,
        entry_type: RalueEntry::from_code(entry_type),
        bmp_len: f.number(&["bmp_len"], prefix_len)?,
        ..Ralue::new(RalueOp(op), f.number(VIRTUAL_ROUTER, 0)?, dip, prefix_len, action)
    })
}

fn ralue_action_type(value: &Value) -> Built<u8> {
    let named = |text: &str| match text {
        "remote" => Some(0),
        "local" => Some(1),
        "ip2me" | "ip2me_tun" => Some(2),
        _ => None,
    };
    crate::fields::code(value, named).ok_or_else(|| format!("Field action cannot be {value}"))
}

fn ralue_action(f: &mut Fields, names: &[&str]) -> Built<RalueAction> {
    let kind = f.take(names).map_or(Ok(0), |value| ralue_action_type(&value))?;
    ralue_action_of(f, kind)
}

fn ralue_action_of(f: &mut Fields, kind: u8) -> Built<RalueAction> {
    const TUNNEL_PTR: &[&str] = &["tunnel_ptr", "ip2me_tunnel_ptr"];
    Ok(match kind {
        0 => RalueAction::Remote {
            trap_action: trap_action(f)?,
            trap_id: f.number(&["trap_id"], 0)?,
            adjacency_index: f.number(&["adjacency_index"], 0)?,
            ecmp_size: f.number(&["ecmp_size"], 0)?,
        },
        1 => RalueAction::Local {
            trap_action: trap_action(f)?,
            trap_id: f.number(&["trap_id"], 0)?,
            local_erif: f.number(&["local_erif", "erif", "rif"], 0)?,
        },
        2 => {
            let valid = f.flag(&["ip2me_v", "v"], f.has(TUNNEL_PTR))?;
            let tunnel_ptr = f.number(TUNNEL_PTR, 0)?;
            RalueAction::Ip2me { tunnel_ptr: valid.then_some(tunnel_ptr) }
        }
        other => return Err(format!("Field action cannot be {other}")),
    })
}

pub(super) fn rauht(f: &mut Fields) -> Built<Rauht> {
    let op = f.code(&["op"], 0, |text| RauhtOp::from_name(text).map(|op| op.0))?;
    let family = protocol(f, PROTOCOL)?;
    let dip = dip(f, family)?;
    let counter = f.has(&["counter_index"]);
    let mac = if f.has(&["mac"]) { f.mac(&["mac"])? } else { Mac::ZERO };
    Ok(Rauht {
        a: f.flag(&["a"], false)?,
        trap_action: trap_action(f)?,
        trap_id: f.code(&["trap_id"], 0, rtr_egress)?.into(),
        counter_set_type: f.number(&["counter_set_type"], if counter { 3 } else { 0 })?,
        counter_index: f.number(&["counter_index"], 0)?,
        ..Rauht::new(RauhtOp(op), f.need(&["rif"])?, mac, dip)
    })
}

pub(super) fn rauhtd(f: &mut Fields) -> Built<Rauhtd> {
    let driver = Rauhtd::query(protocol(f, PROTOCOL)?);
    let op =
        f.code(&["op"], driver.op.code(), |text| RauhtdOp::from_name(text).map(RauhtdOp::code))?;
    let listed = f.list(&["records", "recs", "rec"]);
    let records: Vec<_> =
        listed.iter().map(|value| rauhtd_record(value, driver.kind)).collect::<Result<_, _>>()?;
    let num_rec = if records.is_empty() { 32 } else { records.len() };
    Ok(Rauhtd {
        filter_fields: f.number(&["filter_fields"], driver.filter_fields)?,
        op: RauhtdOp::from_code(op),
        num_rec: f.number(&["num_rec", "num_records"], num_rec.try_into().unwrap_or(u8::MAX))?,
        entry_a: f.flag(&["entry_a"], driver.entry_a)?,
        kind: driver.kind,
        entry_rif: f.number(&["entry_rif"], 0)?,
        records,
    })
}

fn rauhtd_record(value: &Value, family: Protocol) -> Built<RauhtdRecord> {
    let f = &mut Fields::new("rauhtd", value)?;
    let family =
        f.code(&["type"], family.code(), |text| Protocol::from_name(text).map(Protocol::code))?;
    let record = if family == Protocol::Ipv6.code() {
        let entry =
            rauhtd_entry(f, &["ipv6_ent_a", "a"], &["ipv6_ent_rif", "rif"], "ipv6_ent_dip")?;
        RauhtdRecord::Ipv6(RauhtdEntry { a: entry.0, rif: entry.1, dip: ipv6(entry.2)? })
    } else {
        let mut entries = Vec::new();
        for value in f.list(&["entries", "ents"]) {
            let f = &mut Fields::new("rauhtd", &value)?;
            let entry =
                rauhtd_entry(f, &["ipv4_ent_a", "a"], &["ipv4_ent_rif", "rif"], "ipv4_ent_dip")?;
            f.finish()?;
            entries.push(RauhtdEntry { a: entry.0, rif: entry.1, dip: ipv4(entry.2)? });
        }
        if entries.is_empty() {
            let entry =
                rauhtd_entry(f, &["ipv4_ent_a", "a"], &["ipv4_ent_rif", "rif"], "ipv4_ent_dip")?;
            entries.push(RauhtdEntry { a: entry.0, rif: entry.1, dip: ipv4(entry.2)? });
        }
        let more = f.number(&["num_entries", "ipv4_rec_num_entries"], entries.len() - 1)?;
        if more + 1 != entries.len() {
            return Err(format!(
                "Field num_entries is {more}, there are {} entries",
                entries.len()
            ));
        }
        RauhtdRecord::Ipv4(entries)
    };
    f.finish()?;
    Ok(record)
}

fn rauhtd_entry(
    f: &mut Fields,
    a: &[&str],
    rif: &[&str],
    long_dip: &str,
) -> Built<(bool, u16, Option<IpAddr>)> {
    let dip = match f.address(long_dip, "")? {
        None => f.address("dip", "")?,
        dip => dip,
    };
    Ok((f.flag(a, false)?, f.number(rif, 0)?, dip))
}

pub(super) fn rmft2(f: &mut Fields) -> Built<Rmft2> {
    let family = f.code(PROTOCOL, 2, |text| Protocol::from_name(text).map(Protocol::code))?;
    let irif_mask =
        f.code(&["irif_mask"], 0, |text| IrifMask::from_name(text).map(IrifMask::code))?;
    let dip = f.address("dip", "")?;
    let dip_mask = f.address("dip", "_mask")?;
    let sip = f.address("sip", "")?;
    let sip_mask = f.address("sip", "_mask")?;
    let groups = if family == Protocol::Ipv6.code() || matches!(dip, Some(IpAddr::V6(_))) {
        Rmft2Groups::Ipv6 {
            dip: ipv6(dip)?,
            dip_mask: ipv6(dip_mask)?,
            sip: ipv6(sip)?,
            sip_mask: ipv6(sip_mask)?,
        }
    } else {
        Rmft2Groups::Ipv4 {
            dip: ipv4(dip)?,
            dip_mask: ipv4(dip_mask)?,
            sip: ipv4(sip)?,
            sip_mask: ipv4(sip_mask)?,
        }
    };
    let mut rmft2 = Rmft2::new(f.need(&["offset"])?, f.number(VIRTUAL_ROUTER, 0)?, groups);
    const ACTIONS: &[&str] = &[
        "flexible_action_set",
        "flex_action_set",
        "flexible_action_set_hex",
        "flex_action_set_hex",
    ];
    if let Some(value) = f.take(ACTIONS).filter(|value| !value.is_null()) {
        let bytes = hex(value.as_str().ok_or("Field flexible_action_set is no text")?)?;
        let place = rmft2.flexible_action_set.get_mut(..bytes.len());
        place.ok_or("Field flexible_action_set is too long")?.copy_from_slice(&bytes);
    }
    Ok(Rmft2 {
        v: f.flag(&["v", "valid"], true)?,
        op: f.code(&["op"], 0, |text| (text == "read_write" || text == "write").then_some(0))?,
        a: f.flag(&["a"], false)?,
        irif_mask: IrifMask::from_code(irif_mask),
        irif: f.number(&["irif"], 0)?,
        ..rmft2
    })
}

fn protocol(f: &mut Fields, names: &[&str]) -> Built<Protocol> {
    let code = f.code(names, 0, |text| match text {
        "inet" => Some(0),
        "inet6" => Some(1),
        text => Protocol::from_name(text).map(Protocol::code),
    })?;
    Ok(Protocol::from_code(code))
}

/// The address of an entry of this family; 0 if none is given.
fn dip(f: &mut Fields, family: Protocol) -> Built<IpAddr> {
    let dip = f.address("dip", "")?;
    match (family, dip) {
        (Protocol::Ipv6, dip) => ipv6(dip).map(Into::into),
        (_, Some(IpAddr::V6(dip))) => Ok(dip.into()),
        (_, dip) => ipv4(dip).map(Into::into),
    }
}

fn ipv4(address: Option<IpAddr>) -> Built<Ipv4Addr> {
    match address {
        None => Ok(Ipv4Addr::UNSPECIFIED),
        Some(IpAddr::V4(address)) => Ok(address),
        Some(IpAddr::V6(address)) => Err(format!("Not an IPv4 address: {address}")),
    }
}

fn ipv6(address: Option<IpAddr>) -> Built<Ipv6Addr> {
    match address {
        None => Ok(Ipv6Addr::UNSPECIFIED),
        Some(IpAddr::V6(address)) => Ok(address),
        Some(IpAddr::V4(address)) => Err(format!("Not an IPv6 address: {address}")),
    }
}

fn trap_action(f: &mut Fields) -> Built<TrapAction> {
    let code = f.code(&["trap_action"], 0, |text| match text {
        "discard_errors" | "discard" => Some(TrapAction::DiscardError.code()),
        text => TrapAction::from_name(text).map(TrapAction::code),
    })?;
    Ok(TrapAction::from_code(code))
}

fn rtr_egress(text: &str) -> Option<u8> {
    match text {
        "egress0" | "rtr_egress0" => Some(0),
        "egress1" | "rtr_egress1" => Some(1),
        _ => None,
    }
}
