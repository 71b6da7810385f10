//! Which device is meant? `BUS/DEVICE`, and since Linux 7.3 a number.

use std::fmt;

use crate::attribute::Attribute;
use crate::fault::Fault;
use crate::value::{Field, Uint, nest};

const BUS_NAME: u16 = 1;
const DEV_NAME: u16 = 2;
const INDEX: u16 = 184;

/// A devlink device, as each message names it. In a request either both names or, from Linux 7.3 on, the index alone
/// ([`Handle::use_one_key`]); all absent in a dump of every device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Handle {
    /// Bus: `pci`, `netdevsim`.
    ///
    /// `DEVLINK_ATTR_BUS_NAME` = 1
    pub bus: Option<String>,
    /// Device on that bus: `0000:03:00.0`, `netdevsim10`.
    ///
    /// `DEVLINK_ATTR_DEV_NAME` = 2
    pub device: Option<String>,
    /// Number of the devlink instance, unique while it lives. Absent before Linux 7.3.
    ///
    /// `DEVLINK_ATTR_INDEX` = 184
    pub index: Option<Uint>,
}

impl Handle {
    /// The device of these names.
    #[must_use]
    pub fn new(bus: impl Into<String>, device: impl Into<String>) -> Self {
        Self { bus: Some(bus.into()), device: Some(device.into()), index: None }
    }

    /// The device that `BUS/DEVICE` names, as the `devlink` program writes it.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        path.split_once('/').map(|(bus, device)| Self::new(bus, device))
    }

    /// For a request: by its names, or by its index when it has none. Linux 7.3 answers EINVAL, without a text, to a
    /// request with both, although its own answers have both.
    pub fn use_one_key(&mut self) {
        if self.bus.is_some() && self.device.is_some() {
            self.index = None;
        }
    }

    pub(crate) fn read(&mut self, attribute: &Attribute<'_>) -> Result<bool, Fault> {
        match attribute.number() {
            BUS_NAME => self.bus.read(attribute, "DEVLINK_ATTR_BUS_NAME")?,
            DEV_NAME => self.device.read(attribute, "DEVLINK_ATTR_DEV_NAME")?,
            INDEX => self.index.read(attribute, "DEVLINK_ATTR_INDEX")?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        self.bus.append_to(BUS_NAME, out);
        self.device.append_to(DEV_NAME, out);
        self.index.append_to(INDEX, out);
    }
}

/// `BUS/DEVICE`; a part that is absent is empty.
impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        write!(f, "{}/{}", part(&self.bus), part(&self.device))
    }
}

nest! {
    /// A devlink device that is part of another object: of a device, or behind a port function.
    pub struct NestedDevice: handle {
        /// Its network namespace, as an identifier of the asker's (`ip netns list-id`); absent when it is the asker's own.
        netns_id: Option<u32> = 140, "DEVLINK_ATTR_NETNS_ID";
    }
}

#[cfg(test)]
impl crate::sample::Sample for Handle {
    fn sample(dice: &mut crate::sample::Dice<'_>) -> Self {
        Self {
            bus: crate::sample::Sample::sample(dice),
            device: crate::sample::Sample::sample(dice),
            index: crate::sample::Sample::sample(dice),
        }
    }
}
