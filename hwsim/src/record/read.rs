//! The frames of a recording, in the classic format or pcapng, of either byte order.

const CLASSIC: [u32; 2] = [0xa1b2_c3d4, 0xa1b2_3c4d];
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const ENHANCED_PACKET: u32 = 6;
const ETHERNET: u32 = 1;
/// Above the link type there may be the length of the check sequence.
const LINK_TYPE: u32 = 0x03ff_ffff;

/// A file with its byte order.
#[derive(Debug, Clone, Copy)]
struct Words<'a> {
    bytes: &'a [u8],
    big: bool,
}

impl<'a> Words<'a> {
    fn word(self, at: usize) -> Option<u32> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn length(self, at: usize) -> Option<usize> {
        usize::try_from(self.word(at)?).ok()
    }

    fn slice(self, at: usize, length: usize) -> Option<&'a [u8]> {
        self.bytes.get(at..)?.get(..length)
    }
}

/// All frames of a file, in its order.
///
/// # Errors
/// What is wrong with the file. An incomplete last record is no error: its writer may be at work.
pub fn frames(bytes: &[u8]) -> Result<Vec<&[u8]>, &'static str> {
    for big in [false, true] {
        let words = Words { bytes, big };
        match words.word(0) {
            Some(magic) if CLASSIC.contains(&magic) => return classic(words),
            Some(SECTION_HEADER) if words.word(8) == Some(BYTE_ORDER) => return Ok(ng(words)),
            _ => {}
        }
    }
    Err("neither a pcap nor a pcapng file")
}

fn classic(words: Words<'_>) -> Result<Vec<&[u8]>, &'static str> {
    if words.word(20).map(|word| word & LINK_TYPE) != Some(ETHERNET) {
        return Err("the frames are not Ethernet");
    }
    let mut at = 24;
    let frames = std::iter::from_fn(|| {
        let length = words.length(at + 8)?;
        let frame = words.slice(at + 16, length)?;
        at += 16 + length;
        Some(frame)
    });
    Ok(frames.collect())
}

fn ng(words: Words<'_>) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    let mut at = 0;
    while let (Some(kind), Some(total)) = (words.word(at), words.length(at + 4)) {
        if total < 12 {
            break;
        }
        if kind == ENHANCED_PACKET
            && let Some(length) = words.length(at + 20)
            && let Some(frame) = words.slice(at + 28, length)
        {
            frames.push(frame);
        }
        at += total;
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::super::{pcap::Pcap, pcapng};
    use super::*;

    // Fails if we cannot read what we write.
    #[test]
    fn reads_both_formats_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let mut file = Pcap::create(&path).unwrap();
        file.frame(&[1; 61]);
        file.frame(&[2; 14]);
        file.flush();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(frames(&bytes).unwrap(), [&[1; 61][..], &[2; 14]]);
        // As a tool writes it that says how long the check sequence is.
        let mut other = bytes.clone();
        other[23] = 0x54;
        assert_eq!(frames(&other), frames(&bytes));

        let mut file = pcapng::PcapNg::create(&path, &["h1".into()]).unwrap();
        file.frame(0, pcapng::Direction::Out, &[3; 61]);
        file.flush();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(frames(&bytes).unwrap(), [&[3; 61][..]]);
        for cut in 0..bytes.len() {
            assert!(
                frames(&bytes[..cut]).is_err()
                    || frames(&bytes[..cut]).unwrap().is_empty()
                    || cut > 100
            );
        }
        assert!(frames(b"").is_err() && frames(&[0xff; 100]).is_err());
    }
}
