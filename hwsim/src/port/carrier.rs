//! Couples the carriers of a port's two netdevs: what one loses, the other loses.
//!
//! Kernel events go in, as hints that a netdev changed; out go the admin state of the wire end,
//! the carrier of `swpN`, and the link state for the chip. Both outputs are functions of what was
//! seen last, and no output feeds its own input, so nothing can flap:
//!
//! ```text
//!  swpN admin up ───────▶ wN admin up ──(kernel)──▶ hN has carrier
//!  swpN up ∧ wN up ∧ wN has carrier (kernel: hN is up) ───▶ swpN has carrier, chip: link up
//! ```
//! How `swpN` is given its carrier depends on what it is: see `Carrier`.
//!
//! A veth has carrier when both ends are up, so while `swpN` is down nobody can tell whether `hN`
//! is up; nobody needs to: a netdev that is down has no carrier to show. When `swpN` comes up, `wN`
//! goes up first, and the event that this causes says whether `hN` is.
//!
//! All this waits for the kernel's RTNL lock, which others may hold for long. So it runs in a
//! thread of its own, and frames never wait for it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;

use super::cpu::Carrier;
use super::ethtool::Ethtool;
use super::hidden::Hidden;
use super::isolation::Isolation;
use super::netdevsim::devices::Devices;
use super::rtnl::{Link, LinkEvent, LinkEvents, Request, Rtnl};

/// The group that CPU-side netdevs enter to be deleted in one step; nobody else is in it.
const DYING: u32 = 0x6877_7369;

/// What the loop must know of a port's netdevs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The link of the chip's port.
    Link { port: u16, up: bool },
    /// The CPU-side netdev has this index and name now.
    Cpu { port: u16, ifindex: u32, ifname: String },
    /// The CPU-side netdev was deleted.
    CpuGone { port: u16 },
    /// The wire was deleted.
    WireGone { port: u16 },
}

/// A network namespace that events come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Space {
    /// Where the program runs: every `swpN`, and wires given by name.
    Caller,
    /// Where the `wN` are.
    Hidden,
}

/// One end of a port as last seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct End {
    present: bool,
    up: bool,
    carrier: bool,
}

impl End {
    fn of(link: &Link) -> End {
        End { present: true, up: link.up, carrier: link.carrier }
    }
}

/// Both ends of a port as last seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Ends {
    cpu: End,
    wire: End,
}

impl Ends {
    /// Whether the wire end must be admin up.
    fn wire_up(self) -> bool {
        self.cpu.present && self.cpu.up
    }

    /// Whether `swpN` has carrier and the chip's port a link.
    fn link(self) -> bool {
        let Ends { cpu, wire } = self;
        cpu.present && cpu.up && wire.present && wire.up && wire.carrier
    }
}

/// A port to be coupled.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) port: u16,
    pub(super) carrier: Carrier,
    pub(super) cpu_name: String,
    pub(super) cpu_ifindex: u32,
    pub(super) wire: (Space, u32),
    seen: Ends,
    link: bool,
    deleted: bool,
}

impl Line {
    pub(super) fn new(
        port: u16,
        carrier: Carrier,
        cpu_name: String,
        cpu_ifindex: u32,
        wire: (Space, u32),
    ) -> Line {
        Line {
            port,
            carrier,
            cpu_name,
            cpu_ifindex,
            wire,
            seen: Ends::default(),
            link: false,
            deleted: false,
        }
    }
}

/// The sockets and the state of the coupling thread.
#[derive(Debug)]
pub(super) struct Coupler {
    pub(super) hidden: Hidden,
    pub(super) hidden_events: LinkEvents,
    pub(super) caller: Rtnl,
    pub(super) caller_events: LinkEvents,
    pub(super) ethtool: Ethtool,
    pub(super) lines: Vec<Line>,
    pub(super) isolation: Isolation,
    /// What the CPU-side netdevs belong to, if they do not belong to this process alone.
    pub(super) devices: Option<Devices>,
    pub(super) changes: Sender<Change>,
    pub(super) wake: Arc<EventFd>,
    pub(super) stop: Arc<EventFd>,
}

/// Which line an index belongs to, and which end of it.
type Places = BTreeMap<(Space, u32), usize>;

