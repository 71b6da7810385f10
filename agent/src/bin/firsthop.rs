//! The client; see `firsthop::client`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    firsthop::client::run(arguments).into()
}
