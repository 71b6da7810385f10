//! `diff --emad-pcap FILE`: what a recording of register traffic shows of a chip, and where that differs from what should be in it.
//!
//! ```text
//!   FILE ─▶ Recording ─┬─ tables, summary ────────────────────▶ text | json
//!                      └─ rows ─▶ daemon ─▶ differences ──────▶
//! ```
//!
//! The file is read here, with the rights of whoever asks; the daemon only gets the rows.

use std::fs;
use std::path::Path;
use std::time::Duration;

use firsthop_asic::spectrum::recording::{Recording, RecordingError, Summary, Tables};
use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::{Failure, member, refusal};
use super::call::Conversation;
use super::grammar::Question;
use super::text;
use super::{Exit, Options, complain, json, print};
use crate::api::codec::longest_call;
use crate::views::Difference;

/// With `-j`. Without `differences` nobody compared.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    recording: &'a Summary,
    recorded: &'a Tables,
    #[serde(skip_serializing_if = "Option::is_none")]
    differences: Option<&'a [Difference]>,
}

/// Reads the file and prints the answer.
pub(super) fn compare(options: &Options, file: &Path) -> Result<Exit, Failure> {
    let recording = read(file)?;
    for note in recording.summary.notes() {
        complain(&format!("note: {note}"));
    }
    let asked = ask(options, file, &recording);
    let differences = asked.as_ref().ok().map(Vec::as_slice);
    if options.json {
        let Recording { summary, tables, .. } = &recording;
        let answer = Answer { recording: summary, recorded: tables, differences };
        print(&json::document(&answer, options.pretty));
    } else {
        if options.details {
            print(&text::recording(&recording));
        }
        if let Some(rows) = differences {
            print(&options.colour.paint(text::differences(rows)));
        }
    }
    let rows = asked?;
    Ok(if rows.is_empty() { Exit::Ok } else { Exit::Differs })
}

fn read(file: &Path) -> Result<Recording, Failure> {
    let unusable =
        |why: String| Failure { line: format!("{}: {why}", file.display()), exit: Exit::Usage };
    let bytes = fs::read(file).map_err(|error| unusable(error.to_string()))?;
    Recording::read(&bytes).map_err(|error: RecordingError| unusable(error.to_string()))
}

/// Where the daemon finds differences.
fn ask(options: &Options, file: &Path, recording: &Recording) -> Result<Vec<Difference>, Failure> {
    let rows = serde_json::to_value(&recording.rows).expect("rows are plain data");
    let (length, limit) = (rows.to_string().len(), longest_call(nix::unistd::geteuid().is_root()));
    if length + 1024 > limit {
        return Err(Failure {
            line: format!(
                "The rows of {} take {length} bytes, of which the daemon takes {limit} from this user",
                file.display()
            ),
            exit: Exit::Refused,
        });
    }
    let mut daemon = Conversation::begin(options)?;
    let parameters = Map::from_iter([("recorded".to_owned(), rows)]);
    let reply = daemon.call("Diff", parameters, false, Some(Duration::ZERO))?;
    if let Some(error) = &reply.error {
        return Err(refusal(error, &reply, &Question::Diff(None)));
    }
    if reply.parameters.get("stale") == Some(&Value::Bool(true)) {
        complain("note: stale_view: events may have been missed; a new snapshot is under way");
    }
    member(&reply, "differences").ok_or_else(|| Failure {
        line: format!(
            "The answer of the daemon at {} has no usable differences; is it of another version?",
            daemon.path().display()
        ),
        exit: Exit::Refused,
    })
}
