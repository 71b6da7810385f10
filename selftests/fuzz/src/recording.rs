//! What is in a file of recorded frames: pcap and pcapng, and the register accesses in it.

use firsthop_asic::spectrum::recording::{Recording, Rows};
use hwsim::record::read::frames;

/// The target.
pub fn run(data: &[u8]) {
    let theirs = frames(data);
    let Ok(recording) = Recording::read(data) else { return };
    // The simulator's reader and the agent's see the same frames.
    let theirs = theirs.expect("one reader takes the file").len();
    assert_eq!(u64::try_from(theirs), Ok(recording.summary.frames));
    recording.summary.notes();
    serde_json::to_string(&recording.tables).expect("tables are plain data");
    // The rows go to the daemon as JSON.
    let rows = serde_json::to_vec(&recording.rows).expect("rows are plain data");
    let heard: Rows = serde_json::from_slice(&rows).expect("the daemon reads them");
    assert_eq!(heard, recording.rows);
}
