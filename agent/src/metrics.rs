//! What the daemon says of itself, its chip and what goes to the CPU, for Prometheus: OpenMetrics text.
//!
//! ```text
//!   Status, rows of rif, vmac, trap, resource ─▶ families ─▶ text, `# EOF` at its end
//! ```
//!
//! Names: prefix `firsthop_`, base units, `_total` on counters alone; what changes a series' identity (a rate, an action) is no label of
//! a counter but of an info or a gauge of its own. No label holds a MAC, an address or a device of the operator's, so that the number
//! of series follows from the chip and not from the configuration.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use serde::Deserialize;

use crate::views::{Power, Resource, Rif, Status, TrapDevice, Vmac};

/// What everything is told from: the answers of the daemon.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Answers {
    /// `Status`
    pub status: Status,
    /// `ListRif`
    pub rifs: Vec<Rif>,
    /// `ListVmac`
    pub vmacs: Vec<Vmac>,
    /// `ListTrap`
    pub devices: Vec<TrapDevice>,
    /// `ListResource`
    pub resources: Vec<Resource>,
}

type Labels = Vec<(&'static str, String)>;

/// Metrics of one name.
#[derive(Debug)]
struct Family {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    rows: Vec<(Labels, u64)>,
}

#[derive(Debug, Default)]
struct Families(Vec<Family>);

impl Families {
    fn add(
        &mut self,
        kind: MetricType,
        name: &'static str,
        help: &'static str,
        rows: impl IntoIterator<Item = (Labels, u64)>,
    ) {
        self.0.push(Family { name, help, kind, rows: rows.into_iter().collect() });
    }

    fn gauge(&mut self, name: &'static str, help: &'static str, value: u64) {
        self.add(MetricType::Gauge, name, help, [(Labels::new(), value)]);
    }

    fn counter(&mut self, name: &'static str, help: &'static str, value: u64) {
        self.add(MetricType::Counter, name, help, [(Labels::new(), value)]);
    }

    /// One row for each key.
    fn by(
        &mut self,
        kind: MetricType,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        counts: &BTreeMap<String, u64>,
    ) {
        let row = |(key, count): (&String, &u64)| (vec![(label, key.clone())], *count);
        self.add(kind, name, help, counts.iter().map(row));
    }

    fn info(
        &mut self,
        name: &'static str,
        help: &'static str,
        rows: impl IntoIterator<Item = Labels>,
    ) {
        self.add(MetricType::Info, name, help, rows.into_iter().map(|labels| (labels, 1)));
    }
}

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for family in &self.0 {
            // A family without rows would be a head without a body.
            if family.rows.is_empty() {
                continue;
            }
            let mut metric =
                encoder.encode_descriptor(family.name, family.help, None, family.kind)?;
            for (labels, value) in &family.rows {
                match family.kind {
                    MetricType::Info => metric.encode_info(labels)?,
                    MetricType::Counter if labels.is_empty() => {
                        metric.encode_counter::<NoLabelSet, _, u64>(value, None)?;
                    }
                    MetricType::Counter => {
                        metric
                            .encode_family(labels)?
                            .encode_counter::<NoLabelSet, _, u64>(value, None)?;
                    }
                    _ if labels.is_empty() => metric.encode_gauge(&gauge(*value))?,
                    _ => metric.encode_family(labels)?.encode_gauge(&gauge(*value))?,
                }
            }
        }
        Ok(())
    }
}

fn gauge(value: u64) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

/// The text. `# EOF` is its last line. Without answers it says that there are none.
pub fn render(answers: Option<&Answers>) -> String {
    let mut registry = Registry::with_prefix("firsthop");
    let mut all = Families::default();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    all.info("build", "Version of the program that tells this", [vec![("version", version)]]);
    all.gauge("up", "The daemon answers", answers.is_some().into());
    if let Some(answers) = answers {
        tell(&mut all, answers);
    }
    registry.register_collector(Box::new(all));
    let mut page = String::new();
    text::encode(&mut page, &registry).expect("a String takes everything");
    page
}

