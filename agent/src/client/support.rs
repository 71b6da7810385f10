//! `firsthop support [FILE]`: everything that somebody needs who is asked for help, in one archive.
//!
//! ```text
//!   daemon's answers ─▶ state.json (`firsthop --state FILE` reads it) and text
//!   kernel, by `ip`, `bridge`, `devlink`; configuration; journal ─▶ as they are
//! ```
//!
//! What can't be had is listed and never keeps the rest away. Firsthop holds no secrets; the archive has addresses and routes.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Map, Value, json};

use super::answer::{Failure, member, refusal, show};
use super::call::Conversation;
use super::grammar::{Options, Question, TrapTable};
use super::saved::{self, Saved};
use super::{Exit, complain, json, print};
use crate::api::{Filter, TrapFilter};
use crate::{clock, config, metrics};

/// Devices whose explanation is kept.
const EXPLAINED: usize = 4096;
/// Seconds that a command may take.
const PATIENCE: &str = "20";

/// What the kernel is asked: the file that it goes to, and who asks. They ask in the network namespace of the daemon.
const QUESTIONS: &[(&str, &[&str])] = &[
    ("links.json", &["ip", "-d", "-s", "-j", "link"]),
    ("addresses.json", &["ip", "-j", "addr"]),
    ("rules.json", &["ip", "-j", "rule"]),
    ("routes_ipv4.json", &["ip", "-d", "-j", "-4", "route", "show", "table", "all"]),
    ("routes_ipv6.json", &["ip", "-d", "-j", "-6", "route", "show", "table", "all"]),
    ("nexthops.json", &["ip", "-j", "nexthop"]),
    ("neighbours.json", &["ip", "-s", "-j", "neigh"]),
    ("bridge_links.json", &["bridge", "-d", "-j", "link"]),
    ("bridge_vlans.json", &["bridge", "-j", "vlan"]),
    ("bridge_fdb.json", &["bridge", "-d", "-s", "-j", "fdb"]),
    ("devlink_devices.json", &["devlink", "-j", "dev", "info"]),
    ("devlink_ports.json", &["devlink", "-j", "port"]),
    ("devlink_traps.json", &["devlink", "-s", "-j", "trap"]),
    ("devlink_trap_groups.json", &["devlink", "-s", "-j", "trap", "group"]),
    ("devlink_trap_policers.json", &["devlink", "-s", "-j", "trap", "policer"]),
    ("netlink_sockets.txt", &["cat", "/proc/net/netlink"]),
    (
        "sysctl.txt",
        &[
            "grep",
            "-rs",
            ".",
            "/proc/sys/net/ipv4/conf",
            "/proc/sys/net/ipv6/conf",
            "/proc/sys/net/core/rmem_max",
        ],
    ),
];

/// What the machine is asked.
const MACHINE: &[(&str, &[&str])] = &[
    ("uname.txt", &["uname", "-a"]),
    (
        "journal.txt",
        &["journalctl", "-u", "firsthopd", "-n", "5000", "-o", "short-iso", "--no-pager"],
    ),
];

/// Makes the archive and says where it is. Without a daemon it has everything else, and the exit code says so.
pub(super) fn collect(options: &Options, file: Option<&Path>) -> Result<Exit, Failure> {
    let taken = clock::date(clock::now().as_secs());
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let host = host.unwrap_or_else(|| "unknown".to_owned());
    let name = format!("firsthop-support-{host}-{}", taken.replace(['-', ':'], ""));
    let path = file.map_or_else(|| PathBuf::from(format!("{name}.tar.gz")), Path::to_path_buf);
    let failed = |error: io::Error| Failure {
        line: format!("{} can't be written: {error}", path.display()),
        exit: Exit::Usage,
    };
    // nobody else's to read, and never in the place of something else
    let out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let mut archive = Archive::begin(out.map_err(failed)?, name);
    let asked = ask(options, &taken, &mut archive);
    if let Err(failure) = &asked {
        complain(&failure.line);
        archive.note(saved::FILE, &failure.line);
    }
    look(options, &mut archive);
    archive.finish(&taken).map_err(failed)?;
    if options.json {
        print(&json::document(&json!({ "file": path, "taken": taken }), options.pretty));
    } else {
        print(&format!("{}\n", path.display()));
    }
    Ok(asked.map_or_else(|failure| failure.exit, |()| Exit::Ok))
}

/// Everything that the daemon tells: as it came, and as text.
fn ask(options: &Options, taken: &str, archive: &mut Archive) -> Result<(), Failure> {
    let mut daemon = Conversation::begin(options)?;
    let plain = Options { stats: true, details: true, ..Options::default() };
    let mut saved = Saved::new(taken.to_owned());
    let mut whole = Map::new();
    for (method, question) in [
        ("Status", Question::Status),
        ("Doctor", Question::Doctor),
        ("ListRif", Question::Rif(Filter::default())),
        ("ListVmac", Question::Vmac(Filter::default())),
        ("ListPort", Question::Port(Filter::default())),
        ("ListTrap", Question::Trap(TrapTable::Traps, TrapFilter::default())),
        ("ListResource", Question::Resource),
        ("Diff", Question::Diff(None)),
    ] {
        let reply = daemon.call(method, Map::new(), false, Some(Duration::ZERO))?;
        if let Some(error) = &reply.error {
            return Err(refusal(error, &reply, &question));
        }
        let (text, _) = show(&plain, &question, &reply, daemon.path())?;
        archive.add(&format!("{}.txt", method.trim_start_matches("List").to_lowercase()), &text);
        whole.extend(reply.parameters.clone());
        saved.keep(method, reply.parameters);
    }
    for (method, rows) in [("ListRoute", "routes"), ("ListNeighbour", "neighbours")] {
        saved.keep(method, pages(&mut daemon, method, rows)?);
    }
    for dev in explained(&whole) {
        let parameters = Map::from_iter([("dev".to_owned(), json!(dev))]);
        let reply = daemon.call("Explain", parameters, false, Some(Duration::ZERO))?;
        // it may be gone by now
        if reply.error.is_none() {
            saved.keep_explanation(&dev, reply.parameters);
        }
    }
    archive.add(saved::FILE, &json::document(&saved, false));
    match serde_json::from_value(Value::Object(whole)) {
        Ok(answers) => archive.add("metrics.txt", &metrics::render(Some(&answers))),
        Err(error) => archive.note("metrics.txt", &error.to_string()),
    }
    Ok(())
}

