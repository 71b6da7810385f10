//! How large is this chip? Table sizes and limits, as data files.
//!
//! ```text
//!   spectrum2 (default) · spectrum1 · tiny        built in: hwsim/personalities/*.toml
//!   ./my-chip.toml                                the same keys, from a path
//! ```

use std::path::{Path, PathBuf};

use serde::Deserialize;

const BUILT_IN: [(&str, &str); 3] = [
    ("spectrum2", include_str!("../../personalities/spectrum2.toml")),
    ("spectrum1", include_str!("../../personalities/spectrum1.toml")),
    ("tiny", include_str!("../../personalities/tiny.toml")),
];

/// Sizes and limits of a chip.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Personality {
    /// Its name, as `hello` says it.
    pub name: String,
    /// Router interfaces, 1..=5120 (the sub-port FIDs of that many fit the number space).
    pub rifs: u16,
    /// Virtual routers, at least 1.
    pub virtual_routers: u16,
    /// MAC profiles, 1..=16 (four bits in RITR).
    pub mac_profiles: u8,
    /// High bits of a router MAC that a profile holds, 1..=48.
    pub profile_prefix_bits: u8,
    /// Does a VLAN interface name its egress FID (RITR.efid)? Spectrum-1 derives it and wants 0.
    pub vlan_rif_has_efid: bool,
    /// Records of the forwarding database.
    pub fdb: u32,
    /// FIDs that may exist at once, 1..=16383.
    pub fids: u16,
    /// LAGs, 1..=1024 (ten bits in SLDR).
    pub max_lag: u16,
    /// Ports of one LAG, 1..=256.
    pub max_lag_members: u16,
    /// Global policers.
    pub policers: u16,
    /// Trap groups, 1..=64 (six bits in HPKT).
    pub trap_groups: u8,
    /// IPv4 routes of all virtual routers together.
    pub routes_ipv4: u32,
    /// IPv6 routes of all virtual routers together.
    pub routes_ipv6: u32,
    /// Multicast routes of one family.
    pub multicast_routes: u32,
    /// Host table entries, both families together.
    pub neighbours: u32,
    /// Entries of the adjacency table (next hops), 1..=2^24.
    pub adjacencies: u32,
    /// Sizes that a group of adjacencies may have: lowest and highest of each range.
    pub ecmp_sizes: Vec<(u16, u16)>,
    /// Sets of counters for router interfaces, at most 2^24.
    pub rif_counters: u32,
    /// Trees for longest-prefix match; tree 0 is the empty one and is not counted.
    pub lpm_trees: u8,
    /// Lowest and highest policer rate in packets a second.
    pub policer_rate: (u32, u32),
    /// Lowest and highest policer burst, as the exponent of two.
    pub policer_burst_log2: (u8, u8),
}

