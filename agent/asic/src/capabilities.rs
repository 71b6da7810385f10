//! What can this chip do, and how much of it?
//!
//! ```text
//!   hello     ─▶ chip id, personality, generation
//!   resources ─▶ sizes of tables                     ─▶ Capabilities
//!   ports     ─▶ front-panel ports
//! ```
//!
//! What Firsthop can't work without is an error when it is missing; for the rest there is a value on the safe side, and
//! [`Capabilities::assumed`] says so.

use firsthop_model::LocalPort;
use serde_json::Value;

use crate::AsicError;
use crate::spectrum::control::Members;
use crate::spectrum::registers::Dialect;

/// What a chip is and how large its tables are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// The chip's name, as in the alternative names of its ports: `hwsim-<chip id>-p<local port>`.
    pub chip_id: String,
    /// Which chip it is like, e.g. `spectrum2`; empty if it does not say.
    pub personality: String,
    /// Differs after each reset of the chip, which empties its tables.
    pub generation: u64,
    /// Front-panel ports, by number.
    pub ports: Vec<Port>,
    /// Router interfaces.
    pub rifs: u16,
    /// Virtual routers.
    pub virtual_routers: u16,
    /// Prefixes of router interfaces' MACs, 1..=16.
    pub mac_profiles: u8,
    /// High bits of a MAC that belong to its profile, 1..=48.
    pub mac_profile_prefix_bits: u8,
    /// MACs in all FIDs together; none: not known.
    pub fdb: Option<u32>,
    /// FIDs; none: not known.
    pub fids: Option<u16>,
    /// LAGs, numbered from 0; none: not known.
    pub lags: Option<u16>,
    /// Ports of one LAG, at least 1.
    pub lag_members: u16,
    /// IPv4 routes of all virtual routers together; none: not known.
    pub routes_ipv4: Option<u32>,
    /// IPv6 routes of all virtual routers together; none: not known.
    pub routes_ipv6: Option<u32>,
    /// Hosts on all router interfaces, of both families together; none: not known.
    pub neighbours: Option<u32>,
    /// Next hops, numbered from 0; none: not known.
    pub adjacencies: Option<u32>,
    /// A group may have any number of next hops up to this, at least 1; more may be possible, but not every number.
    pub ecmp_size: u16,
    /// A VLAN's router interface names its egress FID; else the chip takes that of the VLAN, as Spectrum-1 does.
    pub vlan_rif_has_efid: bool,
    /// Policers, numbered from 0; none: not known.
    pub policers: Option<u16>,
    /// What the chip did not say, so that there is an assumption or nothing in its place.
    pub assumed: Vec<&'static str>,
}

/// A front-panel port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// Its number.
    pub local_port: LocalPort,
    /// The name of its CPU-side netdev when the chip was asked; for people only.
    pub ifname: Option<String>,
}

/// Bits of a MAC profile where the chip does not say it: those of Spectrum-1. The largest known number is safe, as MACs
/// that share more bits share fewer too.
const PREFIX_BITS: u8 = 38;
/// Bits of a MAC profile on Spectrum-2 and later (`mlxsw_sp2_mac_mask`).
const PREFIX_BITS_SPECTRUM2: u8 = 36;

/// Ports of one LAG where the chip does not say it: those of Spectrum-2, the most known. Places that a chip does not have
/// are refused, and others tried.
const LAG_MEMBERS: u16 = 32;

/// Next hops of a group where the chip does not say it: half of what Spectrum-1 takes, the fewest known
/// (`mlxsw_sp1_adj_grp_size_ranges`).
const ECMP_SIZE: u16 = 32;

impl Capabilities {
    /// How changes are said to this chip.
    pub fn dialect(&self) -> Dialect {
        Dialect {
            ports: self.ports.iter().map(|port| port.local_port.0).max().unwrap_or(0),
            vlan_rif_has_efid: self.vlan_rif_has_efid,
            lag_members: self.lag_members,
        }
    }

