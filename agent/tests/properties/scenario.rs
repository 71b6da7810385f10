//! The scenarios of `tests/scenarios/*.json`: `ip` and `bridge` commands, which scripts give to a real kernel, read as actions of
//! the small world.

use std::net::IpAddr;

use oracle::{Kind, Protocol, Stp, Vlan};
use serde::Deserialize;

use crate::action::{Action, Dev, Lower};
use crate::stories::plain;

/// A file of scenarios; its head says what the fields are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenarios {
    #[serde(rename = "about")]
    _about: Vec<String>,
    pub(crate) begin: Vec<String>,
    pub(crate) scenarios: Vec<Scenario>,
}

/// What happens first, and what in any order.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) setup: Vec<String>,
    pub(crate) steps: Vec<String>,
    pub(crate) rifs: Vec<String>,
    pub(crate) vmacs: Vec<String>,
}

impl Scenarios {
    /// Those of the file about order.
    pub(crate) fn about_order() -> Self {
        let text = include_str!("../scenarios/order.json");
        serde_json::from_str(text).unwrap_or_else(|error| panic!("order.json: {error}"))
    }
}

/// The actions of a step: commands between semicolons.
pub(crate) fn actions(step: &str) -> Vec<Action> {
    let commands = step.split(';').map(str::trim);
    let parsed = commands.map(|command| {
        let words: Vec<&str> = command.split_whitespace().collect();
        parse(&words).unwrap_or_else(|| panic!("The scenarios do not know the command '{command}'"))
    });
    parsed.flatten().collect()
}

fn parse(words: &[&str]) -> Option<Vec<Action>> {
    match words {
        ["ip", "link", "add", name, rest @ ..] => add_link(Dev::named(name)?, rest),
        ["ip", "link", "del", name] => {
            Some(vec![Action::Delete { dev: Dev::named(name)?, quietly: false }])
        }
        ["ip", "link", "set", name, rest @ ..] => {
            set_link(Dev::named(name)?, rest).map(|a| vec![a])
        }
        ["ip", "addr", verb, address, "dev", name] => {
            let (dev, (ip, length)) = (Dev::named(name)?, address.split_once('/')?);
            let ip: IpAddr = ip.parse().ok()?;
            Some(vec![match *verb {
                "add" => Action::AddAddress(
                    dev,
                    oracle::Address { ip, prefix_len: length.parse().ok()?, ..plain("10.0.0.1") },
                ),
                "del" => Action::DelAddress(dev, ip),
                _ => return None,
            }])
        }
        ["bridge", "vlan", verb, "dev", name, "vid", vid, flags @ ..] => {
            let (dev, vid) = (Dev::named(name)?, vid.parse().ok()?);
            let has = |flag| flags.contains(&flag);
            let Vlan { pvid, untagged } = Vlan { pvid: has("pvid"), untagged: has("untagged") };
            Some(vec![match *verb {
                "add" => Action::VlanAdd { dev, vid, pvid, untagged },
                "del" => Action::VlanDel(dev, vid),
                _ => return None,
            }])
        }
        ["bridge", "link", "set", "dev", name, option, value] => {
            let dev = Dev::named(name)?;
            Some(vec![match (*option, *value) {
                ("locked", value) => Action::Locked(dev, value == "on"),
                ("state", "0" | "4") => Action::Stp(dev, Stp::Discarding),
                ("state", "2") => Action::Stp(dev, Stp::Learning),
                ("state", "3") => Action::Stp(dev, Stp::Forwarding),
                _ => return None,
            }])
        }
        ["bridge", "fdb", verb, mac, "dev", name, "self"] => {
            Some(vec![Action::Receive(Dev::named(name)?, octets(mac)?, *verb == "add")])
        }
        _ => None,
    }
}

fn add_link(dev: Dev, words: &[&str]) -> Option<Vec<Action>> {
    let kind_at = words.iter().position(|word| *word == "type")?;
    let (options, kind) = words.split_at(kind_at);
    let after = |option| {
        let at = options.iter().position(|word| *word == option)?;
        options.get(at + 1).copied()
    };
    let lower = match after("link") {
        Some(name) => Lower::On(Dev::named(name)?),
        None => Lower::None,
    };
    let mac = match after("address") {
        Some(text) => Some(octets(text)?),
        None => None,
    };
    let kind = match kind.get(1..)? {
        ["vlan", "id", vid] => Kind::Vlan { vid: vid.parse().ok()?, protocol: Protocol::Dot1q },
        ["bridge", rest @ ..] => {
            let filtering = matches!(rest, ["vlan_filtering", "1"]);
            Kind::Bridge { filtering, protocol: Protocol::Dot1q }
        }
        ["bond", "mode", mode] => Kind::Bond { hashes: matches!(*mode, "balance-xor" | "802.3ad") },
        ["macvlan", "mode", _] => Kind::Macvlan,
        ["vrf", "table", table] => Kind::Vrf(table.parse().ok()?),
        ["dummy" | "veth", ..] => Kind::Plain,
        _ => return None,
    };
    let mut made = vec![Action::Create { dev, lower, mac, kind }];
    if !options.contains(&"up") {
        made.push(Action::Up(dev, false));
    }
    Some(made)
}

fn set_link(dev: Dev, words: &[&str]) -> Option<Action> {
    Some(match words {
        ["up"] => Action::Up(dev, true),
        ["down"] => Action::Up(dev, false),
        ["nomaster"] => Action::Enslave(dev, None),
        ["master", name] => Action::Enslave(dev, Some(Dev::named(name)?)),
        ["address", mac] => Action::SetMac(dev, octets(mac)?),
        ["mtu", mtu] => Action::Mtu(dev, mtu.parse().ok()?),
        ["protodown", on] => Action::ProtoDown(dev, *on == "on"),
        ["type", "bridge", "vlan_filtering", on] => {
            Action::Filtering(dev, *on == "1", Protocol::Dot1q)
        }
        _ => return None,
    })
}

fn octets(text: &str) -> Option<[u8; 6]> {
    let octets: Option<Vec<u8>> =
        text.split(':').map(|octet| u8::from_str_radix(octet, 16).ok()).collect();
    octets?.try_into().ok()
}
