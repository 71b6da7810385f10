//! Do our registers have the bytes that the driver gives them?
//!
//! In: a file of vectors, one JSON object a line (`vectors/README.md`). Out: a line per mismatch, and
//! `N passed, M failed` at the end. Exit code 0 if all passed, 1 if some failed, 2 if the file cannot be read.

use std::process::ExitCode;

mod build;
mod check;
mod fields;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(path), None) = (arguments.next(), arguments.next()) else {
        eprintln!("Usage: check-vectors FILE.jsonl");
        return ExitCode::from(2);
    };
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            eprintln!("Cannot read {}: {error}", path.display());
            return ExitCode::from(2);
        }
    };
    let (mut passed, mut failed) = (0, 0);
    // What is not UTF-8 is no JSON either, and fails as that line.
    for (number, line) in (1..).zip(String::from_utf8_lossy(&bytes).lines()) {
        if line.trim().is_empty() {
            continue;
        }
        match check::line(line) {
            Ok(()) => passed += 1,
            Err(problem) => {
                failed += 1;
                println!("line {number}: {problem}");
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests;
