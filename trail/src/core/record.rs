//! One record of the trail: who, when, where from, what, before and after, result, order number.

use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize};

use super::{action::Action, actor::Actor, content::Content, hash::Hash, object::Object, outcome::Outcome, text};

/// What is written down. Its fields are what GB/T 22239-2019 (8.1.4.3 安全审计: time, user, kind of event, whether it
/// succeeded) and the city's rules for public resources (留痕、可追溯、可核查) ask for together. Number and hashes are
/// added by the [chain](super::chain::Chain).
///
/// In a file its fields stand in this order, and those without a value are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// When it happened, UTC, to the millisecond.
    pub at: Timestamp,
    /// What was done.
    pub action: Action,
    /// How it ended.
    pub result: Outcome,
    /// Who did it.
    pub actor: Actor,
    /// The department (单位) whose affair it is; it sees the record. None: the platform's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// The role it was done in, where that is known: `operator`, `approver`, `platform-operator`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The address it came from, as the server saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The request's identifier, as in logs and answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// What it was done to.
    pub object: Object,
    /// The network zone (网络区域) it lies in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The number of the order (工单号) it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// What it was before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Content>,
    /// What it is after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Content>,
}

impl Record {
    /// A record of the least there is to say; the other fields are set by name.
    pub fn new(at: Timestamp, actor: Actor, action: Action, object: Object, result: Outcome) -> Self {
        Self {
            at,
            action,
            result,
            actor,
            department: None,
            role: None,
            source: None,
            request: None,
            object,
            zone: None,
            order: None,
            before: None,
            after: None,
        }
    }

    /// The record as it will be written: time in milliseconds, every text and value within its bound. A value that is
    /// too large is replaced by its hash.
    pub(crate) fn bounded(mut self, hash: &dyn Hash) -> Self {
        // Beyond the last second that can be rounded up there is nothing to round.
        self.at = self.at.round(Unit::Millisecond).unwrap_or(self.at);
        self.actor.bound();
        self.object.bound();
        self.result.bound();
        for text in
            [&mut self.department, &mut self.role, &mut self.source, &mut self.request, &mut self.zone, &mut self.order]
        {
            text::bounded_option(text);
        }
        for content in [&mut self.before, &mut self.after].into_iter().flatten() {
            content.bound(hash);
        }
        self
    }
}
