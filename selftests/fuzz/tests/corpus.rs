//! Every file of the corpora, one target after the other, without a fuzzer: inputs that reach far, and those that once broke something.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use fuzz::TARGETS;

/// Bytes of all files together.
const ROOM: u64 = 1 << 20;

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("ASCII");
    entries.map(|entry| name(entry.expect("a readable directory"))).collect()
}

// Broken if a target panicked on an input that was found before; says which file.
#[test]
fn no_file_does_harm() {
    let mut harmful = Vec::new();
    for (target, run) in TARGETS {
        let directory = corpora().join(target);
        for name in names(&directory) {
            let bytes = fs::read(directory.join(&name)).unwrap();
            if catch_unwind(|| run(&bytes)).is_err() {
                harmful.push(format!("{target}/{name}"));
            }
        }
    }
    assert_eq!(harmful, [""; 0]);
}

// Broken if a target had no corpus, so that the test above tested nothing, or a corpus no target.
#[test]
fn each_target_has_a_corpus() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&corpora()), targets);
    for target in targets {
        assert!(names(&corpora().join(&target)).len() >= 5, "{target}");
    }
}

// Broken if corpora grew without bound: `selftests/fuzz.sh --minimise` makes them small again.
#[test]
fn corpora_are_small() {
    let mut bytes = 0;
    for (target, _) in TARGETS {
        let directory = corpora().join(target);
        let files = names(&directory);
        assert!(files.len() < 200, "{target} has {} files", files.len());
        bytes += files.iter().map(|n| fs::metadata(directory.join(n)).unwrap().len()).sum::<u64>();
    }
    assert!(bytes < ROOM, "{bytes} bytes");
}
