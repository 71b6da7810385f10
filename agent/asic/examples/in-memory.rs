//! A back end from nothing: a chip that lives in a few maps, spoken to by the functions that its vendor's library might have.
//!
//! ```text
//!   Change ──translate──▶ Library::set, Library::unset ──▶ 0, or the vendor's error ──▶ AsicError
//! ```
//!
//! docs/back-ends.md goes through it. `cargo run -p firsthop-asic --example in-memory` lets it show what it holds.

use std::collections::{BTreeMap, VecDeque};

use firsthop_asic::{
    Asic, AsicError, Capabilities, Completion, Event, Notices, Port, ReadBack, Subject, Ticket,
    Transaction, contract,
};
use firsthop_model::chip::{Change, Entry, Fid, Key};
use firsthop_model::{LocalPort, Mac};

/// The vendor's library: a table of MACs with room for so many, and what else it is told.
struct Library {
    macs: BTreeMap<(Fid, Mac), Entry>,
    room: usize,
    others: BTreeMap<Key, Entry>,
}

/// The vendor's errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum VendorError {
    TableFull,
    NoSuchObject,
}

impl Library {
    fn set(&mut self, entry: Entry) -> Result<(), VendorError> {
        match entry.key() {
            Key::RouterMac(fid, mac) => {
                if !self.others.contains_key(&Key::Fid(fid)) {
                    return Err(VendorError::NoSuchObject);
                }
                if self.macs.len() == self.room && !self.macs.contains_key(&(fid, mac)) {
                    return Err(VendorError::TableFull);
                }
                self.macs.insert((fid, mac), entry);
            }
            key => _ = self.others.insert(key, entry),
        }
        Ok(())
    }

    /// Says whether it was there.
    fn unset(&mut self, key: &Key) -> bool {
        match key {
            Key::RouterMac(fid, mac) => self.macs.remove(&(*fid, *mac)).is_some(),
            key => self.others.remove(key).is_some(),
        }
    }

    fn get(&self, key: &Key) -> Option<&Entry> {
        match key {
            Key::RouterMac(fid, mac) => self.macs.get(&(*fid, *mac)),
            key => self.others.get(key),
        }
    }
}

/// The back end.
struct InMemory {
    library: Library,
    done: VecDeque<Completion>,
    answers: VecDeque<Event>,
    /// A question for notices waits.
    noticing: bool,
}

impl InMemory {
    fn new(room: usize) -> Self {
        let library = Library { macs: BTreeMap::new(), room, others: BTreeMap::new() };
        Self { library, done: VecDeque::new(), answers: VecDeque::new(), noticing: false }
    }

    fn write(&mut self, change: Change) -> Result<(), AsicError> {
        let outcome = match &change {
            Change::Add(entry) | Change::Edit { to: entry, .. } => self.library.set(entry.clone()),
            Change::Remove(entry) => {
                // What is absent is removed already: a removal may come twice.
                self.library.unset(&entry.key());
                Ok(())
            }
        };
        outcome.map_err(|error| refused(change, error))
    }
}

/// The vendor's error in the agent's words. What decides is the class: after a full table it waits for a row that is freed, after
/// anything else it tries again in a while.
fn refused(change: Change, error: VendorError) -> AsicError {
    let status = match error {
        VendorError::TableFull => 8,
        VendorError::NoSuchObject => 7,
    };
    let transaction =
        Transaction { register: "mac_table", tid: 0, subject: Subject::Write(change) };
    AsicError::Refused {
        transaction: Box::new(transaction),
        status,
        reason: Some(format!("{error:?}")),
        uncertain: false,
    }
}

impl Asic for InMemory {
    fn submit(&mut self, ticket: Ticket, change: Change) {
        let result = self.write(change);
        self.done.push_back(Completion { ticket, result });
    }

    fn ask_notices(&mut self) {
        self.noticing = true;
    }

    fn ask_rows(&mut self, enumerate: bool, keys: Vec<Key>) {
        let mut read = ReadBack::default();
        let asked = keys.iter().filter_map(|key| self.library.get(key));
        let listed = self.library.macs.values().filter(|_| enumerate);
        for entry in asked.chain(listed) {
            read.tables.insert(entry.key(), entry.clone());
        }
        self.answers.push_back(Event::Rows(Ok(read)));
    }

    fn ask_activity(&mut self) {
        self.answers.push_back(Event::Active(Ok(Vec::new())));
    }

    fn in_flight(&self) -> usize {
        self.done.len()
    }

    async fn next(&mut self) -> Event {
        if let Some(done) = self.done.pop_front() {
            return Event::Completed(done);
        }
        match self.answers.pop_front() {
            Some(answer) => answer,
            None if std::mem::take(&mut self.noticing) => Event::Noticed(Ok(Notices::default())),
            None => std::future::pending().await,
        }
    }

    async fn capabilities(&mut self) -> Result<Capabilities, AsicError> {
        Ok(Capabilities {
            chip_id: "in-memory".to_owned(),
            generation: 1,
            ports: vec![Port { local_port: LocalPort(1), ifname: Some("swp1".to_owned()) }],
            rifs: 16,
            virtual_routers: 1,
            mac_profiles: 1,
            mac_profile_prefix_bits: 38,
            fdb: u32::try_from(self.library.room).ok(),
            lag_members: 1,
            ecmp_size: 1,
            ..Capabilities::default()
        })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), String> {
    let mut chip = InMemory::new(3);
    contract::check(&mut chip).await?;
    println!("The promises are kept; it holds {:?}", chip.library.others);
    Ok(())
}

#[cfg(test)]
mod tests {
    use firsthop_asic::Class;

    use super::*;

    // Broken if the example of the documentation did not keep what it explains.
    #[tokio::test(flavor = "current_thread")]
    async fn promises_are_kept() {
        assert_eq!(contract::check(&mut InMemory::new(3)).await, Ok(()));
    }

    // Broken if the vendor's errors became another class than they mean, or a refused row were there.
    #[tokio::test(flavor = "current_thread")]
    async fn errors_have_their_class() {
        let fid = Fid(5120);
        let entry = |n| Entry::RouterMac { fid, mac: Mac([2, 0, 0, 0, 0, n]) };
        let mut chip = InMemory::new(1);
        let mut write = |change| chip.write(change).map_err(|error| error.class());
        assert_eq!(write(Change::Add(entry(1))), Err(Class::Rejected));
        assert_eq!(write(Change::Add(Entry::Fid { fid })), Ok(()));
        assert_eq!(write(Change::Add(entry(1))), Ok(()));
        assert_eq!(write(Change::Add(entry(2))), Err(Class::Capacity));
        assert_eq!(chip.library.get(&entry(2).key()), None);
    }
}
