//! What is wrong with a virtual router, told from its advertisements: one question for each flag, and the words that quote it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::source::{PATIENCE, Source};
use super::wire::Checksum;
use super::{Instance, Liveness, VirtualRouter};
use crate::intent::VmacPolicy;

/// Intervals of silence after which nobody is behind a MAC in the chip.
pub(super) const SILENCE: u32 = 4;
/// The interval of a router that has not been heard (RFC 9568 section 6.1).
pub(super) const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);

/// Something that is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// Our MAC is in the chip, and another router advertises with the same or a higher priority.
    TwoActives,
    /// Our MAC is in the chip, and nobody here advertises: the daemon has died.
    Orphan,
    /// We advertise, and the macvlan has no address that counts.
    VipMissing,
    /// Two routers use one VRID for different virtual addresses.
    VridCollision,
    /// Two routers advertise at different intervals.
    IntervalMismatch,
    /// The VRRP policer is smaller than the advertisements need.
    PolicerTooSmall,
    /// Two routers compute the checksum in different ways.
    ChecksumFlavour,
    /// Something else than VRRP is sent to the VRRP group.
    AhSeen,
}

impl Flag {
    /// All of them, in the order in which a person should read them.
    pub const ALL: [Self; 8] = [
        Self::TwoActives,
        Self::Orphan,
        Self::VipMissing,
        Self::VridCollision,
        Self::IntervalMismatch,
        Self::PolicerTooSmall,
        Self::ChecksumFlavour,
        Self::AhSeen,
    ];

    /// The word in JSON and text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TwoActives => "two_actives",
            Self::Orphan => "orphan",
            Self::VipMissing => "vip_missing",
            Self::VridCollision => "vrid_collision",
            Self::IntervalMismatch => "interval_mismatch",
            Self::PolicerTooSmall => "policer_too_small",
            Self::ChecksumFlavour => "checksum_flavour",
            Self::AhSeen => "ah_seen",
        }
    }
}

/// A flag and what it was told from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What
    pub flag: Flag,
    /// In words, with the values that decided
    pub evidence: String,
}

/// What a flag waits for: the earliest time at which an answer may be another.
#[derive(Debug, Default)]
pub(super) struct Clock {
    pub(super) next: Option<Duration>,
}

impl Clock {
    /// Has `now` passed this time? If not, it is waited for.
    fn is_past(&mut self, at: Duration, now: Duration) -> bool {
        if now > at {
            return true;
        }
        let at = at + Duration::from_millis(1);
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
        false
    }
}

impl Liveness {
    /// What is wrong with one virtual router.
    pub(super) fn judge(
        &self,
        id: VirtualRouter,
        now: Duration,
        clock: &mut Clock,
    ) -> Vec<Finding> {
        let empty = Instance::default();
        let instance = self.instance(id).unwrap_or(&empty);
        for source in instance.sources() {
            clock.is_past(source.lives_until(), now);
        }
        let found = [
            (Flag::TwoActives, self.two_actives(id, instance, now, clock)),
            (Flag::Orphan, self.orphan(id, instance, now, clock)),
            (Flag::VipMissing, self.vip_missing(id, instance, now, clock)),
            (Flag::VridCollision, collision(instance, now)),
            (Flag::IntervalMismatch, intervals(instance, now)),
            (Flag::ChecksumFlavour, flavours(instance, now)),
        ];
        let finding = |(flag, evidence): (Flag, Option<String>)| {
            evidence.map(|evidence| Finding { flag, evidence })
        };
        found.into_iter().filter_map(finding).collect()
    }

    fn two_actives(
        &self,
        id: VirtualRouter,
        instance: &Instance,
        now: Duration,
        clock: &mut Clock,
    ) -> Option<String> {
        let programmed = self.vmac_of(id).and_then(|(_, since)| since.programmed)?;
        let ours = instance.own.as_ref().filter(|own| own.is_live(now));
        let rivals = instance.heard.iter().filter(|heard| {
            heard.is_live(now) && ours.is_none_or(|own| heard.priority >= own.priority)
        });
        let mut lasting = rivals.filter(|heard| {
            let begun = heard.since.max(programmed);
            clock.is_past(begun + heard.interval * PATIENCE, now)
        });
        let rival = lasting.next()?;
        let ours = ours.map_or_else(
            || "nothing is sent here".to_owned(),
            |own| format!("ours is {}", own.priority),
        );
        Some(format!(
            "{} has advertised priority {} for {} while the MAC is in the chip; {ours}",
            rival.source,
            rival.priority,
            seconds(now.saturating_sub(rival.since)),
        ))
    }

