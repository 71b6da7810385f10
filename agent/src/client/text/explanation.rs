//! `firsthop explain`, `doctor` and `check`: each question with its answer, then what follows and what to do.

use firsthop_model::driver::Driver;
use firsthop_model::intent::State;

use super::wrapped;
use crate::views::{Check, CheckResult, Condition, Explanation, Hazard, Remark, VrrpRule};

/// `firsthop explain DEV`
pub(in crate::client) fn explanation(told: &Explanation) -> String {
    let Explanation { ifname, ifindex, what, .. } = told;
    let head = format!("{ifname} (ifindex {ifindex}, {what})");
    let mut text = wrapped(&head, fate(told.state), 2);
    text.extend(told.conditions.iter().map(condition));
    if let Some(place) = &told.place {
        text.push_str(&wrapped("  [ok]   in the chip:", place, 9));
    } else if let Some(place) = &told.bridge {
        text.push_str(&wrapped("  [ok]   in the bridge:", place, 9));
    } else if told.conditions.iter().all(|condition| condition.holds) {
        text.push_str("  [FAIL] it is not acknowledged yet\n");
    }
    let reason = told.reason.as_deref().unwrap_or_default();
    for (name, what) in [
        ("reason", told.sentence.as_deref().map(|sentence| format!("{reason}: {sentence}"))),
        ("effect", told.effect.clone()),
        ("fix", told.fix.clone()),
        ("chip", told.chip.clone()),
        ("device", told.device.as_deref().map(|handle| device(handle, told.driver.as_deref()))),
    ] {
        if let Some(what) = what {
            text.push_str(&wrapped(&format!("  {name:<6} :"), &what, 11));
        }
    }
    for rule in &told.vrrp_rules {
        text.push_str(&wrapped("  rule   :", &rule_line(rule), 11));
    }
    for hazard in &told.hazards {
        let Hazard { code, text: from, sentence, fix, evidence, certain } = hazard;
        let may = if *certain { "" } else { "perhaps " };
        let what = format!("{may}{code}, {}: {from}. {sentence}", evidence.name());
        text.push_str(&wrapped("  hazard :", &what, 11));
        text.push_str(&wrapped("           fix:", fix, 16));
    }
    if let Some(told) = &told.liveness {
        let own = told.own.iter().map(|own| ("sent", own.words()));
        let heard = told.heard.iter().map(|heard| ("heard", heard.words()));
        let flags = told.evidence.iter().map(|evidence| ("flag", evidence.clone()));
        for (name, what) in own.chain(heard).chain(flags) {
            text.push_str(&wrapped(&format!("  {name:<6} :"), &what, 11));
        }
    }
    text
}

/// What a state means, behind the name of something.
pub(super) const fn fate(state: State) -> &'static str {
    match state {
        State::Offload => "is offloaded",
        State::Held => "is held: rightly not in the chip",
        State::NotOffloaded => "is NOT offloaded",
        State::Refused => "should be in the chip: refused",
        State::Failed => "should be in the chip: failed",
        State::Pending => "is on its way into the chip",
    }
}

/// A tc rule that traps advertisements, or why there is none.
fn rule_line(rule: &VrrpRule) -> String {
    let (what, reason) = (rule.words(), rule.reason.as_deref());
    match (rule.in_hw, reason, &rule.text) {
        (true, ..) => format!("{what} in_hw"),
        (false, Some(reason), Some(text)) => format!("{what} NOT in hardware: {reason}: {text}"),
        (false, Some(reason), None) => format!("{what} NOT in hardware: {reason}"),
        (false, None, _) => format!("{what} on its way"),
    }
}

/// A device and what its driver does.
fn device(handle: &str, driver: Option<&str>) -> String {
    match driver {
        Some(driver) => format!("{handle}: {driver} {}", Driver::of(driver).words()),
        None => format!("{handle}: its driver is not known yet; its ports are left alone"),
    }
}

/// After the first condition that fails, the others are told but did not decide.
pub(super) fn condition(condition: &Condition) -> String {
    let Condition { text, holds, decides, reason } = condition;
    let code = reason.as_deref().map_or_else(String::new, |code| format!(": {code}"));
    match (*holds, *decides) {
        (true, _) => wrapped("  [ok]   ", text, 9),
        (false, true) => wrapped("  [FAIL] ", &format!("{text}{code}"), 9),
        (false, false) => wrapped("  [--]   ", &format!("{text}{code} as well"), 9),
    }
}

/// `firsthop doctor`
pub(in crate::client) fn checks(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let mark = match check.result {
            CheckResult::Ok => "  [ok]   ",
            CheckResult::Unknown => "  [?]    ",
            CheckResult::Warning => "  [warn] ",
            CheckResult::Failure => "  [FAIL] ",
        };
        text.push_str(&wrapped(mark, &format!("{}: {}", check.name, check.text), 9));
        if let Some(fix) = &check.fix {
            text.push_str(&wrapped("         fix:", fix, 14));
        }
    }
    text
}

/// `firsthop check`
pub(in crate::client) fn findings(findings: &[Remark], of_file: bool) -> String {
    if findings.is_empty() {
        let text = if of_file { "Nothing would change" } else { "Nothing found" };
        return format!("{text}\n");
    }
    let mut text = String::new();
    for Remark { object, ifname, text: what, reason, fix } in findings {
        let ifname = ifname.as_ref().map_or_else(String::new, |ifname| format!(" {ifname}"));
        let reason = reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
        text.push_str(&wrapped(&format!("{object}{ifname}:"), &format!("{what}{reason}"), 4));
        text.push_str(&wrapped("    fix:", fix, 9));
    }
    text
}
