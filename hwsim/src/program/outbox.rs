//! What leaves the chip, until the kernel takes it.
//!
//! ```text
//!   Chip ─▶ wires ─▶ │ frame │ frame │ frame …     one piece of memory, used again
//!     │                 ▲ 1     ▲ 2     ▲ 1        which port sends which
//!     └───▶ CPU ───▶ CpuQueue, best class first
//! ```

use std::ops::Range;

use crate::chip::{Chip, LocalPort, Outlet, Punt};
use crate::packet::rewrite::Rewritten;
use crate::port::cpu_queue::CpuQueue;

/// Bytes of memory that stay; floods of long frames need more for a moment.
const KEPT: usize = 1 << 20;

/// Frames on their way out.
#[derive(Debug)]
pub(super) struct Outbox {
    /// Frames for the kernel's stack.
    pub(super) to_cpu: CpuQueue,
    /// Frames for wires, one behind the other.
    bytes: Vec<u8>,
    /// Where those of each port are, by port number less one.
    places: Vec<Vec<Range<usize>>>,
    /// The ports that have any.
    touched: Vec<LocalPort>,
    /// How many frames have left since [`Outbox::begin`].
    left: usize,
    /// The last group membership report for the CPU since then.
    report: Option<Punt>,
}

impl Outbox {
    /// Empty, for so many ports.
    pub(super) fn new(ports: usize) -> Outbox {
        Outbox {
            to_cpu: CpuQueue::default(),
            bytes: Vec::new(),
            places: vec![Vec::new(); ports],
            touched: Vec::new(),
            left: 0,
            report: None,
        }
    }

    /// The chip gets another frame.
    pub(super) fn begin(&mut self) {
        self.left = 0;
        self.report = None;
    }

    /// If all that left since [`Outbox::begin`] is a packet for the CPU of which software owes copies: that.
    pub(super) fn lone_report(&mut self) -> Option<Punt> {
        self.report.take().filter(|_| self.left == 1)
    }

    /// The ports that have frames for their wires.
    pub(super) fn touched(&self) -> &[LocalPort] {
        &self.touched
    }

    /// The frames for the wire of a port.
    pub(super) fn frames(&self, port: LocalPort) -> impl Iterator<Item = &[u8]> + Clone {
        let places = usize::from(port.0).checked_sub(1).and_then(|at| self.places.get(at));
        places.into_iter().flatten().map(|place| &self.bytes[place.clone()])
    }

    /// Forgets the frames for wires.
    pub(super) fn clear(&mut self) {
        for port in self.touched.drain(..) {
            self.places[usize::from(port.0) - 1].clear();
        }
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
    }
}

impl Outlet for Outbox {
    fn wire(&mut self, port: LocalPort, frame: &Rewritten<'_>) {
        self.left += 1;
        let place = usize::from(port.0).checked_sub(1);
        let Some(places) = place.and_then(|at| self.places.get_mut(at)) else { return };
        if places.is_empty() {
            self.touched.push(port);
        }
        let begin = self.bytes.len();
        frame.append_to(&mut self.bytes);
        places.push(begin..self.bytes.len());
    }

    fn cpu(&mut self, port: LocalPort, frame: &[u8], punt: Punt) {
        self.left += 1;
        self.to_cpu.push(punt.tclass, port, frame);
        self.report = Some(punt).filter(|punt| Chip::owes_copies(punt.trap_id));
    }
}
