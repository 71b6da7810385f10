//! What must a chip hold, by a recording of its register traffic? A capture of EMAD frames, read without any chip.
//!
//! ```text
//!   file ─ pcap ─▶ frames ─ exchange ─▶ writes that were executed, ─┬─ state ─▶ Tables   as `hwsim dump -j` has them
//!                                       answers to queries          └─ ledger ─▶ Rows    as a read-back has them
//!                                              └─ fdb: the forwarding database, which changes by itself, too
//! ```
//!
//! * A write counts when the chip said that it was done; one without an answer is named, and changes nothing here until a query
//!   shows what became of it.
//! * What a query shows is believed: an answer that has more than the writes before it means that the recording begins late.
//! * A recording is *whole* when it shows how the router was switched on (RGCR) and no answer tells of anything before. Of
//!   another one, what it does not mention is not known.
//! * A reset of the chip is no frame. It shows when a router interface that was never deleted is free: everything is empty again.

use emad::{Layout as _, Register, register::Ritr};
use firsthop_model::Mac;
use firsthop_model::chip::{Entry, Fid, Key};
use serde::Serialize;
use thiserror::Error;

use super::registers::{self, Row};

mod exchange;
mod fdb;
mod ledger;
mod pcap;
mod state;
mod tables;
#[cfg(test)]
mod tests;
mod traps;

use exchange::{Exchanges, Heard};
use ledger::Ledger;
pub use ledger::{Rows, is_at_rest};
use state::State;
pub use tables::{
    TableAdjacency, TableFid, TableGroup, TableLag, TableMapping, TableNeighbour, TablePolicer,
    TableRecord, TableRif, TableRoute, TableTrap, Tables,
};

/// Why a file is no recording.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordingError {
    /// It ends before its first record could begin.
    #[error("The file has {bytes} bytes, which is less than the head of a pcap file (24)")]
    Short {
        /// Bytes there are.
        bytes: usize,
    },
    /// The newer format.
    #[error(
        "The file is pcapng, not classic pcap; `editcap -F nsecpcap IN OUT` or `tshark -r IN -w OUT -F nsecpcap` converts it"
    )]
    PcapNg,
    /// Something else.
    #[error("The file is not a pcap file: it begins with 0x{magic:08x}")]
    NotPcap {
        /// Its first four bytes.
        magic: u32,
    },
    /// Its frames are not Ethernet.
    #[error("The file's link type is {0}, not Ethernet (1)")]
    LinkType(u32),
    /// A record that can't be.
    #[error("The file is damaged: record {record} at byte {offset} claims to have {length} bytes")]
    Damaged {
        /// Its number from 1.
        record: usize,
        /// Where its head begins.
        offset: usize,
        /// What it claims.
        length: usize,
    },
    /// It is about something else.
    #[error("None of the file's {frames} frames is register access (EMAD, EtherType 0x8932)")]
    NoEmad {
        /// Frames there are.
        frames: u64,
    },
}

/// What was in the file. Requests are counted once each, however many copies there are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// Frames
    pub frames: u64,
    /// Requests that read.
    pub queries: u64,
    /// Requests that write.
    pub writes: u64,
    /// Writes that the chip executed.
    pub acknowledged: u64,
    /// Writes that the chip refused.
    pub refused: u64,
    /// Writes of unknown outcome, by register and transaction: nothing came back, or fewer records were done than sent.
    pub unanswered: Vec<String>,
    /// Further copies of requests.
    pub repeated: u64,
    /// Answers to no request in the file.
    pub strays: u64,
    /// Accesses to registers that Firsthop does not know.
    pub unknown: u64,
    /// Frames that are something else.
    pub other: u64,
    /// EMAD frames that can't be understood.
    pub malformed: u64,
    /// Bytes of a record that the file has only the beginning of.
    pub truncated: usize,
    /// Resets of the chip.
    pub resets: u64,
    /// The recording begins with an empty chip.
    pub whole: bool,
}

