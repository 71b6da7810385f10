//! What may be in the chip that a scan can't find? A file beside the daemon's socket, one line a fact. Here it is text that grows;
//! [`mod@file`] puts it where the next daemon finds it.
//!
//! ```text
//!   {"chip":"hwsim/0","generation":17}                              the chip, and since which reset
//!   {"write":{"ticket":1,"entry":{…}}}                        about to be written
//!   {"remove":{"ticket":2,"entry":{…}}}                       about to be removed
//!   {"done":[1,2]}                                            the chip acknowledged these
//!   {"undone":[3]}                                            the chip refused these: the row is as it was
//! ```
//!
//! Router interfaces and router MACs are found by scanning and are not logged. A line is written before its change is sent, so
//! that a crash leaves no row unknown: a row without `done` may hold either content. The file lies in memory (/run) and is
//! never synced: it has to survive the daemon, not the machine, and a chip that was reset has another generation.

pub mod file;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use firsthop_asic::{Readability, readability};
use firsthop_model::applied::Applied;
use firsthop_model::chip::{Change, Entry, Key};
use serde::{Deserialize, Serialize};

use crate::engine::LogStep;

/// Lines that a file may have beyond four a row, before it is written anew.
const SLACK: usize = 4096;

/// What the log says about a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Logged {
    /// The content that was last acknowledged; None: empty, or never written.
    pub acknowledged: Option<Entry>,
    /// A change was sent whose answer is not known; the entry that it wrote or removed.
    pub doubtful: Option<Entry>,
}

/// The log of one chip.
#[derive(Debug, Clone)]
pub struct IntentLog {
    header: Line,
    rows: BTreeMap<Key, Logged>,
    open: BTreeMap<u64, Line>,
    lines: usize,
    /// Lines that are not in the file yet.
    news: String,
    /// The file has to be written anew.
    stale: bool,
    done: Vec<u64>,
    undone: Vec<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Step {
    ticket: u64,
    entry: Entry,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Chip { chip: String, generation: u64 },
    Write { write: Step },
    Remove { remove: Step },
    Done { done: Vec<u64> },
    Undone { undone: Vec<u64> },
}

impl IntentLog {
    /// Takes over what an earlier daemon wrote about the same chip. Never fails: without a usable file a restart writes more than
    /// it has to, and that is all. After a reset nothing is acknowledged any more, but rows may have been written before anybody
    /// knew of the reset: all are in doubt.
    pub fn open(text: Option<&str>, chip: &str, generation: u64) -> Self {
        let header = Line::Chip { chip: chip.to_owned(), generation };
        let found = text.map(|text| replay(text, chip)).transpose();
        let found = found.unwrap_or_else(|why| {
            tracing::info!(chip, why, "Intent log ignored");
            None
        });
        let (since, mut rows, mut open) = found.unwrap_or_default();
        if since != generation {
            open.clear();
            let former = std::mem::take(&mut rows).into_values();
            let entries = former.filter_map(|row| row.doubtful.or(row.acknowledged));
            for (ticket, entry) in (0..).zip(entries) {
                begin(&mut rows, &mut open, Line::Write { write: Step { ticket, entry } });
            }
        }
        let (news, done, undone) = Default::default();
        Self { header, rows, open, lines: 0, news, stale: true, done, undone }
    }

    /// The rows that may hold something.
    pub fn rows(&self) -> impl Iterator<Item = (&Key, &Logged)> {
        self.rows.iter()
    }

    /// What is known about a row.
    pub fn get(&self, key: &Key) -> Option<&Logged> {
        self.rows.get(key)
    }

    /// Replaces everything by what a read-back found. Open changes are forgotten: the read-back saw their outcome, but for what is
    /// only presumed.
    pub fn restart(&mut self, applied: &Applied) {
        self.open.clear();
        self.done.clear();
        self.undone.clear();
        self.rows.clear();
        let logged = applied.tables().values().filter(|entry| is_logged(&entry.key()));
        // Numbers that no change will ever have.
        let tickets = (0..=u64::MAX).rev();
        for (ticket, entry) in tickets.zip(logged.cloned()) {
            if applied.is_presumed(&entry.key()) {
                let line = Line::Write { write: Step { ticket, entry } };
                begin(&mut self.rows, &mut self.open, line);
            } else {
                let row = Logged { acknowledged: Some(entry.clone()), doubtful: None };
                self.rows.insert(entry.key(), row);
            }
        }
        self.stale = true;
    }

