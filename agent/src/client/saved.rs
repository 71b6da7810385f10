//! `--state FILE`: what `firsthop support` saved answers in the daemon's place.
//!
//! ```text
//!   FILE: an archive, or the state.json in it ─▶ Saved ─▶ the daemon's answers of that time, filtered here
//! ```

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use flate2::read::GzDecoder;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::answer::Failure;
use super::{Exit, complain};
use crate::api::interface::NAME;
use crate::api::{self, Reply};

/// The name of the file in an archive.
pub(super) const FILE: &str = "state.json";
/// The form of the file; another one is not understood.
const FORMAT: u32 = 1;
/// The longest state that is read, octets.
const LONGEST: u64 = 1 << 30;

/// The daemon's answers at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Saved {
    format: u32,
    /// Of the program that saved it.
    version: String,
    /// RFC 3339
    taken: String,
    /// Parameters of the reply to each method; of `Explain` by device.
    answers: Map<String, Value>,
}

impl Saved {
    /// Nothing yet.
    pub(super) fn new(taken: String) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: FORMAT, version, taken, answers: Map::new() }
    }

    /// Keeps the answer to a method.
    pub(super) fn keep(&mut self, method: &str, parameters: Map<String, Value>) {
        self.answers.insert(method.to_owned(), Value::Object(parameters));
    }

    /// Keeps the explanation of a device.
    pub(super) fn keep_explanation(&mut self, dev: &str, parameters: Map<String, Value>) {
        let all = self.answers.entry("Explain").or_insert_with(|| json!({}));
        if let Value::Object(all) = all {
            all.insert(dev.to_owned(), Value::Object(parameters));
        }
    }

    /// Reads a file, and says how old it is.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let saved = Self::read(path).map_err(|why| Failure {
            line: format!("{}: {why}; `firsthop support` saves a state", path.display()),
            exit: Exit::Usage,
        })?;
        complain(&format!("note: saved at {} by firsthop {}", saved.taken, saved.version));
        Ok(saved)
    }

    fn read(path: &Path) -> Result<Self, String> {
        let octets = fs::read(path).map_err(|error| error.to_string())?;
        let text = if octets.starts_with(&[0x1f, 0x8b]) {
            // what is wrong with it may be told by quoting it
            unpack(&octets).map_err(|error| {
                let text = error.to_string();
                format!("no archive that can be read: {}", text.lines().next().unwrap_or_default())
            })?
        } else {
            octets
        };
        let saved: Self =
            serde_json::from_slice(&text).map_err(|error| format!("no saved state: {error}"))?;
        if saved.format != FORMAT {
            return Err(format!("its format is {}, this program reads {FORMAT}", saved.format));
        }
        Ok(saved)
    }

    /// What the daemon would have answered.
    pub(super) fn call(&self, method: &str, parameters: &Map<String, Value>) -> Reply {
        let answer = |name: &str| self.answers.get(name).and_then(Value::as_object).cloned();
        if method == "Explain" {
            let dev = parameters.get("dev").and_then(Value::as_str).unwrap_or_default();
            let told = answer(method).and_then(|all| all.get(dev)?.as_object().cloned());
            return told.map_or_else(|| no_such_device(dev), |told| Reply::of(&told));
        }
        let asks_more = parameters.contains_key("address") || parameters.contains_key("recorded");
        let Some(mut told) = answer(method).filter(|_| !asks_more || method == "ListNeighbour")
        else {
            return Reply::error(format!("{NAME}.NotSaved"), &json!({}));
        };
        if let Some(dev) = parameters.get("dev").and_then(Value::as_str)
            && !self.knows(dev)
        {
            return no_such_device(dev);
        }
        for rows in told.values_mut() {
            if let Value::Array(rows) = rows {
                rows.retain(|row| parameters.iter().all(|(name, wanted)| fits(row, name, wanted)));
            }
        }
        Reply::of(&told)
    }

    /// A row of any kind is about this device.
    fn knows(&self, dev: &str) -> bool {
        let rows = self.answers.values().filter_map(Value::as_object).flat_map(Map::values);
        let mut rows = rows.filter_map(Value::as_array).flatten();
        rows.any(|row| {
            ["ifname", "lower", "handle"].iter().any(|name| row.get(name) == Some(&json!(dev)))
                || is_way_out(row, &json!(dev))
        })
    }
}

/// A row has what a filter asks for.
fn fits(row: &Value, name: &str, wanted: &Value) -> bool {
    match name {
        "dev" => row.get("ifname") == Some(wanted) || is_way_out(row, wanted),
        "address" => row.get("dst") == Some(wanted),
        "prefix" => prefix(row) == wanted.as_str().and_then(|wanted| wanted.parse().ok()),
        name => row.get(name) == Some(wanted),
    }
}

