//! The loop that owns the chip: every frame, every register access and every request passes here.
//!
//! ```text
//!            ┌─ wires: up to 64 frames each ──▶ Chip::receive ──┐
//! epoll ─────┤                                                  ├─▶ wires, at once
//! one turn   ├─ swpN: up to 64 frames each ──▶ Chip::transmit ──┘ └▶ CpuQueue ─▶ swpN, best class first
//!            ├─ clients: EMADs, requests ────▶ Chip::emad, control::answer ─▶ client
//!            ├─ carriers ────────────────────▶ Chip::link
//!            ├─ a second without any ────────▶ Chip::advance
//!            └─ a signal ────────────────────▶ the end
//! ```
//! Nothing here waits for anything but epoll. A turn is bounded, whatever arrives.

use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signalfd::SignalFd;

use super::outbox::Outbox;
use super::recordings::Recordings;
use super::reports;
use super::source::Source;
use crate::chip::{LocalPort, Nanos};
use crate::control::{self, Core, HostCounters};
use crate::error::Error;
use crate::port::Ports;
use crate::port::carrier::Change;
use crate::port::cpu::CpuSide;
use crate::port::vnet::Incomplete;
use crate::port::wire::{BATCH, Batch, MAX_FRAME, Unfit};
use crate::protocol::{Datagram, MAX_DATAGRAM, datagrams};
use crate::record::pcapng::Direction;
use crate::server::{Debt, Heard, Server};

/// Frames or datagrams of one source in a turn.
const SHARE: usize = 64;

/// Frames into the kernel's stack in a turn, while no wire has more waiting.
const CPU_IDLE: usize = 256;

/// The same while wires have more waiting: fewer than those read, so that a flood piles up in the
/// queues by class and not in the sockets, where an important frame would be lost with the others.
const CPU_BUSY: usize = 32;

/// How long the chip may go without being told the time, ms.
const TICK: u16 = 1000;

/// The running simulator.
#[derive(Debug)]
pub(super) struct Switch {
    core: Core,
    ports: Ports,
    server: Server,
    recordings: Recordings,
    signals: SignalFd,
    epoll: Epoll,
    started: Instant,
    /// What the chip put out; without frames for wires between sources.
    outbox: Outbox,
    batch: Batch,
    buffer: Vec<u8>,
    warned_unsegmented: bool,
}

fn failed(what: &str) -> impl Fn(nix::Error) -> Error {
    move |error| Error::Kernel { what: what.to_owned(), source: error.into() }
}

/// Counts a frame that a packet socket could not hand on whole.
fn refuse(host: &mut HostCounters, warned: &mut bool, port: LocalPort, unfit: Unfit) {
    match unfit {
        Unfit::Length => host.bad_length += 1,
        Unfit::Incomplete(Incomplete::Checksum) => host.bad_checksum += 1,
        Unfit::Incomplete(Incomplete::Segments) => {
            host.unsegmented += 1;
            if !std::mem::replace(warned, true) {
                tracing::warn!(
                    port = port.0,
                    "Dropped frames of several segments: turn off tso and gso where they are sent \
                     (ethtool -K DEV tso off gso off)"
                );
            }
        }
    }
}

