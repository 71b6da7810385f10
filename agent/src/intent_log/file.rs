//! Where is the intent log of a chip? In a directory that lies in memory and outlives the daemon.
//!
//! A new text appears under the name in one step, or the former one stays. A file that can't be written is removed: half the truth
//! would be worse than none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::engine::LogStep;

/// The file of one chip.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    /// None: it can't be written, until it is replaced.
    file: Option<File>,
}

impl LogFile {
    /// The file of this chip in `directory`; nothing is touched yet.
    pub fn new(directory: &Path, chip_id: &str) -> Self {
        Self { path: directory.join(file_name(chip_id)), file: None }
    }

    /// What an earlier daemon left; none: nothing, or nothing that can be read.
    pub fn read(&self) -> Option<String> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Some(text),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(path = %self.path.display(), %error, "Intent log can't be read");
                }
                None
            }
        }
    }

    /// Makes a step. Never fails: without a file a restart writes more than it has to.
    pub fn take(&mut self, step: &LogStep) {
        let done = match (step, &mut self.file) {
            (LogStep::Replace(text), _) => {
                replace(&self.path, text).map(|file| self.file = Some(file))
            }
            (LogStep::Append(text), Some(file)) => file.write_all(text.as_bytes()),
            (LogStep::Append(_), None) => return,
        };
        if let Err(error) = done {
            tracing::warn!(path = %self.path.display(), %error, "Intent log can't be written");
            // What is in the file is no longer the whole truth.
            fs::remove_file(&self.path).ok();
            self.file = None;
        }
    }
}

/// A file name from a chip id, which is whatever the chip says.
pub(crate) fn file_name(chip_id: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name: String = chip_id.chars().map(|c| if plain(c) { c } else { '_' }).take(64).collect();
    format!("{name}.intent")
}

/// A complete file appears under the name, or the old one stays.
fn replace(path: &Path, text: &str) -> io::Result<File> {
    let fresh = path.with_extension("intent.new");
    fs::write(&fresh, text)?;
    fs::rename(&fresh, path)?;
    OpenOptions::new().append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Broken if a chip could choose a file outside the directory.
    #[test]
    fn a_chip_id_is_no_path() {
        assert_eq!(file_name("../../etc/x"), "______etc_x.intent");
        assert_eq!(file_name("0"), "0.intent");
    }

    // Broken if the next daemon did not find what this one wrote, or a file that could not be written in full were believed.
    #[test]
    fn the_next_daemon_finds_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogFile::new(dir.path(), "0");
        assert_eq!(log.read(), None);
        log.take(&LogStep::Append("lost\n".to_owned()));
        assert_eq!(log.read(), None);
        log.take(&LogStep::Replace("a\n".to_owned()));
        log.take(&LogStep::Append("b\n".to_owned()));
        assert_eq!(LogFile::new(dir.path(), "0").read().as_deref(), Some("a\nb\n"));
        assert_eq!(LogFile::new(dir.path(), "1").read(), None);
        log.path = dir.path().join("missing").join("0.intent");
        log.take(&LogStep::Replace("c\n".to_owned()));
        assert!(log.file.is_none());
        fs::write(dir.path().join("0.intent"), [0xff, 0xfe]).unwrap();
        assert_eq!(LogFile::new(dir.path(), "0").read(), None);
    }
}
