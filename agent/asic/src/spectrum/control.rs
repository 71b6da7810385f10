//! What else does the chip's socket understand? JSON requests: who it is, how large it is, which ports it has.
//!
//! ```text
//!   {"request":"hello"}  ─▶  {"ok":true, "chip_id":"0", …}   or   {"ok":false, "error":"…"}
//!   a long answer        ─▶  {"part":1,"parts":3,"text":"{\"ok\":tr"}  {"part":2, …}  …
//! ```
//!
//! Answers come in the order of requests and have no number of their own, so that they are counted.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::AsicError;

/// The members of an answer.
pub type Members = Map<String, Value>;

/// The longest answer that is put together, bytes.
const LONGEST: usize = 64 << 20;

/// Requests under way.
#[derive(Debug, Default)]
pub struct Control {
    asked: u64,
    answered: u64,
    /// The latest request's answer. Of older ones nobody waits any more.
    answer: Option<Vec<u8>>,
    parts: String,
    part: u64,
}

#[derive(Debug, Deserialize)]
struct Part {
    part: u64,
    parts: u64,
    text: String,
}

impl Control {
    /// The datagram of a request. It replaces the one before, if that is not answered.
    pub fn ask(&mut self, request: &'static str) -> Vec<u8> {
        self.asked += 1;
        self.answer = None;
        serde_json::json!({ "request": request }).to_string().into_bytes()
    }

    /// Whether a datagram is a document.
    pub fn is_document(datagram: &[u8]) -> bool {
        datagram.first() == Some(&b'{')
    }

    /// Takes a document, or a part of one.
    pub fn take(&mut self, datagram: &[u8]) {
        let document = match serde_json::from_slice::<Part>(datagram) {
            Ok(part) => {
                if part.part == 1 {
                    self.parts.clear();
                    self.part = 0;
                }
                self.part += 1;
                if self.part == part.part && self.parts.len() + part.text.len() <= LONGEST {
                    self.parts.push_str(&part.text);
                }
                if part.part < part.parts {
                    return;
                }
                std::mem::take(&mut self.parts).into_bytes()
            }
            Err(_) => datagram.to_vec(),
        };
        self.answered += 1;
        if self.answered == self.asked {
            self.answer = Some(document);
        }
    }

    /// The answer to the latest request, once it is there.
    pub fn poll(&mut self, request: &'static str) -> Option<Result<Members, AsicError>> {
        let document = self.answer.take()?;
        let failed = |reason: String| AsicError::Control { request, reason };
        Some(match serde_json::from_slice::<Members>(&document) {
            Err(error) => Err(failed(error.to_string())),
            Ok(members) if members.get("ok") == Some(&Value::Bool(true)) => Ok(members),
            Ok(members) => Err(failed(match members.get("error") {
                Some(Value::String(error)) => error.clone(),
                _ => "it was refused without a reason".to_owned(),
            })),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(part: u64, parts: u64, text: &str) -> Vec<u8> {
        serde_json::json!({ "part": part, "parts": parts, "text": text }).to_string().into_bytes()
    }

    // Broken if the ports of a large chip, whose list comes in parts, could not be read.
    #[test]
    fn parts_make_a_document() {
        let mut control = Control::default();
        assert_eq!(control.ask("ports"), br#"{"request":"ports"}"#);
        control.take(&part(1, 2, r#"{"ok":true,"#));
        assert_eq!(control.poll("ports"), None);
        control.take(&part(2, 2, r#""ports":[]}"#));
        let members = control.poll("ports").unwrap().unwrap();
        assert_eq!(members["ports"], Value::Array(vec![]));
        assert_eq!(control.poll("ports"), None);
    }

    // Broken if an answer that came too late were taken for the answer to the next request.
    #[test]
    fn late_answer_is_not_mixed_up() {
        let mut control = Control::default();
        control.ask("hello");
        control.ask("ports");
        control.take(br#"{"ok":true,"chip_id":"0"}"#);
        assert_eq!(control.poll("ports"), None);
        control.take(br#"{"ok":false,"error":"no ports"}"#);
        let error = control.poll("ports").unwrap().unwrap_err();
        assert_eq!(error, AsicError::Control { request: "ports", reason: "no ports".to_owned() });
    }

    // Broken if a lost part gave a document with a hole that still parses.
    #[test]
    fn missing_part_is_an_error() {
        let mut control = Control::default();
        control.ask("ports");
        control.take(&part(1, 3, r#"{"ok":true"#));
        control.take(&part(3, 3, "}"));
        assert!(control.poll("ports").unwrap().is_err());
    }
}
