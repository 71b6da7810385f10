//! How is a trap for VRRP advertisements said to a port of a kernel driver? As a rule of the classifier `flower` at the port's
//! ingress, in hardware alone.
//!
//! ```text
//!   Kernel::bring(wish):    RTM_GETTFILTER ─▶ ours and not wanted: RTM_DELTFILTER     first of all
//!                          no filter: RTM_GETQDISC ─▶ none: RTM_NEWQDISC clsact, if it may be
//!                          wanted and not there: RTM_NEWTFILTER ─▶ RTM_GETTFILTER ─▶ not in hardware: RTM_DELTFILTER
//!                          our clsact, and nothing in it: RTM_DELQDISC
//! ```
//!
//! Each time the kernel's own list decides what is missing, so that an order can be given again at any time: that is the audit.
//!
//! A rule is ours if it has our prio, our handle, and our cookie. One of somebody else with the same key and effect is as good,
//! and never removed. Without skip_sw there is no rule: in software `action trap` takes the packet away from everybody.

mod client;
mod message;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use firsthop_model::IfIndex;
use firsthop_model::intent::ControlRule;
use thiserror::Error;

pub use client::Kernel;
use message::Filter;

/// Why there is no answer of the kernel, or not the one that was wanted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FlowerError {
    /// The kernel or the driver refused.
    #[error("{text}")]
    Refused {
        /// Its error number, positive.
        errno: i32,
        /// Its own words (extended acknowledgement); without any, those for the number.
        text: String,
    },
    /// There is no socket.
    #[error("Cannot open a netlink socket: {0}")]
    Open(String),
    /// No answer came; what was asked for may be done or not.
    #[error("The kernel did not answer")]
    Silence,
    /// The answer is no answer.
    #[error("The kernel's answer cannot be understood")]
    Undecodable,
}

impl FlowerError {
    /// There is no such thing (any more).
    pub(crate) const fn is_absent(&self) -> bool {
        matches!(self, Self::Refused { errno: ENOENT | ENODEV, .. })
    }

    const fn exists(&self) -> bool {
        matches!(self, Self::Refused { errno: EEXIST, .. })
    }
}

const ENOENT: i32 = nix::errno::Errno::ENOENT as i32;
const ENODEV: i32 = nix::errno::Errno::ENODEV as i32;
const EEXIST: i32 = nix::errno::Errno::EEXIST as i32;

/// What is to be at a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The port.
    pub port: IfIndex,
    /// All rules that are to be there.
    pub rules: BTreeSet<ControlRule>,
    /// False: only look.
    pub write: bool,
    /// The clsact is ours, or would be: it may be made, and removed when nothing is in it.
    pub clsact: bool,
}

/// How far a wanted rule is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// In hardware, and made here.
    Ours,
    /// In hardware, and made by somebody else.
    Theirs,
    /// Not there, and nobody tried.
    Absent,
    /// Not there: what the kernel or the driver said.
    Refused(String),
}

/// What the port's clsact (or ingress) qdisc came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clsact {
    /// It was there.
    There,
    /// It was made.
    Made,
    /// There is none, or no more.
    Absent,
}

/// What became of a [`Wish`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Each wanted rule.
    pub rules: BTreeMap<ControlRule, Standing>,
    /// Rules of ours that are not wanted, and could not be removed.
    pub stuck: BTreeMap<ControlRule, FlowerError>,
    /// Where the rules are.
    pub clsact: Clsact,
}

