//! What routers say: VRRP advertisements, and the watch that listens to them.
//!
//! Input: frames behind their length; the first byte of each says how it came.

use std::time::Duration;

use firsthop_model::IfIndex;
use firsthop_model::liveness::wire::{Found, parse};
use firsthop_model::liveness::{Direction, Facts, Liveness, VirtualRouter};

use crate::input::Input;

/// Frames of one input.
const FRAMES: usize = 64;

/// The target.
pub fn run(data: &[u8]) {
    let mut input = Input(data);
    let mut now = Duration::from_secs(1);
    let mut watch = Liveness::new(true, now);
    let facts = Facts {
        interfaces: [(IfIndex(3), 254), (IfIndex(4), 10)].into(),
        policer: (1000, 128),
        ..Facts::default()
    };
    watch.update(facts, now);
    for _ in 0..FRAMES {
        if input.is_empty() {
            break;
        }
        let how = input.byte();
        let frame = input.chunk();
        let Ok(found) = parse(frame) else { continue };
        now += Duration::from_millis(u64::from(how >> 2) * 50);
        let interface = IfIndex(3 + u32::from(how & 1));
        let way = if how & 2 == 0 { Direction::Received } else { Direction::Sent };
        watch.take(interface, way, &found, now);
        if let Found::Advertisement(said) = &found {
            assert!(!said.interval.is_zero() && matches!(said.version, 2 | 3));
            assert!(said.addresses.len() <= 255);
            let id = VirtualRouter { interface, family: said.family, vrid: said.vrid };
            watch.evaluate(now);
            watch.ask(id, now);
            watch.ask_interface(interface, now);
        }
        let text = serde_json::to_string(&found).expect("plain data");
        assert_eq!(serde_json::from_str::<Found>(&text).ok().as_ref(), Some(&found));
    }
    watch.evaluate(now + Duration::from_secs(600));
}