/// A route or neighbour leads out of this device.
fn is_way_out(row: &Value, dev: &Value) -> bool {
    let hops = row.get("nexthops").and_then(Value::as_array).into_iter().flatten();
    row.get("dev") == Some(dev) || hops.into_iter().any(|hop| hop.get("dev") == Some(dev))
}

/// The prefix of a route as `ip` writes it.
fn prefix(row: &Value) -> Option<IpNet> {
    match (row.get("dst")?.as_str()?, row.get("family")?.as_str()?) {
        ("default", "ipv6") => "::/0".parse().ok(),
        ("default", _) => "0.0.0.0/0".parse().ok(),
        (dst, _) => {
            dst.parse().ok().or_else(|| Some(IpNet::from(dst.parse::<std::net::IpAddr>().ok()?)))
        }
    }
}

fn no_such_device(dev: &str) -> Reply {
    api::Failure::NoSuchDevice(dev.to_owned()).reply()
}

/// The state's text from an archive.
fn unpack(octets: &[u8]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Archive::new(GzDecoder::new(octets).take(LONGEST));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.file_name().is_some_and(|name| name == FILE) {
            let mut text = Vec::new();
            entry.read_to_end(&mut text)?;
            return Ok(text);
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, format!("it has no {FILE}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved() -> Saved {
        let mut saved = Saved::new("2026-11-23T02:00:00Z".to_owned());
        let mut keep = |method: &str, parameters: Value| {
            saved.keep(method, parameters.as_object().unwrap().clone());
        };
        keep(
            "ListVmac",
            json!({ "stale": false, "vmacs": [
                { "ifname": "vrrp5", "lower": "swp1", "vrid": 5 },
                { "ifname": "vrrp6", "lower": "swp2", "vrid": 6 },
            ] }),
        );
        keep(
            "ListRoute",
            json!({ "routing": "hardware", "routes": [
                { "dst": "default", "family": "ipv6", "dev": "swp1", "table": 254 },
                { "dst": "10.0.0.1", "family": "ipv4", "nexthops": [{ "dev": "swp2" }], "table": 7 },
            ] }),
        );
        let told = json!({ "explanation": { "ifname": "vrrp5" } });
        saved.keep_explanation("vrrp5", told.as_object().unwrap().clone());
        saved
    }

    fn rows(method: &str, parameters: &Value) -> Vec<Value> {
        let reply = saved().call(method, parameters.as_object().unwrap());
        assert_eq!(reply.error, None);
        reply.parameters.into_iter().find_map(|(_, rows)| rows.as_array().cloned()).unwrap()
    }

    // Broken if a filter meant something else of a saved state than of a daemon.
    #[test]
    fn filters_are_those_of_the_daemon() {
        assert_eq!(rows("ListVmac", &json!({})).len(), 2);
        for filter in [json!({ "dev": "vrrp5" }), json!({ "lower": "swp1" }), json!({ "vrid": 5 })]
        {
            let rows = rows("ListVmac", &filter);
            assert_eq!(rows.len(), 1, "{filter}");
            assert_eq!(rows[0]["ifname"], "vrrp5", "{filter}");
        }
        assert_eq!(rows("ListRoute", &json!({ "dev": "swp2" }))[0]["dst"], "10.0.0.1");
        assert_eq!(rows("ListRoute", &json!({ "prefix": "::/0" }))[0]["dst"], "default");
        assert_eq!(rows("ListRoute", &json!({ "prefix": "10.0.0.1/32" })).len(), 1);
        assert_eq!(rows("ListRoute", &json!({ "table": 7 })).len(), 1);
    }

    // Broken if what was not saved were answered with nothing, as if there were nothing.
    #[test]
    fn what_was_not_saved_is_an_error() {
        let error = |method: &str, parameters: &Value| {
            let reply = saved().call(method, parameters.as_object().unwrap());
            reply.error.unwrap().rsplit('.').next().unwrap().to_owned()
        };
        assert_eq!(error("Monitor", &json!({})), "NotSaved");
        assert_eq!(error("Status", &json!({})), "NotSaved");
        assert_eq!(error("ListRoute", &json!({ "address": "10.0.0.1" })), "NotSaved");
        assert_eq!(error("ListVmac", &json!({ "dev": "vrrp7" })), "NoSuchDevice");
        assert_eq!(error("Explain", &json!({ "dev": "vrrp6" })), "NoSuchDevice");
    }
}
