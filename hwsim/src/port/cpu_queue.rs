//! Frames on their way from the chip to the CPU: the highest traffic class goes first.
//!
//! Writing a frame into the kernel's stack costs several times what the chip needs for it. So
//! under a flood frames are lost here, where the class is known, and not in a socket's buffer,
//! where it is not.

use std::collections::{BTreeMap, VecDeque};

use crate::chip::LocalPort;

/// Frames that one class can hold.
const DEPTH: usize = 1024;

/// Bytes of a frame whose memory is used again.
const SMALL: usize = 2048;

/// Bounded queues, one for each traffic class in use.
#[derive(Debug, Default)]
pub struct CpuQueue {
    classes: BTreeMap<u8, VecDeque<(LocalPort, Vec<u8>)>>,
    waiting: usize,
    /// Memory of frames that are gone.
    spare: Vec<Vec<u8>>,
    dropped: BTreeMap<u8, u64>,
}

impl CpuQueue {
    /// Queues a frame for the CPU-side netdev of `port`; drops it when its class is full.
    pub fn push(&mut self, tclass: u8, port: LocalPort, frame: &[u8]) {
        let queue = self.classes.entry(tclass).or_default();
        if queue.len() < DEPTH {
            let mut copy = self.spare.pop().unwrap_or_default();
            copy.extend_from_slice(frame);
            queue.push_back((port, copy));
            self.waiting += 1;
        } else {
            *self.dropped.entry(tclass).or_default() += 1;
        }
    }

    /// The oldest frame of the highest class that has one.
    pub fn pop(&mut self) -> Option<(LocalPort, Vec<u8>)> {
        if self.waiting == 0 {
            return None;
        }
        let frame = self.classes.values_mut().rev().find_map(VecDeque::pop_front)?;
        self.waiting -= 1;
        Some(frame)
    }

    /// Takes back the memory of a frame that was popped.
    pub fn reuse(&mut self, mut frame: Vec<u8>) {
        if frame.capacity() <= SMALL && self.spare.len() < DEPTH {
            frame.clear();
            self.spare.push(frame);
        }
    }

    /// Whether no frame waits.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Frames lost so far because their class was full, by class.
    pub fn dropped(&self) -> &BTreeMap<u8, u64> {
        &self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Fails if transit frames go before those of a higher class, or a class loses its order.
    #[test]
    fn the_highest_class_goes_first_in_order() {
        let mut queue = CpuQueue::default();
        for (tclass, byte) in [(1, 10), (2, 20), (1, 11), (7, 70), (2, 21)] {
            queue.push(tclass, LocalPort(1), &[byte]);
        }
        let order: Vec<u8> =
            std::iter::from_fn(|| queue.pop()).map(|(_, frame)| frame[0]).collect();
        assert_eq!(order, [70, 20, 21, 10, 11]);
        assert!(queue.is_empty());
    }

    // Fails if a flood in one class takes the room of another, or is not bounded and counted.
    #[test]
    fn a_full_class_costs_no_other_class() {
        let mut queue = CpuQueue::default();
        for _ in 0..DEPTH + 5 {
            queue.push(1, LocalPort(1), &[]);
        }
        queue.push(2, LocalPort(2), &[]);
        assert_eq!(queue.pop().unwrap().0, LocalPort(2));
        assert_eq!(queue.dropped(), &BTreeMap::from([(1, 5)]));
        assert_eq!(std::iter::from_fn(|| queue.pop()).count(), DEPTH);
    }
}
