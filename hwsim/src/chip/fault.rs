//! Which register accesses go wrong on purpose? Rules that tests inject; deterministic, seeds included.
//!
//! ```text
//!   {"register":"sfd","op":"write","nth":3,"action":{"status":8}}           the third SFD write is refused
//!   {"register":"*","share":100,"seed":7,"action":"drop_reply"}             a tenth of all answers is lost
//!   {"register":"sfd","nth":1,"count":5,"action":"short_num_rec"}           five SFD writes do one record less
//! ```

use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultAction {
    /// Not executed; the answer has this status (0..=127).
    Status(u8),
    /// Executed, but the answer is lost.
    DropReply,
    /// Lost before it was executed.
    DropRequest,
    /// SFD writes only: the last record is left out, and `num_rec` says so.
    ShortNumRec,
}

/// Which method a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultOp {
    /// Queries.
    Query,
    /// Writes.
    Write,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Register name in lower case, or `*`.
    pub register: String,
    /// Queries or writes; writes if absent.
    #[serde(default = "writes")]
    pub op: FaultOp,
    /// From the n-th matching access on, counted from 1 and from the injection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// This many of a thousand, chosen by `seed`; with `nth`, among those from the n-th on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<u16>,
    /// Seed of the choice.
    #[serde(default)]
    pub seed: u64,
    /// How often the rule strikes at most: once if absent and `share` is absent too, else without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// What goes wrong.
    pub action: FaultAction,
}

fn writes() -> FaultOp {
    FaultOp::Write
}

/// A rule and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InjectedFault {
    /// Its number, for [`Faults::remove`].
    pub id: u64,
    /// The rule.
    #[serde(flatten)]
    pub rule: FaultRule,
    /// Accesses that it was asked about.
    pub seen: u64,
    /// How often it struck.
    pub struck: u64,
    #[serde(skip)]
    random: u64,
}

/// The rules in force. The first that strikes decides.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    rules: Vec<InjectedFault>,
    next_id: u64,
}

impl Faults {
    /// Adds a rule; answers its number.
    pub fn inject(&mut self, rule: FaultRule) -> u64 {
        self.next_id += 1;
        let random = rule.seed;
        self.rules.push(InjectedFault { id: self.next_id, rule, seen: 0, struck: 0, random });
        self.next_id
    }

    /// Removes a rule; false if it is not there.
    pub fn remove(&mut self, id: u64) -> bool {
        let before = self.rules.len();
        self.rules.retain(|rule| rule.id != id);
        self.rules.len() != before
    }

    /// Removes all rules.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// The rules in force, oldest first.
    #[must_use]
    pub fn rules(&self) -> &[InjectedFault] {
        &self.rules
    }

    /// An access is about to happen: what goes wrong with it?
    pub(crate) fn strike(&mut self, register: &str, op: FaultOp) -> Option<FaultAction> {
        let mut action = None;
        for fault in &mut self.rules {
            let matches = fault.rule.op == op
                && (fault.rule.register == "*" || fault.rule.register == register);
            if matches && fault.strikes() && action.is_none() {
                fault.struck += 1;
                action = Some(fault.rule.action);
            }
        }
        action
    }
}

impl InjectedFault {
    fn strikes(&mut self) -> bool {
        self.seen += 1;
        let limit = match (self.rule.count, self.rule.share) {
            (Some(count), _) => count,
            (None, None) => 1,
            (None, Some(_)) => u64::MAX,
        };
        let due = self.seen >= self.rule.nth.unwrap_or(1) && self.struck < limit;
        match self.rule.share {
            _ if !due => false,
            None => true,
            Some(share) => self.draw() % 1000 < u64::from(share),
        }
    }

    /// The next number of the seed's sequence (splitmix64).
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> FaultRule {
        serde_json::from_str(text).unwrap()
    }

    // Would break: a test that fails "the third SFD write" fails another one.
    #[test]
    fn the_nth_is_counted_by_register_and_method() {
        let mut faults = Faults::default();
        faults.inject(rule(r#"{"register":"sfd","nth":2,"action":{"status":8}}"#));
        assert_eq!(faults.strike("sfd", FaultOp::Query), None);
        assert_eq!(faults.strike("ritr", FaultOp::Write), None);
        assert_eq!(faults.strike("sfd", FaultOp::Write), None);
        assert_eq!(faults.strike("sfd", FaultOp::Write), Some(FaultAction::Status(8)));
        assert_eq!(faults.strike("sfd", FaultOp::Write), None, "once without a count");
    }

    // Would break: a failing run with a seed cannot be repeated.
    #[test]
    fn a_share_is_near_its_size_and_repeatable() {
        let run = || {
            let mut faults = Faults::default();
            faults.inject(rule(r#"{"register":"*","share":250,"seed":3,"action":"drop_reply"}"#));
            (0..4000).map(|_| faults.strike("hpkt", FaultOp::Write).is_some()).collect::<Vec<_>>()
        };
        let struck = run().iter().filter(|hit| **hit).count();
        assert!((900..1100).contains(&struck), "{struck} of 4000");
        assert_eq!(run(), run());
    }

    // Would break: rules cannot be taken back one by one, so one test disturbs the next.
    #[test]
    fn rules_are_removed_by_number() {
        let mut faults = Faults::default();
        let one = faults.inject(rule(r#"{"register":"*","action":"drop_request"}"#));
        assert!(faults.remove(one));
        assert!(!faults.remove(one));
        assert_eq!(faults.strike("sfd", FaultOp::Write), None);
    }
}