impl Kernel {
    /// Brings a port as near to the wish as the kernel lets it.
    ///
    /// # Errors
    /// The kernel's lists can't be read, or the port is gone ([`FlowerError::Refused`] with ENODEV): nothing is known of it.
    pub async fn bring(&mut self, wish: &Wish) -> Result<Report, FlowerError> {
        let before = self.filters(wish.port, Direction::Ingress).await?;
        let mut stuck = BTreeMap::new();
        if wish.write {
            for rule in before.iter().filter_map(|filter| filter.unwanted(wish)) {
                match self.remove(rule).await {
                    Ok(()) => {}
                    Err(error) if error.is_absent() => {}
                    Err(error) => {
                        stuck.insert(rule, error);
                    }
                }
            }
        }
        let mut rules: BTreeMap<ControlRule, Standing> =
            wish.rules.iter().map(|rule| (*rule, standing(&before, *rule))).collect();
        let missing: Vec<ControlRule> = absent(&rules).collect();
        // the kernel tells everybody when it is asked, so it is asked only where it is not clear
        let there = !before.is_empty() || self.has_qdisc(wish.port).await?;
        let mut clsact = if there { Clsact::There } else { Clsact::Absent };
        if wish.write && wish.clsact && clsact == Clsact::Absent && !missing.is_empty() {
            clsact = match self.add_clsact(wish.port).await {
                Ok(()) => Clsact::Made,
                // somebody else was quicker
                Err(error) if error.exists() => Clsact::There,
                Err(error) => return Err(error),
            };
        }
        if wish.write && clsact != Clsact::Absent {
            self.add_all(wish.port, &missing, &mut rules).await?;
            if wish.clsact && self.is_empty(wish.port).await? {
                match self.remove_clsact(wish.port).await {
                    Ok(()) => clsact = Clsact::Absent,
                    Err(error) if error.is_absent() => clsact = Clsact::Absent,
                    Err(error) => tracing::debug!(%error, "A clsact could not be removed"),
                }
            }
        }
        Ok(Report { rules, stuck, clsact })
    }

    /// Adds rules and reads back whether they are in hardware.
    async fn add_all(
        &mut self,
        port: IfIndex,
        missing: &[ControlRule],
        rules: &mut BTreeMap<ControlRule, Standing>,
    ) -> Result<(), FlowerError> {
        for rule in missing {
            if let Err(error) = self.add(*rule).await {
                rules.insert(*rule, Standing::Refused(error.to_string()));
            }
        }
        let added: Vec<ControlRule> = absent(rules).collect();
        if added.is_empty() {
            return Ok(());
        }
        let after = self.filters(port, Direction::Ingress).await?;
        for rule in added {
            let mut found = standing(&after, rule);
            if found == Standing::Absent {
                self.remove(rule).await.ok();
                found = Standing::Refused(NOT_IN_HARDWARE.to_owned());
            }
            rules.insert(rule, found);
        }
        Ok(())
    }

    async fn is_empty(&mut self, port: IfIndex) -> Result<bool, FlowerError> {
        Ok(self.filters(port, Direction::Ingress).await?.is_empty()
            && self.filters(port, Direction::Egress).await?.is_empty())
    }
}

/// In the place of the kernel's words, where it took a rule and the driver has it not.
const NOT_IN_HARDWARE: &str = "The rule was taken, but is not in hardware (not_in_hw)";

/// A side of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Ingress,
    Egress,
}

impl Filter {
    /// The rule that this filter of ours is, if it has to go.
    fn unwanted(&self, wish: &Wish) -> Option<ControlRule> {
        let rule = self.ours?;
        let stays = wish.rules.contains(&rule) && self.in_hardware;
        (!stays).then_some(rule)
    }
}

fn absent(rules: &BTreeMap<ControlRule, Standing>) -> impl Iterator<Item = ControlRule> {
    rules.iter().filter(|(_, found)| **found == Standing::Absent).map(|(rule, _)| *rule)
}

/// How a rule stands in the kernel's list.
fn standing(filters: &[Filter], rule: ControlRule) -> Standing {
    let does = |filter: &&Filter| filter.in_hardware && filter.does == Some(rule);
    if filters.iter().filter(does).any(|filter| filter.ours.is_some()) {
        Standing::Ours
    } else if filters.iter().any(|filter| does(&filter)) {
        Standing::Theirs
    } else {
        Standing::Absent
    }
}
