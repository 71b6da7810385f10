//! The program `firsthop`: what a person asks on a command line, and the answer as text or JSON.
//!
//! ```text
//!   arguments ─▶ grammar ─▶ Command ─▶ call ──▶ daemon
//!                                               │
//!   terminal ◀── text | json ◀── answer ◀───────┘        exit code: see Exit
//! ```

mod answer;
mod call;
mod colour;
mod grammar;
mod help;
mod json;
mod listing;
mod recorded;
mod saved;
mod support;
mod text;

use std::io::{self, Write as _};
use std::process::ExitCode;

pub use answer::{Failure, gather, refusal, show};
pub use colour::Colour;
pub use grammar::{Command, Options, Question, TrapTable, Usage, parse};

/// How the program ends; scripts rely on the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; `explain`: in the chip, or rightly not.
    Ok = 0,
    /// The command line is not understood.
    Usage = 1,
    /// The daemon, the kernel or the chip refused.
    Refused = 2,
    /// Differences were found, or the object should be in the chip and is not.
    Differs = 3,
    /// The daemon can't be reached.
    Unreachable = 4,
    /// What was waited for did not come in time.
    TimedOut = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Runs the program with these arguments (without its own name).
pub fn run(arguments: impl IntoIterator<Item = String>) -> Exit {
    let arguments: Vec<String> = arguments.into_iter().collect();
    match parse(&arguments) {
        Ok(Command::Help(topic)) => {
            print(help::of(topic));
            Exit::Ok
        }
        Ok(Command::Version) => {
            print(concat!("firsthop ", env!("CARGO_PKG_VERSION"), "\n"));
            Exit::Ok
        }
        Ok(Command::Ask(options, question)) => answer::answer(&options, &question),
        Err(Usage(line)) => {
            complain(&line);
            Exit::Usage
        }
    }
}

/// Writes to stdout. Nobody reading it is no error: `firsthop vmac | head -1`.
fn print(text: &str) {
    let mut out = io::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
}

/// Writes a line to stderr, in one system call: what others write there too does not come in between.
fn complain(line: &str) {
    io::stderr().write_all(format!("firsthop: {line}\n").as_bytes()).ok();
}
