//! A running simulator, and networks for it to be compared with.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hwsim::client::Connection;

/// The program under test, with two ports; killed when this ends early.
#[derive(Debug)]
pub(crate) struct Simulator {
    child: Child,
    socket: PathBuf,
}

impl Simulator {
    /// Starts the release build beside this program; `directory` is for its socket.
    pub(crate) fn start(directory: &Path) -> Result<Simulator, Box<dyn Error>> {
        let socket = directory.join("hwsim.sock");
        let itself = std::env::current_exe()?;
        let hwsim = itself.ancestors().nth(2).ok_or("no directory above")?.join("hwsim");
        let mut child = Command::new(hwsim)
            .args(["run", "--ports", "2", "--socket"])
            .arg(&socket)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let simulator = Simulator { child, socket };
        if line == "ready\n" { Ok(simulator) } else { Err("not ready".into()) }
    }

    /// A connection to it.
    pub(crate) fn connect(&self) -> Result<Connection, Box<dyn Error>> {
        Ok(Connection::open(&self.socket)?)
    }

    /// Gives each port its address 10.0.N.1 and waits for its carrier.
    pub(crate) fn set_up_ports(&self) -> Result<(), Box<dyn Error>> {
        ip("link set lo up")?;
        for port in 1..=2 {
            ip(&format!("link set h{port} up"))?;
            ip(&format!("link set swp{port} up"))?;
            ip(&format!("addr add 10.0.{port}.1/24 dev swp{port}"))?;
            ip(&format!(
                "neigh replace 10.0.{port}.2 lladdr 02:00:00:00:09:0{port} dev swp{port}"
            ))?;
        }
        let mut connection = self.connect()?;
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(5) {
            let ports = connection.ask(&serde_json::json!({ "request": "ports" }))?;
            let ports = ports["ports"].as_array().ok_or("no ports")?;
            if ports.iter().all(|port| port["carrier"] == true) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err("no carrier".into())
    }

    /// Seconds of processor time so far.
    pub(crate) fn processor_time(&self) -> Result<f64, Box<dyn Error>> {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> =
            text.rsplit_once(')').ok_or("no name")?.1.split_whitespace().collect();
        let ticks = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        Ok(ticks / 100.0) // USER_HZ
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Runs `ip` with these words.
pub(crate) fn ip(arguments: &str) -> Result<(), Box<dyn Error>> {
    run("ip", arguments)
}

fn run(program: &str, arguments: &str) -> Result<(), Box<dyn Error>> {
    let status = Command::new(program).args(arguments.split(' ')).status()?;
    if status.success() { Ok(()) } else { Err(format!("{program} {arguments}: {status}").into()) }
}

/// A network namespace whose kernel routes from `k1` to `k2`; gone when this ends.
#[derive(Debug)]
pub(crate) struct KernelRouter(Child);

impl KernelRouter {
    /// The same addresses as the simulator's ports have, with the MACs that its frames are for.
    pub(crate) fn start(macs: [[u8; 6]; 2]) -> Result<KernelRouter, Box<dyn Error>> {
        let own = std::fs::read_link("/proc/self/ns/net")?;
        let mut child = Command::new("unshare").args(["--net", "sleep", "600"]).spawn()?;
        let pid = child.id();
        let start = Instant::now();
        while std::fs::read_link(format!("/proc/{pid}/ns/net"))? == own {
            if start.elapsed() > Duration::from_secs(5) {
                child.kill().ok();
                return Err("no namespace".into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let router = KernelRouter(child);
        for (port, mac) in (1..).zip(macs) {
            let mac = emad::Mac(mac);
            ip(&format!("link add k{port} type veth peer name r{port} address {mac} netns {pid}"))?;
            ip(&format!("link set k{port} up"))?;
            let within = |words: &str| run("nsenter", &format!("-t {pid} -n ip {words}"));
            within(&format!("link set r{port} up"))?;
            within(&format!("addr add 10.0.{port}.1/24 dev r{port}"))?;
            within(&format!(
                "neigh replace 10.0.{port}.2 lladdr 02:00:00:00:09:0{port} dev r{port}"
            ))?;
        }
        run("nsenter", &format!("-t {pid} -n sysctl -q net.ipv4.ip_forward=1"))?;
        Ok(router)
    }
}

impl Drop for KernelRouter {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