    /// Notes that a change is about to be sent; in the file after [`Self::flush`].
    pub fn announce(&mut self, ticket: u64, change: &Change) {
        if !is_logged(&change.key()) {
            return;
        }
        // In the order of time: what came before this change may have been about the same row.
        self.close(&change.key());
        self.note_done();
        let line = match change {
            Change::Add(entry) | Change::Edit { to: entry, .. } => {
                Line::Write { write: Step { ticket, entry: entry.clone() } }
            }
            Change::Remove(entry) => Line::Remove { remove: Step { ticket, entry: entry.clone() } },
        };
        self.push(&line);
        begin(&mut self.rows, &mut self.open, line);
    }

    /// Notes that the chip made a change.
    pub fn acknowledge(&mut self, ticket: u64) {
        if self.open.contains_key(&ticket) {
            self.done.push(ticket);
            end(&mut self.rows, &mut self.open, ticket, true);
        }
    }

    /// Notes that the chip did not make a change.
    pub fn withdraw(&mut self, ticket: u64) {
        if self.open.contains_key(&ticket) {
            self.undone.push(ticket);
            end(&mut self.rows, &mut self.open, ticket, false);
        }
    }

    /// Nobody waits any more for answers to changes of this row.
    fn close(&mut self, key: &Key) {
        if self.rows.get(key).is_none_or(|row| row.doubtful.is_none()) {
            return;
        }
        let of_row = |line: &Line| match line {
            Line::Write { write: step } | Line::Remove { remove: step } => step.entry.key() == *key,
            _ => false,
        };
        let open = self.open.iter().filter(|(_, line)| of_row(line));
        for ticket in open.map(|(ticket, _)| *ticket).collect::<Vec<_>>() {
            self.withdraw(ticket);
        }
    }

    /// Notes what a row of unknown outcome was found to hold.
    pub fn correct(&mut self, key: &Key, found: Option<&Entry>) {
        self.close(key);
        let known = self.rows.get(key).and_then(|row| row.acknowledged.clone());
        let change = match (known, found) {
            (known, Some(found)) if known.as_ref() != Some(found) => Change::Add(found.clone()),
            (Some(known), None) => Change::Remove(known),
            _ => return,
        };
        let Some(ticket) = free(&self.open).next() else { return };
        self.announce(ticket, &change);
        self.note_done();
        self.acknowledge(ticket);
        self.note_done();
    }

    /// What brings everything noted so far into the file.
    pub fn flush(&mut self) -> Option<LogStep> {
        self.note_done();
        if self.stale || self.lines > 4 * self.rows.len() + SLACK {
            return Some(LogStep::Replace(self.compact()));
        }
        let news = std::mem::take(&mut self.news);
        (!news.is_empty()).then_some(LogStep::Append(news))
    }

    /// Puts the outcomes since the last time into lines.
    fn note_done(&mut self) {
        if !self.done.is_empty() {
            let line = Line::Done { done: std::mem::take(&mut self.done) };
            self.push(&line);
        }
        if !self.undone.is_empty() {
            let line = Line::Undone { undone: std::mem::take(&mut self.undone) };
            self.push(&line);
        }
    }

    fn push(&mut self, line: &Line) {
        self.lines += 1;
        write_line(&mut self.news, line);
    }

