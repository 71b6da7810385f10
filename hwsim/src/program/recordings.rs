//! Which recordings does the user want, and under which netdev does a frame stand in them?

use crate::chip::LocalPort;
use crate::record::pcap::Pcap;
use crate::record::pcapng::{Direction, PcapNg};

/// The files of `--pcap` and `--emad-pcap`.
#[derive(Debug)]
pub(super) struct Recordings {
    pub(super) frames: Option<PcapNg>,
    pub(super) emads: Option<Pcap>,
}

impl Recordings {
    /// A frame as a capture on the wire-side netdev would see it.
    pub(super) fn wire(&mut self, port: LocalPort, direction: Direction, frame: &[u8]) {
        self.frame(port, 0, direction, frame);
    }

    /// A frame as a capture on the CPU-side netdev would see it.
    pub(super) fn cpu(&mut self, port: LocalPort, direction: Direction, frame: &[u8]) {
        self.frame(port, 1, direction, frame);
    }

    fn frame(&mut self, port: LocalPort, side: u32, direction: Direction, frame: &[u8]) {
        if let Some(file) = &mut self.frames {
            let interface = u32::from(port.0).saturating_sub(1) * 2 + side;
            file.frame(interface, direction, frame);
        }
    }

    /// An EMAD request or answer.
    pub(super) fn emad(&mut self, frame: &[u8]) {
        if let Some(file) = &mut self.emads {
            file.frame(frame);
        }
    }

    /// Makes everything so far visible to readers.
    pub(super) fn flush(&mut self) {
        if let Some(file) = &mut self.frames {
            file.flush();
        }
        if let Some(file) = &mut self.emads {
            file.flush();
        }
    }
}
