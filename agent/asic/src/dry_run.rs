//! What would be written to a chip that nobody writes to?
//!
//! Acknowledges everything at once and keeps the result, starting from an empty chip. `firsthopd --observe` uses it:
//! [`DryRun::tables`] is what `firsthop diff` shows as not applied.

use std::collections::VecDeque;
use std::future::pending;

use firsthop_model::chip::{Change, Key, Tables};

use crate::{Asic, AsicError, Capabilities, Completion, Event, Notices, ReadBack, Ticket};

/// A chip that takes everything and has no limits.
#[derive(Debug, Clone)]
pub struct DryRun {
    capabilities: Capabilities,
    tables: Tables,
    writes: u64,
    completed: VecDeque<Ticket>,
    /// Somebody asked what was learnt.
    asked: bool,
    /// Answers to the other questions, in their order.
    answers: VecDeque<Event>,
}

impl DryRun {
    /// An empty one that says it can do this. It does not hold anybody to it.
    pub const fn new(capabilities: Capabilities) -> Self {
        Self {
            capabilities,
            tables: Tables::new(),
            writes: 0,
            completed: VecDeque::new(),
            asked: false,
            answers: VecDeque::new(),
        }
    }

    /// What a chip would hold now.
    pub const fn tables(&self) -> &Tables {
        &self.tables
    }

    /// How many changes there were so far.
    pub const fn writes(&self) -> u64 {
        self.writes
    }
}

impl Asic for DryRun {
    fn submit(&mut self, ticket: Ticket, change: Change) {
        self.writes += 1;
        match change {
            Change::Add(entry) | Change::Edit { to: entry, .. } => {
                self.tables.insert(entry.key(), entry);
            }
            Change::Remove(entry) => {
                self.tables.remove(&entry.key());
            }
        }
        self.completed.push_back(ticket);
    }

    /// It learns nothing.
    fn ask_notices(&mut self) {
        self.asked = true;
    }

    fn ask_rows(&mut self, enumerate: bool, keys: Vec<Key>) {
        let rows = self.tables.iter().filter(|(key, _)| enumerate || keys.contains(key));
        let tables = rows.map(|(key, entry)| (key.clone(), entry.clone())).collect();
        self.answers.push_back(Event::Rows(Ok(ReadBack { tables, ..ReadBack::default() })));
    }

    /// No packet passes it.
    fn ask_activity(&mut self) {
        self.answers.push_back(Event::Active(Ok(Vec::new())));
    }

    fn in_flight(&self) -> usize {
        self.completed.len()
    }

    async fn next(&mut self) -> Event {
        if let Some(ticket) = self.completed.pop_front() {
            return Event::Completed(Completion { ticket, result: Ok(()) });
        }
        match self.answers.pop_front() {
            Some(answer) => answer,
            None if std::mem::take(&mut self.asked) => Event::Noticed(Ok(Notices::default())),
            None => pending().await,
        }
    }

    async fn capabilities(&mut self) -> Result<Capabilities, AsicError> {
        Ok(self.capabilities.clone())
    }
}

#[cfg(test)]
mod tests {
    use firsthop_model::chip::{Entry, Fid, RifIndex};

    use super::*;

    // Broken if `diff` under --observe showed something else than what would be written.
    #[tokio::test(flavor = "current_thread")]
    async fn everything_is_acknowledged_and_remembered() {
        let fid = Entry::Fid { fid: Fid(5120) };
        let from = Entry::FidRif { fid: Fid(5120), rif: RifIndex(0) };
        let to = Entry::FidRif { fid: Fid(5120), rif: RifIndex(1) };
        let mut chip = DryRun::new(Capabilities::default());
        for (ticket, change) in [
            Change::Add(fid.clone()),
            Change::Add(from.clone()),
            Change::Edit { from, to: to.clone() },
            Change::Remove(fid.clone()),
        ]
        .into_iter()
        .enumerate()
        {
            chip.submit(Ticket(ticket as u64), change);
        }
        assert_eq!(chip.in_flight(), 4);
        for ticket in 0..4 {
            let expected = Completion { ticket: Ticket(ticket), result: Ok(()) };
            assert_eq!(chip.next().await, Event::Completed(expected));
        }
        assert_eq!((chip.in_flight(), chip.writes()), (0, 4));
        let rows = Tables::from([(to.key(), to)]);
        assert_eq!(chip.tables(), &rows);
        // It learns nothing, but answers.
        chip.ask_notices();
        assert_eq!(chip.next().await, Event::Noticed(Ok(Notices::default())));
        chip.ask_rows(true, Vec::new());
        chip.ask_rows(false, vec![fid.key()]);
        let found = ReadBack { tables: rows, ..ReadBack::default() };
        assert_eq!(chip.next().await, Event::Rows(Ok(found)));
        assert_eq!(chip.next().await, Event::Rows(Ok(ReadBack::default())));
    }
}