    /// What the answers to the control requests `hello`, `resources` and `ports` say.
    ///
    /// # Errors
    /// [`AsicError::Missing`]: no chip id, generation, number of router interfaces, virtual routers or MAC profiles.
    pub fn from_answers(
        hello: &Members,
        resources: &Members,
        ports: &Members,
    ) -> Result<Self, AsicError> {
        let mut assumed = Vec::new();
        let size =
            |name: &str| resources.get("resources")?.get(name)?.get("size").and_then(Value::as_u64);
        let required =
            |name, value: Option<u64>, request| value.ok_or(AsicError::Missing { name, request });
        let needed = |name| required(name, size(name), "resources");
        let mut optional = |name| {
            let found = size(name);
            if found.is_none() {
                assumed.push(name);
            }
            found
        };
        let (fdb, fids, lags) = (optional("fdb"), optional("fids"), optional("lags"));
        let policers = optional("global_policers");
        let lag_members = optional("lag_members");
        let mut optional_rows =
            |name| optional(name).map(|size| u32::try_from(size).unwrap_or(u32::MAX));
        let routes_ipv4 = optional_rows("routes_ipv4");
        let routes_ipv6 = optional_rows("routes_ipv6");
        let neighbours = optional_rows("neighbours");
        let adjacencies = optional_rows("adjacencies");

        let text = |name| hello.get(name).and_then(Value::as_str).map(str::to_owned);
        let personality = text("personality").unwrap_or_else(|| {
            assumed.push("personality");
            String::new()
        });
        let bits = hello.get("mac_profile_prefix_bits").and_then(Value::as_u64);
        let bits = bits.and_then(|bits| u8::try_from(bits).ok()).filter(|bits| *bits <= 48);
        let mac_profile_prefix_bits = bits.unwrap_or_else(|| {
            assumed.push("mac_profile_prefix_bits");
            match personality.as_str() {
                "spectrum2" | "spectrum3" | "spectrum4" => PREFIX_BITS_SPECTRUM2,
                _ => PREFIX_BITS,
            }
        });
        let ecmp_size = hello.get("ecmp_size").and_then(Value::as_u64);
        let ecmp_size = ecmp_size.map_or_else(
            || {
                assumed.push("ecmp_size");
                ECMP_SIZE
            },
            |size| clamp(size).max(1),
        );
        let efid = hello.get("vlan_rif_has_efid").and_then(Value::as_bool);
        let vlan_rif_has_efid = efid.unwrap_or_else(|| match personality.as_str() {
            "spectrum1" => false,
            "spectrum2" | "spectrum3" | "spectrum4" => true,
            _ => {
                assumed.push("vlan_rif_has_efid");
                true
            }
        });
        Ok(Self {
            chip_id: text("chip_id")
                .ok_or(AsicError::Missing { name: "chip_id", request: "hello" })?,
            personality,
            generation: generation(hello)?,
            ports: self::ports(ports)
                .ok_or(AsicError::Missing { name: "ports", request: "ports" })?,
            rifs: clamp(needed("rifs")?),
            virtual_routers: clamp(needed("virtual_routers")?),
            // Four bits in RITR.
            mac_profiles: u8::try_from(needed("rif_mac_profiles")?.min(16)).unwrap_or(16),
            mac_profile_prefix_bits,
            fdb: fdb.map(|size| u32::try_from(size).unwrap_or(u32::MAX)),
            fids: fids.map(clamp),
            lags: lags.map(clamp),
            lag_members: lag_members.map_or(LAG_MEMBERS, |members| clamp(members).max(1)),
            routes_ipv4,
            routes_ipv6,
            neighbours,
            adjacencies,
            ecmp_size,
            vlan_rif_has_efid,
            policers: policers.map(clamp),
            assumed,
        })
    }
}

/// The generation in an answer to `hello`.
pub(crate) fn generation(hello: &Members) -> Result<u64, AsicError> {
    let generation = hello.get("generation").and_then(Value::as_u64);
    generation.ok_or(AsicError::Missing { name: "generation", request: "hello" })
}

/// A size as large as indices are.
fn clamp(size: u64) -> u16 {
    u16::try_from(size).unwrap_or(u16::MAX)
}