/// Why there is no such personality.
#[derive(Debug, thiserror::Error)]
pub enum PersonalityError {
    /// The name is not built in and is no readable file.
    #[error("Personality {path} is neither spectrum2, spectrum1 nor tiny, nor a readable file")]
    Read {
        /// What was asked for.
        path: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
    /// The file does not say what a personality says.
    #[error("Personality {name} cannot be read")]
    Parse {
        /// What was asked for.
        name: String,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A number is out of range.
    #[error("Personality {name}: {key} = {value} is not in {range}")]
    Range {
        /// Name of the personality.
        name: String,
        /// The key.
        key: &'static str,
        /// Its value.
        value: u32,
        /// What would do.
        range: &'static str,
    },
}

impl Personality {
    /// A built-in personality by name, else the file of that path.
    ///
    /// # Errors
    /// No such name or file, not TOML of this shape, or a number out of range.
    pub fn load(name_or_path: &str) -> Result<Self, PersonalityError> {
        if let Some((name, text)) = BUILT_IN.iter().find(|(name, _)| *name == name_or_path) {
            return Self::parse(name, text);
        }
        let path = Path::new(name_or_path);
        let text = std::fs::read_to_string(path)
            .map_err(|source| PersonalityError::Read { path: path.to_owned(), source })?;
        Self::parse(name_or_path, &text)
    }

    /// A personality from TOML text; `name` is for messages.
    ///
    /// # Errors
    /// Not TOML of this shape, or a number out of range.
    pub fn parse(name: &str, text: &str) -> Result<Self, PersonalityError> {
        let personality: Self = toml::from_str(text).map_err(|source| PersonalityError::Parse {
            name: name.to_owned(),
            source: Box::new(source),
        })?;
        personality.check()?;
        Ok(personality)
    }

    /// A group of adjacencies may have any number of them up to this; more are possible where `ecmp_sizes` says so.
    #[must_use]
    pub fn ecmp_size(&self) -> u16 {
        let allowed =
            |size: &u16| self.ecmp_sizes.iter().any(|(low, high)| (*low..=*high).contains(size));
        (1..).take_while(allowed).last().unwrap_or(0)
    }

    fn check(&self) -> Result<(), PersonalityError> {
        let (rate_low, rate_high) = self.policer_rate;
        let (burst_low, burst_high) = self.policer_burst_log2;
        let sizes = &self.ecmp_sizes;
        let rules: [(&'static str, u32, bool, &'static str); 15] = [
            ("rifs", self.rifs.into(), (1..=5120).contains(&self.rifs), "1..=5120"),
            (
                "virtual_routers",
                self.virtual_routers.into(),
                self.virtual_routers >= 1,
                "1..=65535",
            ),
            (
                "mac_profiles",
                self.mac_profiles.into(),
                (1..=16).contains(&self.mac_profiles),
                "1..=16",
            ),
            (
                "profile_prefix_bits",
                self.profile_prefix_bits.into(),
                (1..=48).contains(&self.profile_prefix_bits),
                "1..=48",
            ),
            ("fids", self.fids.into(), (1..=16383).contains(&self.fids), "1..=16383"),
            ("max_lag", self.max_lag.into(), (1..=1024).contains(&self.max_lag), "1..=1024"),
            (
                "max_lag_members",
                self.max_lag_members.into(),
                (1..=256).contains(&self.max_lag_members),
                "1..=256",
            ),
            ("fdb", self.fdb, (1..=1 << 24).contains(&self.fdb), "1..=16777216"),
            (
                "adjacencies",
                self.adjacencies,
                (1..=1 << 24).contains(&self.adjacencies),
                "1..=16777216",
            ),
            (
                "ecmp_sizes",
                sizes.iter().map(|(_, high)| u32::from(*high)).max().unwrap_or(0),
                !sizes.is_empty()
                    && sizes.iter().all(|(low, high)| 1 <= *low && low <= high && *high <= 8191),
                "1..=8191, lowest first",
            ),
            ("rif_counters", self.rif_counters, self.rif_counters <= 1 << 24, "0..=16777216"),
            ("policers", self.policers.into(), (1..=16384).contains(&self.policers), "1..=16384"),
            (
                "trap_groups",
                self.trap_groups.into(),
                (1..=64).contains(&self.trap_groups),
                "1..=64",
            ),
            ("policer_rate", rate_high, rate_low <= rate_high, "lowest..=u32::MAX"),
            (
                "policer_burst_log2",
                burst_high.into(),
                burst_low <= burst_high && burst_high <= 31,
                "lowest..=31",
            ),
        ];
        match rules.into_iter().find(|(.., holds, _)| !holds) {
            None => Ok(()),
            Some((key, value, _, range)) => {
                Err(PersonalityError::Range { name: self.name.clone(), key, value, range })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Would break: `hwsim run` without options has no chip, or not the one that the book describes.
    #[test]
    fn built_in_personalities_load() {
        let spectrum2 = Personality::load("spectrum2").unwrap();
        assert_eq!((spectrum2.mac_profiles, spectrum2.profile_prefix_bits), (4, 36));
        let spectrum1 = Personality::load("spectrum1").unwrap();
        assert_eq!((spectrum1.mac_profiles, spectrum1.profile_prefix_bits), (1, 38));
        assert_eq!(Personality::load("tiny").unwrap().fdb, 8);
        assert_eq!((spectrum2.ecmp_size(), spectrum1.ecmp_size()), (128, 64));
    }

    // Would break: a typing error in a user's file silently gives another chip.
    #[test]
    fn files_load_and_bad_ones_say_why() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.toml");
        let text = BUILT_IN[2].1.replace("tiny", "mine");
        std::fs::write(&path, &text).unwrap();
        assert_eq!(Personality::load(path.to_str().unwrap()).unwrap().name, "mine");

        let error = Personality::parse("mine", &text.replace("fdb", "fbd")).unwrap_err();
        assert!(matches!(error, PersonalityError::Parse { .. }));
        let error =
            Personality::parse("mine", &text.replace("mac_profiles = 2", "mac_profiles = 17"))
                .unwrap_err();
        assert_eq!(error.to_string(), "Personality mine: mac_profiles = 17 is not in 1..=16");
        assert!(matches!(Personality::load("no-such-chip"), Err(PersonalityError::Read { .. })));
    }
}
