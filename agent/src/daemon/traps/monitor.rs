//! Who watches traps is told what each round showed: packets, drops, counters that began anew, changes by somebody else.

use std::collections::BTreeMap;

use serde_json::json;

use super::ledger::{Kind, Step};
use crate::api::Reply;
use crate::api::TrapFilter;
use crate::api::listener::Replies;
use crate::daemon::Daemon;
use crate::views::{TrapEvent, VrrpPolicer};

/// Somebody who watches.
#[derive(Debug)]
pub(super) struct Watcher {
    replies: Replies,
    filter: TrapFilter,
    /// Devices, with what was told of their policers.
    told: BTreeMap<String, Vec<String>>,
}

impl Daemon {
    /// Somebody begins to watch.
    pub(in crate::daemon) fn watch_traps(&mut self, replies: Replies, filter: TrapFilter) {
        if replies.send(Reply::continued(&json!({}))) {
            let policers = self.vrrp_policers();
            let told = policers.into_iter().map(|row| (row.device, row.reasons)).collect();
            self.traps.monitors.push(Watcher { replies, filter, told });
            self.traps.ask();
        }
    }

    /// Tells watchers what a round showed. One that reads slowly misses rounds, not counts: each line has the total.
    pub(super) fn tell_monitors(&mut self) {
        if self.traps.monitors.is_empty() {
            return;
        }
        let policers = self.vrrp_policers();
        let events = self.events();
        self.traps.monitors.retain_mut(|watcher| {
            let mut told = watcher.news(&policers);
            told.extend(events.iter().filter(|event| watcher.filter.takes(event)).cloned());
            for event in told {
                if !watcher.replies.send(Reply::continued(&json!({ "event": event }))) {
                    break;
                }
            }
            !watcher.replies.is_closed()
        });
    }

    fn events(&self) -> Vec<TrapEvent> {
        let devices = self.trap_devices();
        let mut events = Vec::new();
        for ((device, kind, name), step) in self.traps.ledger.steps() {
            let Some(course) = self.traps.ledger.course(device, *kind, name) else { continue };
            let found = devices.iter().find(|found| found.handle == *device);
            let (object, group, policer, traps) = match kind {
                // the traps of a group tell
                Kind::Group => continue,
                Kind::Trap => {
                    let trap = found.and_then(|d| d.traps.iter().find(|trap| trap.name == *name));
                    let group = trap.map(|trap| trap.group.clone());
                    ("trap", group, trap.and_then(|trap| trap.policer), Vec::new())
                }
                Kind::Policer => {
                    let policer = found
                        .and_then(|d| d.policers.iter().find(|p| p.policer.to_string() == *name));
                    let traps = policer.map_or_else(Vec::new, |policer| policer.traps.clone());
                    ("policer", None, name.parse().ok(), traps)
                }
            };
            let (event, more) = match (step, kind) {
                (Step::Reset, _) => ("reset", None),
                (Step::More(more), Kind::Policer) => ("drops", Some(*more)),
                (Step::More(more), _) => ("packets", Some(*more)),
            };
            events.push(TrapEvent {
                handle: device.clone(),
                object: object.to_owned(),
                name: name.clone(),
                event: event.to_owned(),
                count: Some(course.count),
                more,
                rate: course.rate,
                group,
                policer,
                traps,
                text: None,
            });
        }
        events
    }
}

impl Watcher {
    /// What is told of policers now and was not before.
    fn news(&mut self, policers: &[VrrpPolicer]) -> Vec<TrapEvent> {
        let mut news = Vec::new();
        for row in policers.iter().filter(|row| self.filter.takes_device(&row.device)) {
            let told = self.told.entry(row.device.clone()).or_default();
            for reason in row.reasons.iter().filter(|reason| !told.contains(reason)) {
                news.push(TrapEvent {
                    handle: row.device.clone(),
                    object: "policer".to_owned(),
                    name: row.policer.map_or_else(|| "none".to_owned(), |id| id.to_string()),
                    event: reason.clone(),
                    count: row.dropped,
                    policer: row.policer,
                    text: row.refusal.clone(),
                    ..TrapEvent::default()
                });
            }
            told.clone_from(&row.reasons);
        }
        self.told.retain(|handle, _| policers.iter().any(|row| row.device == *handle));
        news
    }
}
