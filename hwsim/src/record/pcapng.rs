//! The pcapng format, for frames of many netdevs in one file (draft-ietf-opsawg-pcapng).
//!
//! ```text
//! section header │ one interface description per netdev, with its name │ enhanced packet blocks…
//! ```
//! A frame stands under the netdev where a capture would have seen it, with that capture's
//! direction: out of `h1` and out of `swp1` is towards the chip, in is from it.

use std::path::Path;

use super::{LINKTYPE_ETHERNET, Output, SNAPLEN, now};
use crate::error::Error;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const OPT_END: u16 = 0;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;
const EPB_FLAGS: u16 = 2;
const NANOSECONDS: u8 = 9;

/// Which way a frame passed a netdev.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The netdev received it.
    In,
    /// The netdev sent it.
    Out,
}

/// A recording in the pcapng format.
#[derive(Debug)]
pub struct PcapNg {
    output: Output,
    block: Vec<u8>,
}

impl PcapNg {
    /// Begins a file, replacing an old one; frames name their netdev by its place in `names`.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be created.
    pub fn create(path: &Path, names: &[String]) -> Result<PcapNg, Error> {
        let mut head = Vec::new();
        block(&mut head, SECTION_HEADER, |body| {
            body.extend(BYTE_ORDER.to_le_bytes());
            body.extend([1, 0, 0, 0]);
            body.extend(u64::MAX.to_le_bytes()); // the section's length is not known
            option(body, SHB_USERAPPL, b"hwsim");
            option(body, OPT_END, b"");
        });
        for name in names {
            block(&mut head, INTERFACE, |body| {
                body.extend(LINKTYPE_ETHERNET.to_le_bytes());
                body.extend([0; 2]);
                body.extend(SNAPLEN.to_le_bytes());
                option(body, IF_NAME, name.as_bytes());
                option(body, IF_TSRESOL, &[NANOSECONDS]);
                option(body, OPT_END, b"");
            });
        }
        Ok(PcapNg { output: Output::create(path, &head)?, block: Vec::new() })
    }

    /// Appends a frame, stamped with the time of day.
    pub fn frame(&mut self, interface: u32, direction: Direction, frame: &[u8]) {
        let frame = &frame[..frame.len().min(SNAPLEN as usize)];
        let length = u32::try_from(frame.len()).expect("at most SNAPLEN");
        let [low, high] = halves(now());
        let flags: u32 = match direction {
            Direction::In => 1,
            Direction::Out => 2,
        };
        self.block.clear();
        block(&mut self.block, ENHANCED_PACKET, |body| {
            for word in [interface, high, low, length, length] {
                body.extend(word.to_le_bytes());
            }
            body.extend(frame);
            pad(body);
            option(body, EPB_FLAGS, &flags.to_le_bytes());
            option(body, OPT_END, b"");
        });
        self.output.append(&self.block);
    }

    /// Makes everything so far visible to readers.
    pub fn flush(&mut self) {
        self.output.flush();
    }
}

/// The lower and the upper word.
fn halves(value: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
}

/// Type, total length, what `fill` appends, total length again.
fn block(bytes: &mut Vec<u8>, kind: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = bytes.len();
    bytes.extend(kind.to_le_bytes());
    bytes.extend([0; 4]);
    fill(bytes);
    let total = u32::try_from(bytes.len() - start + 4).expect("frames are at most SNAPLEN");
    bytes[start + 4..start + 8].copy_from_slice(&total.to_le_bytes());
    bytes.extend(total.to_le_bytes());
}

fn option(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend(kind.to_le_bytes());
    bytes.extend(u16::try_from(value.len()).expect("names are short").to_le_bytes());
    bytes.extend(value);
    pad(bytes);
}

/// Everything before it in a file is a multiple of four, so the place in the block decides.
fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    // Fails if a reader that walks the blocks by their lengths gets lost, or finds another
    // interface, direction or frame.
    #[test]
    fn blocks_are_as_the_format_says() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("all.pcapng");
        let mut file = PcapNg::create(&path, &["h1".into(), "swp1".into()]).unwrap();
        file.frame(1, Direction::In, &[0xab; 61]);
        file.flush();
        let bytes = std::fs::read(&path).unwrap();
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let mut kinds = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let length = word(at + 4) as usize;
            assert_eq!(length % 4, 0);
            assert_eq!(word(at + length - 4) as usize, length);
            kinds.push((word(at), at));
            at += length;
        }
        let order: Vec<u32> = kinds.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(order, [SECTION_HEADER, INTERFACE, INTERFACE, ENHANCED_PACKET]);
        let packet = kinds[3].1;
        assert_eq!(word(packet + 8), 1);
        assert_eq!((word(packet + 20), word(packet + 24)), (61, 61));
        assert_eq!(bytes[packet + 28..packet + 89], [0xab; 61]);
        assert_eq!(bytes[packet + 92..packet + 100], [2, 0, 4, 0, 1, 0, 0, 0]);
    }
}
