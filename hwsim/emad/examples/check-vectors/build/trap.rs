//! Vectors of the trap registers.

use emad::register::{
    Hpkt, HpktAction, HpktCtrl, Htgt, Qpcr, QpcrAction, QpcrScope, QpcrUnits, RateType,
};
use serde_json::Value;

use super::Built;
use crate::fields::Fields;

pub(super) fn hpkt(f: &mut Fields) -> Built<Hpkt> {
    let action = f.code(&["action"], 0, |text| match text {
        "trap" => Some(HpktAction::TrapToCpu.code()),
        "mirror" => Some(HpktAction::MirrorToCpu.code()),
        "exception" | "trap_exception" => Some(HpktAction::TrapExceptionToCpu.code()),
        text => HpktAction::from_name(text).map(HpktAction::code),
    })?;
    // The driver's constant for the firmware's default is 15, of which three bits reach the wire.
    let action = HpktAction::from_code(if action == 15 { 7 } else { action });
    let is_ctrl = f.flag(&["is_ctrl", "is_control"], false)?;
    let packing = if is_ctrl { HpktCtrl::UseBuffer } else { HpktCtrl::NoBuffer };
    let ctrl = f.code(&["ctrl", "ctrl_packet"], packing.code(), |text| {
        HpktCtrl::from_name(text).map(HpktCtrl::code)
    })?;
    Ok(Hpkt {
        ack: f.code(&["ack"], 0, |text| (text == "required").then_some(1))? == 1,
        action,
        trap_group: f.need(&["trap_group", "group"])?,
        trap_id: f.need(&["trap_id", "id"])?,
        ctrl: HpktCtrl::from_code(ctrl),
    })
}

pub(super) fn htgt(f: &mut Fields) -> Built<Htgt> {
    const POLICER: &[&str] = &["policer", "policer_id", "pid"];
    const INVALID_POLICER: u8 = 0xff;
    let group = f.need(&["group", "trap_group"])?;
    let pide = f.flag(&["pide"], true)?;
    let policer = match f.take(POLICER) {
        None | Some(Value::Null) => None,
        Some(value) => crate::fields::number(&value).and_then(|n| u8::try_from(n).ok()),
    };
    Ok(Htgt {
        swid: f.number(&["swid"], 0)?,
        path_type: f.code(&["type", "path_type"], 0, |text| (text == "local").then_some(0))?,
        group,
        policer: policer.filter(|&policer| pide && policer != INVALID_POLICER),
        mirror_action: f.number(&["mirror_action"], 0)?,
        mirroring_agent: f.number(&["mirroring_agent"], 0)?,
        priority: f.number(&["priority", "prio"], 0)?,
        tclass: f.number(&["tclass", "tc", "local_path_cpu_tclass", "cpu_tclass"], 0)?,
        rdq: f.number(&["rdq", "local_path_rdq"], group)?,
    })
}

pub(super) fn qpcr(f: &mut Fields) -> Built<Qpcr> {
    let driver = Qpcr::default();
    let g = f.code(&["g", "scope"], driver.g.code(), |text| {
        QpcrScope::from_name(text).map(QpcrScope::code)
    })?;
    let units = f.code(&["ir_units", "units"], driver.ir_units.code(), |text| {
        QpcrUnits::from_name(text).map(QpcrUnits::code)
    })?;
    let rate_type = f.code(&["rate_type"], driver.rate_type.code(), |text| {
        RateType::from_name(text).map(RateType::code)
    })?;
    let action = |text: &str| QpcrAction::from_name(text).map(QpcrAction::code);
    let exceed_action = f.code(&["exceed_action"], driver.exceed_action.code(), action)?;
    let violate_action = f.code(&["violate_action"], driver.violate_action.code(), action)?;
    Ok(Qpcr {
        g: QpcrScope::from_code(g),
        pid: f.need(&["pid", "policer", "policer_id"])?,
        clear_counter: f.flag(&["clear_counter", "clear"], false)?,
        color_aware: f.flag(&["color_aware"], false)?,
        bytes: f.flag(&["bytes"], false)?,
        ir_units: QpcrUnits::from_code(units),
        rate_type: RateType::from_code(rate_type),
        cbs_log2: f.number(&["cbs_log2", "cbs", "burst"], 0)?,
        cir: f.number(&["cir", "rate"], 0)?,
        eir: f.number(&["eir"], 0)?,
        exceed_action: QpcrAction::from_code(exceed_action),
        violate_action: QpcrAction::from_code(violate_action),
        violate_count: f.number(&["violate_count"], 0)?,
    })
}
