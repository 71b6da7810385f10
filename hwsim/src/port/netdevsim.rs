//! CPU-side netdevs that are ports of a netdevsim device, with the ports of a second one as their far ends.
//!
//! ```text
//!  caller's namespace      a namespace of their own       hidden namespace
//!    swp1 ◀─ moved ────── port 1 of device A
//!     ║ linked             port 1 of device B ──── moved ─▶ c1 ── packet socket ─▶ the loop
//!    swp2 …                devlink instances A, B           c2 …
//! ```
//! Devices are made and their ports get ready where nobody looks: what appears in the caller's namespace has
//! its name, addresses and flags from the first event on, and no devlink instance comes with it.
//!
//! `cN` up means carrier for `swpN`: the kernel gives both ends of a link carrier when both are up, and takes it
//! from both when one goes down. A netdevsim port is born with carrier; a peer that goes up and down once,
//! alone, leaves both ends without.
//!
//! Unlike TAP devices these do not vanish with the process: see [`devices`].

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::sched::{CloneFlags, setns, unshare};

use super::ethtool::Ethtool;
use super::rtnl::{Link, Request, Rtnl};
use super::wire::Wire;
use super::{Layout, TXQLEN, patient};
use crate::error::Error;

pub mod devices;

use devices::{Devices, link_ports};

/// The indices of the `cN`, from here on: they appear as `IFLA_LINK` of `swpN`, and are no netdev's of the
/// caller's namespace.
const FIRST_INDEX: u32 = 0x2000_0000;

/// The far ends never limit a frame.
const PEER_MTU: u32 = 65_535;

/// What [`create`] hands out.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) devices: Devices,
    /// In the order of the ports: the index of `swpN` in the caller's namespace, that of `cN` in the hidden one,
    /// and the socket on `cN`.
    pub(super) ports: Vec<(u32, u32, Wire)>,
}

/// Makes both devices; `swpN` go to the namespace `caller`, their far ends to `hidden`.
///
/// # Errors
/// [`Error::Unsupported`] without netdevsim, else [`Error`] with the step that the kernel refused. Nothing is left
/// behind.
pub(super) fn create(
    caller: &mut Rtnl,
    caller_namespace: BorrowedFd<'_>,
    hidden: BorrowedFd<'_>,
    layout: &Layout,
) -> Result<Made, Error> {
    // A namespace belongs to a thread: this one makes it and ends in the hidden one.
    let (devices, peers) = std::thread::scope(|scope| {
        let inside = || inside(caller_namespace, hidden, layout);
        scope.spawn(inside).join().expect("the thread has nothing to panic on")
    })?;
    let mut ports = Vec::new();
    for (port, (peer, wire)) in (1..=layout.ports).zip(peers) {
        let name = layout.port_name(port);
        let link = caller
            .link_named(&name)
            .and_then(|link| link.ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV)))
            .map_err(step("find", &name))?;
        ports.push((link.ifindex, peer, wire));
    }
    Ok(Made { devices, ports })
}

fn step(what: &str, name: &str) -> impl FnOnce(io::Error) -> Error {
    let what = format!("{what} {name}");
    move |source| Error::Kernel { what, source }
}

fn inside(
    caller: BorrowedFd<'_>,
    hidden: BorrowedFd<'_>,
    layout: &Layout,
) -> Result<(Devices, Vec<(u32, Wire)>), Error> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|error| Error::Namespace { source: error.into() })?;
    // Silence while the far ends are up for a moment.
    std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").ok();
    let home = File::open("/proc/thread-self/ns/net").map_err(step("open", "the namespace"))?;
    let mut rtnl = Rtnl::open().map_err(step("open", "rtnetlink"))?;
    let ethtool = Ethtool::open().map_err(step("open", "a socket"))?;
    let mut devices = Devices::guarded(home.try_clone().map_err(step("keep", "the namespace"))?)?;
    let near = devices.add(layout.ports)?;
    let far = devices.add(layout.ports)?;
    let links = rtnl.links().map_err(step("list", "netdevs"))?;
    let mut peers = Vec::new();
    for port in 1..=layout.ports {
        let name = layout.port_name(port);
        let index = |device| find(&links, device, port).map_err(step("find the port of", &name));
        let (cpu, peer) = (index(near)?, index(far)?);
        let peer_name = format!("c{port}");
        link_ports(home.as_fd().as_raw_fd(), cpu, peer).map_err(step("link", &name))?;
        near_end(&mut rtnl, &ethtool, layout, port, cpu).map_err(step("set up", &name))?;
        far_end(&mut rtnl, &peer_name, peer).map_err(step("set up", &peer_name))?;

        let mut go = Request::set_link(peer);
        let peer = FIRST_INDEX + u32::from(port);
        go.new_index(peer).move_to(hidden);
        rtnl.ask(go).map_err(step("move", &peer_name))?;
        patient(&name, || {
            let mut go = Request::set_link(cpu);
            go.move_to(caller);
            rtnl.ask(go)
        })
        .map_err(step("create the port", &name))?;
        peers.push((peer, peer_name));
    }
    setns(hidden, CloneFlags::CLONE_NEWNET)
        .map_err(|error| step("enter", "the hidden namespace")(error.into()))?;
    let mut wires = Vec::new();
    for (peer, name) in peers {
        let wire = Wire::open(peer, false).map_err(step("open a packet socket on", &name))?;
        wires.push((peer, wire));
    }
    Ok((devices, wires))
}

/// The netdev of a device's port.
fn find(links: &[Link], device: u32, port: u16) -> io::Result<u32> {
    let (parent, name) = (devices::name(device), format!("p{port}"));
    let found = links.iter().find(|link| link.parent == parent && link.port_name == name);
    found.map(|link| link.ifindex).ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))
}

/// Gives `swpN` everything that a TAP device would have.
fn near_end(
    rtnl: &mut Rtnl,
    ethtool: &Ethtool,
    layout: &Layout,
    port: u16,
    ifindex: u32,
) -> io::Result<()> {
    let name = layout.port_name(port);
    let mut request = Request::set_link(ifindex);
    request.name(&name).mac(layout.mac(port)).mtu(1500).txqlen(TXQLEN).multicast();
    // netdevsim's own offloads cannot be turned off (6.12). A checksum that is left to them is completed by
    // whoever reads the peer's socket.
    request.one_segment();
    rtnl.ask(request)?;
    rtnl.ask(Request::add_altname(ifindex, &layout.altname(port)))?;
    ethtool.complete_frames(&name);
    Ok(())
}

/// A far end with room for every frame; up and down once, it takes the carrier from both ends.
fn far_end(rtnl: &mut Rtnl, name: &str, ifindex: u32) -> io::Result<()> {
    let mut request = Request::set_link(ifindex);
    request.name(name).mtu(PEER_MTU).noarp().up(true);
    rtnl.ask(request)?;
    let mut request = Request::set_link(ifindex);
    request.up(false);
    rtnl.ask(request)
}
