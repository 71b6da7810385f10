//! The command line: which verb, with which arguments, and which exit code when they are wrong.

use std::io::{IsTerminal, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use crate::client::{self, Ask};
use crate::error::{Error, exit};
use crate::port::cpu::CpuKind;
use crate::port::netdevsim::devices;
use crate::port::{Layout, MAX_PORTS};
use crate::program::{self, Plan};
use crate::protocol::path::default_socket;

/// The longest name of a netdev, bytes.
const NAME_MAX: usize = 15;

/// The longest alternative name of a netdev, bytes.
const ALTNAME_MAX: usize = 127;

/// A simulated switch chip with real netdevs as ports, spoken to through EMAD registers.
#[derive(Debug, Parser)]
#[command(name = "hwsim", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Args)]
struct Common {
    /// Print one JSON document.
    #[arg(short, long, global = true)]
    json: bool,
    /// The simulator's socket.
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The simulator of this network namespace (as `ip netns` names it).
    #[arg(short = 'n', long, global = true, value_name = "NETNS", conflicts_with = "socket")]
    netns: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Simulate a switch until SIGTERM or SIGINT.
    Run(Run),
    /// The chip's tables.
    Dump,
    /// The chip's counters, and the simulator's own under "host".
    Counters,
    /// Sizes and occupancies of the chip's tables.
    Resources,
    /// Ports and their netdevs.
    Ports,
    /// Who answers: chip id, personality, generation.
    Hello,
    /// Power the chip off and on: empty tables, a new generation, no faults.
    Reset,
    /// Follow a frame through the chip, without effects.
    Trace(Trace),
    /// Make register accesses fail.
    Fault {
        #[command(subcommand)]
        verb: Fault,
    },
    /// Waits for the end of a simulator to delete its netdevsim devices.
    #[command(name = devices::GUARD, hide = true)]
    Guard,
}

#[derive(Debug, Args)]
struct Run {
    /// spectrum2, spectrum1, tiny, or a file.
    #[arg(long, default_value = "spectrum2", value_name = "NAME|FILE")]
    personality: String,
    /// Number of front-panel ports.
    #[arg(long, default_value_t = 8, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_PORTS)))]
    ports: u16,
    /// What the CPU-side netdevs are.
    #[arg(long, value_enum, default_value_t = CpuKind::Tap)]
    cpu: CpuKind,
    /// CPU-side netdevs are PREFIX1, PREFIX2, …
    #[arg(long, default_value = "swp", value_name = "PREFIX")]
    port_prefix: String,
    /// Wire-side netdevs are PREFIX1, PREFIX2, …
    #[arg(long, default_value = "h", value_name = "PREFIX")]
    wire_prefix: String,
    /// An existing netdev in the place of the next wire-side netdev.
    #[arg(long = "wire", value_name = "NETDEV")]
    wires: Vec<String>,
    /// The address of CPU-side netdev N is M plus N.
    #[arg(long, default_value = "02:00:5e:10:00:00", value_name = "M", value_parser = mac)]
    base_mac: [u8; 6],
    /// The chip's name in alternative names of ports: letters, digits, "-", "_", ".".
    #[arg(long, default_value = "0", value_name = "ID")]
    chip_id: String,
    /// Record all frames of all netdevs (pcapng).
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Record EMAD requests and answers (pcap).
    #[arg(long, value_name = "FILE")]
    emad_pcap: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Trace {
    /// The port that receives the frame: a number or a netdev's name.
    port: String,
    /// The frame in hexadecimal, without FCS; "-" reads standard input.
    #[arg(required_unless_present = "pcap", conflicts_with = "pcap")]
    hex: Option<String>,
    /// All frames of a pcap or pcapng file.
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Fault {
    /// Add a rule; the first rule that strikes decides.
    Add(Rule),
    /// The rules in force, and how often each struck.
    List,
    /// Remove one rule, or all.
    Clear {
        /// The rule's number, as `add` and `list` say it.
        id: Option<u64>,
    },
}

#[derive(Debug, Args)]
struct Rule {
    /// The register by name, or "*" for every one.
    #[arg(long, default_value = "*", value_name = "NAME|*")]
    register: String,
    /// Which accesses.
    #[arg(long, value_enum, default_value_t = Op::Write)]
    op: Op,
    /// From the Nth matching access on, counted from 1 and from now.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    nth: Option<u64>,
    /// Only so many of a thousand accesses, by chance.
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u16).range(0..=1000))]
    share: Option<u16>,
    /// Where the chance begins; equal seeds fail equal accesses.
    #[arg(long, value_name = "S", requires = "share")]
    seed: Option<u64>,
    /// Fail so many accesses at most; without --count and --share, one.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// status=N, drop-reply, drop-request or short-num-rec.
    #[arg(long, value_name = "ACTION", value_parser = action)]
    action: Action,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Status(u8),
    DropReply,
    DropRequest,
    ShortNumRec,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Op {
    Query,
    Write,
}

fn mac(text: &str) -> Result<[u8; 6], String> {
    let mac = text.parse::<emad::Mac>().map_err(|error| error.to_string())?.0;
    if mac[0] & 1 != 0 {
        return Err("a group address".into());
    }
    let [a, b, c, d, e, f] = mac;
    let last = u64::from_be_bytes([0, 0, a, b, c, d, e, f]) + u64::from(MAX_PORTS);
    if last.to_be_bytes()[2] != a {
        return Err(format!("no room for {MAX_PORTS} addresses above it"));
    }
    Ok(mac)
}

fn action(text: &str) -> Result<Action, String> {
    match text.split_once('=') {
        None if text == "drop-reply" => Ok(Action::DropReply),
        None if text == "drop-request" => Ok(Action::DropRequest),
        None if text == "short-num-rec" => Ok(Action::ShortNumRec),
        Some(("status", number)) => match number.parse() {
            Ok(status @ 1..=127) => Ok(Action::Status(status)),
            _ => Err("the status is a number from 1 to 127".into()),
        },
        _ => Err("not status=N, drop-reply, drop-request or short-num-rec".into()),
    }
}

impl Run {
    fn plan(self, socket: PathBuf) -> Result<Plan, Error> {
        for prefix in [&self.port_prefix, &self.wire_prefix] {
            let valid = |char: char| char.is_ascii_graphic() && !"/:%".contains(char);
            let longest = format!("{prefix}{}", self.ports);
            if prefix.is_empty() || !prefix.chars().all(valid) || longest.len() > NAME_MAX {
                return Err(Error::Usage(format!("{longest:?} cannot be the name of a netdev")));
            }
        }
        if self.port_prefix == self.wire_prefix {
            return Err(Error::Usage("Both prefixes are the same".into()));
        }
        if self.wires.len() > usize::from(self.ports) {
            let (wires, ports) = (self.wires.len(), self.ports);
            return Err(Error::Usage(format!("{wires} --wire for {ports} ports")));
        }
        let valid = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
        let layout = Layout {
            ports: self.ports,
            cpu: self.cpu,
            port_prefix: self.port_prefix,
            wire_prefix: self.wire_prefix,
            wires: self.wires,
            base_mac: self.base_mac,
            chip_id: self.chip_id,
        };
        let id = &layout.chip_id;
        let fits = layout.altname(self.ports).len() <= ALTNAME_MAX;
        if id.is_empty() || !id.chars().all(valid) || !fits {
            return Err(Error::Usage(format!("{id:?} cannot be a chip id")));
        }
        let Run { personality, pcap, emad_pcap, .. } = self;
        Ok(Plan { personality, layout, socket, pcap, emad_pcap })
    }
}

impl Rule {
    fn request(self) -> Value {
        let mut request = Map::new();
        request.insert("request".into(), "fault".into());
        request.insert("verb".into(), "add".into());
        request.insert("register".into(), self.register.into());
        let op = match self.op {
            Op::Query => "query",
            Op::Write => "write",
        };
        request.insert("op".into(), op.into());
        let numbers =
            [("nth", self.nth), ("share", self.share.map(u64::from)), ("seed", self.seed)];
        for (name, number) in numbers.into_iter().chain([("count", self.count)]) {
            if let Some(number) = number {
                request.insert(name.into(), number.into());
            }
        }
        let action = match self.action {
            Action::Status(status) => json!({ "status": status }),
            Action::DropReply => "drop_reply".into(),
            Action::DropRequest => "drop_request".into(),
            Action::ShortNumRec => "short_num_rec".into(),
        };
        request.insert("action".into(), action);
        Value::Object(request)
    }
}

impl Verb {
    fn ask(self) -> Result<Ask, Error> {
        let request = |name: &str| json!({ "request": name });
        Ok(match self {
            Verb::Run(_) | Verb::Guard => unreachable!("handled before"),
            Verb::Dump => Ask::object(request("dump")),
            Verb::Counters => Ask::object(request("counters")),
            Verb::Resources => Ask::member(request("resources"), "resources"),
            Verb::Ports => Ask::member(request("ports"), "ports"),
            Verb::Hello => Ask::object(request("hello")),
            Verb::Reset => Ask::object(request("reset")),
            Verb::Trace(trace) => Ask::trace(&trace.port, trace.hex.as_deref(), trace.pcap)?,
            Verb::Fault { verb } => match verb {
                Fault::Add(rule) => Ask::object(rule.request()),
                Fault::List => Ask::member(json!({ "request": "fault", "verb": "list" }), "faults"),
                Fault::Clear { id } => {
                    Ask::object(json!({ "request": "fault", "verb": "clear", "id": id }))
                }
            },
        })
    }
}

impl Cli {
    fn perform(self) -> Result<(), Error> {
        let Cli { common, verb } = self;
        if matches!(verb, Verb::Guard) {
            return devices::guard();
        }
        let socket = match common.socket {
            Some(path) => path,
            None => default_socket(common.netns.as_deref())?,
        };
        match verb {
            Verb::Run(run) => program::run(&run.plan(socket)?),
            verb => client::perform(&socket, &verb.ask()?, common.json),
        }
    }
}

/// Help and version as they are; an error in one line, and with our exit code: clap's own is 2.
fn tell(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        error.print().ok();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    let what = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let line = what.split_whitespace().collect::<Vec<_>>().join(" ");
    writeln!(std::io::stderr(), "hwsim: {line}; try --help").ok();
    ExitCode::from(exit::USAGE)
}

/// The whole program: arguments in, exit code out.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return tell(&error),
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("HWSIM_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")),
        )
        .init();
    match cli.perform() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut line = format!("hwsim: {error}");
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                line.push_str(&format!(": {cause}"));
                source = cause.source();
            }
            eprintln!("{line}");
            ExitCode::from(error.exit_code())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn plan(arguments: &[&str]) -> Result<Plan, Error> {
        let all = ["hwsim", "run"].iter().chain(arguments);
        let Verb::Run(run) = Cli::try_parse_from(all).unwrap().verb else { panic!() };
        run.plan("x".into())
    }

    // Fails if clap's own consistency check of the definitions fails.
    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    // Fails if names that the kernel refuses, or numbers that do not fit, get past the start.
    #[test]
    fn impossible_plans_are_usage_errors() {
        assert_eq!(plan(&[]).unwrap().layout.ports, 8);
        for arguments in [
            &["--port-prefix", "a-long-long-name"][..],
            &["--port-prefix", "a/b"],
            &["--port-prefix", ""],
            &["--wire-prefix", "swp"],
            &["--chip-id", "a b"],
            &["--chip-id", ""],
            &["--ports", "1", "--wire", "a", "--wire", "b"],
        ] {
            assert!(matches!(plan(arguments), Err(Error::Usage(_))), "{arguments:?}");
        }
        assert_eq!(plan(&["--cpu", "netdevsim"]).unwrap().layout.cpu, CpuKind::Netdevsim);
        for arguments in [
            ["--ports", "0"],
            ["--ports", "1024"],
            ["--base-mac", "01:00:00:00:00:00"],
            ["--base-mac", "02:ff:ff:ff:ff:00"],
            ["--base-mac", "junk"],
        ] {
            let all = ["hwsim", "run"].iter().chain(&arguments);
            assert!(Cli::try_parse_from(all).is_err(), "{arguments:?}");
        }
    }

    // Fails if a rule reaches the chip with other numbers than were given.
    #[test]
    fn a_rule_becomes_a_request() {
        let arguments = "hwsim fault add --register sfd --nth 2 --count 1 --action status=7";
        let Verb::Fault { verb: Fault::Add(rule) } =
            Cli::try_parse_from(arguments.split(' ')).unwrap().verb
        else {
            panic!()
        };
        let expected = json!({
            "request": "fault", "verb": "add", "register": "sfd", "op": "write", "nth": 2,
            "count": 1, "action": { "status": 7 },
        });
        assert_eq!(rule.request(), expected);
        assert!(action("status=0").is_err() && action("status=128").is_err());
    }
}
