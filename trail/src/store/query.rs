//! Which records are asked for.

use jiff::Timestamp;

use super::Cursor;
use crate::core::{action::Action, line::Closing, record::Record};

/// Which records are asked for; what is not said does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Those of this department alone. A department's people are always asked for with it.
    pub department: Option<String>,
    /// From this moment on.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// Any of these actions; all where it is empty.
    pub actions: Vec<Action>,
    /// This user's alone.
    pub actor: Option<String>,
    /// Those of this order alone.
    pub order: Option<String>,
    /// Those of objects of this name alone, whatever their kind and wherever they are.
    pub object: Option<String>,
    /// After these.
    pub after: Cursor,
}

impl Query {
    /// Whether the record is asked for.
    pub fn takes(&self, record: &Record) -> bool {
        let is = |wanted: &Option<String>, found: Option<&String>| wanted.is_none() || wanted.as_ref() == found;
        is(&self.department, record.department.as_ref())
            && is(&self.order, record.order.as_ref())
            && is(&self.actor, Some(&record.actor.name))
            && is(&self.object, Some(&record.object.name))
            && self.from.is_none_or(|from| record.at >= from)
            && self.until.is_none_or(|until| record.at < until)
            && (self.actions.is_empty() || self.actions.contains(&record.action))
    }

    /// Whether a segment that ended so can hold any of them.
    pub(crate) fn may_be_in(&self, closing: &Closing) -> bool {
        self.from.is_none_or(|from| closing.until >= from) && self.until.is_none_or(|until| closing.from < until)
    }
}
