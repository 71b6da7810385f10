//! Which frames are in a capture file? The classic format, of either byte order, with micro- or nanoseconds.
//!
//! ```text
//! file:   magic │ version 2.4 │ 0 │ 0 │ snaplen │ link type          24 bytes
//! record: seconds │ fraction │ bytes here │ bytes on the wire        16 bytes, then the frame
//! ```
//!
//! A file that is still being written, or was cut, ends within a record: what is there is read, and how much was left over is told.

use super::RecordingError;

const HEAD: usize = 24;
const RECORD_HEAD: usize = 16;
const MAGICS: [u32; 2] = [0xa1b2_c3d4, 0xa1b2_3c4d];
const PCAPNG: u32 = 0x0a0d_0d0a;
const ETHERNET: u32 = 1;
/// Above the link type there may be the length of the check sequence.
const LINK_TYPE: u32 = 0x03ff_ffff;
/// No capture has longer records (libpcap's MAXIMUM_SNAPLEN).
const LONGEST: usize = 262_144;

/// The frames of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frames<'a> {
    /// In the file's order, from the destination address on.
    pub(super) frames: Vec<&'a [u8]>,
    /// Bytes after the last whole record.
    pub(super) rest: usize,
}

/// Reads a file.
pub(super) fn frames(bytes: &[u8]) -> Result<Frames<'_>, RecordingError> {
    let big = byte_order(bytes)?;
    let word = |at: usize| -> Option<u32> {
        let word = *bytes.get(at..)?.first_chunk()?;
        Some(if big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) })
    };
    let Some(link_type) = word(20) else {
        return Err(RecordingError::Short { bytes: bytes.len() });
    };
    if link_type & LINK_TYPE != ETHERNET {
        return Err(RecordingError::LinkType(link_type & LINK_TYPE));
    }
    let mut found = Vec::new();
    let mut at = HEAD;
    loop {
        let length = word(at + 8).and_then(|length| usize::try_from(length).ok());
        let Some(length) = length.filter(|_| at + RECORD_HEAD <= bytes.len()) else { break };
        if length > LONGEST {
            return Err(RecordingError::Damaged { record: found.len() + 1, offset: at, length });
        }
        let start = at + RECORD_HEAD;
        let Some(frame) = bytes.get(start..start + length) else { break };
        found.push(frame);
        at = start + length;
    }
    Ok(Frames { frames: found, rest: bytes.len() - at })
}

/// Whether numbers are big-endian.
fn byte_order(bytes: &[u8]) -> Result<bool, RecordingError> {
    let Some(magic) = bytes.first_chunk() else {
        return Err(RecordingError::Short { bytes: bytes.len() });
    };
    let (little, big) = (u32::from_le_bytes(*magic), u32::from_be_bytes(*magic));
    if MAGICS.contains(&little) {
        Ok(false)
    } else if MAGICS.contains(&big) {
        Ok(true)
    } else if little == PCAPNG {
        Err(RecordingError::PcapNg)
    } else {
        Err(RecordingError::NotPcap { magic: big })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(big: bool, magic: u32, link_type: u32, frames: &[&[u8]]) -> Vec<u8> {
        let word = |word: u32| if big { word.to_be_bytes() } else { word.to_le_bytes() };
        let mut bytes = Vec::new();
        for field in [magic, 0x0002_0004, 0, 0, 65535, link_type] {
            bytes.extend(word(field));
        }
        for frame in frames {
            let length = u32::try_from(frame.len()).unwrap();
            for field in [7, 8, length, length] {
                bytes.extend(word(field));
            }
            bytes.extend(*frame);
        }
        bytes
    }

    // Broken if the file of a machine of the other byte order, or of a tool that counts microseconds, were not understood.
    #[test]
    fn both_byte_orders_and_both_fractions() {
        for big in [false, true] {
            for magic in MAGICS {
                // With the bits that say how long the check sequence is.
                let bytes = file(big, magic, 0x5400_0001, &[&[1; 61], &[], &[2; 14]]);
                let wanted: Vec<&[u8]> = vec![&[1; 61], &[], &[2; 14]];
                assert_eq!(frames(&bytes), Ok(Frames { frames: wanted, rest: 0 }));
            }
        }
    }

    // Broken if what is no such file were read as an empty one.
    #[test]
    fn other_files_are_refused() {
        let damaged = [&file(false, MAGICS[0], 1, &[&[1; 60]])[..], &[0xff; 40]].concat();
        for (bytes, error) in [
            (&b""[..], RecordingError::Short { bytes: 0 }),
            (&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0], RecordingError::Short { bytes: 6 }),
            (&[0x0a, 0x0d, 0x0d, 0x0a, 0x1c, 0, 0, 0], RecordingError::PcapNg),
            (b"#!/bin/sh\n", RecordingError::NotPcap { magic: 0x2321_2f62 }),
            (&file(true, MAGICS[1], 113, &[]), RecordingError::LinkType(113)),
            (&damaged, RecordingError::Damaged { record: 2, offset: 100, length: 0xffff_ffff }),
        ] {
            assert_eq!(frames(bytes), Err(error));
        }
    }

    // Broken if a file could not be read while it is written, or its last half record were taken for a frame.
    #[test]
    fn a_cut_file_has_its_whole_records() {
        let bytes = file(false, MAGICS[1], 1, &[&[1; 60], &[2; 60]]);
        for cut in HEAD..=bytes.len() {
            let found = frames(&bytes[..cut]).unwrap();
            assert_eq!(found.frames.len(), (cut - HEAD) / 76);
            assert_eq!(found.rest, (cut - HEAD) % 76);
        }
    }

    proptest! {
        // Broken if some file made the reader panic.
        #[test]
        fn any_bytes_are_read_or_refused(
            mut bytes in prop::collection::vec(any::<u8>(), 0..200),
            head in any::<bool>(),
        ) {
            if head && bytes.len() >= HEAD {
                bytes[..HEAD].copy_from_slice(&file(false, MAGICS[0], 1, &[]));
            }
            frames(&bytes).ok();
        }
    }
}
