//! The examples in `docs/hwsim-protocol.md`, tried on a simulator.

use std::collections::BTreeSet;

use emad::register::{Htgt, Qpcr};
use serde_json::Value;

use crate::router::{program, write};
use crate::support::{Simulator, isolated};

/// Members by name, with those of members below them; of an array, those of its elements.
fn names(value: &Value, above: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                // Ports, traps, tables and reasons are named by what there is, not by the format.
                let parent = above.rsplit('.').next().unwrap_or("");
                let free = ["ports", "rifs", "traps", "policers", "resources", "discards"]
                    .contains(&parent);
                let path = format!("{above}.{}", if free { "*" } else { name.as_str() });
                names(value, &path, found);
                found.insert(path);
            }
        }
        Value::Array(items) => {
            items.iter().for_each(|item| names(item, &format!("{above}[]"), found));
        }
        _ => {}
    }
}

// Would break: somebody writes a client from the documentation, and it does not work.
#[test]
fn the_documented_requests_get_the_documented_answers() {
    isolated("docs::the_documented_requests_get_the_documented_answers", || {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/hwsim-protocol.md");
        let text = std::fs::read_to_string(path).unwrap();
        let simulator = Simulator::start(&["--ports", "2"]);
        let mut connection = simulator.connect();
        program(&mut connection, 2);
        write(&mut connection, Qpcr { pid: 1, cir: 256, cbs_log2: 7, ..Qpcr::default() });
        write(&mut connection, Htgt::new(4, Some(1), 4, 4));
        let mut tried = 0;
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let Some(request) = line.strip_prefix("> ") else { continue };
            let answer = lines.next().and_then(|line| line.strip_prefix("< ")).unwrap();
            connection.send(request.as_bytes()).unwrap();
            let actual: Value = serde_json::from_slice(&connection.receive().unwrap()).unwrap();
            let documented: Value = serde_json::from_str(answer).unwrap();
            assert_eq!(actual["ok"], documented["ok"], "{request}");
            let [mut expected, mut found] = [BTreeSet::new(), BTreeSet::new()];
            names(&documented, "", &mut expected);
            names(&actual, "", &mut found);
            let missing: Vec<_> = expected.difference(&found).collect();
            let undocumented: Vec<_> = found.difference(&expected).collect();
            assert!(
                missing.is_empty() && undocumented.is_empty(),
                "{request}: missing {missing:?}, undocumented {undocumented:?}"
            );
            tried += 1;
        }
        assert!(tried >= 10, "only {tried} examples found");
    });
}
