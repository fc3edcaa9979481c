//! The audit trail (操作留痕) for people: a department's own records, and all of them for the auditor.

mod place;

use jiyun_trail::{
    core::action::Action,
    store::{query::Query, rows},
};

use super::{App, department::named};
use crate::{
    extract::DepartmentName,
    problem::{Code, Problem},
    store::{Caller, RecordsError, Report},
};

/// Which records are asked for, but for whose.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// The most on the page.
    pub limit: u32,
    /// Where the page starts, as the page before gave it.
    pub place: Option<String>,
    /// From this moment on.
    pub from: Option<jiff::Timestamp>,
    /// Before this moment.
    pub until: Option<jiff::Timestamp>,
    /// This user's alone.
    pub actor: Option<String>,
    /// This action alone.
    pub action: Option<Action>,
    /// Those of this order alone.
    pub order: Option<String>,
    /// Those of objects of this name alone.
    pub object: Option<String>,
}

/// A page of records.
#[derive(Debug)]
pub struct Found {
    /// The records, the oldest first.
    pub rows: Vec<rows::Row>,
    /// Where the next page starts; none at the end.
    pub next: Option<String>,
    /// Lines that were passed over because they are damaged.
    pub damaged: u64,
}

impl App {
    /// A page of the department's own records, for a caller who may read them; 404 if not, as if there were no such
    /// department.
    pub async fn records_of(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        search: &Search,
    ) -> Result<Found, Problem> {
        let allowed = caller.may_read(Report::Audit, &department.namespace(), department.as_str()).await;
        if !allowed.map_err(|error| Problem::from_kubernetes(error, named(department)))? {
            return Err(Problem::not_found(named(department)));
        }
        self.found(caller, Some(department), search).await
    }

    /// A page of all records, for a caller who may read every one; 404 if not, as if there were no such address.
    pub async fn every_record(&self, caller: &Caller, search: &Search) -> Result<Found, Problem> {
        let what = "/v1/audit-records";
        let allowed = caller.may_read_every_record().await;
        if !allowed.map_err(|error| Problem::from_kubernetes(error, what))? {
            return Err(Problem::not_found(what));
        }
        self.found(caller, None, search).await
    }

    async fn found(
        &self,
        caller: &Caller,
        department: Option<&DepartmentName>,
        search: &Search,
    ) -> Result<Found, Problem> {
        let mut query = Query {
            department: department.map(|department| department.as_str().to_owned()),
            from: search.from,
            until: search.until,
            actions: search.action.into_iter().collect(),
            actor: search.actor.clone(),
            order: search.order.clone(),
            object: search.object.clone(),
            ..Query::default()
        };
        if let Some(place) = &search.place {
            query.after = place::read(place, &query)?;
        }
        let page = self.records.page(caller.asker(), query.clone(), search.limit).await.map_err(unreadable)?;
        let next = page.next.map(|next| place::text(&next, &query)).transpose()?;
        Ok(Found { rows: page.rows, next, damaged: page.damaged })
    }
}

fn unreadable(error: RecordsError) -> Problem {
    Problem::bare(Code::AuditUnreadable).because(error)
}
