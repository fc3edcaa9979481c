//! Who gets which role in a department's namespace: its own people, those of units above where the department opens
//! itself to them, and whoever acts for its approvers at the moment.

use std::collections::{BTreeMap, BTreeSet};

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use jiyun_crds::v1alpha1::{Department, DepartmentAccess, ParentAccess};
use kube::{ResourceExt, runtime::watcher};
use tokio::sync::watch;

use crate::{
    catalogue::readable,
    watch::{Guarded, Kind},
};

/// Who a role is bound to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Everybody in a group.
    Group(String),
    /// One person.
    User(String),
}

/// Who has which role of one department at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Who looks.
    pub readers: Vec<Subject>,
    /// Who orders.
    pub operators: Vec<Subject>,
    /// Who decides.
    pub approvers: Vec<Subject>,
    /// When that changes by itself: a delegation begins or ends.
    pub changes_at: Option<Timestamp>,
}

impl Access {
    /// The access to `department` at `now`; `all` are all departments.
    pub fn of(department: &Department, all: &[Department], now: Timestamp) -> Self {
        let own = &department.spec.access;
        let mut access = Self { operators: groups(&own.operators).collect(), ..Self::default() };
        access.add(own, ParentAccess::ReadersAndApprovers, now);
        // A tree may hold a circle until somebody mends it.
        let mut seen = BTreeSet::from([department.name_any()]);
        let (mut unit, mut open) = (department, ParentAccess::ReadersAndApprovers);
        while let Some(parent) = parent_of(unit, all) {
            // Each level opens what lies below it no further than it was opened to itself.
            open = open.min(unit.spec.access.parent_access);
            if open == ParentAccess::None || !seen.insert(parent.name_any()) {
                break;
            }
            access.add(&parent.spec.access, open, now);
            unit = parent;
        }
        access
    }

    /// Whether somebody acts for approvers at the moment.
    pub fn has_deputies(&self) -> bool {
        self.approvers.iter().any(|subject| matches!(subject, Subject::User(_)))
    }

    /// Adds the people of one unit, as far as it is open to them.
    fn add(&mut self, of: &DepartmentAccess, open: ParentAccess, now: Timestamp) {
        extend(&mut self.readers, groups(&of.readers));
        if open != ParentAccess::ReadersAndApprovers {
            return;
        }
        extend(&mut self.approvers, groups(&of.approvers));
        let delegations = of.delegations.iter().filter(|delegation| of.approvers.contains(&delegation.group));
        for delegation in delegations {
            if delegation.lasts_at(now) {
                extend(&mut self.approvers, [Subject::User(delegation.user.clone())]);
            }
            let ahead = delegation.boundaries().filter(|moment| *moment > now);
            self.changes_at = self.changes_at.into_iter().chain(ahead).min();
        }
    }
}

fn groups(names: &[String]) -> impl Iterator<Item = Subject> {
    names.iter().cloned().map(Subject::Group)
}

fn extend(subjects: &mut Vec<Subject>, more: impl IntoIterator<Item = Subject>) {
    for subject in more {
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
}

fn parent_of<'a>(unit: &Department, all: &'a [Department]) -> Option<&'a Department> {
    let parent = &unit.spec.parent_ref.as_ref()?.name;
    all.iter().find(|other| other.metadata.name.as_ref() == Some(parent))
}

/// Passes departments on and tells `changes` of each that changed in what the access to a unit below follows from.
pub fn following_access(
    kind: Kind<Department, impl Stream<Item = Result<Guarded<Department>, watcher::Error>> + Send + 'static>,
    changes: watch::Sender<()>,
) -> Kind<Department, impl Stream<Item = Result<Guarded<Department>, watcher::Error>> + Send + 'static> {
    let (store, mut known) = (kind.store.clone(), Known::default());
    let stream = kind.stream.inspect(move |event| {
        if let Ok(object) = event
            && let Ok(department) = &object.0
            && known.changed(department)
            && readable(&store).iter().any(|other| is_open_to(other, &department.name_any()))
        {
            changes.send_replace(());
        }
    });
    Kind { store: kind.store, stream, listed: kind.listed }
}

/// Passes departments on and tells `changes` of each that is new or changed in whom levels of policies stand for.
pub fn following_people(
    kind: Kind<Department, impl Stream<Item = Result<Guarded<Department>, watcher::Error>> + Send + 'static>,
    changes: watch::Sender<()>,
) -> Kind<Department, impl Stream<Item = Result<Guarded<Department>, watcher::Error>> + Send + 'static> {
    let mut known = Known::default();
    let stream = kind.stream.inspect(move |event| {
        if let Ok(object) = event
            && let Ok(department) = &object.0
            && known.changed(department)
        {
            changes.send_replace(());
        }
    });
    Kind { store: kind.store, stream, listed: kind.listed }
}

fn is_open_to(unit: &Department, parent: &str) -> bool {
    unit.spec.access.parent_access != ParentAccess::None
        && unit.spec.parent_ref.as_ref().is_some_and(|named| named.name == parent)
}

/// What was last seen of each department: its status is written every few seconds, which changes nobody's access.
#[derive(Debug, Default)]
struct Known(BTreeMap<String, (Option<String>, DepartmentAccess)>);

impl Known {
    /// Whether the unit above or the access is another one than when the department was shown last.
    fn changed(&mut self, department: &Department) -> bool {
        let spec = &department.spec;
        let now = (spec.parent_ref.as_ref().map(|parent| parent.name.clone()), spec.access.clone());
        let before = self.0.insert(department.name_any(), now.clone());
        before != Some(now)
    }
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
