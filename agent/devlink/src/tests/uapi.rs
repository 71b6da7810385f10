//! Are the numbers those of `linux/devlink.h`? The names that the types give are looked up in the machine's header.

use std::collections::BTreeMap;

const HEADER: &str = "/usr/include/linux/devlink.h";
const SOURCES: [&str; 8] = [
    include_str!("../device.rs"),
    include_str!("../dpipe.rs"),
    include_str!("../handle.rs"),
    include_str!("../health.rs"),
    include_str!("../message.rs"),
    include_str!("../port.rs"),
    include_str!("../resource.rs"),
    include_str!("../trap.rs"),
];

/// The constants of all enums of a header.
fn constants(header: &str) -> BTreeMap<String, u32> {
    let mut text = String::new();
    let mut rest = header;
    while let Some((before, comment)) = rest.split_once("/*") {
        text.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    // Preprocessor lines, with those that continue them.
    let mut continued = false;
    let lines = text.lines().filter(|line| {
        let skip = continued || line.trim_start().starts_with('#');
        continued = skip && line.ends_with('\\');
        !skip
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let mut constants = BTreeMap::new();
    for body in text.split("enum").skip(1) {
        let Some((_, body)) = body.split_once('{') else { continue };
        let mut next = 0;
        for item in body.split('}').next().unwrap().split(',') {
            let (name, value) = item.split_once('=').unwrap_or((item, ""));
            // What is computed is not among the names looked for.
            next = value.trim().parse().unwrap_or(next);
            constants.insert(name.trim().to_owned(), next);
            next += 1;
        }
    }
    constants
}

/// Names and numbers as the types give them: `= NUMBER, "NAME"`, or with a word between.
fn claimed() -> Vec<(&'static str, u32)> {
    let mut claims = Vec::new();
    for line in SOURCES.iter().flat_map(|source| source.lines()) {
        let Some((_, claim)) = line.split_once(" = ") else { continue };
        let digits = claim.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(0);
        let name = claim.rsplit('"').nth(1).filter(|name| name.starts_with("DEVLINK_"));
        if let (Ok(number), Some(name)) = (claim[..digits].parse(), name) {
            claims.push((name, number));
        }
    }
    claims
}

// Broken if a field that no recorded message has were read from another attribute.
#[test]
fn numbers_are_those_of_the_header() {
    let claims = claimed();
    assert!(claims.len() > 190, "{} names", claims.len());
    let Ok(header) = std::fs::read_to_string(HEADER) else {
        eprintln!("{HEADER} is not here (linux-libc-dev has it): numbers are not compared");
        return;
    };
    let constants = constants(&header);
    assert_eq!(constants["DEVLINK_ATTR_TRAP_NAME"], 130, "the header can be read");
    // An older header lacks the newest names.
    let wrong = |(name, number): &&(&str, u32)| constants.get(*name).is_some_and(|is| is != number);
    assert_eq!(claims.iter().filter(wrong).collect::<Vec<_>>(), Vec::<&(&str, u32)>::new());
    let known = claims.iter().filter(|(name, _)| constants.contains_key(*name)).count();
    assert!(known > 150, "{known} of {} names are in the header", claims.len());
}
