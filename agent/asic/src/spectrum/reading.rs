//! What does the chip hold? A set of questions, and the picture that the answers make.
//!
//! ```text
//!   router interfaces  ─ RITR of every index ─────────▶ tables, or foreign
//!   router MACs        ─ SFD list, page after page ───▶ tables
//!   keys asked for     ─ one query each, if readable ─▶ tables, foreign, failed; else unreadable
//! ```

use std::collections::{BTreeMap, BTreeSet};

use emad::{DecodeError, Layout as _, Register, register::Sfd};
use firsthop_model::chip::{Key, RifIndex};

use super::registers::{self, Dialect, Row};
use super::session::{QueryId, Session};
use crate::error::{AsicError, Subject, Transaction};
use crate::{ReadBack, Readability, readability};

/// A read-back under way.
#[derive(Debug)]
pub struct Reading {
    questions: BTreeMap<QueryId, Question>,
    /// Where pages of the list started; each place once, else the list has no end.
    pages: BTreeSet<u32>,
    found: ReadBack,
}

#[derive(Debug)]
enum Question {
    /// The rows that the answer tells of.
    Rows(Vec<Key>),
    /// A page of the list of router MACs.
    Page,
}

impl Reading {
    /// Asks for `keys`, and with `enumerate` (the number of router interfaces that the chip has room for) for all router
    /// interfaces and router MACs.
    pub fn start(session: &mut Session, enumerate: Option<u16>, keys: &[Key]) -> Self {
        let mut reading =
            Self { questions: BTreeMap::new(), pages: BTreeSet::new(), found: ReadBack::default() };
        let mut wanted: BTreeSet<Key> = keys.iter().map(asked_by).collect();
        if let Some(rifs) = enumerate {
            wanted.retain(|key| readability(key) != Readability::Enumerable);
            wanted.extend((0..rifs).map(|rif| Key::Rif(RifIndex(rif))));
            reading.turn_page(session, 0);
        }
        for key in wanted {
            reading.ask(session, key);
        }
        reading
    }

    /// Takes an answer; one to a question of somebody else is ignored.
    ///
    /// # Errors
    /// The chip did not answer, so that the picture would have holes.
    pub fn take(
        &mut self,
        session: &mut Session,
        id: QueryId,
        answer: Result<Register, AsicError>,
    ) -> Result<(), AsicError> {
        match self.questions.remove(&id) {
            Some(Question::Rows(keys)) => {
                for key in keys {
                    self.note(key, answer.clone(), session.dialect())?;
                }
            }
            Some(Question::Page) => {
                let (macs, next) = registers::router_macs(&answer?);
                self.found.tables.extend(macs.into_iter().map(|entry| (entry.key(), entry)));
                if let Some(locator) = next {
                    if self.pages.contains(&locator) {
                        return Err(endless(locator));
                    }
                    self.turn_page(session, locator);
                }
            }
            None => {}
        }
        Ok(())
    }

    /// The picture, once every question is answered.
    pub fn poll(&mut self) -> Option<ReadBack> {
        self.questions.is_empty().then(|| std::mem::take(&mut self.found))
    }

    fn ask(&mut self, session: &mut Session, key: Key) {
        let Some(register) = registers::query(&key) else {
            self.found.unreadable.insert(key);
            return;
        };
        let id = session.query(Subject::Read(key.clone()), register);
        let rows = match key {
            // One register entry tells of both.
            Key::Fid(fid) => vec![key, Key::FidRif(fid)],
            key => vec![key],
        };
        self.questions.insert(id, Question::Rows(rows));
    }

    fn turn_page(&mut self, session: &mut Session, locator: u32) {
        self.pages.insert(locator);
        let id = session.query(Subject::Dump, registers::query_router_macs(locator));
        self.questions.insert(id, Question::Page);
    }

    fn note(
        &mut self,
        key: Key,
        answer: Result<Register, AsicError>,
        dialect: &Dialect,
    ) -> Result<(), AsicError> {
        match registers::row(&key, answer, dialect) {
            Ok(Row::Empty) => {}
            Ok(Row::Holds(entry)) => {
                self.found.tables.insert(key, entry);
            }
            Ok(Row::Foreign) => {
                self.found.foreign.insert(key);
            }
            Err(error @ (AsicError::Refused { .. } | AsicError::Answer { .. })) => {
                self.found.failed.insert(key, error);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// The row whose query tells of this row, too.
fn asked_by(key: &Key) -> Key {
    match key {
        Key::FidRif(fid) => Key::Fid(*fid),
        key => key.clone(),
    }
}

/// The list of router MACs went back to a place where it was before.
fn endless(locator: u32) -> AsicError {
    let (register, field) = (Sfd::NAME, "record_locator");
    AsicError::Answer {
        transaction: Box::new(Transaction { register, tid: 0, subject: Subject::Dump }),
        source: DecodeError::UnknownValue { register, field, value: locator },
    }
}
