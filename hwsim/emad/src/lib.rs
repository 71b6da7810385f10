//! EMAD: how a Spectrum-like switch chip is spoken to. Which bytes say "write this register", and which bits of a
//! register hold which field?
//!
//! In: register structs ([`register`]) or bytes. Out: bytes or structs. Nothing here opens a socket, reads a clock
//! or keeps state; the same code serves the agent, which asks, and the simulated chip, which answers.
//!
//! ```text
//!  byte 0         6         12     14   15 16
//!      ┌─────────┬─────────┬──────┬────┬──┬─────────────────────────────────────────────┐
//!      │  DMAC   │  SMAC   │ 8932 │ 00 │00│ TLVs, each a multiple of four bytes …       │ (padding)
//!      └─────────┴─────────┴──────┴────┴──┴─────────────────────────────────────────────┘
//!       01:02:c9:  00:02:c9:       prot. ver.
//!       00:00:01   01:02:03
//!
//!      ┌──────────────────┬─ ─ ─ ─ ─ ─ ─ ─ ─┬─────────────────────────┬───────────────┐
//!      │ OP      4 dwords │ STRING 33 dwords│ REG  1 + payload dwords │ END   1 dword │
//!      └──────────────────┴─ ─ ─ ─ ─ ─ ─ ─ ─┴─────────────────────────┴───────────────┘
//!        which register,    why the chip       the register itself,
//!        method, status,    refused (answers   `Layout::LEN` bytes
//!        transaction id     only, optional)
//!
//!      first dword of every TLV:  [31:27] type   [26:16] length in dwords, this one included
//!      OP   dword 0:  [15] direct route   [14:8] status
//!           dword 1:  [31:16] register id   [15] response   [14:8] method   [7:0] class (1)
//!           dword 2, 3:  transaction id
//! ```
//!
//! ```
//! use emad::{Frame, Layout, Mac, Method, register::{Sfd, SfdOp, SfdRecord}};
//!
//! let mac: Mac = "00:00:5e:00:01:0a".parse()?;
//! let write = Sfd::new(SfdOp::WRITE_EDIT, vec![SfdRecord::router(mac, 4096)]);
//! let bytes = Frame::request(Method::Write, 1, &write).encode();
//! let frame = Frame::decode(&bytes)?;
//! assert_eq!(Sfd::decode(frame.payload())?, write);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Sources: the Linux driver `drivers/net/ethernet/mellanox/mlxsw` (`emad.h`, `core.c`, `item.h`, `reg.h`, as of
//! Linux 6.12), whose packing functions made the known-good encodings in `vectors/`.
#![forbid(unsafe_code)]

pub mod bits;
mod field;
pub mod frame;
mod layout;
mod mac;
pub mod register;

pub use frame::{Frame, FrameError, Method, Operation, Payload, Status};
pub use layout::{DecodeError, Layout};
pub use mac::{Mac, MacParseError};
pub use register::Register;
