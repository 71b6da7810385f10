//! The ports of the simulated switch as netdevs of this machine.
//!
//! ```text
//!        the CPU side                    the chip                     the wire side
//!  kernel ── swpN ── CpuSide ──▶ Chip::transmit ──▶ Wire ── wN ══ veth ══ hN ── a host
//!  kernel ── swpN ◀─ CpuSide ◀── Chip::receive  ◀── Wire ── wN ══ veth ══ hN ── a host
//!               └───────── carrier::Coupler: carriers, link state ─────────┘
//! ```
//! [`create`] makes all of them, starts the thread that couples their carriers, and hands the ends
//! that carry frames to the loop. Nothing survives the process, in whatever way it ends (for netdevsim see
//! [`netdevsim::devices`]).

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::chip::LocalPort;
use crate::error::Error;

pub mod carrier;
pub mod cpu;
pub mod cpu_queue;
pub mod ethtool;
mod hidden;
mod ifreq;
mod isolation;
pub mod netdevsim;
pub mod rtnl;
pub mod tap;
pub mod vnet;
pub mod wire;

use carrier::{Change, Coupler, Line, Space};
use cpu::{Carrier, CpuKind, CpuSide};
use ethtool::Ethtool;
use netdevsim::devices::Devices;
use rtnl::{LinkEvents, Request, Rtnl};
use tap::Tap;
use wire::Wire;

/// The most ports of one switch.
pub const MAX_PORTS: u16 = 1023;

/// How long the names of netdevs may stay taken at the start.
const PATIENCE: Duration = Duration::from_secs(3);

/// Threads that close packet sockets at the end.
const CLOSERS: usize = 32;

/// Frames that the kernel can hold for the loop, on each CPU-side netdev.
const TXQLEN: u32 = 4096;

/// Which netdevs to make.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Number of ports, 1 to [`MAX_PORTS`].
    pub ports: u16,
    /// What the CPU side is made of.
    pub cpu: CpuKind,
    /// What stands before N in the name of the CPU side.
    pub port_prefix: String,
    /// What stands before N in the name of the wire side.
    pub wire_prefix: String,
    /// Existing netdevs that serve as the wires of the first ports.
    pub wires: Vec<String>,
    /// Port N gets this address plus N.
    pub base_mac: [u8; 6],
    /// Appears in the alternative names.
    pub chip_id: String,
}

impl Layout {
    /// The address of a port's CPU side.
    pub fn mac(&self, port: u16) -> [u8; 6] {
        let [a, b, c, d, e, f] = self.base_mac;
        let sum = u64::from_be_bytes([0, 0, a, b, c, d, e, f]) + u64::from(port);
        let [_, _, mac @ ..] = sum.to_be_bytes();
        mac
    }

    /// The name of a port's CPU side.
    pub fn port_name(&self, port: u16) -> String {
        format!("{}{port}", self.port_prefix)
    }

    /// The alternative name by which the agent knows a port.
    pub fn altname(&self, port: u16) -> String {
        format!("hwsim-{}-p{port}", self.chip_id)
    }
}

/// One port's ends as the loop uses them.
#[derive(Debug)]
pub struct Port {
    /// 1 to N.
    pub local: LocalPort,
    /// The CPU side's name now.
    pub ifname: String,
    /// The CPU side's index now.
    pub ifindex: u32,
    /// The CPU side's alternative name.
    pub altname: String,
    /// The CPU side's address when it was made.
    pub mac: [u8; 6],
    /// The wire side's name when it was made.
    pub wire_name: String,
    /// The CPU side; `None` once somebody deleted it.
    pub cpu: Option<CpuSide>,
    /// The wire; `None` once somebody deleted it.
    pub wire: Option<Wire>,
    /// The link state that the chip was told.
    pub link: bool,
}

/// All ports, and the thread behind them.
#[derive(Debug)]
pub struct Ports {
    /// In the order of their numbers, from 1.
    pub ports: Vec<Port>,
    /// What the coupling thread reports.
    pub changes: Receiver<Change>,
    /// Readable when there are changes.
    pub wake: Arc<EventFd>,
    stop: Arc<EventFd>,
    coupler: Option<JoinHandle<()>>,
}

