//! What reaches the CPU: counters of chips and of the kernel's devices over time, and the policers of VRRP's traps.
//!
//! ```text
//!   timer, request, notification ─▶ round ─┬─ chip: counters ────────────┐
//!                                          └─ devlink: every device ─────┴─▶ Ledger ─▶ answers, monitors
//!                                                                            Keeper ─▶ steps ─▶ devlink
//! ```
//!
//! Nobody announces a changed trap, group or policer, so everything is read again each `audit` seconds, each second while
//! somebody watches, and at once when a device comes, goes or is reloaded.

mod keeper;
mod kernel;
mod ledger;
mod monitor;
mod policers;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use firsthop_asic::kernel::policing::Memory;
use firsthop_asic::kernel::{Device, Refusal};
use firsthop_model::IfIndex;
use firsthop_model::driver::{DeviceFacts, Occupancy, Readings};
use firsthop_model::intent::{CONTROL_TRAPS, GROUPS};
use firsthop_model::reconcile::Reconciler;
use keeper::Keeper;
pub(super) use kernel::Report;
use kernel::{Kernel, Order};
use ledger::{Course, Kind, Ledger, Name};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Daemon;
use super::counters::{self, ChipCounters};
use super::devices::Drivers;
use super::record::Record;
use crate::clock;
use crate::config::Care;
use crate::views::{self, TrapDevice, TrapStats};

/// Between two rounds while somebody watches.
const WATCHED: Duration = Duration::from_secs(1);
/// Notifications come by the dozen.
const SOON: Duration = Duration::from_millis(20);
/// Between a change of macvlans and what follows for devices.
const PAUSE: Duration = Duration::from_millis(100);
/// Intervals without an advertisement before it is told.
const SILENCE: u32 = 4;

/// What a round brought.
#[derive(Debug)]
pub(super) enum Reading {
    Chip(std::io::Result<ChipCounters>),
    Kernel(Report),
}

/// All of it.
#[derive(Debug)]
pub(super) struct Traps {
    kernel: Kernel,
    answer: mpsc::UnboundedSender<std::io::Result<ChipCounters>>,
    answers: mpsc::UnboundedReceiver<std::io::Result<ChipCounters>>,
    care: Care,
    rounds: Rounds,
    ledger: Ledger,
    devices: Vec<Device>,
    /// Times that a device was registered before our eyes.
    registrations: BTreeMap<String, u64>,
    /// Devices that went, and may be back.
    gone: BTreeSet<String>,
    chip: Option<ChipCounters>,
    keepers: BTreeMap<String, Keeper>,
    record: Option<Record<BTreeMap<String, Memory>>>,
    /// When it is computed again what devices need.
    again: Option<Instant>,
    /// Why devlink can't be read.
    trouble: Option<Refusal>,
    monitors: Vec<monitor::Watcher>,
}

/// Rounds by number: a request is answered from one that began after it.
#[derive(Debug)]
struct Rounds {
    begun: u64,
    done: u64,
    /// Answers of the round that are not there yet.
    chip: bool,
    kernel: bool,
    next: Instant,
    /// Events that had been folded in when the round began.
    generation: u64,
}

impl Rounds {
    const fn is_under_way(&self) -> bool {
        self.begun > self.done
    }
}

impl Traps {
    pub(super) fn open(care: Care) -> Self {
        let (answer, answers) = mpsc::unbounded_channel();
        let next = Instant::now();
        Self {
            kernel: Kernel::open(),
            answer,
            answers,
            care,
            rounds: Rounds { begun: 0, done: 0, chip: false, kernel: false, next, generation: 0 },
            ledger: Ledger::default(),
            devices: Vec::new(),
            registrations: BTreeMap::new(),
            gone: BTreeSet::new(),
            chip: None,
            keepers: BTreeMap::new(),
            record: None,
            again: None,
            trouble: None,
            monitors: Vec::new(),
        }
    }

    /// The operator decided anew.
    pub(super) fn reconfigure(&mut self, care: Care) {
        self.care = care;
        self.rounds.next = Instant::now();
    }

    /// The next answer. Cancel-safe.
    pub(super) async fn reading(&mut self) -> Reading {
        tokio::select! {
            Some(answer) = self.answers.recv() => Reading::Chip(answer),
            report = self.kernel.report() => Reading::Kernel(report),
        }
    }

