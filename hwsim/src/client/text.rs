//! Answers as tables for people; scripts use `-j`.
//!
//! ```text
//! arrays of objects   one row each, one column for each member that occurs
//! objects of objects  the same, with the name as the first column
//! anything else       NAME VALUE lines
//! ```

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Columns that come first when they occur, in this order: what identifies a row.
const FIRST: [&str; 11] =
    ["name", "local_port", "ifname", "rif", "fid", "vr", "prefix", "mac", "id", "group", "pid"];

/// The whole text of a document, ending in a newline unless it is empty.
pub(super) fn render(document: &Value) -> String {
    let mut text = String::new();
    part(&mut text, "", document);
    text
}

fn part(text: &mut String, title: &str, value: &Value) {
    match value {
        Value::Object(members) if is_table(members) => table(text, title, &named_rows(members)),
        Value::Object(members) => {
            let (whole, simple): (Vec<_>, Vec<_>) =
                members.iter().partition(|(_, value)| is_part(value));
            let width = simple.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            if !simple.is_empty() {
                heading(text, title);
            }
            for (name, value) in simple {
                text.push_str(&format!("{name:width$}  {}\n", cell(value)));
            }
            for (name, value) in whole {
                part(text, name, value);
            }
        }
        Value::Array(rows) if rows.iter().all(Value::is_object) => {
            let rows: Vec<&Map<String, Value>> = rows.iter().filter_map(Value::as_object).collect();
            if rows.iter().any(|row| row.values().any(is_part)) {
                for (at, row) in rows.into_iter().enumerate() {
                    let title = format!("{title} {}", at + 1);
                    part(text, title.trim_start(), &Value::Object(row.clone()));
                }
            } else {
                table(text, title, &rows.into_iter().cloned().collect::<Vec<_>>());
            }
        }
        other => {
            heading(text, title);
            text.push_str(&cell(other));
            text.push('\n');
        }
    }
}

/// Whether a value needs lines of its own.
fn is_part(value: &Value) -> bool {
    match value {
        // One plain member fits a cell: an action {"status": 8}.
        Value::Object(members) => {
            members.len() > 1 || members.values().any(|it| it.is_object() || it.is_array())
        }
        Value::Array(rows) => rows.iter().any(Value::is_object),
        _ => false,
    }
}

/// Objects by name, each of which fits a row.
fn is_table(members: &Map<String, Value>) -> bool {
    let row = |value: &Value| {
        value.as_object().is_some_and(|row| !row.is_empty() && !row.values().any(is_part))
    };
    !members.is_empty() && members.values().all(row)
}

fn named_rows(members: &Map<String, Value>) -> Vec<Map<String, Value>> {
    let row = |(name, value): (&String, &Value)| {
        let mut row = value.as_object().cloned().unwrap_or_default();
        row.insert("name".into(), Value::String(name.clone()));
        row
    };
    members.iter().map(row).collect()
}

fn heading(text: &mut String, title: &str) {
    if title.is_empty() {
        return;
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&format!("{title}:\n"));
}

fn table(text: &mut String, title: &str, rows: &[Map<String, Value>]) {
    heading(text, title);
    let names: BTreeSet<&str> =
        rows.iter().flat_map(|row| row.keys().map(String::as_str)).collect();
    let mut columns: Vec<&str> = names.into_iter().collect();
    columns.sort_by_key(|name| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    let mut lines = vec![columns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()];
    for row in rows {
        lines.push(columns.iter().map(|name| row.get(*name).map_or("-".into(), cell)).collect());
    }
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".into(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        Value::Object(members) => {
            let pair = |(name, value)| format!("{name}={}", cell(value));
            members.iter().map(pair).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // Fails if a table's columns do not line up with their heads, or absent looks like zero.
    #[test]
    fn rows_line_up() {
        let document = json!({
            "generation": 7,
            "lags": [],
            "fdb": [
                { "mac": "00:00:5e:00:01:0a", "fid": 5120, "port": 3 },
                { "mac": "00:00:5e:00:01:0b", "fid": 1, "action": { "status": 8 } },
            ],
            "resources": { "fdb": { "occ": 2, "size": 10 } },
        });
        let expected = "\
generation  7
lags        none

fdb:
fid   mac                action    port
5120  00:00:5e:00:01:0a  -         3
1     00:00:5e:00:01:0b  status=8  -

resources:
name  occ  size
fdb   2    10
";
        assert_eq!(render(&document), expected);
    }

    // Fails if an answer without members prints something.
    #[test]
    fn nothing_is_printed_as_nothing() {
        assert_eq!(render(&json!({})), "");
    }
}
