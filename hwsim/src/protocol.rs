//! What travels on the socket: which datagram is what, and how long documents are cut.
//!
//! ```text
//! bytes 12, 13 = 89 32 ─▶ an EMAD frame      first byte '{' ─▶ a JSON document      else: refused
//! ```
//! `docs/hwsim-protocol.md` is the specification. The paths of sockets are in [`path`].

use serde::{Deserialize, Serialize};

pub mod path;

/// The longest datagram that a peer must be ready to take, bytes.
pub const MAX_DATAGRAM: usize = 64 << 10;

/// A document longer than this goes out in parts.
const WHOLE: usize = 60 << 10;

/// Bytes of a document in one part; quoting at most doubles them.
const SLICE: usize = 28 << 10;

/// What a datagram is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datagram<'a> {
    /// An EMAD frame, as far as its EtherType tells.
    Emad(&'a [u8]),
    /// A JSON document, as far as its first byte tells.
    Json(&'a [u8]),
    /// Neither.
    Unknown,
}

impl Datagram<'_> {
    /// Tells the kinds apart.
    pub fn of(bytes: &[u8]) -> Datagram<'_> {
        if bytes.get(12..14) == Some(&[0x89, 0x32]) {
            Datagram::Emad(bytes)
        } else if bytes.first() == Some(&b'{') {
            Datagram::Json(bytes)
        } else {
            Datagram::Unknown
        }
    }
}

/// One part of a document that is too long for one datagram.
#[derive(Debug, Serialize, Deserialize)]
struct Part {
    part: usize,
    parts: usize,
    text: String,
}

/// The datagrams that carry a document, in order.
pub fn datagrams(document: String) -> Vec<Vec<u8>> {
    if document.len() <= WHOLE {
        return vec![document.into_bytes()];
    }
    let mut slices = Vec::new();
    let mut rest = document.as_str();
    while !rest.is_empty() {
        let mut end = rest.len().min(SLICE);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (slice, after) = rest.split_at(end);
        slices.push(slice);
        rest = after;
    }
    let parts = slices.len();
    let datagram = |(at, text): (usize, &str)| {
        let part = Part { part: at + 1, parts, text: text.to_owned() };
        serde_json::to_vec(&part).expect("numbers and text have no failure")
    };
    slices.into_iter().enumerate().map(datagram).collect()
}

/// Puts the parts of a document together again.
#[derive(Debug, Default)]
pub struct Assembly {
    text: String,
    next: usize,
}

impl Assembly {
    /// Takes a datagram; the whole document once it is complete.
    ///
    /// # Errors
    /// What is wrong, when the datagram is no document and not the next part of one.
    pub fn take(&mut self, datagram: &[u8]) -> Result<Option<serde_json::Value>, String> {
        let value: serde_json::Value =
            serde_json::from_slice(datagram).map_err(|error| error.to_string())?;
        if value.get("parts").is_none() {
            return Ok(Some(value));
        }
        let part: Part = serde_json::from_value(value).map_err(|error| error.to_string())?;
        if part.part != self.next + 1 || part.part > part.parts {
            return Err(format!("part {} of {} after {}", part.part, part.parts, self.next));
        }
        self.text.push_str(&part.text);
        self.next = part.part;
        if part.part < part.parts {
            return Ok(None);
        }
        serde_json::from_str(&self.text).map(Some).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Fails if a long document does not survive its way over the socket, or a part of it is
    // longer than a peer takes.
    #[test]
    fn a_long_document_travels_in_parts() {
        let text = "\"\\é".repeat(60_000);
        let document = serde_json::json!({ "ok": true, "text": text });
        let datagrams = datagrams(document.to_string());
        assert!(datagrams.len() > 3);
        let mut assembly = Assembly::default();
        let mut whole = None;
        for datagram in &datagrams {
            assert!(datagram.len() <= MAX_DATAGRAM, "{}", datagram.len());
            assert!(whole.is_none());
            whole = assembly.take(datagram).unwrap();
        }
        assert_eq!(whole, Some(document));
    }

    // Fails if a client takes a part that is out of order for the whole.
    #[test]
    fn a_missing_part_is_noticed() {
        let datagrams = datagrams("\"".to_owned() + &"x".repeat(200_000) + "\"");
        let mut assembly = Assembly::default();
        assert_eq!(assembly.take(&datagrams[0]), Ok(None));
        assert!(assembly.take(&datagrams[2]).is_err());
    }

    // Fails if a frame is taken for a document or the reverse.
    #[test]
    fn kinds_are_told_apart() {
        let mut emad = [0; 16];
        emad[12..14].copy_from_slice(&[0x89, 0x32]);
        assert_eq!(Datagram::of(&emad), Datagram::Emad(&emad));
        assert_eq!(Datagram::of(&emad[..13]), Datagram::Unknown);
        assert_eq!(Datagram::of(b"{}"), Datagram::Json(b"{}"));
        assert_eq!(Datagram::of(b""), Datagram::Unknown);
    }
}