fn tell(all: &mut Families, answers: &Answers) {
    use MetricType::{Counter, Gauge};
    let Answers { status, rifs, vmacs, devices, resources } = answers;
    all.gauge("synced", "Everything known was acted upon", status.synced.into());
    all.gauge("stale", "Events may have been missed", status.stale.into());
    all.counter("events", "Events and snapshots of the kernel", status.generation);
    let netlink = &status.netlink;
    all.counter("netlink_messages", "Messages from the kernel", netlink.messages);
    all.counter("netlink_dropped_messages", "Messages that the kernel dropped", netlink.dropped);
    all.counter(
        "netlink_overruns",
        "Times that the kernel said that it dropped some",
        netlink.overruns,
    );
    all.gauge("netlink_receive_buffer_bytes", "What the kernel may queue", netlink.receive_buffer);
    all.by(Counter, "resyncs", "Snapshots by cause", "cause", &status.resyncs);
    all.counter("audits", "Audits that came to an end", status.audit.rounds);
    all.by(Counter, "audit_findings", "What audits found", "class", &status.audit.findings);
    all.counter("hw_operations", "Changes that the chip acknowledged", status.hw.writes);
    all.counter("hw_operation_failures", "Changes that failed", status.hw.failures);
    all.gauge("hw_pending_objects", "Objects that are not done", status.hw.pending);
    let unknown = status.hw.unknown.len().try_into().unwrap_or(u64::MAX);
    all.gauge("hw_unknown_rows", "Rows of the chip whose content nobody knows", unknown);
    all.gauge("hw_connected", "The chip answers", status.device.connected.into());
    all.by(Gauge, "rifs", "Router interfaces by state", "state", &status.rifs);
    all.by(Gauge, "vmacs", "Virtual MACs by state", "state", &status.vmacs);
    all.by(Gauge, "routes", "Routes by state", "state", &status.routes);
    all.by(Gauge, "neighbours", "Neighbours by state", "state", &status.neighbours);
    let reasons = |reasons: &mut dyn Iterator<Item = &Option<String>>| {
        let mut counts = BTreeMap::new();
        for reason in reasons.flatten() {
            *counts.entry(reason.clone()).or_default() += 1;
        }
        counts
    };
    let of_rifs = reasons(&mut rifs.iter().map(|rif| &rif.reason));
    all.by(Gauge, "rif_reasons", "Router interfaces by reason code", "reason", &of_rifs);
    let of_vmacs = reasons(&mut vmacs.iter().map(|vmac| &vmac.reason));
    all.by(Gauge, "vmac_reasons", "Virtual MACs by reason code", "reason", &of_vmacs);
    let liveness = &status.liveness;
    let watches = u64::from(liveness.watch == Power::On);
    all.gauge("liveness_watch", "Advertisements are listened to", watches);
    all.counter(
        "liveness_advertisements",
        "Advertisements, sent and received",
        liveness.advertisements,
    );
    all.counter("liveness_dropped_frames", "Frames that the watch lost", liveness.dropped);
    all.by(Gauge, "liveness_flags", "Virtual routers with this flag", "flag", &liveness.flags);

    let of_policer = |device: &str| vec![("device", device.to_owned())];
    let policers = &status.policers;
    all.add(
        Gauge,
        "vrrp_policer_needed_rate_packets",
        "Packets a second that virtual routers need",
        policers.iter().map(|row| (of_policer(&row.device), row.need.rate.into())),
    );
    all.add(
        Gauge,
        "vrrp_policer_needed_burst_packets",
        "Packets at once that virtual routers need",
        policers.iter().map(|row| (of_policer(&row.device), row.need.burst.into())),
    );
    all.add(
        Counter,
        "vrrp_policer_drifts",
        "Changes of that policer by somebody else",
        policers.iter().map(|row| (of_policer(&row.device), row.drifts)),
    );

    let handle = status.device.handle.clone().unwrap_or_default();
    let of_table =
        |row: &Resource| vec![("device", handle.clone()), ("resource", row.name.clone())];
    all.add(
        Gauge,
        "resource_used",
        "Rows of a table that are taken",
        resources.iter().filter_map(|row| Some((of_table(row), row.occ?))),
    );
    all.add(
        Gauge,
        "resource_capacity",
        "Rows of a table",
        resources.iter().map(|row| (of_table(row), row.size)),
    );
    traps(all, devices);
}

/// What goes to the CPU, by device.
fn traps(all: &mut Families, devices: &[TrapDevice]) {
    use MetricType::{Counter, Gauge};
    let rows = || {
        devices.iter().flat_map(|device| {
            device.traps.iter().map(|trap| {
                (vec![("device", device.handle.clone()), ("trap", trap.name.clone())], trap)
            })
        })
    };
    all.info(
        "devlink_trap",
        "A packet class that goes to the CPU",
        rows().map(|(mut labels, trap)| {
            labels.push(("group", trap.group.clone()));
            labels.push(("kind", trap.kind.clone()));
            labels.push(("action", trap.action.clone().unwrap_or_default()));
            labels
        }),
    );
    let stats = |pick: fn(&crate::views::Counters) -> Option<u64>| {
        rows().filter_map(move |(labels, trap)| Some((labels, pick(&trap.stats.as_ref()?.rx)?)))
    };
    all.add(
        Counter,
        "devlink_trap_received_packets",
        "Packets that reached the CPU",
        stats(|rx| rx.packets),
    );
    all.add(Counter, "devlink_trap_received_bytes", "Their bytes", stats(|rx| rx.bytes));
    all.add(
        Counter,
        "devlink_trap_dropped_packets",
        "Packets that did not reach it",
        stats(|rx| rx.dropped),
    );
    all.info(
        "devlink_trap_group",
        "Traps that share a policer",
        devices.iter().flat_map(|device| {
            device.groups.iter().map(|group| {
                let policer = group.policer.map(|number| number.to_string()).unwrap_or_default();
                vec![
                    ("device", device.handle.clone()),
                    ("group", group.name.clone()),
                    ("policer", policer),
                ]
            })
        }),
    );
    let policers = || {
        devices.iter().flat_map(|device| {
            device.policers.iter().map(|policer| {
                let number = policer.policer.to_string();
                (vec![("device", device.handle.clone()), ("policer", number)], policer)
            })
        })
    };
    all.add(
        Gauge,
        "devlink_trap_policer_rate_packets",
        "Packets a second that a policer lets pass",
        policers().map(|(labels, policer)| (labels, policer.rate)),
    );
    all.add(
        Gauge,
        "devlink_trap_policer_burst_packets",
        "Packets at once that it lets pass",
        policers().map(|(labels, policer)| (labels, policer.burst)),
    );
    all.add(
        Counter,
        "devlink_trap_policer_dropped_packets",
        "Packets that it stopped",
        policers()
            .filter_map(|(labels, policer)| Some((labels, policer.stats.as_ref()?.rx.dropped?))),
    );
}