/// The ports; a row without a usable number is left out.
fn ports(answer: &Members) -> Option<Vec<Port>> {
    let rows = answer.get("ports")?.as_array()?;
    let port = |row: &Value| {
        let number = row.get("local_port")?.as_u64()?;
        let local_port = LocalPort(u16::try_from(number).ok().filter(|number| *number > 0)?);
        let ifname = row.get("ifname").and_then(Value::as_str).map(str::to_owned);
        Some(Port { local_port, ifname })
    };
    let mut ports: Vec<Port> = rows.iter().filter_map(port).collect();
    ports.sort();
    ports.dedup_by_key(|port| port.local_port);
    Some(ports)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(value: Value) -> Members {
        serde_json::from_value(value).unwrap()
    }

    fn hello() -> Members {
        members(json!({
            "chip_id": "7", "personality": "spectrum2", "generation": 3, "ports": 2, "ecmp_size": 128,
        }))
    }

    fn resources() -> Members {
        members(json!({"resources": {
            "rifs": {"size": 1000, "occ": 1}, "virtual_routers": {"size": 256, "occ": 1},
            "rif_mac_profiles": {"size": 4, "occ": 0}, "fdb": {"size": 102_400, "occ": 0},
            "fids": {"size": 15360, "occ": 0}, "lags": {"size": 128, "occ": 0},
            "lag_members": {"size": 16, "occ": 0}, "global_policers": {"size": 1000, "occ": 0},
            "routes_ipv4": {"size": 70_000, "occ": 0}, "routes_ipv6": {"size": 20_000, "occ": 0},
            "neighbours": {"size": 30_000, "occ": 0}, "adjacencies": {"size": 80_000, "occ": 0},
        }}))
    }

    fn port_rows() -> Members {
        members(json!({"ports": [
            {"local_port": 2, "ifname": "swp2"}, {"local_port": 1, "ifname": "swp1"},
            {"local_port": 0}, {"local_port": 70_000}, {"ifname": "swp3"},
        ]}))
    }

    // Broken if a table's size were taken from another table, or nonsense in the list of ports became a port.
    #[test]
    fn answers_become_capabilities() {
        let found = Capabilities::from_answers(&hello(), &resources(), &port_rows()).unwrap();
        let port = |number, name: &str| Port {
            local_port: LocalPort(number),
            ifname: Some(name.to_owned()),
        };
        let expected = Capabilities {
            chip_id: "7".to_owned(),
            personality: "spectrum2".to_owned(),
            generation: 3,
            ports: vec![port(1, "swp1"), port(2, "swp2")],
            rifs: 1000,
            virtual_routers: 256,
            mac_profiles: 4,
            mac_profile_prefix_bits: 36,
            fdb: Some(102_400),
            fids: Some(15360),
            lags: Some(128),
            lag_members: 16,
            routes_ipv4: Some(70_000),
            routes_ipv6: Some(20_000),
            neighbours: Some(30_000),
            adjacencies: Some(80_000),
            ecmp_size: 128,
            vlan_rif_has_efid: true,
            policers: Some(1000),
            assumed: vec!["mac_profile_prefix_bits"],
        };
        assert_eq!(found, expected);
        let dialect = Dialect { ports: 2, vlan_rif_has_efid: true, lag_members: 16 };
        assert_eq!(found.dialect(), dialect);
    }

    // Broken if a VLAN's router interface were written to Spectrum-1 with an egress FID, which it refuses, or to later chips
    // without one, or if a chip were not believed what it says itself.
    #[test]
    fn egress_fid_is_named_where_the_chip_wants_it() {
        for (personality, said, wanted) in [
            ("spectrum1", None, false),
            ("spectrum2", None, true),
            ("tiny", None, true),
            ("spectrum1", Some(true), true),
            ("tiny", Some(false), false),
        ] {
            let mut hello = hello();
            hello.insert("personality".to_owned(), personality.into());
            if let Some(said) = said {
                hello.insert("vlan_rif_has_efid".to_owned(), said.into());
            }
            let found = Capabilities::from_answers(&hello, &resources(), &port_rows()).unwrap();
            assert_eq!(found.vlan_rif_has_efid, wanted, "{personality} {said:?}");
            let assumed = found.assumed.contains(&"vlan_rif_has_efid");
            assert_eq!(assumed, personality == "tiny" && said.is_none());
        }
    }

    // Broken if a chip without, say, MAC profiles were programmed by guesswork, or one without a policer count refused.
    #[test]
    fn missing_ones_are_named_and_fatal_only_where_needed() {
        let error = |name, request| AsicError::Missing { name, request };
        for (name, request) in [
            ("chip_id", "hello"),
            ("generation", "hello"),
            ("rifs", "resources"),
            ("virtual_routers", "resources"),
            ("rif_mac_profiles", "resources"),
            ("ports", "ports"),
        ] {
            let (mut hello, mut resources, mut ports) = (hello(), resources(), port_rows());
            let members = match request {
                "hello" => &mut hello,
                "resources" => resources["resources"].as_object_mut().unwrap(),
                _ => &mut ports,
            };
            assert!(members.remove(name).is_some());
            let found = Capabilities::from_answers(&hello, &resources, &ports);
            assert_eq!(found, Err(error(name, request)));
        }
        let mut few = resources();
        let sizes = [
            "fdb",
            "fids",
            "lags",
            "global_policers",
            "lag_members",
            "routes_ipv4",
            "routes_ipv6",
            "neighbours",
            "adjacencies",
        ];
        for name in sizes {
            few["resources"].as_object_mut().unwrap().remove(name);
        }
        let mut hello = hello();
        hello.remove("personality");
        hello.remove("ecmp_size");
        let found = Capabilities::from_answers(&hello, &few, &port_rows()).unwrap();
        let others = ["personality", "mac_profile_prefix_bits", "ecmp_size", "vlan_rif_has_efid"];
        assert_eq!(found.assumed, [&sizes[..], &others].concat());
        assert_eq!((found.adjacencies, found.ecmp_size), (None, 32));
        assert_eq!((found.policers, found.mac_profile_prefix_bits), (None, 38));
        assert_eq!((found.lags, found.lag_members), (None, 32));
    }
}