impl Coupler {
    /// Runs until `stop` is signalled, then deletes the netdevs.
    pub(super) fn run(mut self) {
        if let Err(error) = self.couple() {
            tracing::error!(%error, "Carriers are no longer coupled");
        }
        for ifindex in self.isolation.undo(&self.cpu_sides()) {
            if let Err(error) = self.caller.ask(Request::isolate_bridge_port(ifindex, false)) {
                tracing::debug!(ifindex, %error, "Isolation not undone");
            }
        }
        // The kernel deletes them anyway when their files close, but one by one: many milliseconds
        // each. Whatever fails here costs time and nothing else.
        if let Err(error) = self.hidden.delete_wires().and_then(|()| self.delete_cpu_sides()) {
            tracing::debug!(%error, "Netdevs not deleted in one step");
        }
    }

    /// The CPU-side netdevs that are here.
    fn cpu_sides(&self) -> BTreeSet<u32> {
        let present = self.lines.iter().filter(|line| line.seen.cpu.present);
        present.map(|line| line.cpu_ifindex).collect()
    }

    fn delete_cpu_sides(&mut self) -> io::Result<()> {
        if let Some(devices) = self.devices.take() {
            drop(devices);
            return Ok(());
        }
        for line in self.lines.iter().filter(|line| line.seen.cpu.present) {
            let mut request = Request::set_link(line.cpu_ifindex);
            request.group(DYING);
            self.caller.ask(request)?;
        }
        self.caller.ask(Request::delete_group(DYING))
    }

