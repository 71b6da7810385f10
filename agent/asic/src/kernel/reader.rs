//! Asks devlink for everything that [`Device`] has, and sets policers.
//!
//! ```text
//!   DEV_GET ─▶ for each device: INFO_GET (once), TRAP_GET, TRAP_GROUP_GET, TRAP_POLICER_GET, RESOURCE_DUMP ─▶ Device
//! ```
//!
//! A driver that can't read one counter ends a dump there, and the kernel calls it a success
//! (`devlink_nl_inst_iter_dumpit`). So what was there the last time and is missing is asked for by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use netlink_packet_devlink::Handle;
use netlink_packet_devlink::Message;
use netlink_packet_devlink::client::{Answer, Client, ClientError};
use netlink_packet_devlink::device::{Dev, Info, ReloadAction};
use netlink_packet_devlink::dpipe::DpipeEntries;
use netlink_packet_devlink::resource::{ResourceList, Resources};
use netlink_packet_devlink::trap::{Trap as RawTrap, TrapGroup, TrapPolicer};
use nix::errno::Errno;

use super::device::{self, Device, Policer, Resource, Trap};

/// Times that an interrupted dump is made again.
const ATTEMPTS: usize = 5;

/// Why the kernel did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kernel's number; None: there was no answer.
    pub errno: Option<Errno>,
    /// The kernel's own words, or those of the number.
    pub text: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<ClientError> for Refusal {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused { source, text } => Self {
                errno: source.raw_os_error().map(Errno::from_raw),
                text: text.unwrap_or_else(|| source.to_string()),
            },
            error => {
                let mut text = error.to_string();
                if let ClientError::Open(source) = error {
                    text = format!("{text}: {source}");
                }
                Self { errno: None, text }
            }
        }
    }
}

/// The way to devlink in the network namespace of the thread that connected.
#[derive(Debug)]
pub struct Reader {
    client: Client,
    /// Drivers of devices, as long as these are there: some ask their firmware.
    drivers: BTreeMap<String, Option<String>>,
    /// Traps and policers at the last reading.
    known: BTreeMap<String, Known>,
}

/// What a dump may hide.
#[derive(Debug, Default)]
struct Known {
    traps: BTreeMap<String, Trap>,
    policers: BTreeMap<u32, Policer>,
}

impl Reader {
    /// Opens the way.
    ///
    /// # Errors
    /// There is no devlink (ENOENT), or no socket.
    pub async fn connect() -> Result<Self, Refusal> {
        let client = Client::connect().await?;
        Ok(Self { client, drivers: BTreeMap::new(), known: BTreeMap::new() })
    }

    /// For a monitor beside it.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Every device of the network namespace.
    ///
    /// # Errors
    /// The list of devices can't be had. What one device refuses is missing in that device.
    pub async fn devices(&mut self) -> Result<Vec<Device>, Refusal> {
        let mut devices = Vec::new();
        for message in self.dump(|| Message::DevGet(Dev::default())).await? {
            if let Message::DevNew(dev) = message {
                devices.push(self.device(dev).await);
            }
        }
        devices.sort_by(|a, b| a.handle.cmp(&b.handle));
        let there: BTreeSet<&String> = devices.iter().map(|device| &device.handle).collect();
        self.drivers.retain(|handle, _| there.contains(handle));
        self.known.retain(|handle, _| there.contains(handle));
        Ok(devices)
    }

    async fn device(&mut self, dev: Dev) -> Device {
        let mut handle = dev.handle.clone();
        handle.use_one_key();
        let mut device = Device {
            handle: handle.to_string(),
            driver: self.driver(&handle).await,
            reloads: reloads(&dev),
            reload_failed: dev.reload_failed.unwrap_or(false),
            ..Device::default()
        };
        let of = |handle: &Handle| handle.clone();
        let asked = || Message::TrapGet(RawTrap { handle: of(&handle), ..RawTrap::default() });
        match self.dump(asked).await {
            Ok(messages) => {
                for message in messages {
                    if let Message::TrapNew(raw) = message {
                        device.traps.extend(device::trap(raw));
                    }
                }
            }
            Err(Refusal { errno: Some(Errno::EOPNOTSUPP), .. }) => {}
            Err(refusal) => device.refusal = Some(refusal.text),
        }
        let asked =
            || Message::TrapGroupGet(TrapGroup { handle: of(&handle), ..TrapGroup::default() });
        for message in self.dump(asked).await.unwrap_or_default() {
            if let Message::TrapGroupNew(raw) = message {
                device.groups.extend(device::group(raw));
            }
        }
        let asked = || {
            Message::TrapPolicerGet(TrapPolicer { handle: of(&handle), ..TrapPolicer::default() })
        };
        for message in self.dump(asked).await.unwrap_or_default() {
            if let Message::TrapPolicerNew(raw) = message {
                device.policers.extend(device::policer(&raw));
            }
        }
        self.ask_for_missing(&handle, &mut device).await;
        if device.driver.as_deref().is_some_and(|driver| driver.starts_with("mlxsw_spectrum")) {
            device.erifs = self.erifs(&handle).await;
        }
        let asked = Message::ResourceDump(Resources { handle, ..Resources::default() });
        if let Ok(answer) = self.client.request(asked).await {
            for message in answer.messages {
                if let Message::ResourceDump(Resources { list: Some(list), port: None, .. }) =
                    message
                {
                    flatten(list, "", &mut device.resources);
                }
            }
        }
        device
    }

