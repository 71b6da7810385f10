//! The daemon; see `firsthop::daemon`.

use std::process::ExitCode;

fn main() -> ExitCode {
    firsthop::daemon::main(std::env::args_os())
}