    fn couple(&mut self) -> io::Result<()> {
        let mut places = self.places();
        self.look_anew(&mut places)?;
        self.apply();
        let mut events = Vec::new();
        loop {
            let mut ready = [
                PollFd::new(self.stop.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.caller_events.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.hidden_events.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut ready, PollTimeout::NONE) {
                Err(nix::Error::EINTR) => continue,
                other => other?,
            };
            if ready[0].any() == Some(true) {
                return Ok(());
            }
            // Everything that has arrived is folded in before anything is decided.
            let mut lost = false;
            let mut heard = Vec::new();
            for (space, socket) in
                [(Space::Caller, &mut self.caller_events), (Space::Hidden, &mut self.hidden_events)]
            {
                match socket.drain(&mut events) {
                    Ok(()) => {}
                    Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => lost = true,
                    Err(error) => return Err(error),
                }
                heard.extend(events.drain(..).map(|event| (space, event)));
            }
            for (space, event) in heard {
                self.fold(&mut places, space, event);
            }
            if lost {
                tracing::warn!("Link events were lost; reading all links anew");
                self.look_anew(&mut places)?;
            }
            self.apply();
            self.wake.write(1)?;
        }
    }

    fn places(&self) -> Places {
        let mut places = Places::new();
        for (at, line) in self.lines.iter().enumerate() {
            places.insert((Space::Caller, line.cpu_ifindex), at);
            places.insert(line.wire, at);
        }
        places
    }

    /// Replaces all that was seen by what is there now.
    fn look_anew(&mut self, places: &mut Places) -> io::Result<()> {
        let mut present: Vec<(Space, Link)> = Vec::new();
        present.extend(self.caller.links()?.into_iter().map(|link| (Space::Caller, link)));
        present.extend(self.hidden.links()?.into_iter().map(|link| (Space::Hidden, link)));
        self.isolation.forget();
        let known: Vec<(Space, u32)> = places.keys().copied().collect();
        for place in known {
            if !present.iter().any(|(space, link)| (*space, link.ifindex) == place) {
                self.fold(places, place.0, LinkEvent::Gone(place.1));
            }
        }
        for (space, link) in present {
            self.fold(places, space, LinkEvent::Present(link));
        }
        Ok(())
    }

    /// Brings every port to the state that follows from what was seen.
    fn apply(&mut self) {
        for line in &mut self.lines {
            let Ends { wire, .. } = line.seen;
            let wanted = line.seen.wire_up();
            if wire.present && wire.up != wanted {
                let (space, ifindex) = line.wire;
                let result = match space {
                    Space::Hidden => self.hidden.set_up(ifindex, wanted),
                    Space::Caller => {
                        let mut request = Request::set_link(ifindex);
                        request.up(wanted);
                        self.caller.ask(request)
                    }
                };
                match result {
                    // The event that this causes brings the carrier.
                    Ok(()) => line.seen.wire = End { up: wanted, carrier: false, ..wire },
                    Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {}
                    Err(error) => {
                        tracing::warn!(port = line.port, up = wanted, %error, "Wire not set");
                    }
                }
            }
            let link = line.seen.link();
            if link != line.link {
                line.link = link;
                // The chip first: a frame that follows the carrier finds the port up.
                tell(&self.changes, Change::Link { port: line.port, up: link });
                if let Err(error) = self.wake.write(1) {
                    tracing::debug!(%error, "The loop is not woken");
                }
                if !line.deleted
                    && let Err(error) = line.carrier.set(&mut self.hidden, link)
                {
                    tracing::debug!(port = line.port, %error, "Carrier not set");
                }
                // Either question makes the kernel (since 6.8) announce the carrier at once.
                if line.seen.cpu.present
                    && let Err(error) = match line.carrier {
                        Carrier::Tap(_) => self.ethtool.link(&line.cpu_name).map(drop),
                        Carrier::Peer(_) => self.caller.link(line.cpu_ifindex).map(drop),
                    }
                {
                    tracing::debug!(port = line.port, %error, "Link state not read");
                }
                tracing::debug!(port = line.port, link, "Link");
            }
        }
        for (ifindex, isolated) in self.isolation.due(&self.cpu_sides()) {
            if let Err(error) = self.caller.ask(Request::isolate_bridge_port(ifindex, isolated)) {
                tracing::debug!(ifindex, isolated, %error, "Isolation not changed");
            }
        }
    }

    /// Takes one event into what is known of the lines.
    fn fold(&mut self, places: &mut Places, space: Space, event: LinkEvent) {
        match event {
            LinkEvent::Present(link) => {
                if space == Space::Caller {
                    self.isolation.seen(&link);
                }
                let at = places.get(&(space, link.ifindex)).copied();
                let Some(at) = at.or_else(|| self.returned(places, space, &link)) else { return };
                let line = &mut self.lines[at];
                if line.wire == (space, link.ifindex) {
                    line.seen.wire = End::of(&link);
                    return;
                }
                line.seen.cpu = End::of(&link);
                if line.cpu_name != link.name || line.cpu_ifindex != link.ifindex {
                    line.cpu_name = link.name;
                    line.cpu_ifindex = link.ifindex;
                    let (port, ifindex) = (line.port, line.cpu_ifindex);
                    let ifname = line.cpu_name.clone();
                    tell(&self.changes, Change::Cpu { port, ifindex, ifname });
                }
            }
            LinkEvent::Gone(ifindex) => {
                if space == Space::Caller {
                    self.isolation.gone(ifindex);
                }
                let Some(at) = places.remove(&(space, ifindex)) else { return };
                let line = &mut self.lines[at];
                let port = line.port;
                if line.wire == (space, ifindex) {
                    line.seen.wire = End::default();
                    tracing::warn!(port, "The wire is gone; the port stays without link");
                    tell(&self.changes, Change::WireGone { port });
                    return;
                }
                line.seen.cpu = End::default();
                if line.carrier.exists(&mut self.hidden) {
                    let ifname = &line.cpu_name;
                    tracing::warn!(port, ifname, "Moved to another namespace; the port is down");
                } else {
                    line.deleted = true;
                    tracing::warn!(port, ifname = line.cpu_name, "Deleted; the port is dead");
                    tell(&self.changes, Change::CpuGone { port });
                }
            }
        }
    }

    /// A CPU-side netdev that comes back from another namespace, perhaps with a new index.
    fn returned(&mut self, places: &mut Places, space: Space, link: &Link) -> Option<usize> {
        if space != Space::Caller {
            return None;
        }
        let Coupler { lines, hidden, .. } = self;
        let away = |line: &Line| !line.deleted && !line.seen.cpu.present;
        let at = lines.iter().position(|line| away(line) && line.carrier.is_of(hidden, link))?;
        places.insert((space, link.ifindex), at);
        Some(at)
    }
}

fn tell(changes: &Sender<Change>, change: Change) {
    // The receiver is gone only when the program ends.
    changes.send(change).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(cpu: (bool, bool), wire: (bool, bool, bool)) -> Ends {
        Ends {
            cpu: End { present: cpu.0, up: cpu.1, carrier: false },
            wire: End { present: wire.0, up: wire.1, carrier: wire.2 },
        }
    }

    // Fails if a port has a link although one of its four conditions is missing.
    #[test]
    fn a_link_needs_both_ends_up() {
        for bits in 0..32_u8 {
            let bit = |at: u8| bits & (1 << at) != 0;
            let ends = ends((bit(0), bit(1)), (bit(2), bit(3), bit(4)));
            assert_eq!(ends.link(), bits == 31, "{ends:?}");
        }
    }

    // Fails if the wire end depends on its own state: that is how flapping begins.
    #[test]
    fn the_wire_follows_the_cpu_side_alone() {
        for bits in 0..8_u8 {
            let wire = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0);
            assert!(ends((true, true), wire).wire_up());
            assert!(!ends((true, false), wire).wire_up());
            assert!(!ends((false, true), wire).wire_up());
        }
    }
}
