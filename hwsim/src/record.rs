//! Recordings: frames of all netdevs (`--pcap`), EMAD requests and answers (`--emad-pcap`).
//!
//! A reader finds whole records at any moment: a record enters the buffer in one piece, and the
//! buffer goes to the file after every turn of the loop and before the program ends.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::Error;

pub mod pcap;
pub mod pcapng;
pub mod read;

/// LINKTYPE_ETHERNET: frames without FCS, beginning with the destination address.
const LINKTYPE_ETHERNET: u16 = 1;

/// The longest frame that is recorded whole; more than any port carries.
const SNAPLEN: u32 = 262_144;

/// A file that records are appended to.
#[derive(Debug)]
struct Output {
    path: PathBuf,
    file: BufWriter<File>,
    broken: bool,
    dirty: bool,
}

impl Output {
    fn create(path: &Path, head: &[u8]) -> Result<Output, Error> {
        let failed =
            |what: &'static str| move |source| Error::File { what, path: path.to_owned(), source };
        let mut file = File::create(path).map_err(failed("create"))?;
        file.write_all(head).map_err(failed("write"))?;
        let file = BufWriter::with_capacity(256 << 10, file);
        Ok(Output { path: path.to_owned(), file, broken: false, dirty: false })
    }

    /// Appends a whole record. After a failure the recording ends and the program goes on.
    fn append(&mut self, record: &[u8]) {
        if self.broken {
            return;
        }
        self.dirty = true;
        let written = self.file.write_all(record);
        self.check(written);
    }

    fn flush(&mut self) {
        if self.dirty && !self.broken {
            self.dirty = false;
            let flushed = self.file.flush();
            self.check(flushed);
        }
    }

    fn check(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.broken = true;
            tracing::error!(path = %self.path.display(), %error, "The recording ends here");
        }
    }
}

/// The time of day, for people: nanoseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
