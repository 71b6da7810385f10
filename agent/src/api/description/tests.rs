use firsthop_model::intent::Reason;
use serde_json::Value;

use super::*;
use crate::api::interface::DESCRIPTION;

/// What programs were written by: never changed, but for a new file with each release.
const RELEASED: &str = include_str!("../released/0.1.0.varlink");
const RELEASED_REASONS: &str = include_str!("../released/0.1.0.reasons");

fn now() -> Interface {
    Interface::of(DESCRIPTION)
}

// Broken if a program that was written by a released interface stopped working.
#[test]
fn released_programs_go_on() {
    assert_eq!(now().breaks(&Interface::of(RELEASED)), Vec::<String>::new());
    for line in RELEASED_REASONS.lines() {
        let (code, state) = line.split_once(' ').unwrap();
        let reason = Reason::of_code(code);
        assert_eq!(reason.map(|reason| reason.state().name()), Some(state), "{code}");
    }
}

// Broken if a change that breaks programs passed for an addition, or an addition for such a change.
#[test]
fn what_breaks_programs() {
    let released = Interface::of(RELEASED);
    for (from, to, told) in [
        ("type Port (", "type Plug (", "type Port is gone"),
        ("method ListPort(", "method ListPorts(", "method ListPort is gone"),
        ("error NoChip()", "error NoDevice()", "error NoChip is gone"),
        ("  local_port: int,\n", "", "Port.local_port is gone"),
        ("  local_port: int,\n", "  local_port: string,\n", "Port.local_port was"),
        ("  local_port: int,\n", "  local_port: ?int,\n", "Port.local_port was"),
        ("error NoSuchDevice(dev: string)", "error NoSuchDevice()", "NoSuchDevice.dev is gone"),
        ("method Explain(dev: string)", "method Explain(name: string)", "Explain().dev is gone"),
        ("method Status()", "method Status(all: bool)", "Status().all is new"),
        ("  whole: bool,\n", "  whole: bool,\n  part: int,\n", "Recorded.part is new"),
        ("-> (ports: []Port, stale: bool)", "-> (ports: []Port)", "ListPort() -> .stale is gone"),
    ] {
        assert!(RELEASED.contains(from), "{from}");
        let changed = RELEASED
            .replacen(from, to, 1)
            .replace("[]Port", if from.starts_with("type") { "[]Plug" } else { "[]Port" });
        let found = Interface::of(&changed).breaks(&released);
        assert!(found.iter().any(|line| line.starts_with(told)), "{told}: {found:?}");
    }
    for (from, to) in [
        ("method Status()", "method Status(all: ?bool)"),
        ("method Explain(dev: string)", "method Explain(dev: ?string)"),
        ("  local_port: int,\n", "  local_port: int,\n  speed: int,\n"),
        ("error NoChip()", "error NoChip(why: string)\nerror NoTime()"),
    ] {
        assert!(RELEASED.contains(from), "{from}");
        let changed = Interface::of(&RELEASED.replacen(from, to, 1));
        assert_eq!(changed.breaks(&released), Vec::<String>::new(), "{to}");
    }
}

/// The JSON blocks below a heading of the page. What daemons answer is held against these by the selftests.
fn examples(heading: &str) -> Vec<Value> {
    let page = include_str!("../../../../docs/json.md");
    let (_, rest) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    let chapter = rest.split("\n## ").next().unwrap();
    let blocks = chapter.split("```json\n").skip(1).map(|block| block.split("```").next().unwrap());
    let stream = |block: &'static str| serde_json::Deserializer::from_str(block).into_iter();
    blocks.flat_map(stream).map(Result::unwrap).collect()
}

// Broken if the daemon answered with something that the interface does not describe, or left out what it promises.
#[test]
fn answers_are_as_described() {
    let interface = now();
    for (heading, name, many) in [
        ("rif", "Rif", true),
        ("vmac", "Vmac", true),
        ("route", "Route", true),
        ("neigh", "Neighbour", true),
        ("port", "Port", true),
        ("status", "Status", false),
        ("diff", "Difference", true),
        ("explain", "Explanation", false),
        ("explain route", "RouteExplanation", false),
        ("doctor", "Check", true),
    ] {
        let found = examples(heading);
        assert!(!found.is_empty(), "{heading}");
        let kind = Type::Named(name.to_owned());
        let kind = if many { Type::List(Box::new(kind)) } else { kind };
        for example in found {
            assert_eq!(interface.misfits(&example, &kind, heading), Vec::<String>::new());
        }
    }
    let wrong = serde_json::json!({ "ifname": "swp1", "ifindex": "1", "speed": 1 });
    let found = interface.misfits(&wrong, &Type::Named("Port".to_owned()), "port");
    assert_eq!(found.len(), 5, "{found:?}");
}