    /// When [`Daemon::tend_traps`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (!self.rounds.is_under_way())
            .then(|| self.again.map_or(self.rounds.next, |again| again.min(self.rounds.next)))
    }

    /// The number of the round that somebody who asks now is answered from.
    pub(super) fn ask(&mut self) -> u64 {
        self.rounds.next = Instant::now();
        self.rounds.begun + 1
    }

    /// Such a round has ended.
    pub(super) const fn has(&self, round: u64) -> bool {
        self.rounds.done >= round
    }

    /// There are devices of the kernel with traps.
    pub(super) fn keeps(&self) -> bool {
        !self.keepers.is_empty()
    }

    /// Macvlans may have come or gone: what they need is computed again, but not for each of many.
    pub(super) fn stir(&mut self) {
        if self.keeps() {
            self.again.get_or_insert(Instant::now() + PAUSE);
        }
    }

    fn note(&mut self, name: Name, count: u64, registration: u64, now: Duration) {
        self.ledger.take(name, count, registration, now, clock::now().as_secs());
    }

    fn read_chip(&mut self, handle: &str, generation: u64, now: Duration) {
        let Some(ChipCounters { traps, policers }) = self.chip.clone() else { return };
        for group in GROUPS {
            let of = CONTROL_TRAPS.iter().filter(|trap| trap.group == group.name);
            let packets = of.filter_map(|trap| traps.get(trap.name)?.packets).sum();
            self.note(
                (handle.to_owned(), Kind::Group, group.name.to_owned()),
                packets,
                generation,
                now,
            );
        }
        for (name, counters) in traps {
            let name = (handle.to_owned(), Kind::Trap, name);
            self.note(name, counters.packets.unwrap_or(0), generation, now);
        }
        for (id, dropped) in policers {
            self.note((handle.to_owned(), Kind::Policer, id.to_string()), dropped, generation, now);
        }
    }

    fn read_devices(&mut self, devices: Vec<Device>, now: Duration) {
        let former: BTreeMap<String, u64> =
            self.devices.iter().map(|device| (device.handle.clone(), device.reloads)).collect();
        let gone = std::mem::take(&mut self.gone);
        for device in &devices {
            let handle = &device.handle;
            let reloaded = former.get(handle).is_some_and(|reloads| *reloads != device.reloads);
            let registration = self.registrations.entry(handle.clone()).or_default();
            *registration += u64::from(reloaded || gone.contains(handle));
            let registration = *registration;
            let of = |kind, name: &str| (handle.clone(), kind, name.to_owned());
            for (name, trap) in &device.traps {
                if let Some(packets) = trap.rx.and_then(|rx| rx.packets) {
                    self.note(of(Kind::Trap, name), packets, registration, now);
                }
            }
            for (name, group) in &device.groups {
                if let Some(packets) = group.rx.and_then(|rx| rx.packets) {
                    self.note(of(Kind::Group, name), packets, registration, now);
                }
            }
            for (id, policer) in &device.policers {
                if let Some(dropped) = policer.dropped {
                    self.note(of(Kind::Policer, &id.to_string()), dropped, registration, now);
                }
            }
        }
        self.devices = devices;
    }

    /// Adds what the ledger knows.
    fn with_courses(&self, mut device: TrapDevice) -> TrapDevice {
        let handle = &device.handle;
        let add = |stats: &mut Option<TrapStats>, kind, name: &str| {
            if let (Some(stats), Some(course)) = (stats, self.ledger.course(handle, kind, name)) {
                tell(stats, course);
            }
        };
        for trap in &mut device.traps {
            add(&mut trap.stats, Kind::Trap, &trap.name);
        }
        for group in &mut device.groups {
            add(&mut group.stats, Kind::Group, &group.name);
        }
        for policer in &mut device.policers {
            add(&mut policer.stats, Kind::Policer, &policer.policer.to_string());
        }
        device
    }
}

fn tell(stats: &mut TrapStats, course: &Course) {
    stats.since = Some(clock::date(course.since));
    stats.since_count = Some(course.base);
    stats.resets = Some(course.resets);
    stats.rate = course.rate;
}

/// Ports of a simulated chip are netdevs of the kernel, which may be a device's: the chip comes first.
fn is_hidden(reconciler: &Reconciler, device: &Device) -> bool {
    reconciler.topology().links().any(|link| {
        link.devlink.as_ref().is_some_and(|port| port.device == device.handle)
            && link.altnames.iter().any(|name| name.starts_with("hwsim-"))
    })
}

impl Daemon {
    /// Begins a round if one is due.
    pub(super) fn tend_traps(&mut self) {
        if self.traps.rounds.is_under_way() {
            return;
        }
        if self.traps.again.is_some_and(|at| at <= Instant::now()) {
            self.traps.again = None;
            self.keep_policers(self.start.elapsed());
        }
        let generation = self.engine.generation();
        let traps = &mut self.traps;
        if traps.rounds.is_under_way() || traps.rounds.next > Instant::now() {
            return;
        }
        let pace = if traps.monitors.is_empty() { traps.care.audit } else { WATCHED };
        traps.rounds.next = Instant::now() + pace;
        traps.rounds.begun += 1;
        traps.rounds.generation = generation;
        traps.rounds.kernel = true;
        traps.kernel.order(Order::Read);
        let socket = self.target.socket.clone().filter(|_| !self.engine.is_away());
        traps.rounds.chip = socket.is_some();
        match socket {
            Some(socket) => {
                let answer = traps.answer.clone();
                tokio::task::spawn_local(async move {
                    let fetched = tokio::task::spawn_blocking(move || counters::fetch(&socket));
                    let fetched = fetched.await.unwrap_or_else(|error| Err(error.into()));
                    // Nobody listens only when the daemon ends.
                    answer.send(fetched).ok();
                });
            }
            None => traps.chip = None,
        }
    }