    fn orphan(
        &self,
        id: VirtualRouter,
        instance: &Instance,
        now: Duration,
        clock: &mut Clock,
    ) -> Option<String> {
        let (vmac, since) = self.vmac_of(id)?;
        let withdrawn = self.withdrawn.contains(&vmac.ifindex);
        if vmac.policy != VmacPolicy::Active || since.programmed.is_none() && !withdrawn {
            return None;
        }
        let own = instance.own.as_ref();
        let interval = own.map_or(DEFAULT_INTERVAL, |own| own.interval);
        let seen = own.map_or(Duration::ZERO, |own| own.last);
        let begun = seen.max(since.programmed.unwrap_or_default()).max(self.begun);
        if !withdrawn && !clock.is_past(begun + interval * SILENCE, now) {
            return None;
        }
        let place = if withdrawn { "was withdrawn" } else { "is in the chip" };
        Some(match own {
            Some(own) => format!(
                "nothing was sent here for {}, once every {} before; the MAC {place}",
                seconds(now.saturating_sub(own.last)),
                seconds(own.interval),
            ),
            None => format!(
                "nothing was sent here in the {} that the MAC {place}",
                seconds(now.saturating_sub(begun))
            ),
        })
    }

    fn vip_missing(
        &self,
        id: VirtualRouter,
        instance: &Instance,
        now: Duration,
        clock: &mut Clock,
    ) -> Option<String> {
        let own = instance.own.as_ref().filter(|own| own.is_live(now))?;
        let (_, since) = self.vmac_of(id)?;
        let begun = since.bare?.max(own.since);
        let lasts = clock.is_past(begun + own.interval * PATIENCE, now);
        lasts.then(|| {
            format!(
                "{} has advertised for {}, and the macvlan has no address that counts; it \
                 advertises {}",
                own.source,
                seconds(now.saturating_sub(own.since)),
                own.addresses
            )
        })
    }
}

/// Two of the sources of not long ago that differ in something.
fn differing<T: PartialEq>(
    instance: &Instance,
    now: Duration,
    of: impl Fn(&Source) -> Option<T>,
) -> Option<(&Source, &Source)> {
    let mut sources = instance.sources().filter(|source| source.is_remembered(now));
    let mut told = sources.by_ref().filter_map(|source| Some((source, of(source)?)));
    let (one, first) = told.next()?;
    told.find(|(_, other)| *other != first).map(|(other, _)| (one, other))
}

fn collision(instance: &Instance, now: Duration) -> Option<String> {
    let (one, other) = differing(instance, now, |source| Some(source.addresses.clone()))?;
    let (one_ip, other_ip) = (one.source, other.source);
    Some(format!(
        "{one_ip} advertises {}, {other_ip} advertises {}",
        one.addresses, other.addresses
    ))
}

fn intervals(instance: &Instance, now: Duration) -> Option<String> {
    let (one, other) = differing(instance, now, |source| Some(source.interval))?;
    Some(format!(
        "{} advertises every {}, {} every {}",
        one.source,
        seconds(one.interval),
        other.source,
        seconds(other.interval)
    ))
}

/// Only version 3 over IPv4 has two ways.
fn flavours(instance: &Instance, now: Duration) -> Option<String> {
    let of = |source: &Source| {
        let ambiguous = source.version == 3 && source.source.is_ipv4();
        Some(source.checksum).filter(|sum| ambiguous && *sum != Checksum::Neither)
    };
    let (one, other) = differing(instance, now, of)?;
    let with = |source: &Source| match source.checksum {
        Checksum::PseudoHeader => "with a pseudo-header",
        Checksum::Message | Checksum::Neither => "of the message alone",
    };
    Some(format!("{} sends checksums {}, {} {}", one.source, with(one), other.source, with(other)))
}

/// `0.1 s`, `3.6 s`, `14 s`, and `5 min` where nobody counts seconds.
pub fn seconds(time: Duration) -> String {
    match time.as_millis() {
        millis if millis % 1000 == 0 && millis < 120_000 => format!("{} s", millis / 1000),
        millis if millis < 1000 => format!("{} s", millis as f64 / 1000.0),
        millis if millis < 10_000 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        millis if millis < 120_000 => format!("{} s", millis / 1000),
        millis => format!("{} min", millis / 60_000),
    }
}