impl Switch {
    pub(super) fn new(
        core: Core,
        ports: Ports,
        server: Server,
        recordings: Recordings,
        signals: SignalFd,
    ) -> Result<Switch, Error> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed("make an epoll"))?;
        let switch = Switch {
            outbox: Outbox::new(ports.ports.len()),
            core,
            ports,
            server,
            recordings,
            signals,
            epoll,
            started: Instant::now(),
            batch: Batch::new(),
            buffer: vec![0; MAX_FRAME.max(MAX_DATAGRAM)],
            warned_unsegmented: false,
        };
        let watch = |fd, source| switch.watch(fd, source).map_err(failed("watch a descriptor"));
        watch(switch.signals.as_fd(), Source::Signal)?;
        watch(switch.ports.wake.as_fd(), Source::Carrier)?;
        watch(switch.server.as_fd(), Source::Listener)?;
        for port in &switch.ports.ports {
            if let Some(wire) = &port.wire {
                watch(wire.as_fd(), Source::Wire(port.local))?;
            }
            if let Some(cpu) = &port.cpu {
                watch(cpu.as_fd(), Source::Cpu(port.local))?;
            }
        }
        Ok(switch)
    }

    fn watch(&self, fd: std::os::fd::BorrowedFd<'_>, source: Source) -> nix::Result<()> {
        self.epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, source.token()))
    }

    /// Turns until a signal ends it.
    pub(super) fn run(&mut self) -> Result<(), Error> {
        let mut ready = [EpollEvent::empty(); 128];
        loop {
            let patience =
                if self.outbox.to_cpu.is_empty() { TICK.into() } else { EpollTimeout::ZERO };
            let count = match self.epoll.wait(&mut ready, patience) {
                Err(nix::Error::EINTR) => 0,
                other => other.map_err(failed("wait for events"))?,
            };
            let sources = ready[..count].iter().filter_map(|event| Source::of(event.data()));
            if !self.turn(sources) {
                self.recordings.flush();
                return Ok(());
            }
        }
    }

    /// Serves every ready source once; whether to go on.
    fn turn(&mut self, sources: impl Iterator<Item = Source>) -> bool {
        let now = Nanos::from(self.started.elapsed());
        self.core.chip.advance(now);
        // First: a frame that follows a carrier must find the chip's port up.
        self.take_changes();
        let mut more_waits = false;
        for source in sources {
            match source {
                Source::Signal => return false,
                Source::Carrier => {
                    self.ports.wake.read().ok(); // resets it; the changes were taken above
                }
                Source::Listener => self.accept(),
                Source::Client(number) => self.serve(now, number),
                Source::Wire(port) => more_waits |= self.receive(now, port),
                Source::Cpu(port) => self.transmit(now, port),
            }
        }
        self.feed_cpu(if more_waits { CPU_BUSY } else { CPU_IDLE });
        self.recordings.flush();
        true
    }

    fn take_changes(&mut self) {
        while let Ok(change) = self.ports.changes.try_recv() {
            match change {
                Change::Link { port, up } => {
                    let local = LocalPort(port);
                    self.core.chip.link(local, up);
                    if let Some(port) = self.ports.get_mut(local) {
                        port.link = up;
                    }
                }
                Change::Cpu { port, ifindex, ifname } => {
                    if let Some(port) = self.ports.get_mut(LocalPort(port)) {
                        port.ifindex = ifindex;
                        port.ifname = ifname;
                    }
                }
                Change::CpuGone { port } => self.forget_cpu(LocalPort(port)),
                Change::WireGone { port } => {
                    if let Some(wire) =
                        self.ports.get_mut(LocalPort(port)).and_then(|port| port.wire.take())
                    {
                        self.epoll.delete(&wire).ok(); // closing would do it as well
                    }
                }
            }
        }
    }

    fn forget_cpu(&mut self, port: LocalPort) {
        if let Some(cpu) = self.ports.get_mut(port).and_then(|port| port.cpu.take()) {
            // The coupling thread holds the file open too: without this, epoll would spin.
            self.epoll.delete(&cpu).ok();
        }
    }

    /// A batch of frames from a wire; whether more may wait.
    fn receive(&mut self, now: Nanos, local: LocalPort) -> bool {
        let Switch { core, ports, batch, outbox, recordings, warned_unsegmented, .. } = self;
        let Some(wire) = ports.get_mut(local).and_then(|port| port.wire.as_ref()) else {
            return false;
        };
        // An error is the netdev's going down; the carrier tells of that.
        let Ok(count) = wire.receive(batch) else { return false };
        for frame in batch.take() {
            match frame {
                Ok(frame) => {
                    core.host.wire_in += 1;
                    recordings.wire(local, Direction::Out, frame);
                    outbox.begin();
                    core.chip.receive(now, local, frame, outbox);
                    reports::copy(&mut core.chip, now, frame, outbox);
                }
                Err(unfit) => refuse(&mut core.host, warned_unsegmented, local, unfit),
            }
        }
        self.send_out();
        count == BATCH
    }

    /// Frames that the kernel's stack sends.
    fn transmit(&mut self, now: Nanos, local: LocalPort) {
        match self.ports.get_mut(local).and_then(|port| port.cpu.as_ref()) {
            Some(CpuSide::Tap(_)) => self.transmit_from_tap(now, local),
            Some(CpuSide::Peer(_)) => self.transmit_from_peer(now, local),
            None => {}
        }
        self.send_out();
    }

    fn transmit_from_tap(&mut self, now: Nanos, local: LocalPort) {
        for _ in 0..SHARE {
            let Switch { core, ports, outbox, recordings, buffer, .. } = self;
            let cpu = ports.get_mut(local).and_then(|port| port.cpu.as_ref());
            let Some(CpuSide::Tap(tap)) = cpu else { break };
            match tap.read(buffer) {
                Ok(length) => {
                    let frame = &buffer[..length.min(buffer.len())];
                    core.host.cpu_out += 1;
                    recordings.cpu(local, Direction::Out, frame);
                    core.chip.transmit(now, local, frame, outbox);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    tracing::debug!(port = local.0, %error, "The CPU side cannot be read");
                    self.forget_cpu(local);
                    break;
                }
            }
        }
    }

    fn transmit_from_peer(&mut self, now: Nanos, local: LocalPort) {
        let Switch { core, ports, batch, outbox, recordings, warned_unsegmented, .. } = self;
        let cpu = ports.get_mut(local).and_then(|port| port.cpu.as_ref());
        let Some(CpuSide::Peer(wire)) = cpu else { return };
        // An error is the peer's going down, which is the carrier's.
        if wire.receive(batch).is_err() {
            return;
        }
        for frame in batch.take() {
            match frame {
                Ok(frame) => {
                    core.host.cpu_out += 1;
                    recordings.cpu(local, Direction::Out, frame);
                    core.chip.transmit(now, local, frame, outbox);
                }
                Err(unfit) => refuse(&mut core.host, warned_unsegmented, local, unfit),
            }
        }
    }

    /// Sends what the chip put out for wires.
    fn send_out(&mut self) {
        let Switch { core, ports, outbox, recordings, .. } = self;
        for &local in outbox.touched() {
            let frames = outbox.frames(local);
            match ports.get_mut(local).and_then(|port| port.wire.as_ref()) {
                Some(wire) => {
                    for frame in frames.clone() {
                        recordings.wire(local, Direction::In, frame);
                    }
                    let sent = wire.send(frames);
                    core.host.wire_out += sent.frames as u64;
                    core.host.wire_dropped += sent.dropped as u64;
                }
                None => core.host.wire_dropped += frames.count() as u64,
            }
        }
        outbox.clear();
    }

    /// Hands up to `budget` frames to the kernel's stack.
    fn feed_cpu(&mut self, budget: usize) {
        for _ in 0..budget {
            let Some((local, frame)) = self.outbox.to_cpu.pop() else { break };
            let Some(port) = self.ports.get_mut(local) else { continue };
            match port.cpu.as_ref().map(|cpu| cpu.write(&frame)) {
                Some(Ok(())) => {
                    self.core.host.cpu_in += 1;
                    self.recordings.cpu(local, Direction::In, &frame);
                }
                Some(Err(_)) | None => self.core.host.cpu_down_dropped += 1,
            }
            self.outbox.to_cpu.reuse(frame);
        }
    }

    fn accept(&mut self) {
        for _ in 0..SHARE {
            let number = match self.server.accept() {
                Ok(Some(number)) => number,
                Ok(None) => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    tracing::warn!(%error, "Connection not accepted");
                    break;
                }
            };
            if let Some(fd) = self.server.client_fd(number)
                && let Err(error) = self.watch(fd, Source::Client(number))
            {
                tracing::warn!(%error, "Connection not watched");
            }
        }
    }

    /// Datagrams of one client: many frames, or one document. A closed connection leaves epoll by itself.
    fn serve(&mut self, now: Nanos, number: u32) {
        if self.server.pay(number) != Debt::None {
            return; // it must read what it is owed before it may ask more
        }
        let mut document = false;
        for _ in 0..SHARE {
            let answers = match self.server.hear(number, &mut self.buffer[..MAX_DATAGRAM]) {
                Heard::Silence => break,
                Heard::Closed => return,
                Heard::Oversized => {
                    let limit = format!("Datagram longer than {MAX_DATAGRAM} bytes");
                    datagrams(control::refusal(&limit))
                }
                Heard::Datagram(length) => {
                    document = matches!(Datagram::of(&self.buffer[..length]), Datagram::Json(_));
                    self.answer(now, length)
                }
            };
            match self.server.say(number, answers) {
                // A dump takes as long as many registers, and others wait.
                Debt::None if document => break,
                Debt::None => {}
                Debt::Waiting => break,
                Debt::CutOff => return,
            }
        }
        self.watch_debt(number);
    }

    /// Waits for room at a client that is owed something, else for its requests.
    fn watch_debt(&mut self, number: u32) {
        let flags = match self.server.pay(number) {
            Debt::None => EpollFlags::EPOLLIN,
            Debt::Waiting => EpollFlags::EPOLLOUT,
            Debt::CutOff => return,
        };
        if let Some(fd) = self.server.client_fd(number) {
            let mut event = EpollEvent::new(flags, Source::Client(number).token());
            if let Err(error) = self.epoll.modify(fd, &mut event) {
                tracing::warn!(%error, "Connection no longer watched");
            }
        }
    }

    /// The answer to the datagram in the buffer; none when a fault swallows it.
    fn answer(&mut self, now: Nanos, length: usize) -> Vec<Vec<u8>> {
        let core = &mut self.core;
        match Datagram::of(&self.buffer[..length]) {
            Datagram::Emad(frame) => {
                self.recordings.emad(frame);
                match core.chip.emad(now, frame) {
                    Ok(Some(answer)) => {
                        self.recordings.emad(&answer);
                        vec![answer]
                    }
                    Ok(None) => Vec::new(),
                    Err(error) => datagrams(control::refusal(&format!("Not an EMAD: {error}"))),
                }
            }
            Datagram::Json(request) => {
                core.host.cpu_queue_dropped.clone_from(self.outbox.to_cpu.dropped());
                datagrams(control::answer(core, &self.ports.ports, now, request))
            }
            Datagram::Unknown => {
                let what = "Neither an EMAD frame (EtherType 8932) nor a JSON object";
                datagrams(control::refusal(what))
            }
        }
    }
}