impl Ports {
    /// The port of a number that the chip gave.
    pub fn get_mut(&mut self, port: LocalPort) -> Option<&mut Port> {
        self.ports.get_mut(usize::from(port.0).checked_sub(1)?)
    }
}

impl Drop for Ports {
    /// Removes every netdev and waits until they are gone.
    fn drop(&mut self) {
        if let Err(error) = self.stop.write(1) {
            tracing::debug!(%error, "The coupling thread is not stopped");
            return;
        }
        if let Some(coupler) = self.coupler.take() {
            coupler.join().ok();
        }
        // Closing a packet socket waits for an RCU grace period; many can wait for the same one.
        let wires: Vec<Wire> = self.ports.iter_mut().filter_map(|port| port.wire.take()).collect();
        let share = wires.len().div_ceil(CLOSERS).max(1);
        let mut wires = wires.into_iter().peekable();
        std::thread::scope(|scope| {
            while wires.peek().is_some() {
                let mine: Vec<Wire> = wires.by_ref().take(share).collect();
                // A thread that cannot start closes nothing late: its share is dropped here.
                std::thread::Builder::new().spawn_scoped(scope, move || drop(mine)).ok();
            }
        });
    }
}

/// Makes the netdevs of a switch in the caller's network namespace.
///
/// # Errors
/// [`Error::Kernel`] or [`Error::Namespace`] with the step that failed; nothing is left behind.
pub fn create(layout: &Layout) -> Result<Ports, Error> {
    let refused = |what: String| move |source| Error::Kernel { what, source };
    if layout.cpu == CpuKind::Netdevsim {
        netdevsim::devices::check()?;
    }
    let mut caller = Rtnl::open().map_err(refused("open rtnetlink".into()))?;
    let caller_events = LinkEvents::subscribe().map_err(refused("open rtnetlink".into()))?;
    let ethtool = Ethtool::open().map_err(refused("open a socket".into()))?;
    let here = File::open("/proc/thread-self/ns/net")
        .map_err(refused("open /proc/thread-self/ns/net".into()))?;

    let given: Vec<(u32, Wire)> = layout
        .wires
        .iter()
        .map(|name| existing_wire(&mut caller, &ethtool, name))
        .collect::<Result<_, _>>()?;
    let plans: Vec<hidden::Plan> = (1..=layout.ports)
        .skip(given.len())
        .map(|port| hidden::Plan { port, ifname: format!("{}{port}", layout.wire_prefix) })
        .collect();
    let made = hidden::create(here.as_fd(), &plans)?;
    for plan in &plans {
        ethtool.complete_frames(&plan.ifname);
    }
    let wires = given
        .into_iter()
        .map(|(ifindex, wire)| (Space::Caller, ifindex, wire))
        .chain(made.wires.into_iter().map(|(ifindex, wire)| (Space::Hidden, ifindex, wire)));

    let (cpu_sides, devices) =
        cpu_sides(&mut caller, here.as_fd(), made.namespace.as_fd(), layout)?;
    let mut ports = Vec::new();
    let mut lines = Vec::new();
    for ((port, cpu_side), (space, wire_index, wire)) in (1..).zip(cpu_sides).zip(wires) {
        let (cpu, carrier, ifindex) = cpu_side;
        let ifname = layout.port_name(port);
        lines.push(Line::new(port, carrier, ifname.clone(), ifindex, (space, wire_index)));
        let at = usize::from(port) - 1;
        ports.push(Port {
            local: LocalPort(port),
            ifname,
            ifindex,
            altname: layout.altname(port),
            mac: layout.mac(port),
            wire_name: layout
                .wires
                .get(at)
                .cloned()
                .unwrap_or_else(|| format!("{}{port}", layout.wire_prefix)),
            cpu: Some(cpu),
            wire: Some(wire),
            link: false,
        });
    }

    let event = || {
        EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .map(Arc::new)
            .map_err(|error| refused("make an eventfd".into())(error.into()))
    };
    let (wake, stop) = (event()?, event()?);
    let (sender, changes) = channel();
    let coupler = Coupler {
        hidden: made.hidden,
        hidden_events: made.events,
        caller,
        caller_events,
        ethtool,
        lines,
        isolation: isolation::Isolation::default(),
        devices,
        changes: sender,
        wake: Arc::clone(&wake),
        stop: Arc::clone(&stop),
    };
    let coupler = std::thread::Builder::new()
        .name("carrier".into())
        .spawn(move || coupler.run())
        .map_err(refused("start a thread".into()))?;
    Ok(Ports { ports, changes, wake, stop, coupler: Some(coupler) })
}