    async fn erifs(&self, handle: &Handle) -> Option<BTreeMap<u32, u16>> {
        let table = Some("mlxsw_erif".to_owned());
        let asked = DpipeEntries { handle: handle.clone(), table, ..DpipeEntries::default() };
        let answer = self.client.request(Message::DpipeEntriesGet(asked)).await.ok()?;
        let lists = answer.messages.into_iter().filter_map(|message| match message {
            Message::DpipeEntriesGet(entries) => entries.list,
            _ => None,
        });
        Some(lists.flat_map(|list| list.entries).filter_map(device::erif).collect())
    }

    async fn driver(&mut self, handle: &Handle) -> Option<String> {
        let key = handle.to_string();
        if let Some(driver) = self.drivers.get(&key) {
            return driver.clone();
        }
        let asked = Message::InfoGet(Info { handle: handle.clone(), ..Info::default() });
        let answer = self.client.request(asked).await.unwrap_or_default();
        let driver = answer.messages.into_iter().find_map(|message| match message {
            Message::InfoGet(info) => info.driver,
            _ => None,
        });
        self.drivers.insert(key, driver.clone());
        driver
    }

    /// What was there at the last reading is gone, or hidden by something whose counter could not be read.
    async fn ask_for_missing(&mut self, handle: &Handle, device: &mut Device) {
        let known = self.known.remove(&device.handle).unwrap_or_default();
        for (name, former) in known.traps {
            if device.traps.contains_key(&name) {
                continue;
            }
            let raw = RawTrap { handle: handle.clone(), ..RawTrap::default() };
            let asked = Message::TrapGet(RawTrap { name: Some(name.clone()), ..raw });
            match self.still_there(asked).await {
                Some(Some(Message::TrapNew(raw))) => device.traps.extend(device::trap(raw)),
                Some(_) => drop(device.traps.insert(name, Trap { rx: None, ..former })),
                None => {}
            }
        }
        for (id, former) in known.policers {
            if device.policers.contains_key(&id) {
                continue;
            }
            let raw = TrapPolicer { handle: handle.clone(), ..TrapPolicer::default() };
            let asked = Message::TrapPolicerGet(TrapPolicer { id: Some(id), ..raw });
            match self.still_there(asked).await {
                Some(Some(Message::TrapPolicerNew(raw))) => {
                    device.policers.extend(device::policer(&raw));
                }
                Some(_) => drop(device.policers.insert(id, Policer { dropped: None, ..former })),
                None => {}
            }
        }
        let known = Known { traps: device.traps.clone(), policers: device.policers.clone() };
        self.known.insert(device.handle.clone(), known);
    }

    /// None: it is gone; `Some(None)`: it can't be read now.
    async fn still_there(&self, asked: Message) -> Option<Option<Message>> {
        match self.client.request(asked).await.map_err(Refusal::from) {
            Ok(answer) => Some(answer.messages.into_iter().next()),
            Err(Refusal {
                errno: Some(Errno::ENOENT | Errno::EOPNOTSUPP | Errno::ENODEV), ..
            }) => None,
            Err(refusal) => {
                tracing::debug!(%refusal, "A trap or policer can't be read");
                Some(None)
            }
        }
    }

    async fn dump(&self, asked: impl Fn() -> Message) -> Result<Vec<Message>, Refusal> {
        let mut answer = Answer::default();
        for _ in 0..ATTEMPTS {
            answer = self.client.dump(asked()).await?;
            if !answer.interrupted {
                break;
            }
        }
        for reason in &answer.undecodable {
            tracing::warn!(%reason, "A message of devlink can't be decoded");
        }
        Ok(answer.messages)
    }

    /// Sets rate or burst of a policer, or both.
    ///
    /// # Errors
    /// The kernel's refusal: EINVAL beyond the device's limits, EPERM without CAP_NET_ADMIN.
    pub async fn set_policer(
        &self,
        device: &str,
        id: u32,
        rate: Option<u64>,
        burst: Option<u64>,
    ) -> Result<(), Refusal> {
        let handle = Handle::from_path(device).unwrap_or_default();
        let policer = TrapPolicer { handle, id: Some(id), rate, burst, ..TrapPolicer::default() };
        self.client.request(Message::TrapPolicerSet(policer)).await?;
        Ok(())
    }

    /// Gives a group another policer, or none.
    ///
    /// # Errors
    /// The kernel's refusal: EOPNOTSUPP where the driver has it fixed, ENOENT for a policer that does not exist.
    pub async fn bind(
        &self,
        device: &str,
        group: &str,
        policer: Option<u32>,
    ) -> Result<(), Refusal> {
        let handle = Handle::from_path(device).unwrap_or_default();
        let group = TrapGroup {
            handle,
            name: Some(group.to_owned()),
            policer: Some(policer.unwrap_or(0)),
            ..TrapGroup::default()
        };
        self.client.request(Message::TrapGroupSet(group)).await?;
        Ok(())
    }
}

/// Times that the driver started anew.
fn reloads(dev: &Dev) -> u64 {
    let stats = dev.stats.as_ref().and_then(|stats| stats.reload.as_ref());
    let actions = stats.map_or(&[][..], |stats| &stats.actions);
    let anew = actions.iter().filter(|info| info.action == Some(ReloadAction::DriverReinit));
    let entries = anew.filter_map(|info| info.stats.as_ref()).flat_map(|stats| &stats.entries);
    entries.filter_map(|entry| entry.value).map(u64::from).sum()
}

/// A tree of resources as a list.
fn flatten(list: ResourceList, above: &str, into: &mut Vec<Resource>) {
    for resource in list.resources {
        let name = resource.name.unwrap_or_default();
        let name = if above.is_empty() { name } else { format!("{above}/{name}") };
        if let Some(children) = resource.children {
            flatten(children, &name, into);
        }
        into.push(Resource { name, size: resource.size.unwrap_or(0), occ: resource.occupancy });
    }
}
