//! Vectors of the LAG registers.

use emad::register::{Slcor, SlcorCol, Slcr, SlcrType, Sldr, SldrOp};

use super::{Built, LOCAL_PORT, SYSTEM_PORT};
use crate::fields::Fields;

pub(super) fn sldr(f: &mut Fields) -> Built<Sldr> {
    let op = f.code(&["op"], 0, |text| match text {
        "lag_create" => Some(SldrOp::Create.code()),
        "lag_destroy" => Some(SldrOp::Destroy.code()),
        "lag_add_port_list" => Some(SldrOp::AddPortList.code()),
        "lag_remove_port_list" => Some(SldrOp::RemovePortList.code()),
        text => SldrOp::from_name(text).map(SldrOp::code),
    })?;
    let op = SldrOp::from_code(op);
    // The packing functions that take a port say that there is one.
    let one = matches!(op, SldrOp::AddPortList | SldrOp::RemovePortList);
    Ok(Sldr {
        op,
        lag_id: f.need(&["lag_id", "lag"])?,
        num_ports: f.number(&["num_ports"], u8::from(one))?,
        system_port: f.number(SYSTEM_PORT, 0)?,
    })
}

pub(super) fn slcr(f: &mut Fields) -> Built<Slcr> {
    let pp = f.code(&["pp"], 0, |text| match text {
        "global" => Some(0),
        "per_port" => Some(1),
        _ => None,
    })?;
    let kind = f.code(&["type"], 0, |text| SlcrType::from_name(text).map(SlcrType::code))?;
    Ok(Slcr {
        pp: pp == 1,
        local_port: f.number(LOCAL_PORT, 0)?,
        kind: SlcrType::from_code(kind),
        lag_hash: f.need(&["lag_hash"])?,
        seed: f.number(&["seed"], 0)?,
    })
}

pub(super) fn slcor(f: &mut Fields) -> Built<Slcor> {
    let col = f.code(&["col"], 0, |text| match text {
        "lag_add_port" => Some(SlcorCol::AddPort.code()),
        "lag_collector_enabled" => Some(SlcorCol::CollectorEnabled.code()),
        "lag_collector_disabled" => Some(SlcorCol::CollectorDisabled.code()),
        "lag_remove_port" => Some(SlcorCol::RemovePort.code()),
        text => SlcorCol::from_name(text).map(SlcorCol::code),
    })?;
    Ok(Slcor {
        col: SlcorCol::from_code(col),
        local_port: f.need(LOCAL_PORT)?,
        lag_id: f.need(&["lag_id", "lag"])?,
        port_index: f.number(&["port_index"], 0)?,
    })
}
