//! Routes and neighbours: one line each, as `ip` prints them, with what the chip does at the end.

use firsthop_model::intent::State;

use super::explanation::{condition, fate};
use super::wrapped;
use crate::views::{Action, Neighbour, Route, RouteExplanation, table_words};

/// A line of `firsthop route`
pub(in crate::client) fn route(route: &Route) -> String {
    let mut line = words(route);
    if let Some(metric) = route.metric {
        line.push_str(&format!(" metric {metric}"));
    }
    // as the kernel's own flags: packets that go to the CPU are trapped, whatever the reason
    match route.action {
        Some(Action::Cpu) => line.push_str(" trap"),
        _ => line.push_str(&format!(" {}", route.state)),
    }
    line.extend(route.reason.as_ref().map(|reason| format!(" {reason}")));
    line.push('\n');
    line
}

/// The route without what became of it.
fn words(route: &Route) -> String {
    let mut line = match route.kind.as_str() {
        "unicast" => route.dst.clone(),
        kind => format!("{kind} {}", route.dst),
    };
    line.extend(route.via.map(|gateway| format!(" via {gateway}")));
    line.extend(route.dev.as_ref().map(|dev| format!(" dev {dev}")));
    for hop in &route.nexthops {
        line.push_str(" nexthop");
        line.extend(hop.gateway.map(|gateway| format!(" via {gateway}")));
        line.extend(hop.dev.as_ref().map(|dev| format!(" dev {dev}")));
        line.push_str(&format!(" weight {}", hop.weight));
    }
    match (&route.vrf, route.table) {
        (Some(vrf), _) => line.push_str(&format!(" vrf {vrf}")),
        (None, 254) => {}
        (None, table) => line.push_str(&format!(" table {}", table_words(table))),
    }
    line
}

/// A line of `firsthop neigh`
pub(in crate::client) fn neighbour(host: &Neighbour) -> String {
    let mut line = format!("{} dev {}", host.dst, host.dev);
    line.extend(host.lladdr.map(|mac| format!(" lladdr {mac}")));
    line.push_str(&format!(" {}", host.state));
    line.extend(host.reason.as_ref().map(|reason| format!(" {reason}")));
    line.push('\n');
    line
}

/// `firsthop explain PREFIX`
pub(in crate::client) fn route_explanation(told: &RouteExplanation) -> String {
    let route = &told.route;
    let fate = match (route.state, route.action) {
        // it is in the chip, as what the chip has to do without
        (State::NotOffloaded | State::Held, Some(Action::Cpu)) => "goes to the CPU",
        (state, _) => fate(state),
    };
    let mut text = wrapped(&words(route), fate, 2);
    for (at, kernel) in told.kernel.iter().enumerate() {
        let name = if at == 0 { "  kernel :" } else { "          " };
        text.push_str(&wrapped(name, kernel, 11));
    }
    text.extend(told.conditions.iter().map(condition));
    if let Some(place) = &told.place {
        text.push_str(&wrapped("  chip   :", place, 11));
    }
    if let Some(said) = &route.text {
        text.push_str(&wrapped("  said   :", said, 11));
    }
    for advice in &told.reasons {
        let sentence = format!("{}: {}", advice.reason, advice.sentence);
        for (name, what) in
            [("reason", &sentence), ("effect", &advice.effect), ("fix", &advice.fix)]
        {
            text.push_str(&wrapped(&format!("  {name:<6} :"), what, 11));
        }
    }
    text
}
