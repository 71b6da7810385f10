//! How many packets did the chip send up? Asked on a connection of its own, so that no register access waits for it.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::Path;

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, send, setsockopt, socket,
    sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike as _};
use serde::Deserialize;
use serde_json::Value;

use crate::views::Counters;

/// The longest datagram of the chip, bytes.
const LONGEST: usize = 128 << 10;
/// How long the chip may take, seconds.
const PATIENCE: i64 = 2;

/// The chip's counters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ChipCounters {
    /// By trap.
    pub(super) traps: BTreeMap<String, Counters>,
    /// Packets that policers stopped, by number.
    pub(super) policers: BTreeMap<u32, u64>,
}

/// A document that is too long for one datagram comes in parts.
#[derive(Deserialize)]
struct Part {
    part: u64,
    parts: u64,
    text: String,
}

/// The counters of all traps and policers. Blocks: to be called on a thread for that.
pub(super) fn fetch(path: &Path) -> io::Result<ChipCounters> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::seconds(PATIENCE))?;
    setsockopt(&socket, sockopt::SendTimeout, &TimeVal::seconds(PATIENCE))?;
    connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    send(socket.as_raw_fd(), br#"{"request":"counters"}"#, MsgFlags::MSG_NOSIGNAL)?;
    let mut buffer = vec![0; LONGEST];
    let mut document = String::new();
    loop {
        let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        let datagram = &buffer[..length];
        let Ok(part) = serde_json::from_slice::<Part>(datagram) else {
            return read(datagram);
        };
        document.push_str(&part.text);
        if part.part >= part.parts {
            return read(document.as_bytes());
        }
    }
}

fn read(document: &[u8]) -> io::Result<ChipCounters> {
    let document: Value = serde_json::from_slice(document)?;
    let Some(Value::Object(traps)) = document.get("traps") else {
        let reason = document.get("error").and_then(Value::as_str);
        let reason = reason.unwrap_or("The chip's answer has no counters of traps");
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    };
    let number = |row: &Value, name: &str| row.get(name).and_then(Value::as_u64);
    let counters = |row: &Value| Counters {
        packets: number(row, "packets"),
        bytes: number(row, "bytes"),
        dropped: number(row, "policed"),
    };
    let traps = traps.iter().map(|(name, row)| (name.clone(), counters(row))).collect();
    let policers = document.get("policers").and_then(Value::as_object).into_iter().flatten();
    let dropped = |(id, row): (&String, &Value)| Some((id.parse().ok()?, number(row, "dropped")?));
    Ok(ChipCounters { traps, policers: policers.filter_map(dropped).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Broken if counters were mixed up, or a refusal looked like zero packets.
    #[test]
    fn the_chips_answer_is_read() {
        let document =
            br#"{"ok":true,"traps":{"ipv4_vrrp":{"packets":3,"bytes":180,"policed":7}},"policers":{"11":{"dropped":7}}}"#;
        let vrrp = Counters { packets: Some(3), bytes: Some(180), dropped: Some(7) };
        let traps = [("ipv4_vrrp".to_owned(), vrrp)].into();
        assert_eq!(read(document).unwrap(), ChipCounters { traps, policers: [(11, 7)].into() });
        let refusal = read(br#"{"ok":false,"error":"Unknown request"}"#).unwrap_err();
        assert_eq!(refusal.to_string(), "Unknown request");
        assert!(read(b"[]").is_err());
        assert!(read(b"").is_err());
    }
}
