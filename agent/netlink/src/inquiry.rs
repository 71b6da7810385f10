//! What does the kernel say when it is asked in passing? Questions of which nobody keeps the answers, each on a socket of its own,
//! without changing anything: `RTM_GETLINK` dumps.
//!
//! ```text
//!  has_kind("vrf"):  devices of that kind, please ─┬─▶ one of that kind, or none: the kernel knows it
//!                                                  └─▶ any other: it does not, and showed all of them
//! ```
//!
//! The kernel looks up the kind that a dump is to be narrowed to (`linkinfo_to_kind_ops` in net/core/rtnetlink.c, since Linux 4.6),
//! and without one leaves the filter out: `lo`, which every namespace has and which is of no kind, is then in the answer. It loads
//! no module for that, as it does for a request that makes a device.

use std::collections::BTreeMap;

use firsthop_model::IfIndex;

use crate::decode::{kind_of, promiscuity_of};
use crate::dump::links_request;
use crate::message::{NLMSG_DONE, NLMSG_ERROR, RTM_GETLINK, RTM_NEWLINK, messages};
use crate::socket::{Buffers, Received, RouteSocket};

/// Whether the running kernel can make devices of this kind now: compiled in, or a module that is loaded. None: it did not say.
///
/// # Panics
/// Outside a tokio runtime with I/O enabled.
pub fn has_kind(kind: &str) -> Option<bool> {
    let mut has = None;
    // the first row decides
    ask(links_request(Some(kind)), |row| {
        has = Some(kind_of(row).as_deref() == Some(kind));
        false
    })?;
    Some(has.unwrap_or(true))
}

/// IFLA_PROMISCUITY of all devices of the calling thread's network namespace: how many want each to receive all frames. It changes
/// without a word when a macvlan finds no room in the filters (`__dev_set_rx_mode` in net/core/dev_addr_lists.c). None: the kernel
/// did not say.
///
/// # Panics
/// Outside a tokio runtime with I/O enabled.
pub fn promiscuity() -> Option<BTreeMap<IfIndex, u32>> {
    let mut counts = BTreeMap::new();
    ask(links_request(None), |row| {
        counts.extend(promiscuity_of(row));
        true
    })?;
    Some(counts)
}

/// Shows the rows of a dump until one is enough. None: it did not end well.
fn ask(request: Vec<u8>, mut row: impl FnMut(&[u8]) -> bool) -> Option<()> {
    let mut socket = RouteSocket::open(Buffers { receive: 64 << 10, ..Buffers::default() }).ok()?;
    socket.check_strictly();
    socket.request(RTM_GETLINK, 1, request).ok()?;
    loop {
        // A part is there when the one before was read: nothing has to be waited for.
        let Received::Datagram(datagram) = socket.receive() else { return None };
        for message in messages(datagram) {
            let message = message.ok()?;
            match message.kind {
                RTM_NEWLINK if !row(message.payload) => return Some(()),
                NLMSG_DONE => return Some(()),
                NLMSG_ERROR => return None,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testbed::{in_netns, ip};

    // Broken if a kind that no kernel has were found, or one that this kernel just made a device of were not; also where there are
    // more devices than one part of an answer holds.
    #[test]
    fn kinds_are_known_or_not() {
        in_netns(|| async {
            assert_eq!(has_kind("nonesuch"), Some(false));
            ip("link add one type veth peer name two");
            assert_eq!((has_kind("veth"), has_kind("nonesuch")), (Some(true), Some(false)));
            for n in 0..60 {
                ip(&format!("link add v{n} type veth peer name w{n}"));
            }
            assert_eq!((has_kind("veth"), has_kind("nonesuch")), (Some(true), Some(false)));
        });
    }

    // Broken if a device that receives all frames passed for one that does not.
    #[test]
    fn promiscuity_is_counted() {
        in_netns(|| async {
            ip("link add one type veth peer name two");
            ip("link set two promisc on");
            let counts: Vec<u32> = promiscuity().unwrap().into_values().collect();
            assert_eq!(counts.len(), 3, "lo, two and one");
            assert_eq!(counts.iter().sum::<u32>(), 1);
        });
    }
}
