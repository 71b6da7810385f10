//! Which hosts were used since last asked? One question for each family, and again while an answer is full.

use std::collections::BTreeMap;
use std::net::IpAddr;

use emad::Register;
use firsthop_model::chip::RifIndex;
use firsthop_model::types::Family;

use super::registers;
use super::session::{QueryId, Session};
use crate::AsicError;
use crate::error::Subject;

/// Answers of a family, at most: hosts go on being used while it is asked, so that there may be no end.
const PAGES: u32 = 1024;

/// A question under way.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// And how many were asked before.
    questions: BTreeMap<QueryId, (Family, u32)>,
    hosts: Vec<(RifIndex, IpAddr)>,
}

impl Activity {
    /// Asks.
    pub(super) fn start(session: &mut Session) -> Self {
        let mut activity = Self::default();
        for family in [Family::Ipv4, Family::Ipv6] {
            activity.ask(session, family, 0);
        }
        activity
    }

    /// Takes an answer; one to a question of somebody else is ignored.
    ///
    /// # Errors
    /// The chip did not answer: activity that was cleared by then is lost.
    pub(super) fn take(
        &mut self,
        session: &mut Session,
        id: QueryId,
        answer: Result<Register, AsicError>,
    ) -> Result<(), AsicError> {
        let Some((family, before)) = self.questions.remove(&id) else { return Ok(()) };
        let (hosts, more) = registers::activity(&answer?);
        self.hosts.extend(hosts);
        if more && before + 1 < PAGES {
            self.ask(session, family, before + 1);
        }
        Ok(())
    }

    /// The hosts, once every question is answered.
    pub(super) fn poll(&mut self) -> Option<Vec<(RifIndex, IpAddr)>> {
        self.questions.is_empty().then(|| std::mem::take(&mut self.hosts))
    }

    fn ask(&mut self, session: &mut Session, family: Family, before: u32) {
        let id = session.query(Subject::Activity, registers::query_activity(family));
        self.questions.insert(id, (family, before));
    }
}