    /// The file anew, with a line or two for each row that holds something.
    fn compact(&mut self) -> String {
        self.rows.retain(|_, row| *row != Logged::default());
        let mut text = String::new();
        write_line(&mut text, &self.header);
        let acknowledged = self.rows.values().filter_map(|row| row.acknowledged.clone());
        let mut done = Vec::new();
        for (ticket, entry) in free(&self.open).zip(acknowledged) {
            write_line(&mut text, &Line::Write { write: Step { ticket, entry } });
            done.push(ticket);
        }
        write_line(&mut text, &Line::Done { done });
        for line in self.open.values() {
            write_line(&mut text, line);
        }
        self.lines = self.rows.len() + self.open.len() + 2;
        self.news.clear();
        self.stale = false;
        text
    }
}

/// Only what a scan does not find.
const fn is_logged(key: &Key) -> bool {
    !matches!(readability(key), Readability::Enumerable)
}

fn write_line(text: &mut String, line: &Line) {
    text.push_str(&serde_json::to_string(line).expect("lines are plain data"));
    text.push('\n');
}

/// The chip's generation, rows, and changes without an answer.
type Replayed = (u64, BTreeMap<Key, Logged>, BTreeMap<u64, Line>);

/// Numbers that no open change has.
fn free(open: &BTreeMap<u64, Line>) -> impl Iterator<Item = u64> {
    (0..=u64::MAX).filter(|ticket| !open.contains_key(ticket))
}

/// What a log says, if it is one of this chip.
fn replay(text: &str, of: &str) -> Result<Replayed, String> {
    let (mut rows, mut open) = (BTreeMap::new(), BTreeMap::new());
    // A last line without its end was cut by a crash: its change was never sent.
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut lines = complete.lines().enumerate();
    let parse = |(number, line): (usize, &str)| {
        serde_json::from_str::<Line>(line).map_err(|error| format!("Line {}: {error}", number + 1))
    };
    let since = match lines.next().map(parse).transpose()? {
        Some(Line::Chip { chip, generation }) if chip == of => generation,
        Some(Line::Chip { .. }) => return Err("It is about another chip".into()),
        _ => return Err("It has no header".into()),
    };
    for line in lines.map(parse) {
        match line? {
            line @ (Line::Write { .. } | Line::Remove { .. }) => {
                check(&rows, &open, &line)?;
                begin(&mut rows, &mut open, line);
            }
            Line::Done { done } => {
                for ticket in done {
                    end(&mut rows, &mut open, ticket, true);
                }
            }
            Line::Undone { undone } => {
                for ticket in undone {
                    end(&mut rows, &mut open, ticket, false);
                }
            }
            Line::Chip { .. } => return Err("It has two headers".into()),
        }
    }
    Ok((since, rows, open))
}

/// Nobody sends a second change under a number, or of a row, before the first is answered: an answer would be taken for the other's.
fn check(
    rows: &BTreeMap<Key, Logged>,
    open: &BTreeMap<u64, Line>,
    line: &Line,
) -> Result<(), String> {
    let (Line::Write { write: step } | Line::Remove { remove: step }) = line else { return Ok(()) };
    let in_doubt = rows.get(&step.entry.key()).is_some_and(|row| row.doubtful.is_some());
    if in_doubt || open.contains_key(&step.ticket) {
        return Err(format!("Change {} meets one that is not answered", step.ticket));
    }
    Ok(())
}

/// A change is sent: its row is in doubt.
fn begin(rows: &mut BTreeMap<Key, Logged>, open: &mut BTreeMap<u64, Line>, line: Line) {
    let (Line::Write { write: step } | Line::Remove { remove: step }) = &line else { return };
    rows.entry(step.entry.key()).or_default().doubtful = Some(step.entry.clone());
    open.insert(step.ticket, line);
}

/// A change is answered: its row holds one thing or the other.
fn end(rows: &mut BTreeMap<Key, Logged>, open: &mut BTreeMap<u64, Line>, ticket: u64, made: bool) {
    let (entry, content) = match open.remove(&ticket) {
        Some(Line::Write { write }) => (write.entry.clone(), Some(write.entry)),
        Some(Line::Remove { remove }) => (remove.entry, None),
        _ => return,
    };
    let row = rows.entry(entry.key()).or_default();
    row.doubtful = None;
    if made {
        row.acknowledged = content;
    }
}
