//! The simulated switch chip: the chip itself (`chip`, pure), the packets that it reads, and the program around it.

pub mod chip;
pub mod cli;
pub mod client;
pub mod control;
pub mod error;
pub mod packet;
pub mod port;
pub mod program;
pub mod protocol;
pub mod record;
pub mod server;
