//! Which ports are one LAG, which of them receive, which send? The tables behind SLDR, SLCOR and SLCR.
//!
//! ```text
//!   LAG 3 ─ members (SLCOR), by place in the list: 0 ─ port 5 (collects)   1 ─ port 7 (does not)
//!         └ distributor (SLDR): the members among which the hash picks the sender of a frame
//!   port 5 ─ LAG 3, collects          SLCR: per ingress port what the hash looks at; one seed
//! ```
//!
//! A frame from the wire of a member belongs to the LAG: it is learnt there and never leaves by another member.

use emad::register::{Slcr, SlcrType};

/// What a port is to its LAG.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Membership {
    /// The LAG.
    pub(crate) lag: u16,
    /// Do its frames count as received?
    pub(crate) collects: bool,
}

/// What the hash looks at, for frames from one port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HashSettings {
    /// How it is computed.
    pub(crate) kind: SlcrType,
    /// The fields that count, as SLCR has them.
    pub(crate) fields: u32,
}

/// One LAG.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lag {
    /// The members by place in the list.
    places: Vec<Option<u16>>,
    /// The ports that send, in the order of their places.
    distributor: Vec<u16>,
}

impl Lag {
    /// The members, in the order of their places.
    pub(crate) fn members(&self) -> impl Iterator<Item = u16> {
        self.places.iter().flatten().copied()
    }

    /// The members that send, in the order of their places.
    pub(crate) fn distributor(&self) -> &[u16] {
        &self.distributor
    }

    /// The place of a member.
    pub(crate) fn place(&self, port: u16) -> Option<usize> {
        self.places.iter().position(|member| *member == Some(port))
    }

    /// The member in that place.
    pub(crate) fn at(&self, place: u16) -> Option<u16> {
        self.places.get(usize::from(place)).copied().flatten()
    }
}

/// All LAGs.
#[derive(Debug, Clone)]
pub(crate) struct Lags {
    lags: Vec<Option<Lag>>,
    max_members: u16,
    by_port: Vec<Option<Membership>>,
    hash: Vec<HashSettings>,
    seed: u32,
}

impl Lags {
    /// Room for `size` LAGs of `max_members` ports each, on a chip with `ports` ports; none exists.
    #[must_use]
    pub(crate) fn new(size: u16, max_members: u16, ports: u16) -> Self {
        let settings = HashSettings { kind: SlcrType::Crc, fields: Slcr::POWER_ON };
        Self {
            lags: vec![None; usize::from(size)],
            max_members,
            by_port: vec![None; usize::from(ports) + 1],
            hash: vec![settings; usize::from(ports) + 1],
            seed: 0,
        }
    }

    /// How many there can be.
    #[must_use]
    pub(crate) fn size(&self) -> u16 {
        u16::try_from(self.lags.len()).expect("made from a u16")
    }

    /// How many ports one can have.
    #[must_use]
    pub(crate) fn max_members(&self) -> u16 {
        self.max_members
    }

    /// How many exist.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.lags.iter().flatten().count()
    }

    /// The LAG of that number, if it exists.
    #[must_use]
    pub(crate) fn get(&self, lag: u16) -> Option<&Lag> {
        self.lags.get(usize::from(lag))?.as_ref()
    }

    /// Those that exist, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &Lag)> {
        (0..).zip(&self.lags).filter_map(|(number, lag)| Some((number, lag.as_ref()?)))
    }

    /// What the port is to a LAG.
    #[must_use]
    pub(crate) fn of_port(&self, port: u16) -> Option<Membership> {
        self.by_port.get(usize::from(port)).copied().flatten()
    }

    /// Creates one; one that exists stays as it is, and a number beyond the table is ignored.
    pub(crate) fn create(&mut self, lag: u16) {
        let places = vec![None; usize::from(self.max_members)];
        if let Some(slot) = self.lags.get_mut(usize::from(lag)) {
            slot.get_or_insert(Lag { places, distributor: Vec::new() });
        }
    }

    /// Destroys one; the caller has seen that it has no members.
    pub(crate) fn destroy(&mut self, lag: u16) {
        if let Some(slot) = self.lags.get_mut(usize::from(lag)) {
            *slot = None;
        }
    }

    /// Puts a port into a place of the list, its collector off; one that is a member already only moves.
    pub(crate) fn join(&mut self, lag: u16, port: u16, place: u16) {
        let Some(Some(found)) = self.lags.get_mut(usize::from(lag)) else { return };
        if let Some(old) = found.place(port) {
            found.places[old] = None;
        }
        if let Some(slot) = found.places.get_mut(usize::from(place)) {
            *slot = Some(port);
        }
        found.distributor.sort_by_key(|port| found.places.iter().position(|at| *at == Some(*port)));
        if let Some(member) = self.by_port.get_mut(usize::from(port)) {
            member.get_or_insert(Membership { lag, collects: false });
        }
    }

    /// Takes a port out of the list.
    pub(crate) fn leave(&mut self, lag: u16, port: u16) {
        let Some(Some(found)) = self.lags.get_mut(usize::from(lag)) else { return };
        if let Some(place) = found.place(port) {
            found.places[place] = None;
            self.by_port[usize::from(port)] = None;
        }
    }

    /// Switches the collector of a member.
    pub(crate) fn collect(&mut self, port: u16, on: bool) {
        if let Some(Some(member)) = self.by_port.get_mut(usize::from(port)) {
            member.collects = on;
        }
    }

    /// Makes a member send, or not.
    pub(crate) fn distribute(&mut self, lag: u16, port: u16, on: bool) {
        let Some(Some(found)) = self.lags.get_mut(usize::from(lag)) else { return };
        found.distributor.retain(|member| *member != port);
        if on {
            found.distributor.push(port);
            found
                .distributor
                .sort_by_key(|port| found.places.iter().position(|at| *at == Some(*port)));
        }
    }

    /// What the hash of frames from `port` looks at.
    #[must_use]
    pub(crate) fn hash(&self, port: u16) -> HashSettings {
        let first = HashSettings { kind: SlcrType::Crc, fields: Slcr::POWER_ON };
        self.hash.get(usize::from(port)).copied().unwrap_or(first)
    }

    /// Sets it, for one port or for all.
    pub(crate) fn set_hash(&mut self, port: Option<u16>, settings: HashSettings) {
        match port {
            None => self.hash.fill(settings),
            Some(port) => {
                if let Some(slot) = self.hash.get_mut(usize::from(port)) {
                    *slot = settings;
                }
            }
        }
    }

    /// Where the hash starts.
    #[must_use]
    pub(crate) fn seed(&self) -> u32 {
        self.seed
    }

    /// Sets where the hash starts.
    pub(crate) fn set_seed(&mut self, seed: u32) {
        self.seed = seed;
    }

    /// Of the members that send and are `up`, the one that this hash picks.
    #[must_use]
    pub(crate) fn pick(&self, lag: u16, hash: u32, up: impl Fn(u16) -> bool) -> Option<u16> {
        let senders = &self.get(lag)?.distributor;
        let count = senders.iter().filter(|port| up(**port)).count();
        let nth = usize::try_from(hash).unwrap_or(0).checked_rem(count)?;
        senders.iter().copied().filter(|port| up(*port)).nth(nth)
    }
}
