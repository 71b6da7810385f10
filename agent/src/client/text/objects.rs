//! Router interfaces, virtual MACs and ports: `ip`-like lines, or columns with `-br`.

use firsthop_model::driver::Evidence;
use firsthop_model::intent::State;

use super::table::{Table, or_dash};
use super::{WIDTH, sentence, wrapped};
use crate::client::Options;
use crate::views::{Liveness, Port, Rif, Vmac};

/// `firsthop rif`
pub(in crate::client) fn rifs(rows: &[Rif], options: &Options) -> String {
    if options.brief {
        let mut table = Table::new(&["NETDEV", "RIF", "MAC", "VRF", "MTU", "STATE", "REASON"]);
        for row in rows {
            table.row([
                row.ifname.clone(),
                or_dash(row.rif),
                or_dash(row.mac),
                row.vrf.clone(),
                or_dash(row.mtu),
                row.state.to_string(),
                or_dash(row.reason.as_ref()),
            ]);
        }
        return table.text();
    }
    let mut text = String::new();
    for row in rows {
        let line = format!("{}: {}", row.ifindex, rif_line(row));
        text.push_str(&with_reason(&line, row.reason.as_deref()));
        if options.details
            && let (Some(kind), Some(fid), Some(vr)) = (&row.kind, row.fid, row.vr)
        {
            let vid = row.vid.map_or_else(String::new, |vid| format!(" vlan {vid}"));
            text.push_str(&format!("    type {kind} vr {vr} fid {fid}{vid}\n"));
        }
    }
    text
}

pub(super) fn rif_line(row: &Rif) -> String {
    let mut line = format!("{}: rif {}", row.ifname, or_dash(row.rif));
    // the index is not known of what a driver has by its rules
    if row.rif.is_some() || row.evidence.is_some() && row.state == State::Offload {
        line.push_str(&format!(" mac {} vrf {}", or_dash(row.mac), row.vrf));
        if let Some(vid) = row.vid {
            line.push_str(&format!(" vlan {vid}"));
        }
        line.push_str(&format!(" mtu {}", or_dash(row.mtu)));
    }
    line.push_str(&format!(" {}{}", row.state, evidence_word(row.evidence)));
    line
}

/// After the state of what a driver in the kernel has.
fn evidence_word(evidence: Option<Evidence>) -> String {
    evidence.map_or_else(String::new, |evidence| format!(" evidence {}", evidence.name()))
}

/// `firsthop vmac`
pub(in crate::client) fn vmacs(rows: &[Vmac], options: &Options) -> String {
    if options.brief {
        let head = ["NETDEV", "LOWER", "VMAC", "FAM", "VRID", "ROLE", "STATE", "REASON"];
        let mut table = Table::new(&head);
        for row in rows {
            table.row([
                row.ifname.clone(),
                or_dash(row.lower.as_ref()),
                or_dash(row.mac),
                row.family.map_or_else(|| "-".to_owned(), |f| f.to_string().replace("ip", "")),
                or_dash(row.vrid),
                row.role.name().to_owned(),
                row.state.to_string(),
                or_dash(row.reason.as_ref()),
            ]);
        }
        return table.text();
    }
    let mut text = String::new();
    for row in rows {
        let line = format!("{}: {}", row.ifindex, vmac_line(row));
        text.push_str(&with_reason(&line, row.reason.as_deref()));
        let flags = flags(row);
        if !flags.is_empty() {
            text.push_str(&format!("    flags {flags}\n"));
        }
        if options.details {
            text.push_str(&format!("    role {} policy {}", row.role.name(), row.policy));
            if let (Some(rif), Some(fid)) = (row.rif, row.fid) {
                let path = if row.fast_path { "vrrp slot" } else { "fdb" };
                text.push_str(&format!(" rif {rif} fid {fid} path {path}"));
            }
            text.push('\n');
            text.push_str(&row.liveness.as_ref().map_or_else(String::new, evidence));
        }
    }
    text
}

/// Who advertises, and what each flag was told from.
fn evidence(told: &Liveness) -> String {
    let Liveness { own, heard, evidence, .. } = told;
    let own = own.iter().map(|own| wrapped("    sent", &own.words(), 8));
    let heard = heard.iter().map(|heard| wrapped("    heard", &heard.words(), 8));
    own.chain(heard).chain(evidence.iter().map(|why| wrapped("    ", why, 8))).collect()
}

/// Names of flags with commas between them.
pub(super) fn flags(row: &Vmac) -> String {
    let flags = row.liveness.iter().flat_map(|liveness| &liveness.flags);
    flags.map(|flag| flag.name()).collect::<Vec<_>>().join(",")
}

pub(super) fn vmac_line(row: &Vmac) -> String {
    let mut line = row.ifname.clone();
    if let Some(lower) = &row.lower {
        line.push_str(&format!("@{lower}"));
    }
    line.push_str(&format!(": mac {}", or_dash(row.mac)));
    if row.protocol != "other" {
        line.push_str(&format!(" {}", row.protocol));
    }
    if let Some(family) = row.family {
        line.push_str(&format!(" {family}"));
    }
    if let Some(vrid) = row.vrid {
        line.push_str(&format!(" vrid {vrid}"));
    }
    line.push_str(&format!(" {}{}", row.state, evidence_word(row.evidence)));
    line
}

/// `firsthop port`
pub(in crate::client) fn ports(rows: &[Port], options: &Options) -> String {
    let carrier = |row: &Port| if row.carrier { "up" } else { "down" };
    if options.brief {
        let mut table = Table::new(&["NETDEV", "DEVICE", "PORT", "MAC", "CARRIER"]);
        for row in rows {
            table.row([
                row.ifname.clone(),
                row.device.clone(),
                row.local_port.to_string(),
                or_dash(row.mac),
                carrier(row).to_owned(),
            ]);
        }
        return table.text();
    }
    let line = |row: &Port| {
        let Port { ifname, ifindex, device, local_port, .. } = row;
        let mac = or_dash(row.mac);
        let carrier = carrier(row);
        format!("{ifindex}: {ifname}: {device} port {local_port} mac {mac} carrier {carrier}\n")
    };
    rows.iter().map(line).collect()
}

/// The reason behind a line, or below it with the sentence where it does not fit.
fn with_reason(line: &str, reason: Option<&str>) -> String {
    let Some(code) = reason else { return format!("{line}\n") };
    let whole = format!("{line} reason {code}\n");
    if whole.chars().count() <= WIDTH + 1 {
        return whole;
    }
    format!("{line}\n{}", wrapped(&format!("    reason {code}:"), sentence(code), 8))
}
