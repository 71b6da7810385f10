//! What leads from the kernel to the chip, one line each: what the kernel said, and what was written. With the rows of
//! [`super::change`] between them, and the number of the kernel's event at each, they tell why something was written.

use std::collections::BTreeMap;
use std::net::IpAddr;

use firsthop_model::IfIndex;
use firsthop_model::chip::Change as ChipChange;
use firsthop_model::reconcile::{Reconciler, Ticket};
use firsthop_model::retry::{Failure, FailureClass};
use firsthop_model::topology::{Address, Event, Link, LinkKind, Topology, VlanRange};
use serde::{Deserialize, Serialize};

use super::change::Happening;
use super::{diff, name};

/// What the kernel said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelEvent {
    /// `link`, `address`, `vlan`, `mac_filter`; `snapshot`: everything was asked for; `loss`: events were missed
    pub what: String,
    /// The device
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ifname: Option<String>,
    /// Its index
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ifindex: Option<u32>,
    /// The address, the VLANs, or what of the link is new
    pub text: String,
}

/// A row of the chip that was written, or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// The row in words
    pub row: String,
    /// The device that it belongs to
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ifname: Option<String>,
    /// What it should hold; nothing of a row that is removed
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// `ok`, or the class of failure: `transient`, `capacity`, `rejected` or `unknown`
    pub result: String,
    /// What the chip said
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// From the order to the answer
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
}

/// Events that came together, each told by what was there before it.
#[derive(Debug)]
pub struct Telling<'a> {
    topology: &'a Topology,
    links: BTreeMap<IfIndex, Option<&'a Link>>,
    addresses: BTreeMap<(IfIndex, IpAddr, u8), bool>,
}

impl<'a> Telling<'a> {
    /// Before the first of them was folded in.
    pub const fn new(topology: &'a Topology) -> Self {
        Self { topology, links: BTreeMap::new(), addresses: BTreeMap::new() }
    }

    /// The next of them. None: it is the answer to a question of ours.
    pub fn tell(&mut self, event: &'a Event) -> Option<(Happening, KernelEvent)> {
        let vlans = |range: &VlanRange| match (range.first, range.last) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}-{last}"),
        };
        Some(match event {
            Event::Link(link) => {
                let before = self.link(link.ifindex);
                self.links.insert(link.ifindex, Some(link));
                let (happening, text) = match before {
                    None => (Happening::New, self.appearance(link)),
                    Some(before) => (Happening::Change, self.differences(before, link)),
                };
                (happening, self.about("link", link.ifindex, text))
            }
            Event::LinkGone(ifindex) => {
                let told = self.about("link", *ifindex, "removed".to_owned());
                self.links.insert(*ifindex, None);
                (Happening::Gone, told)
            }
            Event::Slave(ifindex, _) => {
                (Happening::Change, self.about("link", *ifindex, "bridge port".to_owned()))
            }
            Event::Address(address) => {
                let held = self.holds(address, true);
                let happening = if held { Happening::Change } else { Happening::New };
                (happening, self.about("address", address.ifindex, address_text(address)))
            }
            Event::AddressGone(address) => {
                self.holds(address, false);
                (Happening::Gone, self.about("address", address.ifindex, address_text(address)))
            }
            Event::Vlans(range) => {
                (Happening::New, self.about("vlan", range.ifindex, vlans(range)))
            }
            Event::VlansGone(range) => {
                (Happening::Gone, self.about("vlan", range.ifindex, vlans(range)))
            }
            Event::Receives(ifindex, mac) => {
                (Happening::New, self.about("mac_filter", *ifindex, mac.to_string()))
            }
            Event::ReceivesNoMore(ifindex, mac) => {
                (Happening::Gone, self.about("mac_filter", *ifindex, mac.to_string()))
            }
            Event::AllVlans(_) | Event::MacList(..) | Event::FiltersSettled(_) => return None,
        })
    }

    fn link(&self, ifindex: IfIndex) -> Option<&'a Link> {
        self.links.get(&ifindex).copied().unwrap_or_else(|| self.topology.link(ifindex))
    }

    /// Whether the address was there; from now on it is, or is not.
    fn holds(&mut self, address: &Address, from_now_on: bool) -> bool {
        let key = (address.ifindex, address.ip, address.prefix_len);
        let same = |held: &Address| (held.ip, held.prefix_len) == (key.1, key.2);
        let before = self.addresses.insert(key, from_now_on);
        before.unwrap_or_else(|| self.topology.addresses(key.0).iter().any(same))
    }

    fn about(&self, what: &str, ifindex: IfIndex, text: String) -> KernelEvent {
        KernelEvent {
            what: what.to_owned(),
            ifname: self.link(ifindex).map(|link| link.ifname.clone()),
            ifindex: Some(ifindex.0),
            text,
        }
    }

    /// A device that was not there.
    fn appearance(&self, link: &Link) -> String {
        let mut words = vec![kind(&link.kind)];
        if let Some(lower) = link.lower().and_then(|lower| self.link(lower)) {
            words.push(format!("over {}", lower.ifname));
        }
        words.extend(link.mac.map(|mac| format!("mac {mac}")));
        words.push(if link.is_up() { "up" } else { "down" }.to_owned());
        words.push(format!("operstate {}", link.operstate.name()));
        words.join(" ")
    }

    /// What of a device is new.
    fn differences(&self, before: &Link, link: &Link) -> String {
        let mut words = Vec::new();
        if before.ifname != link.ifname {
            words.push(format!("renamed from {}", before.ifname));
        }
        if before.is_up() != link.is_up() {
            words.push(if link.is_up() { "up" } else { "down" }.to_owned());
        }
        if before.operstate != link.operstate {
            words.push(format!("operstate {}", link.operstate.name()));
        }
        if before.carrier != link.carrier {
            words.push(format!("carrier {}", on_off(link.carrier)));
        }
        if before.proto_down != link.proto_down {
            words.push(format!("protodown {}", on_off(link.proto_down)));
        }
        if before.mac != link.mac {
            words.extend(link.mac.map(|mac| format!("mac {mac}")));
        }
        if before.mtu != link.mtu {
            words.push(format!("mtu {}", link.mtu));
        }
        if before.master != link.master {
            let master = link.master.map(|master| match self.link(master) {
                Some(master) => format!("master {}", master.ifname),
                None => format!("master if{}", master.0),
            });
            words.push(master.unwrap_or_else(|| "nomaster".to_owned()));
        }
        if words.is_empty() {
            words.push(if before == link { "said again" } else { "other attributes" }.to_owned());
        }
        words.join(", ")
    }
}

