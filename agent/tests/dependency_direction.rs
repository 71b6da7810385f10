//! May a package of the workspace depend on that other one? The answer for all of them, from `cargo metadata`.
//!
//! ```text
//!   netlink ─▶ model ◀─ asic ─▶ emad ◀─ hwsim          firsthop ─▶ all of agent/
//!                        └───▶ devlink
//! ```
//!
//! The simulator and the agent share nothing but `emad`, and the oracle shares nothing with anybody: neither could judge
//! the other otherwise. Tests may join them, so development dependencies have a list of their own; `fuzz` and
//! `instructions` are nothing but tests, and nothing depends on them.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

const ALLOWED: &[(&str, &str)] = &[
    ("firsthop", "firsthop-asic"),
    ("firsthop", "firsthop-model"),
    ("firsthop", "firsthop-netlink"),
    ("firsthop", "netlink-packet-devlink"),
    ("firsthop-asic", "emad"),
    ("firsthop-asic", "firsthop-model"),
    ("firsthop-asic", "netlink-packet-devlink"),
    ("firsthop-netlink", "firsthop-model"),
    ("fuzz", "emad"),
    ("fuzz", "firsthop"),
    ("fuzz", "firsthop-asic"),
    ("fuzz", "firsthop-model"),
    ("fuzz", "firsthop-netlink"),
    ("fuzz", "hwsim"),
    ("fuzz", "netlink-packet-devlink"),
    ("hwsim", "emad"),
    ("instructions", "firsthop"),
    ("instructions", "firsthop-asic"),
    ("instructions", "firsthop-model"),
    ("instructions", "firsthop-netlink"),
    ("instructions", "hwsim"),
];

const ALLOWED_IN_TESTS: &[(&str, &str)] = &[
    ("firsthop", "emad"),
    ("firsthop", "hwsim"),
    ("firsthop", "oracle"),
    ("firsthop-asic", "hwsim"),
];

type Edges = BTreeSet<(String, String)>;

/// The edges between packages of the workspace: for use, and for tests only.
fn edges() -> (Edges, Edges) {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
            "--manifest-path",
            manifest,
        ])
        .output()
        .expect("cargo runs");
    let metadata: Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let members: BTreeSet<String> = packages.iter().map(name).collect();
    let (mut uses, mut tests) = (Edges::new(), Edges::new());
    for package in packages {
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            if members.contains(&name(dependency)) {
                let edge = (name(package), name(dependency));
                let only_tests = dependency["kind"].as_str() == Some("dev");
                if only_tests { &mut tests } else { &mut uses }.insert(edge);
            }
        }
    }
    (uses, tests)
}

fn owned(list: &[(&str, &str)]) -> Edges {
    list.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
}

// Broken if the simulator came to share code with the agent, or a stage to know one that comes after it.
#[test]
fn packages_depend_in_one_direction() {
    let (uses, tests) = edges();
    assert_eq!(uses, owned(ALLOWED), "edges for use");
    assert_eq!(tests, owned(ALLOWED_IN_TESTS), "edges for tests");
}
