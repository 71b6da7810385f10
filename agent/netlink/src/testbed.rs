//! Where tests talk to a kernel: a network namespace of their own, that lives as long as one thread.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use firsthop_model::IfIndex;
use firsthop_model::topology::Snapshot;
use nix::net::if_::if_nameindex;
use nix::sched::{CloneFlags, unshare};

/// Runs a test on a thread with a fresh network namespace and a runtime of its own. Says so on the terminal where the
/// machine does not allow it.
pub(crate) fn in_netns<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let name = thread::current().name().unwrap_or_default().to_owned();
    let thread = thread::Builder::new().name(name.clone());
    let run = move || {
        if let Err(errno) = unshare(CloneFlags::CLONE_NEWNET) {
            writeln!(std::io::stderr(), "SKIPPED {name}: unshare(CLONE_NEWNET): {errno}").unwrap();
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test());
    };
    if let Err(panic) = thread.spawn(run).unwrap().join() {
        std::panic::resume_unwind(panic);
    }
}

/// Runs `ip` with these arguments in the thread's namespace, and waits for it.
pub(crate) fn ip(arguments: &str) {
    run("ip", arguments).unwrap();
}

/// As [`ip`], for `bridge`.
pub(crate) fn bridge(arguments: &str) {
    run("bridge", arguments).unwrap();
}

fn run(program: &str, arguments: &str) -> Result<(), String> {
    let output = Command::new(program).args(arguments.split_whitespace()).output().unwrap();
    let said = || format!("{program} {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(()) } else { Err(said()) }
}

/// A bridge `br0` with VLAN filtering and two ports, `swp1` and `swp2`; false, and a word on the terminal, where the
/// kernel has none.
pub(crate) fn vlan_bridge() -> bool {
    if let Err(refusal) = run("ip", "link add br0 type bridge vlan_filtering 1") {
        let name = thread::current().name().unwrap_or_default().to_owned();
        writeln!(std::io::stderr(), "SKIPPED {name}: {}", refusal.trim_end()).unwrap();
        return false;
    }
    for n in [1, 2] {
        ip(&format!("link add swp{n} type veth peer name h{n}"));
        ip(&format!("link set swp{n} master br0"));
    }
    true
}

/// Runs many `ip` commands in one process.
pub(crate) fn ip_batch(commands: impl IntoIterator<Item = String>) {
    batch("ip", commands);
}

/// Runs many `bridge` commands in one process.
pub(crate) fn bridge_batch(commands: impl IntoIterator<Item = String>) {
    batch("bridge", commands);
}

fn batch(program: &str, commands: impl IntoIterator<Item = String>) {
    let mut child =
        Command::new(program).args(["-batch", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for command in commands {
        writeln!(stdin, "{command}").unwrap();
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

/// What the C library says exists: names by index.
pub(crate) fn true_links() -> BTreeMap<IfIndex, String> {
    let interfaces = if_nameindex().unwrap();
    let named =
        interfaces.iter().map(|i| (IfIndex(i.index()), i.name().to_str().unwrap().to_owned()));
    named.collect()
}

/// What the C library says exists: addresses with the name of their device.
pub(crate) fn true_addresses() -> BTreeSet<(String, String)> {
    let all = nix::ifaddrs::getifaddrs().unwrap();
    let one = |a: nix::ifaddrs::InterfaceAddress| {
        let address = a.address?;
        let v4 = address.as_sockaddr_in().map(|ip| ip.ip().to_string());
        let ip = v4.or_else(|| address.as_sockaddr_in6().map(|ip| ip.ip().to_string()))?;
        Some((a.interface_name, ip))
    };
    all.filter_map(one).collect()
}

/// A snapshot must say the same as the C library.
pub(crate) fn assert_true(snapshot: &Snapshot) {
    let links: BTreeMap<_, _> =
        snapshot.links.iter().map(|link| (link.ifindex, link.ifname.clone())).collect();
    assert_eq!(links.len(), snapshot.links.len(), "a link twice");
    let addresses: BTreeSet<_> =
        snapshot.addresses.iter().map(|a| (links[&a.ifindex].clone(), a.ip.to_string())).collect();
    assert_eq!(links, true_links());
    assert_eq!(addresses, true_addresses());
}
