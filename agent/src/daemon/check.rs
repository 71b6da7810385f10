//! What can't work as it is, and what would another configuration change? Nothing is written to find out.
//!
//! ```text
//!   no file ─▶ what is refused or failed, or is done in another way than one may think
//!   a file ──▶ Config ─┬─▶ keys that say something else than those that count now
//!                      └─▶ Policy ─▶ what it is about in vain, devices that it would treat otherwise
//! ```

use std::path::Path;

use firsthop_model::intent::Policy;

use super::Daemon;
use super::reload::Source;
use crate::api::Failure;
use crate::chain;
use crate::config::Config;
use crate::views::{self, Remark};

impl Daemon {
    /// What can't work as it is; with a configuration's text: what it would change.
    pub(super) fn check(&self, text: Option<&str>) -> Result<Vec<Remark>, Failure> {
        let (reconciler, devices) = (self.engine.reconciler(), self.devices());
        let Some(text) = text else { return Ok(views::troubles(reconciler, &devices)) };
        let mut config = Config::default();
        let valid = config.add(Path::new("FILE"), text);
        valid.map_err(|error| Failure::InvalidConfiguration(chain(&error)))?;
        let mut findings = views::changed_keys(&self.source.config, &config);
        let source = Source { config, named: None, blind: self.source.blind };
        let mut policy = source.policy(self.observe, self.is_chip_expected());
        // its size follows from the routers, unless a key says otherwise
        let Policy { vrrp_rate, vrrp_burst, .. } = reconciler.policy();
        (policy.vrrp_rate, policy.vrrp_burst) = (*vrrp_rate, *vrrp_burst);
        findings.extend(views::consequences(reconciler, policy));
        Ok(findings)
    }
}
