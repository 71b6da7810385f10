//! JSON control requests: what does somebody want to know of the chip, or to do to it?
//!
//! ```text
//! {"request":"dump"}  ─▶  {"ok":true, "rifs":[…], "fdb":[…], …}
//! {"request":"dmup"}  ─▶  {"ok":false, "error":"Unknown request \"dmup\""}
//! ```
//! Every request is answered by exactly one document. `docs/hwsim-protocol.md` lists them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::chip::{Chip, FaultAction, FaultRule, LocalPort, Nanos};
use crate::port::Port;

/// The chip, and what the program around it knows.
#[derive(Debug)]
pub struct Core {
    /// The chip.
    pub chip: Chip,
    /// What the program around it counted.
    pub host: HostCounters,
}

/// Frames at the edges of the program, and those lost there.
#[derive(Debug, Clone, Default, Serialize)]
pub struct HostCounters {
    /// Frames from wires.
    pub wire_in: u64,
    /// Frames to wires.
    pub wire_out: u64,
    /// Frames from the kernel's stack.
    pub cpu_out: u64,
    /// Frames to the kernel's stack.
    pub cpu_in: u64,
    /// For a wire without carrier, or that the kernel refused.
    pub wire_dropped: u64,
    /// For a CPU-side netdev that is down or gone.
    pub cpu_down_dropped: u64,
    /// For the CPU while the queue of their traffic class was full; by class.
    pub cpu_queue_dropped: BTreeMap<u8, u64>,
    /// From a wire, too long or too short.
    pub bad_length: u64,
    /// From a wire, several segments in one: the sender's segmentation offload is on.
    pub unsegmented: u64,
    /// From a wire, with a missing checksum that has no place.
    pub bad_checksum: u64,
}

/// A request, by its `request` member.
#[derive(Debug, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
enum Request {
    Hello,
    Resources,
    Ports,
    Counters,
    Dump,
    Reset,
    Trace { port: PortName, frame: String },
    Fault(FaultRequest),
}

/// A port, by number or by any of its names.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum PortName {
    Number(u16),
    Name(String),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
enum FaultRequest {
    Add(FaultRule),
    List,
    Clear { id: Option<u64> },
}

/// Answers one request.
pub fn answer(core: &mut Core, ports: &[Port], now: Nanos, request: &[u8]) -> String {
    let result = serde_json::from_slice(request)
        .map_err(|error| format!("Request not understood: {error}"))
        .and_then(|request| perform(core, ports, now, request));
    match result {
        Ok(mut members) => {
            members.insert("ok".into(), Value::Bool(true));
            Value::Object(members).to_string()
        }
        Err(error) => refusal(&error),
    }
}

/// The answer to what cannot be done.
pub fn refusal(error: &str) -> String {
    json!({ "ok": false, "error": error }).to_string()
}

fn perform(
    core: &mut Core,
    ports: &[Port],
    now: Nanos,
    request: Request,
) -> Result<Map<String, Value>, String> {
    match request {
        Request::Hello => members(&json!({
            "chip_id": core.chip.chip_id(),
            "personality": core.chip.personality().name,
            "mac_profile_prefix_bits": core.chip.personality().profile_prefix_bits,
            "ecmp_size": core.chip.personality().ecmp_size(),
            "generation": core.chip.generation(),
            "ports": ports.len(),
            "pid": std::process::id(),
            "version": env!("CARGO_PKG_VERSION"),
        })),
        Request::Resources => members(&json!({ "resources": core.chip.resources() })),
        Request::Ports => {
            let rows: Vec<Value> =
                ports.iter().map(|port| row(core.chip.chip_id(), port)).collect();
            members(&json!({ "ports": rows }))
        }
        Request::Counters => {
            let mut counters = members(&core.chip.counters())?;
            counters.extend(members(&json!({ "host": core.host }))?);
            Ok(counters)
        }
        Request::Dump => members(&core.chip.dump()),
        Request::Reset => {
            core.chip.reset(core.chip.generation().wrapping_add(1));
            members(&json!({ "generation": core.chip.generation() }))
        }
        Request::Trace { port, frame } => {
            let port = find(ports, &port)?;
            let frame = from_hex(&frame)?;
            members(&core.chip.trace(now, port, &frame))
        }
        Request::Fault(FaultRequest::Add(rule)) => {
            check(&rule)?;
            members(&json!({ "id": core.chip.faults().inject(rule) }))
        }
        Request::Fault(FaultRequest::List) => {
            members(&json!({ "faults": core.chip.faults().rules() }))
        }
        Request::Fault(FaultRequest::Clear { id: None }) => {
            core.chip.faults().clear();
            Ok(Map::new())
        }
        Request::Fault(FaultRequest::Clear { id: Some(id) }) => {
            if core.chip.faults().remove(id) {
                Ok(Map::new())
            } else {
                Err(format!("No fault rule {id}"))
            }
        }
    }
}

/// Refuses rules that could never strike, or would answer what no chip answers.
fn check(rule: &FaultRule) -> Result<(), String> {
    let names: Vec<&str> = emad::register::REGISTERS.iter().map(|(name, ..)| *name).collect();
    if rule.register != "*" && !names.contains(&rule.register.as_str()) {
        return Err(format!("No register {:?}; there are {}", rule.register, names.join(", ")));
    }
    match (rule.action, rule.nth, rule.share) {
        (FaultAction::Status(status), ..) if status > 127 => {
            Err(format!("Status {status} is not in 0..=127"))
        }
        (_, Some(0), _) => Err("Accesses are counted from 1".into()),
        (.., Some(share)) if share > 1000 => Err(format!("Share {share} is not in 0..=1000")),
        _ => Ok(()),
    }
}

/// The members of a value that serializes to an object.
fn members(value: &impl Serialize) -> Result<Map<String, Value>, String> {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err("The answer is no object".into()),
        Err(error) => Err(format!("The answer cannot be written: {error}")),
    }
}

fn row(chip_id: &str, port: &Port) -> Value {
    let [a, b, c, d, e, f] = port.mac;
    json!({
        "ifname": port.ifname,
        "ifindex": port.ifindex,
        "device": format!("hwsim/{chip_id}"),
        "local_port": port.local.0,
        "mac": format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}"),
        "altname": port.altname,
        "wire": port.wire_name,
        "carrier": port.link,
        "present": port.cpu.is_some(),
    })
}

fn find(ports: &[Port], wanted: &PortName) -> Result<LocalPort, String> {
    let number = match wanted {
        PortName::Number(number) => Some(*number),
        PortName::Name(name) => name.parse().ok(),
    };
    let found = ports.iter().find(|port| match wanted {
        PortName::Name(name) if number.is_none() => {
            [&port.ifname, &port.altname, &port.wire_name].contains(&name)
        }
        _ => Some(port.local.0) == number,
    });
    found.map(|port| port.local).ok_or_else(|| match wanted {
        PortName::Number(number) => format!("No port {number}; there are 1 to {}", ports.len()),
        PortName::Name(name) => format!("No port {name:?}; there are 1 to {}", ports.len()),
    })
}

/// Bytes from hexadecimal digits; white space and colons between bytes are ignored.
pub fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let mut nibbles = Vec::with_capacity(text.len());
    for char in text.chars().filter(|char| !char.is_whitespace() && *char != ':') {
        let nibble = char.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        nibbles.push(nibble.ok_or_else(|| format!("{char:?} is no hexadecimal digit"))?);
    }
    let (pairs, rest) = nibbles.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("An odd number of hexadecimal digits".into());
    }
    Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// Hexadecimal digits, two for each byte.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
