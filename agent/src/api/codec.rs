//! Where does one message end and the next begin? Each ends with a zero octet; bytes go in as they come.

use thiserror::Error;

/// The longest message that is taken from any client, bytes.
pub const MAX_CALL: usize = 1 << 20;
/// The same from root and from the daemon's own user: a recording of a large chip has many rows.
pub const MAX_OWN_CALL: usize = 16 << 20;

/// The longest message that is taken from a client; `own` is whether it is root, or the daemon's own user.
pub const fn longest_call(own: bool) -> usize {
    if own { MAX_OWN_CALL } else { MAX_CALL }
}

/// A message that is longer than the limit, or has no end within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("Message is longer than {limit} bytes")]
pub struct Oversized {
    /// The limit in bytes.
    pub limit: usize,
}

/// Cuts a stream of bytes into messages.
#[derive(Debug)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Bytes at the front that have no end of message in them.
    searched: usize,
    limit: usize,
}

impl Decoder {
    /// Takes messages of up to `limit` bytes.
    pub const fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), searched: 0, limit }
    }

    /// Takes bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a message has begun and not ended.
    pub fn is_idle(&self) -> bool {
        self.buffer.is_empty()
    }

    /// More than a message of the limit waits: it is time to take messages before more bytes.
    pub fn is_full(&self) -> bool {
        self.buffer.len() > self.limit
    }

    /// The next complete message, without its end.
    ///
    /// # Errors
    /// It is too long. There is no way back into step: the stream has to be given up.
    pub fn next_message(&mut self) -> Result<Option<Vec<u8>>, Oversized> {
        let end = self.buffer[self.searched..].iter().position(|octet| *octet == 0);
        let length = end.map_or(self.buffer.len(), |end| self.searched + end);
        if length > self.limit {
            return Err(Oversized { limit: self.limit });
        }
        self.searched = length;
        if end.is_none() {
            return Ok(None);
        }
        let rest = self.buffer.split_off(length + 1);
        let mut message = std::mem::replace(&mut self.buffer, rest);
        message.truncate(length);
        self.searched = 0;
        Ok(Some(message))
    }
}

/// The bytes of a message.
pub fn encode(message: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes =
        serde_json::to_vec(message).expect("messages are plain data, and memory takes them");
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // Broken if a message of exactly the limit were refused, or one byte more accepted, with or without its end.
    #[test]
    fn the_limit_is_exact() {
        for (bytes, expected) in [
            (&b"abcd\0"[..], Ok(Some(b"abcd".to_vec()))),
            (b"abcd", Ok(None)),
            (b"abcde\0", Err(Oversized { limit: 4 })),
            (b"abcde", Err(Oversized { limit: 4 })),
            (b"\0", Ok(Some(vec![]))),
            (b"", Ok(None)),
        ] {
            let mut decoder = Decoder::new(4);
            decoder.push(bytes);
            assert_eq!(decoder.next_message(), expected, "{bytes:?}");
        }
    }

    proptest! {
        // Broken if what comes out depended on how the stream was cut into reads.
        #[test]
        fn cuts_do_not_matter(messages in proptest::collection::vec("[a-z]{0,9}", 0..6), step in 1_usize..7) {
            let stream: Vec<u8> = messages.iter().flat_map(|m| [m.as_bytes(), &[0]].concat()).collect();
            let mut decoder = Decoder::new(16);
            let mut found = Vec::new();
            for piece in stream.chunks(step) {
                decoder.push(piece);
                while let Some(message) = decoder.next_message().unwrap() {
                    found.push(String::from_utf8(message).unwrap());
                }
            }
            prop_assert_eq!(found, messages);
            prop_assert!(decoder.is_idle());
        }
    }
}
