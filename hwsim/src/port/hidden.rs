//! The far ends `w1…wN` of the wires `h1…hN`, in a network namespace without a name.
//!
//! ```text
//! caller's namespace      hidden namespace
//!   h1 ══════ veth ══════ w1 ── packet socket ─▶ the loop
//!   h2 ══════ veth ══════ w2 ── packet socket ─▶
//! ```
//! Only sockets of this process keep the namespace alive. When the process ends, in whatever way,
//! the kernel deletes the namespace, with it every `wN`, and with them every `hN` wherever it is.

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;

use nix::sched::{CloneFlags, unshare};

use super::patient;
use super::rtnl::{LinkEvents, Request, Rtnl};
use super::wire::Wire;
use crate::error::Error;

/// The indices of the `wN`, from here on. A veth whose index equals that of its peer loses the
/// kernel's promptness in carrier events (`linkwatch_urgent_event` compares them), so these are
/// larger than any index that the kernel gives by itself.
const FIRST_INDEX: u32 = 0x4000_0000;

/// The group of all `wN`, for deleting them in one step.
const GROUP: u32 = 1;

/// The wires' own MTU never limits a frame; that of `hN` and of `swpN` does.
const WIRE_MTU: u32 = 65_535;

/// A veth to be made: its far end becomes `hN`.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Local port number, 1 to 1,023.
    pub(super) port: u16,
    /// The name of the end in the caller's namespace.
    pub(super) ifname: String,
}

/// The hidden namespace, from outside.
#[derive(Debug)]
pub(super) struct Hidden {
    rtnl: Rtnl,
}

/// What the hidden namespace hands out when it is made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) hidden: Hidden,
    pub(super) events: LinkEvents,
    /// The namespace itself.
    pub(super) namespace: File,
    /// In the order of the plans: the index of `wN` in the hidden namespace, and its socket.
    pub(super) wires: Vec<(u32, Wire)>,
}

/// Makes the namespace and the veth pairs; `caller` is where their far ends go.
///
/// # Errors
/// [`Error`] with the step that the kernel refused.
pub(super) fn create(caller: BorrowedFd<'_>, plans: &[Plan]) -> Result<Made, Error> {
    // A namespace belongs to a thread: this one makes it, opens every socket in it, and ends.
    std::thread::scope(|scope| {
        scope.spawn(|| inside(caller, plans)).join().expect("the thread has nothing to panic on")
    })
}

fn inside(caller: BorrowedFd<'_>, plans: &[Plan]) -> Result<Made, Error> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|error| Error::Namespace { source: error.into() })?;
    // The wires must be silent. No IPv6 at all is best; without a writable /proc, no addresses.
    let silent = std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").is_ok();
    let step = |what: &str, name: &str| {
        let what = format!("{what} {name}");
        move |source| Error::Kernel { what, source }
    };
    let namespace =
        File::open("/proc/thread-self/ns/net").map_err(step("open", "/proc/thread-self/ns/net"))?;
    let mut rtnl = Rtnl::open().map_err(step("open", "rtnetlink"))?;
    let events = LinkEvents::subscribe().map_err(step("open", "rtnetlink"))?;
    let mut wires = Vec::with_capacity(plans.len());
    for plan in plans {
        let index = FIRST_INDEX + u32::from(plan.port);
        let name = format!("w{}", plan.port);
        patient(&plan.ifname, || {
            let mut request = Request::add_veth(index, &name, &plan.ifname, caller);
            request.noarp().mtu(WIRE_MTU).group(GROUP);
            rtnl.ask(request)
        })
        .map_err(step("create the veth", &plan.ifname))?;
        if !silent {
            let mut request = Request::set_link(index);
            request.no_ipv6_addresses();
            match rtnl.ask(request) {
                Ok(()) => {}
                Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {}
                Err(error) => return Err(step("silence IPv6 on", &name)(error)),
            }
        }
        let wire = Wire::open(index, false).map_err(step("open a packet socket on", &name))?;
        wires.push((index, wire));
    }
    Ok(Made { hidden: Hidden { rtnl }, events, namespace, wires })
}

impl Hidden {
    /// Admin state of a `wN` or `cN`. Waits for the kernel's RTNL lock.
    pub(super) fn set_up(&mut self, ifindex: u32, up: bool) -> io::Result<()> {
        let mut request = Request::set_link(ifindex);
        request.up(up);
        self.rtnl.ask(request)
    }

    /// One netdev in the namespace.
    pub(super) fn link(&mut self, ifindex: u32) -> io::Result<Option<super::rtnl::Link>> {
        self.rtnl.link(ifindex)
    }

    /// Every netdev in the namespace.
    pub(super) fn links(&mut self) -> io::Result<Vec<super::rtnl::Link>> {
        self.rtnl.links()
    }

    /// Deletes all wires, both ends of each, and returns when they are gone.
    ///
    /// # Errors
    /// The kernel's; it deletes them anyway when the sockets close.
    pub(super) fn delete_wires(&mut self) -> io::Result<()> {
        self.rtnl.ask(Request::delete_group(GROUP))
    }
}
