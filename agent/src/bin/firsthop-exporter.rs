//! The exporter; see `firsthop::exporter`.

use std::process::ExitCode;

fn main() -> ExitCode {
    firsthop::exporter::main(std::env::args_os())
}
