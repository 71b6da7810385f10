//! What the operator wrote: files of TOML.

use std::path::Path;

use firsthop::config::Config;
use hwsim::chip::{Chip, Personality};

/// The target.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut config = Config::default();
    // What is valid once stays valid, and changes nothing the second time.
    if config.add(Path::new("fuzz.toml"), text).is_ok() {
        let before = config.clone();
        config.add(Path::new("fuzz.toml"), text).expect("it was valid before");
        assert_eq!(config, before);
    }
    personality(text);
}

/// A chip of any size that its file may ask for can be made.
fn personality(text: &str) {
    if let Ok(personality) = Personality::parse("fuzz", text) {
        let chip = Chip::new(personality, 2, "fuzz".into(), 1);
        serde_json::to_string(&chip.resources()).expect("sizes are plain data");
    }
}
