//! The classic format with nanoseconds, for EMAD frames: every tool reads it.
//!
//! ```text
//! file:   magic a1b23c4d │ 2 │ 4 │ 0 │ 0 │ snaplen │ linktype        (24 bytes)
//! record: seconds │ nanoseconds │ bytes here │ bytes on the wire │ frame
//! ```
//! Numbers are little-endian on every machine; the magic tells readers so.

use std::path::Path;

use super::{LINKTYPE_ETHERNET, Output, SNAPLEN, now};
use crate::error::Error;

const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;

/// A recording in the classic format.
#[derive(Debug)]
pub struct Pcap {
    output: Output,
    record: Vec<u8>,
}

impl Pcap {
    /// Begins a file, replacing an old one.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be created.
    pub fn create(path: &Path) -> Result<Pcap, Error> {
        let mut head = Vec::new();
        head.extend(MAGIC_NANOSECONDS.to_le_bytes());
        head.extend(2_u16.to_le_bytes());
        head.extend(4_u16.to_le_bytes());
        head.extend([0; 8]);
        head.extend(SNAPLEN.to_le_bytes());
        head.extend(u32::from(LINKTYPE_ETHERNET).to_le_bytes());
        Ok(Pcap { output: Output::create(path, &head)?, record: Vec::new() })
    }

    /// Appends a frame, stamped with the time of day.
    pub fn frame(&mut self, frame: &[u8]) {
        self.record.clear();
        append_record(&mut self.record, now(), frame);
        self.output.append(&self.record);
    }

    /// Makes everything so far visible to readers.
    pub fn flush(&mut self) {
        self.output.flush();
    }
}

fn append_record(record: &mut Vec<u8>, nanos: u64, frame: &[u8]) {
    let frame = &frame[..frame.len().min(SNAPLEN as usize)];
    let length = u32::try_from(frame.len()).expect("at most SNAPLEN");
    // The format ends in 2106.
    let seconds = u32::try_from(nanos / 1_000_000_000).unwrap_or(u32::MAX);
    let fraction = u32::try_from(nanos % 1_000_000_000).expect("below 10^9");
    for word in [seconds, fraction, length, length] {
        record.extend(word.to_le_bytes());
    }
    record.extend(frame);
}

#[cfg(test)]
mod tests {
    use super::*;

    // Fails if a reader that knows the format finds other times, lengths or bytes.
    #[test]
    fn a_record_is_as_the_format_says() {
        let mut record = Vec::new();
        append_record(&mut record, 3_000_000_005, &[0xaa, 0xbb, 0xcc]);
        let expected = [3, 0, 0, 0, 5, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 0xaa, 0xbb, 0xcc];
        assert_eq!(record, expected);
    }

    // Fails if a reader would not know the file for Ethernet with nanoseconds, or would find
    // half a record while the program runs.
    #[test]
    fn a_file_has_its_head_and_whole_records() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("emad.pcap");
        let mut pcap = Pcap::create(&path).unwrap();
        for _ in 0..10_000 {
            pcap.frame(&[7; 60]);
            let length = std::fs::metadata(&path).unwrap().len();
            assert_eq!((length - 24) % 76, 0, "{length}");
        }
        pcap.flush();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 24 + 10_000 * 76);
        assert_eq!(bytes[..8], [0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0]);
        assert_eq!(bytes[20..24], [1, 0, 0, 0]);
    }
}
