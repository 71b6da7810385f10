//! A network namespace with a simulated switch and a daemon, for one test.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::AsRawFd as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hwsim::port::Layout;
use hwsim::program::Plan;
use hwsim::protocol::Assembly;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, send, socket,
};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Tells the simulator's process where to listen.
const SOCKET: &str = "FIRSTHOP_TEST_HWSIM";

/// The programs under test, and what they left in a directory.
pub(crate) struct Stage {
    directory: tempfile::TempDir,
    chip: Option<Child>,
    daemon: Option<Child>,
}

/// Runs a test on a thread with a fresh network namespace. Says so on the terminal where the machine does not allow it.
pub(crate) fn on_stage(test: impl FnOnce(&mut Stage) + Send + 'static) {
    let name = thread::current().name().unwrap_or_default().to_owned();
    let run = move || {
        let skip = |why: &str| tell(&format!("SKIPPED {name}: {why}"));
        if let Err(errno) = unshare(CloneFlags::CLONE_NEWNET) {
            return skip(&format!("unshare(CLONE_NEWNET): {errno}"));
        }
        if File::open("/dev/net/tun").is_err() {
            return skip("/dev/net/tun can't be opened");
        }
        let mut stage = Stage { directory: tempfile::tempdir().unwrap(), chip: None, daemon: None };
        stage.ip("link set lo up");
        stage.start_chip();
        test(&mut stage);
    };
    if let Err(panic) = thread::spawn(run).join() {
        std::panic::resume_unwind(panic);
    }
}

/// Past the capture of the test harness.
fn tell(text: &str) {
    let mut terminal = std::io::stderr();
    terminal.write_all(format!("{text}\n").as_bytes()).ok();
}

/// The simulator, until it is killed.
pub(crate) fn simulate() {
    let socket = std::env::var_os(SOCKET).expect("the stage says where to listen");
    let layout = Layout {
        ports: 2,
        cpu: hwsim::port::cpu::CpuKind::Tap,
        port_prefix: "swp".into(),
        wire_prefix: "h".into(),
        wires: Vec::new(),
        base_mac: [2, 0, 0x5e, 0x10, 0, 0],
        chip_id: "0".into(),
    };
    let plan = Plan {
        personality: "spectrum2".into(),
        layout,
        socket: socket.into(),
        pcap: None,
        emad_pcap: None,
    };
    hwsim::program::run(&plan).unwrap();
}

/// Waits for the line `ready`; what follows is thrown away.
fn wait_ready(child: &mut Child) {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.ends_with("ready\n") {
        line.clear();
        assert_ne!(out.read_line(&mut line).unwrap(), 0, "it ended before it was ready");
    }
    thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
}

impl Stage {
    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn start_chip(&mut self) {
        let mut chip = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "simulator", "--ignored", "--nocapture"])
            .env(SOCKET, self.path("hwsim.sock"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        wait_ready(&mut chip);
        self.chip = Some(chip);
        for netdev in ["h1", "swp1", "h2", "swp2"] {
            // Link-local addresses would come later, by themselves.
            self.ip(&format!("link set {netdev} addrgenmode none"));
            self.ip(&format!("link set {netdev} up"));
        }
        self.eventually("swp1 has a carrier", |stage| {
            stage.ip("-j link show dev swp1").contains("LOWER_UP")
        });
    }

    pub(crate) fn restart_chip(&mut self) {
        end(self.chip.take(), Signal::SIGKILL);
        self.start_chip();
    }

    /// As if its power had been cut for a moment.
    pub(crate) fn reset_chip(&self) {
        self.control("reset");
    }

    fn daemon_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firsthopd"));
        command.args(["--hwsim", &self.path("hwsim.sock")]);
        if !arguments.contains(&"--socket") {
            command.args(["--socket", &self.path("firsthop.sock")]);
        }
        command.args(arguments);
        command
    }

    pub(crate) fn daemon(&mut self, arguments: &[&str]) {
        let mut command = self.daemon_command(arguments);
        let log = File::options().create(true).append(true).open(self.path("log")).unwrap();
        let mut daemon = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        wait_ready(&mut daemon);
        self.daemon = Some(daemon);
    }

    pub(crate) fn daemon_pid(&self) -> String {
        self.daemon.as_ref().unwrap().id().to_string()
    }

    /// A second daemon that is expected to end by itself: its exit code and what it said.
    pub(crate) fn daemon_output(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = self.daemon_command(arguments);
        let mut daemon = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let limit = Instant::now() + PATIENCE;
        while daemon.try_wait().unwrap().is_none() && Instant::now() < limit {
            thread::sleep(Duration::from_millis(5));
        }
        daemon.kill().unwrap();
        let output = daemon.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    pub(crate) fn kill_daemon(&mut self) {
        end(self.daemon.take(), Signal::SIGKILL);
    }

    pub(crate) fn stop_daemon(&mut self) -> Option<i32> {
        end(self.daemon.take(), Signal::SIGTERM)
    }

    pub(crate) fn socket_exists(&self) -> bool {
        std::fs::exists(self.path("firsthop.sock")).unwrap()
    }

    /// Runs the client; it has to end with this code.
    pub(crate) fn ask(&self, code: i32, line: &str) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_firsthop"))
            .args(["--socket", &self.path("firsthop.sock")])
            .args(line.split_whitespace())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}: {text}{errors}");
        text
    }

    pub(crate) fn ip(&self, arguments: &str) -> String {
        let output = Command::new("ip").args(arguments.split_whitespace()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ip {arguments}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// A private macvlan on swp1, up.
    pub(crate) fn macvlan(&self, name: &str, mac: &str) {
        self.ip(&format!("link add {name} link swp1 address {mac} type macvlan mode private"));
        self.ip(&format!("link set {name} addrgenmode none"));
        self.ip(&format!("link set {name} up"));
    }

    pub(crate) fn eventually(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let limit = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < limit, "not within {PATIENCE:?}: {what}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn dump(&self) -> Value {
        self.control("dump")
    }

    /// The chip's router MACs, in order.
    pub(crate) fn router_macs(&self) -> Vec<String> {
        let dump = self.dump();
        let records = dump["fdb"].as_array().unwrap().iter();
        let ours = records.filter(|record| record["action"] == "forward_ip_router");
        let mut macs: Vec<_> =
            ours.map(|record| record["mac"].as_str().unwrap().to_owned()).collect();
        macs.sort();
        macs
    }

    fn control(&self, request: &str) -> Value {
        let flags = SockFlag::SOCK_CLOEXEC;
        let stream = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None).unwrap();
        let path = self.path("hwsim.sock");
        connect(stream.as_raw_fd(), &UnixAddr::new(path.as_str()).unwrap()).unwrap();
        let request = json!({ "request": request }).to_string();
        send(stream.as_raw_fd(), request.as_bytes(), MsgFlags::empty()).unwrap();
        let mut assembly = Assembly::default();
        let mut buffer = vec![0; 128 << 10];
        loop {
            let length = recv(stream.as_raw_fd(), &mut buffer, MsgFlags::empty()).unwrap();
            if let Some(answer) = assembly.take(&buffer[..length]).unwrap() {
                return answer;
            }
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        end(self.daemon.take(), Signal::SIGKILL);
        end(self.chip.take(), Signal::SIGKILL);
        if thread::panicking() {
            let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
            tell(&format!("--- firsthopd's log\n{log}"));
        }
    }
}

/// Sends a signal and waits for the end; the exit code, if there was one.
fn end(child: Option<Child>, signal: Signal) -> Option<i32> {
    let mut child = child?;
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(pid, signal).ok();
    child.wait().unwrap().code()
}
