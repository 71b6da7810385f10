//! Beginning and end: what a start refuses, and that nothing stays behind.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{
    HWSIM, Simulator, cpu, fair, has_netdevsim, ip, isolated, link, netdevs, on_netdevsim, wait,
    wait_carrier,
};

fn hwsim(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = Command::new(HWSIM).args(arguments).output().unwrap();
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

/// The netdevsim device of a simulator's ports: where it is, and which of all that were ever there; `None` with TAP.
fn device() -> Option<(PathBuf, u64)> {
    let parent = link("swp1").unwrap().parent;
    let path = Path::new("/sys/bus/netdevsim/devices").join(parent);
    let inode = std::fs::metadata(&path).ok()?.ino();
    on_netdevsim().then_some((path, inode))
}

fn is_there(device: Option<&(PathBuf, u64)>) -> bool {
    device.is_some_and(|(path, inode)| std::fs::metadata(path).is_ok_and(|it| it.ino() == *inode))
}

// Would break: the next test on the machine finds the netdevs and sockets of the last.
#[test]
fn nothing_stays_after_a_signal() {
    isolated("lifecycle::nothing_stays_after_a_signal", || {
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            let mut simulator = Simulator::start(&["--ports", "8"]);
            for netdev in ["swp1", "h1"] {
                ip(&format!("link set {netdev} up"));
            }
            wait_carrier("swp1", true);
            assert_eq!(netdevs(), 16);
            let device = device();
            assert_eq!(device.is_some(), on_netdevsim());
            assert_eq!(simulator.end(signal), Some(0));
            // At once: whoever waits for the process may start the next.
            assert_eq!(netdevs(), 0, "{signal}");
            assert!(!is_there(device.as_ref()), "{signal}");
            assert!(!simulator.socket.exists());
        }
    });
}

// Would break: a crash or an impatient operator leaves a machine that must be cleaned by hand.
#[test]
fn nothing_stays_after_a_kill_and_the_next_start_works() {
    isolated("lifecycle::nothing_stays_after_a_kill_and_the_next_start_works", || {
        let mut simulator = Simulator::start(&["--ports", "4"]);
        let device = device();
        assert_eq!(simulator.end(Signal::SIGKILL), None);
        let next = Simulator::start(&["--ports", "4"]);
        assert_eq!(netdevs(), 8);
        drop(next);
        wait("the last netdev's end", || {
            (netdevs() == 0 && !is_there(device.as_ref())).then_some(())
        });
    });
}

// Would break: two simulators share ports or a socket, and nobody can say whose they are.
#[test]
fn a_second_simulator_is_refused() {
    isolated("lifecycle::a_second_simulator_is_refused", || {
        let first = Simulator::start(&["--ports", "2"]);
        let (code, error) =
            hwsim(&["run", "--cpu", cpu(), "--socket", first.socket.to_str().unwrap()]);
        assert_eq!(code, Some(2));
        assert!(error.contains(&format!("process {}", first.pid())), "{error}");
        let other = first.directory.path().join("other.sock");
        let (code, error) = hwsim(&["run", "--cpu", cpu(), "--socket", other.to_str().unwrap()]);
        assert_eq!(code, Some(2));
        assert!(error.contains("h1") && error.contains("exists"), "{error}");
        assert!(!other.exists());
        assert_eq!(netdevs(), 4);
    });
}

// Would break: scripts cannot tell a typing error from a refusal.
#[test]
fn exit_codes_say_what_went_wrong() {
    isolated("lifecycle::exit_codes_say_what_went_wrong", || {
        for (arguments, expected) in [
            (&["run", "--ports", "0"][..], 1),
            (&["run", "--ports", "1024"], 1),
            (&["frobnicate"], 1),
            (&["run", "--personality", "no-such-chip", "--socket", "x"], 1),
            (&["run", "--wire", "no-such-netdev", "--socket", "x"], 2),
            (&["dump", "--socket", "/nowhere/hwsim.sock"], 4),
            (&["--version"], 0),
            (&["run", "--help"], 0),
        ] {
            let (code, error) = hwsim(arguments);
            assert_eq!(code, Some(expected), "{arguments:?}: {error}");
            assert!(expected == 0 || !error.is_empty());
        }
        if !has_netdevsim() {
            let (code, error) = hwsim(&["run", "--cpu", "netdevsim", "--socket", "x"]);
            assert_eq!(code, Some(2));
            assert!(error.contains("--cpu tap") && error.lines().count() == 1, "{error}");
        }
        assert_eq!(netdevs(), 0);
    });
}

// Would break: `-n NAME` and programs inside the namespace NAME look at different sockets.
#[test]
fn the_socket_is_where_the_namespace_says() {
    isolated("lifecycle::the_socket_is_where_the_namespace_says", || {
        let quiet = |command: &str| {
            let status = Command::new("sh").args(["-c", command]).status().unwrap();
            assert!(status.success(), "{command}");
        };
        quiet("mount -t tmpfs tmpfs /run && mkdir -p /run/user");
        quiet("mkdir /run/netns && ip netns add hwsim-test-blue");
        let mut simulator = Command::new("ip")
            .args([
                "netns",
                "exec",
                "hwsim-test-blue",
                HWSIM,
                "run",
                "--cpu",
                cpu(),
                "--ports",
                "1",
            ])
            .env("XDG_RUNTIME_DIR", "/run/user")
            .spawn()
            .unwrap();
        let client = |arguments: &[&str]| {
            let output =
                Command::new(HWSIM).args(arguments).env("XDG_RUNTIME_DIR", "/run/user").output();
            output.unwrap()
        };
        let hello = wait("an answer", || {
            let output = client(&["hello", "-j", "-n", "hwsim-test-blue"]);
            output.status.success().then_some(output)
        });
        let hello: serde_json::Value = serde_json::from_slice(&hello.stdout).unwrap();
        assert_eq!(hello["pid"], simulator.id());
        let output = client(&["hello"]);
        assert_eq!(output.status.code(), Some(4), "another namespace's simulator answers");
        let found = ["/run/hwsim", "/run/user/hwsim"]
            .map(|at| std::path::Path::new(at).join("hwsim-test-blue/hwsim.sock").exists());
        assert_eq!(found.iter().filter(|found| **found).count(), 1);
        let pid = nix::unistd::Pid::from_raw(i32::try_from(simulator.id()).unwrap());
        nix::sys::signal::kill(pid, Signal::SIGTERM).unwrap();
        assert!(simulator.wait().unwrap().success());
        assert!(!std::path::Path::new("/run/hwsim").exists(), "directories stay");
        quiet("ip netns del hwsim-test-blue");
    });
}

// Would break: `make demo` and every test that starts a switch take longer than they must.
#[test]
fn many_ports_start_fast() {
    isolated("lifecycle::many_ports_start_fast", || {
        let start = std::time::Instant::now();
        let mut simulator = Simulator::start(&["--ports", "64"]);
        let started = start.elapsed();
        assert_eq!(netdevs(), 128);
        let start = std::time::Instant::now();
        assert_eq!(simulator.end(Signal::SIGTERM), Some(0));
        let ended = start.elapsed();
        // Some 0.1 s each on an idle machine; far from what one netdev after the other takes.
        assert!(started < fair(Duration::from_secs(3)), "{started:?}");
        assert!(ended < fair(Duration::from_millis(1200)), "{ended:?}");
    });
}
