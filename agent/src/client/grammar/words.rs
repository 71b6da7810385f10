//! The words of a command line, one after the other, each by an unambiguous prefix.

use std::net::IpAddr;
use std::path::PathBuf;

use super::Usage;

/// The words that are left.
pub(super) struct Words<'a> {
    pub(super) rest: &'a [String],
    /// The file of `--emad-pcap`, which may stand on either side of the object.
    pub(super) recording: Option<PathBuf>,
}

impl<'a> Words<'a> {
    pub(super) fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// Leaves out this word if it comes next, and something follows.
    pub(super) fn skip(&mut self, word: &str) -> bool {
        let is_next = self.rest.first().is_some_and(|next| next == word) && self.rest.len() > 1;
        if is_next {
            self.rest = &self.rest[1..];
        }
        is_next
    }

    /// `--emad-pcap FILE` after the object and its verb, at the end.
    pub(super) fn recording_after(&mut self) -> Result<(), Usage> {
        const NAME: &str = "--emad-pcap";
        let Some(at) = self.rest.iter().position(|word| word.starts_with(NAME)) else {
            return Ok(());
        };
        let (before, option) = self.rest.split_at(at);
        let file = match option {
            [word, file] if word == NAME => Some(file.as_str()),
            [word] => word.strip_prefix(NAME).and_then(|rest| rest.strip_prefix('=')),
            _ => None,
        };
        let file =
            file.ok_or_else(|| Usage(format!("`diff {NAME} FILE`: one file, at the end")))?;
        self.rest = before;
        self.recording = Some(file.into());
        Ok(())
    }

    /// The verb, if the next word is no selector, no handle, no address and no prefix. There is one verb so far.
    pub(super) fn verb(&mut self) -> Result<(), Usage> {
        const SELECTORS: &[&str] =
            &["dev", "lower", "vrid", "trap", "group", "policer", "table", "vrf", "default"];
        let is_value = |word: &str| word.contains('/') || word.parse::<IpAddr>().is_ok();
        match self.rest.first() {
            Some(word) if !SELECTORS.contains(&word.as_str()) && !is_value(word) => {
                let word = word.clone();
                self.rest = &self.rest[1..];
                keyword("verb", &word, &["show", "list"]).map(drop)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn argument(&mut self, name: &str, what: &str) -> Result<String, Usage> {
        let word = self.next();
        word.map(str::to_owned).ok_or_else(|| Usage(format!("`{name}` needs {what}")))
    }
}

/// The entry that a word means: the one of that name, or the only one that begins so.
pub(super) fn pick<T: Copy>(
    what: &str,
    word: &str,
    among: &[(&'static str, T)],
) -> Result<T, Usage> {
    if let Some((_, exact)) = among.iter().find(|(name, _)| *name == word) {
        return Ok(*exact);
    }
    let fitting: Vec<_> = among.iter().filter(|(name, _)| name.starts_with(word)).collect();
    let names = |list: &[&(&'static str, T)]| {
        list.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    };
    match fitting.as_slice() {
        [(_, only)] => Ok(*only),
        [] => {
            let all = names(&among.iter().collect::<Vec<_>>());
            Err(Usage(format!("The {what} '{word}' is unknown; there are: {all}")))
        }
        several => {
            let several = names(several);
            Err(Usage(format!("The {what} '{word}' is ambiguous: {several}")))
        }
    }
}

pub(super) fn keyword(
    what: &str,
    word: &str,
    known: &[&'static str],
) -> Result<&'static str, Usage> {
    let among: Vec<_> = known.iter().map(|name| (*name, *name)).collect();
    pick(what, word, &among)
}

pub(super) fn unexpected(word: &str) -> Usage {
    Usage(format!("'{word}' is not expected here; try `firsthop help`"))
}