/// All pages of an answer as one.
fn pages(
    daemon: &mut Conversation,
    method: &str,
    rows: &str,
) -> Result<Map<String, Value>, Failure> {
    let mut all = Vec::new();
    let mut reply = daemon.call(method, Map::new(), true, Some(Duration::ZERO))?;
    loop {
        if let Some(error) = &reply.error {
            return Err(refusal(error, &reply, &Question::Status));
        }
        all.append(&mut member::<Vec<Value>>(&reply, rows).unwrap_or_default());
        if !reply.continues {
            reply.parameters.insert(rows.to_owned(), Value::Array(all));
            return Ok(reply.parameters);
        }
        reply = daemon.next_reply()?;
    }
}

/// The devices that are worth an explanation.
fn explained(answers: &Map<String, Value>) -> Vec<String> {
    let rows = |name: &str| answers.get(name).and_then(Value::as_array).into_iter().flatten();
    let rows = rows("vmacs").chain(rows("rifs")).chain(rows("ports"));
    let names = rows.filter_map(|row| row.get("ifname")?.as_str());
    let mut seen = BTreeSet::new();
    names.filter(|name| seen.insert(*name)).take(EXPLAINED).map(str::to_owned).collect()
}

/// What others know: the kernel, the configuration's files, the journal.
fn look(options: &Options, archive: &mut Archive) {
    let inside = options.netns.as_ref().map(|netns| ["ip", "netns", "exec", netns.as_str()]);
    for (name, words) in QUESTIONS {
        let command: Vec<&str> = inside.iter().flatten().chain(*words).copied().collect();
        archive.run(&format!("kernel/{name}"), &command);
    }
    for (name, command) in MACHINE {
        archive.run(name, command);
    }
    archive.copy(Path::new("/etc/os-release"));
    match config::files(Path::new(config::DIRECTORY)) {
        Ok(files) => files.iter().for_each(|file| archive.copy(file)),
        Err(error) => archive.note(config::DIRECTORY, &crate::chain(&error)),
    }
}

/// The archive that grows, and a list of what is in it.
struct Archive {
    name: String,
    tar: tar::Builder<GzEncoder<File>>,
    list: String,
    /// The first trouble with the file itself.
    trouble: Option<io::Error>,
}

impl Archive {
    fn begin(file: File, name: String) -> Self {
        let tar = tar::Builder::new(GzEncoder::new(file, Compression::default()));
        Self { name, tar, list: String::new(), trouble: None }
    }

    fn add(&mut self, name: &str, text: &str) {
        self.put(name, text.as_bytes());
        self.list.push_str(&format!("{name}\n"));
    }

    /// Something is not there, and why.
    fn note(&mut self, name: &str, why: &str) {
        self.list.push_str(&format!("{name}: not there: {why}\n"));
    }

    fn copy(&mut self, path: &Path) {
        let name = path.display().to_string();
        match fs::read_to_string(path) {
            Ok(text) => self.add(name.trim_start_matches('/'), &text),
            Err(error) => self.note(&name, &error.to_string()),
        }
    }

    /// What a command prints; its first complaint is noted.
    fn run(&mut self, name: &str, command: &[&str]) {
        let output =
            Command::new("timeout").arg(PATIENCE).args(command).stdin(Stdio::null()).output();
        match output {
            Ok(output) => {
                self.put(name, &output.stdout);
                let complaint = String::from_utf8_lossy(&output.stderr);
                let complaint = complaint.lines().next();
                let complaint = complaint.map_or_else(String::new, |line| format!(" ({line})"));
                self.list.push_str(&format!("{name}: {}{complaint}\n", command.join(" ")));
            }
            Err(error) => self.note(name, &error.to_string()),
        }
    }

    fn put(&mut self, name: &str, octets: &[u8]) {
        let mut header = tar::Header::new_gnu();
        header.set_size(octets.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(clock::now().as_secs());
        let put = self.tar.append_data(&mut header, format!("{}/{name}", self.name), octets);
        if let Err(error) = put {
            self.trouble.get_or_insert(error);
        }
    }

    fn finish(mut self, taken: &str) -> io::Result<()> {
        let head = format!(
            "What firsthop {} collected at {taken}. `firsthop --state ARCHIVE status` (rif, vmac, route, explain DEV, ...) reads \
             what the daemon said.\n\n",
            env!("CARGO_PKG_VERSION")
        );
        let list = std::mem::take(&mut self.list);
        self.put("README", format!("{head}{list}").as_bytes());
        match self.trouble {
            Some(error) => Err(error),
            None => self.tar.into_inner()?.finish()?.sync_all(),
        }
    }
}
