//! The command line of `firsthopd`.

use std::path::PathBuf;

use clap::{ArgAction, Parser};

/// Keeps first-hop redundancy in switch hardware: watches links and addresses, and makes the switch chip accept and route
/// frames to every router MAC.
#[derive(Debug, Parser)]
#[command(name = "firsthopd", version)]
pub(super) struct Options {
    /// Configuration file instead of /etc/firsthop/firsthop.toml and conf.d/*.toml
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Only check the configuration; exit code 1 if it is not valid
    #[arg(long)]
    pub(super) check_config: bool,
    /// Never write to the chip; `firsthop diff` shows what would be written
    #[arg(long)]
    pub(super) observe: bool,
    /// Socket of the simulated chip
    #[arg(long, value_name = "SOCKET")]
    pub(super) hwsim: Option<PathBuf>,
    /// Socket to listen on
    #[arg(long, value_name = "PATH")]
    pub(super) socket: Option<PathBuf>,
    /// Write down all that is decided upon, and what is decided: the chip's writes can be had again by --replay
    #[arg(long, value_name = "FILE")]
    pub(super) record: Option<PathBuf>,
    /// Only decide again upon what --record wrote down; exit code 3 if something else comes out
    #[arg(long, value_name = "FILE")]
    pub(super) replay: Option<PathBuf>,
    /// Log more; twice: even more (RUST_LOG says it in detail)
    #[arg(short, action = ArgAction::Count)]
    pub(super) verbose: u8,
}