impl KernelEvent {
    /// Everything was asked for, and is in the view now.
    pub fn snapshot(topology: &Topology) -> Self {
        let text = format!("{} links", topology.links().count());
        Self { what: "snapshot".to_owned(), ifname: None, ifindex: None, text }
    }

    /// Events were missed.
    pub fn loss(cause: &str) -> Self {
        Self { what: "loss".to_owned(), ifname: None, ifindex: None, text: cause.to_owned() }
    }
}

impl Write {
    /// An outcome that is about to be taken in. None: nobody waits for it.
    pub fn of(
        reconciler: &Reconciler,
        ticket: Ticket,
        result: Result<(), &Failure>,
    ) -> Option<(Happening, Self)> {
        let (object, change) = reconciler.submitted_change(ticket)?;
        let ifindex = reconciler.device_of(object);
        let happening = match change {
            ChipChange::Add(_) => Happening::New,
            ChipChange::Edit { .. } => Happening::Change,
            ChipChange::Remove(_) => Happening::Gone,
        };
        let told = Self {
            row: diff::describe(reconciler, ifindex, &change.key()),
            ifname: ifindex.map(|ifindex| name(reconciler, ifindex)),
            content: change.after().map(diff::content),
            result: match result {
                Ok(()) => "ok",
                Err(failure) => word(failure.class),
            }
            .to_owned(),
            error: result.err().map(|failure| failure.text.clone()),
            duration_us: None,
        };
        Some((happening, told))
    }
}

const fn word(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Transient => "transient",
        FailureClass::Capacity => "capacity",
        FailureClass::Rejected => "rejected",
        FailureClass::Unknown => "unknown",
    }
}

fn address_text(address: &Address) -> String {
    let mut text = format!("{}/{}", address.ip, address.prefix_len);
    if address.is_tentative() {
        text.push_str(" tentative");
    }
    if address.is_dadfailed() {
        text.push_str(" dadfailed");
    }
    text
}

fn kind(kind: &LinkKind) -> String {
    match kind {
        LinkKind::None => "device".to_owned(),
        LinkKind::Macvlan { .. } => "macvlan".to_owned(),
        LinkKind::Ipvlan { .. } => "ipvlan".to_owned(),
        LinkKind::Vrf { table } => format!("vrf table {table}"),
        LinkKind::Vlan { vid, .. } => format!("vlan {vid}"),
        LinkKind::Bridge { .. } => "bridge".to_owned(),
        LinkKind::Bond { .. } => "bond".to_owned(),
        LinkKind::Team => "team".to_owned(),
        LinkKind::Other { name } => name.clone(),
    }
}

const fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}
