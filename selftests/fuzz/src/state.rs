//! What an earlier daemon left: the intent log and the records.
//!
//! Input: which file, then its content. What the daemon writes anew from it says the same.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use firsthop::daemon::record::{Claims, Facts, Record, seal};
use firsthop::engine::LogStep;
use firsthop::intent_log::IntentLog;
use firsthop_asic::kernel::policing::Memory;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

/// Where files are in memory.
const MEMORY: &str = "/dev/shm";

thread_local! {
    static DIRECTORY: OnceCell<TempDir> = const { OnceCell::new() };
}

/// The target.
pub fn run(data: &[u8]) {
    let Some((which, content)) = data.split_first() else { return };
    let directory = directory();
    match which % 4 {
        0 => log(content),
        1 => record::<Facts>(&directory, content),
        2 => record::<Claims>(&directory, content),
        _ => record::<BTreeMap<String, Memory>>(&directory, content),
    }
}

/// One a thread, removed at its end.
fn directory() -> PathBuf {
    DIRECTORY.with(|cell| {
        let make = || tempfile::tempdir_in(MEMORY).or_else(|_| tempfile::tempdir());
        cell.get_or_init(|| make().expect("a directory for temporary files")).path().to_owned()
    })
}

fn log(content: &[u8]) {
    let Ok(mut text) = String::from_utf8(content.to_vec()) else { return };
    let rows = |log: &IntentLog| -> Vec<_> {
        let filled = log.rows().filter(|(_, row)| **row != Default::default());
        filled.map(|(key, row)| (key.clone(), row.clone())).collect()
    };
    let mut log = IntentLog::open(Some(&text), "0", 7);
    let found = rows(&log);
    flush(&mut log, &mut text);
    let mut log = IntentLog::open(Some(&text), "0", 7);
    assert_eq!(rows(&log), found, "another log after it was written anew");
    flush(&mut log, &mut text);
    for (key, row) in &found {
        log.correct(key, row.doubtful.as_ref());
    }
    flush(&mut log, &mut text);
    let again = IntentLog::open(Some(&text), "0", 7);
    assert_eq!(rows(&again), rows(&log), "another log after a correction");
}

fn flush(log: &mut IntentLog, text: &mut String) {
    match log.flush() {
        Some(LogStep::Replace(whole)) => *text = whole,
        Some(LogStep::Append(lines)) => text.push_str(&lines),
        None => {}
    }
}

fn record<F: Serialize + DeserializeOwned + Default + PartialEq + Debug>(
    directory: &Path,
    content: &[u8],
) {
    let path = directory.join("0.record");
    let Ok(text) = std::str::from_utf8(content) else { return };
    fs::write(&path, seal(text)).expect("the directory is ours");
    let mut other = Record::<F>::open(directory, "1");
    let record = Record::<F>::open(directory, "0");
    let text = serde_json::to_vec(record.facts()).expect("facts are plain data");
    other.write(serde_json::from_slice(&text).expect("what was written can be read"));
    let again = Record::<F>::open(directory, "1");
    assert_eq!(again.facts(), record.facts());
    fs::remove_file(directory.join("1.record")).ok();
}
