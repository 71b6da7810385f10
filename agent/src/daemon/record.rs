//! What must a later daemon know that neither the kernel nor the chip can tell? A file beside the intent log.
//!
//! ```text
//!   {"version":1,"crc32":3735928559}                                             of the next line
//!   {"local":[{"bridge":7,"name":"br0","vlan":10,"mac":"00:00:5e:00:01:05"}],    entries that Firsthop made in bridges
//!    "former":[{"ifindex":3,"name":"swp1","mac":"02:00:00:00:00:01"}]}           MACs that devices had before
//! ```
//!
//! A name stands beside each index, so that a device that got a former one's index is not taken for it. As the intent log, the
//! file lies in memory and never keeps the daemon from working.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use firsthop_model::{IfIndex, Mac};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use super::flower::book::{Claim, Claims};
use crate::engine::Former;
use crate::intent_log::file::file_name;

/// Of the format: a file of another one is not believed.
const VERSION: u32 = 1;

/// The first line of a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    version: u32,
    /// Of the second line
    crc32: u32,
}

/// A local entry that may be in a bridge because of Firsthop.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Local {
    /// Index of the bridge
    pub bridge: IfIndex,
    /// Name of the bridge
    pub name: String,
    /// VLAN of the entry; None: the bridge tells no VLANs apart.
    pub vlan: Option<u16>,
    /// MAC of the entry
    pub mac: Mac,
}

/// The content of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Entries that Firsthop made in bridges
    pub local: BTreeSet<Local>,
    /// MACs that devices had before
    pub former: BTreeSet<Former>,
}

/// The file of one chip, or of what is there once.
#[derive(Debug)]
pub struct Record<F> {
    path: PathBuf,
    written: F,
}

impl<F: Serialize + DeserializeOwned + Default + PartialEq> Record<F> {
    /// Opens the record of this name in `directory`. One that can't be read starts empty.
    pub fn open(directory: &Path, name: &str) -> Self {
        let path = directory.join(file_name(name)).with_extension("record");
        let written = match fs::read_to_string(&path) {
            Ok(text) => unseal(&text).unwrap_or_else(|why| {
                tracing::warn!(path = %path.display(), why, "Record ignored");
                F::default()
            }),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(path = %path.display(), %error, "Record can't be read");
                }
                F::default()
            }
        };
        Self { path, written }
    }

    /// What was written last, by this daemon or an earlier one.
    pub const fn facts(&self) -> &F {
        &self.written
    }

    /// Writes what differs.
    pub fn write(&mut self, facts: F) {
        if facts == self.written {
            return;
        }
        let text = serde_json::to_string(&facts).expect("facts are plain data");
        if let Err(error) = replace(&self.path, &seal(&text)) {
            tracing::warn!(path = %self.path.display(), %error, "Record can't be written");
        }
        self.written = facts;
    }
}

/// The text of a file with these facts, which are one line of JSON.
pub fn seal(text: &str) -> String {
    let head = Head { version: VERSION, crc32: crc32fast::hash(text.as_bytes()) };
    format!("{}\n{text}\n", serde_json::to_string(&head).expect("a head is plain data"))
}

/// The facts of such a text, or why there are none to be believed.
fn unseal<F: DeserializeOwned>(text: &str) -> Result<F, String> {
    let (head, text) = text.split_once('\n').ok_or("It has no head")?;
    let Head { version, crc32 } =
        serde_json::from_str(head).map_err(|error| format!("Its head: {error}"))?;
    if version != VERSION {
        return Err(format!("It is of version {version}, this is {VERSION}"));
    }
    let text = text.trim_end();
    if crc32fast::hash(text.as_bytes()) != crc32 {
        return Err("It is damaged".to_owned());
    }
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// A complete file appears under the name and stays, or the old one stays.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let fresh = path.with_extension("record.new");
    let mut file = File::create(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(directory: &Path, name: &str) -> Record<Facts> {
        Record::open(directory, name)
    }

    fn facts() -> Facts {
        let mac = Mac([0, 0, 0x5e, 0, 1, 5]);
        let local = Local { bridge: IfIndex(7), name: "br0".into(), vlan: Some(10), mac };
        let former = Former { ifindex: IfIndex(3), name: "swp1".into(), mac };
        Facts { local: [local].into(), former: [former].into() }
    }

    // Broken if a daemon did not know what the one before it had made, or took another chip's for it.
    #[test]
    fn the_next_daemon_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut record = open(dir.path(), "0");
        assert_eq!(record.facts(), &Facts::default());
        record.write(facts());
        assert_eq!(open(dir.path(), "0").facts(), &facts());
        assert_eq!(open(dir.path(), "1").facts(), &Facts::default());
    }

    // Broken if a damaged file kept the daemon from starting, or its rest were believed.
    #[test]
    fn a_damaged_file_counts_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let mut record = open(dir.path(), "0");
        record.write(facts());
        let path = dir.path().join("0.record");
        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() / 2]).unwrap();
        assert_eq!(open(dir.path(), "0").facts(), &Facts::default());
        let text = String::from_utf8(text).unwrap();
        let (newer, other) =
            (text.replacen("\"version\":1", "\"version\":2", 1), text.replacen("swp1", "swp2", 1));
        for text in [newer, other, "{\"nonsense\":1}".to_owned(), String::new()] {
            fs::write(&path, text).unwrap();
            assert_eq!(open(dir.path(), "0").facts(), &Facts::default());
        }
    }
}
