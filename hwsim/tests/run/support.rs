//! A namespace for a test, a simulator in it, and waiting with a limit.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use hwsim::client::Connection;
use hwsim::port::rtnl::{Link, Rtnl};
use hwsim::port::wire::{Batch, Wire};
use nix::net::if_::if_nametoindex;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use serde_json::Value;

pub(crate) const HWSIM: &str = env!("CARGO_BIN_EXE_hwsim");
const INSIDE: &str = "HWSIM_TEST_INSIDE";
const CPU: &str = "HWSIM_TEST_CPU";

/// How long anything may take on a loaded machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// Runs the test `name` again, alone, in fresh network and mount namespaces; once with TAP devices and, where
/// the kernel has netdevsim, once with that.
pub(crate) fn isolated(name: &str, body: impl FnOnce()) {
    if inside(name) {
        return body();
    }
    isolate(name, !geteuid().is_root(), "tap");
    if has_netdevsim() {
        isolate(name, false, "netdevsim");
    }
}

/// The same as the root of a user namespace, whoever runs the test, with TAP devices.
pub(crate) fn isolated_as_mapped_root(name: &str, body: impl FnOnce()) {
    if inside(name) {
        return body();
    }
    isolate(name, true, "tap");
}

fn inside(name: &str) -> bool {
    std::env::var(INSIDE).is_ok_and(|inside| inside == name)
}

/// Whether ports can be netdevsim's here.
pub(crate) fn has_netdevsim() -> bool {
    let bus = "/sys/bus/netdevsim/new_device";
    geteuid().is_root() && std::fs::OpenOptions::new().write(true).open(bus).is_ok()
}

/// Whether this run of the test is the one with netdevsim.
pub(crate) fn on_netdevsim() -> bool {
    std::env::var(CPU).is_ok_and(|cpu| cpu == "netdevsim")
}

/// The value of `--cpu` in this run of the test.
pub(crate) fn cpu() -> &'static str {
    if on_netdevsim() { "netdevsim" } else { "tap" }
}

fn isolate(name: &str, mapped: bool, cpu: &str) {
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "--mount"]);
    if mapped {
        unshare.args(["--user", "--map-root-user"]);
    }
    let possible = Command::new("unshare").args(unshare.get_args()).arg("true").output();
    if !possible.as_ref().is_ok_and(|output| output.status.success())
        || !Path::new("/dev/net/tun").exists()
    {
        skipped(&format!("{name}: no namespaces or no /dev/net/tun here: {possible:?}"));
        return;
    }
    let itself = std::env::current_exe().unwrap();
    let output = unshare
        .arg(itself)
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(INSIDE, name)
        .env(CPU, cpu)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    eprintln!("{text}{errors}");
    if let Some(line) = errors.lines().find_map(|line| line.strip_prefix(SKIPPED)) {
        skipped(line);
    }
    assert!(output.status.success(), "{name} failed inside with {cpu}");
    assert!(text.contains("1 passed"), "{name} is not the name of this test");
}

const SKIPPED: &str = "SKIPPED ";