/// An existing netdev in the place of `hN`.
fn existing_wire(caller: &mut Rtnl, ethtool: &Ethtool, name: &str) -> Result<(u32, Wire), Error> {
    let what = || format!("use {name} as a wire");
    let link = caller
        .link_named(name)
        .and_then(|link| link.ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV)))
        .map_err(|source| Error::Kernel { what: what(), source })?;
    ethtool.complete_frames(&link.name);
    let wire =
        Wire::open(link.ifindex, true).map_err(|source| Error::Kernel { what: what(), source })?;
    Ok((link.ifindex, wire))
}

/// Makes every `swpN`: for each the end that carries frames, what sets its carrier, and its index.
#[expect(clippy::type_complexity, reason = "used once, named at once")]
fn cpu_sides(
    caller: &mut Rtnl,
    here: BorrowedFd<'_>,
    hidden: BorrowedFd<'_>,
    layout: &Layout,
) -> Result<(Vec<(CpuSide, Carrier, u32)>, Option<Devices>), Error> {
    if layout.cpu == CpuKind::Netdevsim {
        let made = netdevsim::create(caller, here, hidden, layout)?;
        let sides = made
            .ports
            .into_iter()
            .map(|(ifindex, peer, wire)| (CpuSide::Peer(wire), Carrier::Peer(peer), ifindex));
        return Ok((sides.collect(), Some(made.devices)));
    }
    let mut sides = Vec::new();
    for port in 1..=layout.ports {
        let (tap, ifindex) = tap_port(caller, layout, port)?;
        let again = tap.try_clone().map_err(|source| Error::Kernel {
            what: format!("duplicate {}", layout.port_name(port)),
            source,
        })?;
        sides.push((CpuSide::Tap(tap), Carrier::Tap(again), ifindex));
    }
    Ok((sides, None))
}

/// Makes `swpN` with its address and alternative name.
fn tap_port(caller: &mut Rtnl, layout: &Layout, port: u16) -> Result<(Tap, u32), Error> {
    let ifname = layout.port_name(port);
    let mut make = || {
        let tap = patient(&ifname, || Tap::create(&ifname))?;
        let link = caller
            .link_named(&ifname)?
            .ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))?;
        let mut request = Request::set_link(link.ifindex);
        request.mac(layout.mac(port)).txqlen(TXQLEN);
        caller.ask(request)?;
        caller.ask(Request::add_altname(link.ifindex, &layout.altname(port)))?;
        Ok((tap, link.ifindex))
    };
    make().map_err(|source| Error::Kernel { what: format!("create the port {ifname}"), source })
}

/// Retries while a name is taken, for up to [`PATIENCE`]: the kernel may still be removing the
/// netdevs of a simulator that was killed a moment ago.
fn patient<T>(name: &str, mut step: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let start = Instant::now();
    let mut said = false;
    loop {
        match step() {
            Err(error)
                if matches!(error.raw_os_error(), Some(libc::EEXIST | libc::EBUSY))
                    && start.elapsed() < PATIENCE =>
            {
                if !std::mem::replace(&mut said, true) {
                    tracing::warn!(name, ?PATIENCE, "The netdev exists; waiting for its end");
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                return Err(io::Error::from_raw_os_error(libc::EEXIST));
            }
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Fails if the addresses of ports are not M+n with the carry into higher bytes.
    #[test]
    fn addresses_count_up_from_the_base() {
        let layout = Layout {
            ports: 1,
            cpu: CpuKind::Tap,
            port_prefix: "swp".into(),
            wire_prefix: "h".into(),
            wires: Vec::new(),
            base_mac: [2, 0, 0, 0, 0, 0xff],
            chip_id: "0".into(),
        };
        assert_eq!(layout.mac(2), [2, 0, 0, 0, 1, 1]);
        assert_eq!(layout.altname(7), "hwsim-0-p7");
    }
}
