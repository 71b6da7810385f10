//! Is a frame from a packet socket complete, and if only its checksum is missing, what is it?
//!
//! A sender on the same machine may leave the checksum to a "device", or hand over one frame of
//! many segments. With `PACKET_VNET_HDR` the kernel says so in ten bytes before each frame
//! (`struct virtio_net_hdr`, virtio specification 5.1.6), in the machine's byte order:
//!
//! ```text
//! 0 flags   1 gso_type   2 hdr_len   4 gso_size   6 csum_start   8 csum_offset
//! ```

/// Bytes of a virtio_net_hdr.
pub const VNET_LEN: usize = 10;

const NEEDS_CSUM: u8 = 1;
const GSO_NONE: u8 = 0;

/// What stands before a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VnetHeader {
    flags: u8,
    gso_type: u8,
    csum_start: u16,
    csum_offset: u16,
}

/// Why a frame cannot go on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incomplete {
    /// Several segments in one: the sender has segmentation offload on.
    Segments,
    /// The checksum's place lies outside of the frame.
    Checksum,
}

impl VnetHeader {
    /// Reads the header.
    pub fn parse(bytes: &[u8; VNET_LEN]) -> VnetHeader {
        let [flags, gso_type, _, _, _, _, start_a, start_b, offset_a, offset_b] = *bytes;
        VnetHeader {
            flags,
            gso_type,
            csum_start: u16::from_ne_bytes([start_a, start_b]),
            csum_offset: u16::from_ne_bytes([offset_a, offset_b]),
        }
    }

    /// Fills in the checksum that the sender left out. The frame must be as the kernel delivered
    /// it, before a tag is put back: `csum_start` counts from its first byte.
    ///
    /// # Errors
    /// [`Incomplete`] when the frame cannot be completed.
    pub fn complete(&self, frame: &mut [u8]) -> Result<(), Incomplete> {
        if self.gso_type != GSO_NONE {
            return Err(Incomplete::Segments);
        }
        if self.flags & NEEDS_CSUM == 0 {
            return Ok(());
        }
        let start = usize::from(self.csum_start);
        let place = start + usize::from(self.csum_offset);
        let covered = frame.get(start..).ok_or(Incomplete::Checksum)?;
        // The place holds the pseudo header's sum already, so the plain sum is the whole.
        let sum = match internet_checksum(covered) {
            // RFC 768: zero means "no checksum"; the other zero of one's complement is sent.
            0 => u16::MAX,
            sum => sum,
        };
        frame
            .get_mut(place..place + 2)
            .ok_or(Incomplete::Checksum)?
            .copy_from_slice(&sum.to_be_bytes());
        Ok(())
    }
}

/// RFC 1071: the complement of the one's complement sum of 16-bit words.
fn internet_checksum(bytes: &[u8]) -> u16 {
    let mut sum: u64 = 0;
    let (words, rest) = bytes.as_chunks::<2>();
    for word in words {
        sum += u64::from(u16::from_be_bytes(*word));
    }
    if let [last] = rest {
        sum += u64::from(*last) << 8;
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded to 16 bits above")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(flags: u8, gso_type: u8, start: u16, offset: u16) -> VnetHeader {
        let [a, b] = start.to_ne_bytes();
        let [c, d] = offset.to_ne_bytes();
        VnetHeader::parse(&[flags, gso_type, 0, 0, 0, 0, a, b, c, d])
    }

    // Fails if a checksum that the sender left to the device goes out unfinished or wrong.
    #[test]
    fn fills_in_the_missing_checksum() {
        // UDP 10.0.0.1:1 > 10.0.0.2:2, length 10, payload "hi"; the pseudo header's sum at 6.
        let pseudo: u16 = 0x0a00 + 0x0001 + 0x0a00 + 0x0002 + 17 + 10;
        let mut frame = vec![0xee; 34];
        frame.extend([0, 1, 0, 2, 0, 10]);
        frame.extend(pseudo.to_be_bytes());
        frame.extend(*b"hi");
        header(NEEDS_CSUM, 0, 34, 6).complete(&mut frame).unwrap();
        // By hand: 0x141e + 0x0001 + 0x0002 + 0x000a + 0x6869 = 0x7c94, complement 0x836b.
        assert_eq!(frame[40..42], [0x83, 0x6b]);
    }

    // Fails if a frame that needs nothing is changed.
    #[test]
    fn leaves_a_complete_frame_alone() {
        let mut frame = [7; 60];
        header(0, 0, 34, 6).complete(&mut frame).unwrap();
        assert_eq!(frame, [7; 60]);
    }

    // Fails if many segments in one frame reach the chip, or hostile offsets panic.
    #[test]
    fn refuses_what_cannot_be_completed() {
        let mut frame = [0; 60];
        assert_eq!(header(0, 1, 0, 0).complete(&mut frame), Err(Incomplete::Segments));
        for (start, offset) in [(61, 0), (60, 0), (34, 25), (u16::MAX, u16::MAX)] {
            let header = header(NEEDS_CSUM, 0, start, offset);
            assert_eq!(header.complete(&mut frame), Err(Incomplete::Checksum), "{start}+{offset}");
        }
    }

    // Fails if an odd last byte is left out of the sum.
    #[test]
    fn sums_an_odd_length() {
        assert_eq!(internet_checksum(&[0x12, 0x34, 0x56]), !(0x1234 + 0x5600));
    }
}
