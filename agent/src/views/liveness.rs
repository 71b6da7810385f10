//! What advertisements show: who sends them, and what is wrong with it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use firsthop_model::liveness::{self, Finding, Flag, Instance, Source, Subject, seconds};
use firsthop_model::topology::{Link, LinkKind};
use firsthop_model::{IfIndex, Mac};
use serde::{Deserialize, Serialize};

/// A router that advertises a virtual router, or did not long ago.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advertiser {
    /// IP source
    pub source: IpAddr,
    /// Ethernet source
    pub mac: Mac,
    /// 2 or 3
    pub version: u8,
    /// 0: it resigned.
    pub priority: u8,
    /// Between two advertisements
    pub interval_ms: u64,
    /// Since the last one
    pub age_ms: u64,
}

/// What is known of a virtual router from advertisements.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Liveness {
    /// What this router sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<Advertiser>,
    /// What others sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heard: Vec<Advertiser>,
    /// What is wrong, by name.
    pub flags: Vec<Flag>,
    /// What each flag was told from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
}

/// The watch itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// `on` or `off`
    pub watch: Power,
    /// Why it is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Advertisements of router interfaces, sent and received
    pub advertisements: u64,
    /// Frames that were lost
    pub dropped: u64,
    /// Virtual routers, interfaces or switches with each flag; flags that nobody has are missing.
    pub flags: BTreeMap<String, u64>,
}

/// Whether something works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// It does.
    On,
    /// It does not.
    Off,
}

impl Advertiser {
    fn of(source: &Source, now: Duration) -> Self {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            source: source.source,
            mac: source.mac,
            version: source.version,
            priority: source.priority,
            interval_ms: millis(source.interval),
            age_ms: millis(now.saturating_sub(source.last)),
        }
    }

    /// In words, as `explain` and `vmac -d` have it.
    pub fn words(&self) -> String {
        let Self { source, priority, version, .. } = self;
        let interval = seconds(Duration::from_millis(self.interval_ms));
        let age = seconds(Duration::from_millis(self.age_ms));
        format!("{source} priority {priority} every {interval}, {age} ago (version {version})")
    }
}

impl Liveness {
    /// Of a macvlan's virtual router; None: nothing is known.
    pub fn of(live: &liveness::Liveness, link: &Link, now: Duration) -> Option<Self> {
        if !matches!(link.kind, LinkKind::Macvlan { .. }) {
            return None;
        }
        let id = live.router_of(link.lower()?, link.mac?)?;
        let unknown = Instance::default();
        let instance = live.instance(id).unwrap_or(&unknown);
        let found = live.ask(id, now);
        let told = Self {
            own: instance.own.as_ref().map(|own| Advertiser::of(own, now)),
            heard: instance.heard.iter().map(|heard| Advertiser::of(heard, now)).collect(),
            flags: found.iter().map(|finding| finding.flag).collect(),
            evidence: found.iter().map(words).collect(),
        };
        (told != Self::default()).then_some(told)
    }

    /// Of everything on a router interface that is flagged; None: nothing is.
    pub fn of_interface(
        live: &liveness::Liveness,
        interface: IfIndex,
        now: Duration,
    ) -> Option<Self> {
        let mut told = Self::default();
        for (subject, finding) in live.ask_interface(interface, now) {
            let whose = match subject {
                Subject::Router(id) => format!("VRID {} ({}): ", id.vrid, id.family),
                Subject::Interface(_) | Subject::Switch => String::new(),
            };
            told.evidence.push(format!("{whose}{}", words(&finding)));
            told.flags.push(finding.flag);
        }
        told.flags.sort_unstable();
        told.flags.dedup();
        (!told.flags.is_empty()).then_some(told)
    }

    /// Only the flags, as computed last: what `monitor` compares. None: there are none.
    pub fn flags_of(live: &liveness::Liveness, link: &Link) -> Option<Self> {
        let id = live.router_of(link.lower()?, link.mac?)?;
        let flags: Vec<Flag> = live.flags(id).into_iter().collect();
        (!flags.is_empty()).then(|| Self { flags, ..Self::default() })
    }
}

fn words(finding: &Finding) -> String {
    format!("{}: {}", finding.flag.name(), finding.evidence)
}
