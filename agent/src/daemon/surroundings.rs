//! What `doctor` looks at outside the agent: files, as the daemon's sandbox shows them, and what the kernel answers in passing.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;

use firsthop_model::IfIndex;
use firsthop_netlink::{Hearing, has_kind, netns_name, promiscuity};

use super::observer::Observer;
use crate::views::Surroundings;

/// This process and its kernel.
#[derive(Debug)]
pub(super) struct Here<'a>(pub(super) &'a Observer);

impl Surroundings for Here<'_> {
    fn file(&self, path: &str) -> Result<String, ErrorKind> {
        let text = fs::read_to_string(path).map_err(|error| error.kind())?;
        Ok(text.trim().to_owned())
    }

    fn has_kind(&self, kind: &str) -> Option<bool> {
        has_kind(kind)
    }

    fn promiscuity(&self) -> Option<BTreeMap<IfIndex, u32>> {
        promiscuity()
    }

    fn hearing(&self) -> Vec<Hearing> {
        self.0.hearing()
    }

    fn netns(&self) -> Option<String> {
        netns_name()
    }
}