    pub(super) fn take_reading(&mut self, reading: Reading) {
        let now = self.start.elapsed();
        let traps = &mut self.traps;
        match reading {
            Reading::Chip(answer) => {
                traps.rounds.chip = false;
                if let Err(error) = &answer {
                    tracing::debug!(%error, "The chip's counters can't be read");
                }
                traps.chip = answer.ok();
            }
            Reading::Kernel(Report::Read(Ok(devices))) => {
                traps.rounds.kernel = false;
                traps.trouble = None;
                traps.ledger.begin();
                let reconciler = self.engine.reconciler();
                let devices = devices.into_iter().filter(|device| !is_hidden(reconciler, device));
                let devices: Vec<Device> = devices.collect();
                traps.read_devices(devices, now);
            }
            Reading::Kernel(Report::Read(Err(refusal))) => {
                traps.rounds.kernel = false;
                traps.ledger.begin();
                if traps.trouble.as_ref() != Some(&refusal) {
                    tracing::debug!(%refusal, "Devices can't be read");
                }
                traps.trouble = Some(refusal);
                traps.devices.clear();
            }
            Reading::Kernel(Report::Taken { device, taken }) => {
                if let Some(keeper) = traps.keepers.get_mut(&device) {
                    keeper.take(&device, &taken, now + traps.care.audit);
                }
                traps.write_record();
                traps.rounds.next = Instant::now();
            }
            Reading::Kernel(Report::Stirred(gone)) => {
                traps.gone.extend(gone.into_iter().flatten());
                traps.rounds.next = traps.rounds.next.min(Instant::now() + SOON);
            }
        }
        let rounds = &self.traps.rounds;
        if rounds.is_under_way() && !rounds.chip && !rounds.kernel {
            self.traps.rounds.done = self.traps.rounds.begun;
            self.finish_round(now);
        }
    }

    fn finish_round(&mut self, now: Duration) {
        let handle = self.engine.reconciler().chip().handle();
        let generation = self.capabilities.as_ref().map_or(0, |chip| chip.generation);
        self.traps.read_chip(&handle, generation, now);
        let there: BTreeSet<String> =
            self.traps.devices.iter().map(|device| device.handle.clone()).chain([handle]).collect();
        self.traps.ledger.keep(|(device, ..)| there.contains(device));
        self.keep_policers(now);
        self.set_drivers(self.drivers_read());
        self.tell_monitors();
    }

    /// What was read, for whoever judges devices by their drivers.
    fn drivers_read(&self) -> Drivers {
        let facts = self.traps.devices.iter().filter_map(|device| {
            let driver = device.driver.clone()?;
            let keeper = self.traps.keepers.get(&device.handle);
            let occupancy = |name: &str| {
                let resource = device.resources.iter().find(|resource| resource.name == name)?;
                Some(Occupancy { size: resource.size, occ: resource.occ? })
            };
            let erifs = device.erifs.as_ref();
            let readings = Readings {
                rifs: occupancy("rifs"),
                rif_mac_profiles: occupancy("rif_mac_profiles"),
                erifs: erifs
                    .map(|erifs| erifs.iter().map(|(i, rif)| (IfIndex(*i), *rif)).collect()),
                vrrp_policer: keeper.and_then(|keeper| keeper.size_now(device)),
                vrrp_need: keeper.map(Keeper::need),
            };
            Some((device.handle.clone(), DeviceFacts { driver, readings }))
        });
        Drivers { facts: facts.collect(), generation: self.traps.rounds.generation }
    }

    /// Everything that goes to the CPU, by device.
    pub(super) fn trap_devices(&self) -> Vec<TrapDevice> {
        let mut devices = Vec::new();
        if self.capabilities.is_some() {
            let mut chip = views::chip_traps(self.engine.reconciler());
            if let Some(counters) = &self.traps.chip {
                views::count(&mut chip, &counters.traps, &counters.policers);
            }
            devices.push(chip);
        }
        let kernels = self.traps.devices.iter().filter(|device| !device.traps.is_empty());
        devices.extend(kernels.map(views::device_traps));
        let policers = self.vrrp_policers();
        devices
            .into_iter()
            .map(|device| {
                let mut device = self.traps.with_courses(device);
                let row = policers.iter().find(|row| row.device == device.handle);
                let told = ["trap_policed", "vrrp_silent"];
                let reason = row.and_then(|row| {
                    told.iter().find(|told| row.reasons.iter().any(|r| r == *told))
                });
                for trap in device.traps.iter_mut().filter(|trap| trap.name.ends_with("vrrp")) {
                    trap.reason = reason.map(|reason| (*reason).to_owned());
                }
                device
            })
            .collect()
    }
}