impl Summary {
    /// What a reader has to know to judge the tables, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.whole {
            notes.push(
                "The recording begins after the chip was set up: what it does not mention is not known".to_owned(),
            );
        }
        if self.truncated > 0 {
            let rest = self.truncated;
            notes.push(format!(
                "The file ends within a record; its last {rest} bytes were left out"
            ));
        }
        if self.resets > 0 {
            notes.push("The chip was reset while it was recorded".to_owned());
        }
        if let Some(first) = self.unanswered.first() {
            let count = self.unanswered.len();
            notes.push(format!("{count} writes have an unknown outcome, the first: {first}"));
        }
        if self.malformed > 0 {
            let count = self.malformed;
            notes.push(format!("{count} EMAD frames can't be understood and were left out"));
        }
        notes
    }
}

/// A recording, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// What was in the file.
    pub summary: Summary,
    /// The chip's tables at its end.
    pub tables: Tables,
    /// The same as rows.
    pub rows: Rows,
}

impl Recording {
    /// Reads a capture file.
    ///
    /// # Errors
    /// It is none, or not one of register access. An incomplete last record is no error: its writer may be at work.
    pub fn read(file: &[u8]) -> Result<Self, RecordingError> {
        let found = pcap::frames(file)?;
        let mut reader = Reader::default();
        reader.summary.truncated = found.rest;
        for frame in found.frames {
            reader.take(frame);
        }
        reader.finish()
    }
}

#[derive(Debug, Default)]
struct Reader {
    summary: Summary,
    exchanges: Exchanges,
    state: State,
    ledger: Ledger,
    /// A write of RGCR was executed.
    begun: bool,
    /// A query found what nobody had written.
    late: bool,
}

impl Reader {
    fn take(&mut self, frame: &[u8]) {
        match self.exchanges.take(frame, &mut self.summary) {
            Heard::Nothing => {}
            Heard::Written(asked, answer) => {
                self.begun |= matches!(asked, Register::Rgcr(_));
                self.ledger.write(&asked);
                let doubtful = self.state.write(&asked, &answer);
                if doubtful > 0 {
                    let register = asked.name();
                    self.summary.unanswered.push(format!("{register} ({doubtful} records)"));
                }
            }
            Heard::Read(asked, answer) => {
                // A deletion without an answer explains it as well.
                if self.state.contradicts(&answer) && !self.exchanges.is_open(Ritr::ID) {
                    self.state = State::default();
                    self.ledger = Ledger::default();
                    self.summary.resets += 1;
                }
                let open = self.exchanges.is_open(answer.id());
                let unheard = self.state.read(&asked, &answer) | self.ledger.read(&answer);
                self.late |= unheard && !open;
            }
            Heard::Absent(asked) => {
                self.state.absent(&asked);
                self.ledger.absent(&asked);
            }
        }
    }

    fn finish(mut self) -> Result<Recording, RecordingError> {
        let Summary { frames, other, .. } = self.summary;
        if frames > 0 && frames == other {
            return Err(RecordingError::NoEmad { frames });
        }
        self.exchanges.finish(&mut self.summary);
        let whole = self.begun && !self.late;
        self.summary.whole = whole;
        for (fid, mac) in self.state.fdb.gone() {
            self.ledger.set(Key::RouterMac(Fid(fid), Mac(mac.0)), Row::Empty);
        }
        for record in self.state.fdb.records() {
            if let Some(entry @ Entry::RouterMac { .. }) = registers::router_mac(record) {
                self.ledger.set(entry.key(), Row::Holds(entry));
            }
        }
        let mut tables = Tables::of(&self.state, whole);
        let counted = whole && self.summary.resets == 0;
        tables.writes_total = counted.then_some(self.summary.acknowledged);
        Ok(Recording { summary: self.summary, tables, rows: self.ledger.rows(whole) })
    }
}