/// Says loudly that something was not tested: past the capture of the test harness, which would
/// keep the output of a test that passes to itself.
pub(crate) fn skipped(what: &str) {
    let line = format!("{SKIPPED}{what}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Asks again and again until there is an answer.
pub(crate) fn wait<T>(what: &str, mut question: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(start.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {error}");
}

/// Kinds of which every new network namespace has one, on kernels that have them built in.
const FALLBACKS: [&str; 8] = ["sit", "ipip", "ip6tnl", "gre", "gretap", "erspan", "vti", "vti6"];

/// How many netdevs there are, but those that a new namespace has by itself.
pub(crate) fn netdevs() -> usize {
    let links = Rtnl::open().unwrap().links().unwrap();
    links.iter().filter(|it| it.name != "lo" && !FALLBACKS.contains(&it.kind.as_str())).count()
}

/// A limit in time on a machine of its own; in User-Mode Linux, where a system call takes 75 µs, ten times that.
pub(crate) fn fair(limit: Duration) -> Duration {
    if std::env::var_os("FH_UML").is_some() { limit * 10 } else { limit }
}

pub(crate) fn link(name: &str) -> Option<Link> {
    Rtnl::open().unwrap().link_named(name).unwrap()
}

/// Removes a CPU-side netdev behind the simulator's back.
pub(crate) fn delete_port(name: &str) {
    if !on_netdevsim() {
        return ip(&format!("link del {name}"));
    }
    let link = link(name).unwrap();
    let port: u32 = link.port_name[1..].parse().unwrap();
    let path = format!("/sys/bus/netdevsim/devices/{}/del_port", link.parent);
    std::fs::write(path, (port - 1).to_string()).unwrap();
}

pub(crate) fn has_carrier(name: &str) -> bool {
    link(name).is_some_and(|link| link.carrier)
}

/// Waits until a netdev has carrier, or has none.
pub(crate) fn wait_carrier(name: &str, carrier: bool) {
    wait(&format!("carrier {carrier} of {name}"), || {
        link(name).filter(|link| link.carrier == carrier).map(drop)
    });
}

/// A process in a network namespace of its own, for netdevs to be moved to.
#[derive(Debug)]
pub(crate) struct OtherNamespace(Child);

impl OtherNamespace {
    pub(crate) fn new() -> OtherNamespace {
        let child = Command::new("unshare").args(["--net", "sleep", "600"]).spawn().unwrap();
        let other = OtherNamespace(child);
        let own = std::fs::read_link("/proc/thread-self/ns/net").unwrap();
        let path = format!("/proc/{}/ns/net", other.pid());
        wait("another namespace", || (std::fs::read_link(&path).ok()? != own).then_some(()));
        other
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn ip(&self, arguments: &str) {
        let status = Command::new("nsenter")
            .args(["--net", "--target", &self.pid().to_string(), "ip"])
            .args(arguments.split(' '))
            .status();
        assert!(status.unwrap().success(), "ip {arguments}");
    }
}

impl Drop for OtherNamespace {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A running simulator. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Simulator {
    child: Child,
    pub(crate) socket: PathBuf,
    pub(crate) directory: tempfile::TempDir,
}

impl Simulator {
    /// Starts it with these arguments and waits until it is ready.
    pub(crate) fn start(arguments: &[&str]) -> Simulator {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("hwsim.sock");
        let child = Command::new(HWSIM)
            .arg("run")
            .arg("--socket")
            .arg(&socket)
            .args(["--cpu", cpu()])
            .args(arguments)
            .current_dir(directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut simulator = Simulator { child, socket, directory };
        let mut line = String::new();
        let stdout = simulator.child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        simulator
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(&self.socket).unwrap()
    }

    /// Asks for a document.
    pub(crate) fn ask(&self, request: &Value) -> Value {
        self.connect().ask(request).unwrap()
    }

    /// A counter of the program around the chip.
    pub(crate) fn host_counter(&self, name: &str) -> u64 {
        let counters = self.ask(&serde_json::json!({ "request": "counters" }));
        counters["host"][name].as_u64().unwrap()
    }

    /// Runs a client verb on it.
    pub(crate) fn client(&self, arguments: &[&str]) -> Output {
        Command::new(HWSIM).args(arguments).arg("--socket").arg(&self.socket).output().unwrap()
    }

    /// Sends a signal and waits for the end; the exit code, if there was one.
    pub(crate) fn end(&mut self, signal: Signal) -> Option<i32> {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A raw socket on a netdev: a host that sends and hears bytes.
#[derive(Debug)]
pub(crate) struct Host {
    wire: Wire,
    batch: Batch,
    heard: Vec<Vec<u8>>,
}

impl Host {
    pub(crate) fn on(netdev: &str) -> Host {
        let wire = Wire::open(if_nametoindex(netdev).unwrap(), false).unwrap();
        Host { wire, batch: Batch::new(), heard: Vec::new() }
    }

    pub(crate) fn send(&self, frame: &[u8]) {
        assert_eq!(self.wire.send(&[frame.to_vec()]).frames, 1);
    }

    /// Sends as many of the frames as there is room for.
    pub(crate) fn send_all(&self, frames: &[Vec<u8>]) {
        self.wire.send(frames);
    }

    /// Everything heard so far.
    pub(crate) fn heard(&mut self) -> &[Vec<u8>] {
        while self.wire.receive(&mut self.batch).is_ok_and(|count| count > 0) {
            self.heard.extend(self.batch.take().filter_map(|frame| Some(frame.ok()?.to_vec())));
        }
        &self.heard
    }

    pub(crate) fn has_heard(&mut self, frame: &[u8]) -> bool {
        self.heard().iter().any(|heard| heard == frame)
    }

    /// Waits until it hears exactly this frame.
    pub(crate) fn wait_for(&mut self, frame: &[u8]) {
        let start = Instant::now();
        while !self.has_heard(frame) {
            assert!(start.elapsed() < LIMIT, "Not heard: {frame:02x?}\nbut: {:02x?}", self.heard);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
