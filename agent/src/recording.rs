//! What was the daemon told, and what did it do then? A file with a line for each, which another engine can be told again.
//!
//! ```text
//!   {"start":{"observe":false,"seed":4711,"policy":{…}}}                    the engine
//!   {"input":[{"secs":0,"nanos":81},{"heard":{"events":[…],"loss":null}}]}  what it was told, and when
//!   {"turn":[{"secs":0,"nanos":99},["dump"]]}                               what it wanted then
//! ```

use std::fs::File;
use std::io::{self, BufRead, BufWriter};
use std::path::Path;

use firsthop_model::intent::Policy;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::engine::{Engine, Input, Output, Time};

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Start { observe: bool, seed: u64, policy: Box<Policy> },
    Input(Time, Input),
    Turn(Time, Vec<Output>),
}

/// A recording under way.
#[derive(Debug, Clone)]
pub struct Recorder<W> {
    /// None: nothing can be written any more.
    out: Option<W>,
}

impl Recorder<BufWriter<File>> {
    /// Begins a recording in a new file, of an engine that starts with these.
    ///
    /// # Errors
    /// The file can't be made.
    pub fn create(path: &Path, observe: bool, policy: &Policy, seed: u64) -> io::Result<Self> {
        Ok(Self::begin(BufWriter::new(File::create(path)?), observe, policy, seed))
    }
}

impl<W: io::Write> Recorder<W> {
    /// Begins a recording of an engine that starts with these.
    pub fn begin(out: W, observe: bool, policy: &Policy, seed: u64) -> Self {
        let mut recorder = Self { out: Some(out) };
        recorder.put(&Line::Start { observe, seed, policy: Box::new(policy.clone()) });
        recorder
    }

    /// The engine was told something.
    pub fn input(&mut self, at: Time, input: &Input) {
        self.put(&Line::Input(at, input.clone()));
    }

    /// The engine was asked what to do. The lines so far are written out after it.
    pub fn turn(&mut self, at: Time, outputs: &[Output]) {
        self.put(&Line::Turn(at, outputs.to_vec()));
        let flushed = self.out.as_mut().map_or(Ok(()), io::Write::flush);
        self.give_up(flushed);
    }

    /// Where the lines are; none if they could not be written.
    pub fn into_inner(self) -> Option<W> {
        self.out
    }

    fn put(&mut self, line: &Line) {
        let Some(out) = &mut self.out else { return };
        let text = serde_json::to_string(line).expect("lines are plain data");
        let written = writeln!(out, "{text}");
        self.give_up(written);
    }

    /// A recording with a gap would be of no use.
    fn give_up(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            tracing::warn!(%error, "The recording ends here");
            self.out = None;
        }
    }
}

/// What a replay came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replayed {
    /// What the engine was told.
    pub inputs: u64,
    /// How often it was asked what to do.
    pub turns: u64,
    /// Changes of the chip that came out, the same as then.
    pub writes: u64,
}

/// Why a replay came to nothing.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// It can't be read.
    #[error("Recording can't be read")]
    Read(#[from] io::Error),
    /// It is no recording, or one of another version.
    #[error("Line {number} of the recording is not understood")]
    Line {
        /// From 1.
        number: usize,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// Its first line does not say how the engine started.
    #[error("The recording has no start")]
    NoStart,
    /// Something else came out.
    #[error("Line {number}: {now} instead of {then}")]
    Differs {
        /// From 1.
        number: usize,
        /// What came out when it was recorded, as JSON.
        then: String,
        /// What came out now, as JSON.
        now: String,
    },
}

/// Tells an engine again what was recorded. A last line without its end was cut when the daemon died, and is left out.
///
/// # Errors
/// It is no recording, or something else comes out.
pub fn replay(mut recording: impl BufRead) -> Result<Replayed, ReplayError> {
    let (mut engine, mut replayed) = (None, Replayed::default());
    let mut text = String::new();
    for number in 1.. {
        text.clear();
        if recording.read_line(&mut text)? == 0 || !text.ends_with('\n') {
            break;
        }
        let line =
            serde_json::from_str(&text).map_err(|source| ReplayError::Line { number, source })?;
        match (line, &mut engine) {
            (Line::Start { observe, seed, policy }, None) => {
                engine = Some(Engine::new(observe, *policy, seed));
            }
            (Line::Input(at, input), Some(engine)) => {
                engine.take(input, at);
                replayed.inputs += 1;
            }
            (Line::Turn(at, then), Some(engine)) => {
                let now = engine.turn(at);
                if now != then {
                    let [then, now] = [then, now]
                        .map(|outputs| serde_json::to_string(&outputs).expect("plain data"));
                    return Err(ReplayError::Differs { number, then, now });
                }
                replayed.turns += 1;
                let writes = now.iter().map(|output| match output {
                    Output::Write(changes) => u64::try_from(changes.len()).unwrap_or(u64::MAX),
                    _ => 0,
                });
                replayed.writes += writes.sum::<u64>();
            }
            (Line::Start { .. }, Some(_)) | (_, None) => return Err(ReplayError::NoStart),
        }
    }
    engine.map(|_| replayed).ok_or(ReplayError::NoStart)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Duration;

    use crate::engine::Dumped;

    fn recorded() -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("recording");
        let mut recorder = Recorder::create(&path, true, &Policy::default(), 7).unwrap();
        let mut engine = Engine::new(true, Policy::default(), 7);
        for (at, input) in [
            (1, Input::NoChip),
            (2, Input::Dumped(Dumped::Whole(Box::default()))),
            (3, Input::Distrust("test".to_owned())),
        ] {
            let at = Duration::from_millis(at);
            recorder.input(at, &input);
            engine.take(input, at);
            recorder.turn(at, &engine.turn(at));
        }
        fs::read_to_string(path).unwrap()
    }

    // Broken if a recording could not be played again, or a difference in what comes out were not told.
    #[test]
    fn a_recording_is_played_again() {
        let text = recorded();
        let expected = Replayed { inputs: 3, turns: 3, writes: 0 };
        assert_eq!(replay(text.as_bytes()).unwrap(), expected);
        assert_eq!(replay([&text, "{\"inp"].concat().as_bytes()).unwrap(), expected);
        let other = text.replacen("[\"dump\"]", "[]", 1);
        assert_ne!(other, text);
        assert!(matches!(replay(other.as_bytes()), Err(ReplayError::Differs { number: 3, .. })));
    }

    // Broken if something else were taken for a recording, or led to a panic.
    #[test]
    fn what_is_no_recording_is_told() {
        let text = recorded();
        let headless = text.split_once('\n').unwrap().1;
        assert!(matches!(replay(headless.as_bytes()), Err(ReplayError::NoStart)));
        assert!(matches!(replay(&b""[..]), Err(ReplayError::NoStart)));
        assert!(matches!(replay(&b"nonsense\n"[..]), Err(ReplayError::Line { number: 1, .. })));
    }
}
