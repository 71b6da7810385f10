//! The daemon's answers for people: iproute2's look, nothing cut off, most lines within 80 columns.

mod explanation;
mod monitor;
mod objects;
mod route;
mod state;
mod table;
#[cfg(test)]
mod tests;
mod trap;

pub(super) use explanation::{checks, explanation, findings};
pub(super) use monitor::change;
pub(super) use objects::{ports, rifs, vmacs};
pub(super) use route::{neighbour, route, route_explanation};
pub(super) use state::{differences, recording, resources, status};
pub(super) use trap::{trap_event, trap_groups, trap_policers, traps};

use firsthop_model::intent::Reason;

/// Columns of a terminal that nobody made wider.
const WIDTH: usize = 80;

/// What a reason's code stands for; empty for a code of a newer daemon.
fn sentence(code: &str) -> &'static str {
    Reason::of_code(code).map_or("", Reason::sentence)
}

/// Lines of at most [`WIDTH`] columns, each after the first indented; a word is never cut.
fn wrapped(first: &str, text: &str, indent: usize) -> String {
    let mut lines = String::new();
    let mut line = first.to_owned();
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH && line.trim() != "" {
            lines.push_str(line.trim_end());
            lines.push('\n');
            line = " ".repeat(indent);
            line.push_str(word);
        } else {
            if !line.is_empty() && !line.ends_with(' ') {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.push_str(line.trim_end());
    lines.push('\n');
    lines
}
