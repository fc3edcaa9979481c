//! Lists the API server cannot give as they are asked for: all is read, looked through and put into order here.

use std::cmp::Ordering;

use kube::{ResourceExt, api::ListParams};

use super::{Cursor, Order, Page, Place, Question, too_long};
use crate::{
    app::{department::named, noun::Noun},
    extract::DepartmentName,
    problem::Problem,
    store::Caller,
};

/// The most objects read for one page: some 20 MB. No department has as many in one information system.
pub(super) const MOST: usize = 5_000;

/// Objects read at once.
const CHUNK: u32 = 500;

/// The page behind the object that was created at a second and has a name.
pub(super) async fn page<K: Noun>(
    caller: &Caller,
    department: &DepartmentName,
    question: &Question,
    after: Option<(i64, String)>,
) -> Result<Page<K>, Problem> {
    let mut found = all::<K>(caller, department, question).await?;
    let order = question.order;
    found.sort_by(|one, other| compare(order, &key(one), &key(other)));
    if let Some(after) = after {
        found.retain(|object| compare(order, &key(object), &after) == Ordering::Greater);
    }
    let limit = usize::try_from(question.limit).unwrap_or(usize::MAX);
    let remaining = found.len().saturating_sub(limit);
    found.truncate(limit);
    let next = match found.last() {
        Some(last) if remaining > 0 => {
            let (created, name) = key(last);
            Some(Cursor::text::<K>(Place::After { created, name }, department, question)?)
        }
        _ => None,
    };
    Ok(Page { items: found, next, remaining: i64::try_from(remaining).ok().filter(|left| *left > 0) })
}

/// All objects that are asked for, as long as there are not too many to be looked through.
async fn all<K: Noun>(caller: &Caller, department: &DepartmentName, question: &Question) -> Result<Vec<K>, Problem> {
    let (namespace, mut found, mut read) = (department.namespace(), Vec::new(), 0);
    let mut chunk: ListParams = question.parameters(CHUNK, None);
    loop {
        let list = caller.list::<K>(Some(&namespace), &chunk).await;
        let list = list.map_err(|error| Problem::from_kubernetes(error, named(department)))?;
        read += list.items.len();
        found.extend(
            list.items.into_iter().filter(|object| question.state.is_none_or(|word| object.state_word() == word)),
        );
        let more = list.metadata.continue_.filter(|token| !token.is_empty());
        if read > MOST || (read == MOST && more.is_some()) {
            return Err(too_long());
        }
        match more {
            Some(token) => chunk.continue_token = Some(token),
            None => return Ok(found),
        }
    }
}

/// When an object was created, in seconds since 1970, and its name: which is unique, so the order is whole.
fn key<K: Noun>(object: &K) -> (i64, String) {
    (object.creation_timestamp().map_or(0, |time| time.0.as_second()), object.name_any())
}

fn compare(order: Order, one: &(i64, String), other: &(i64, String)) -> Ordering {
    match order {
        Order::Name => one.1.cmp(&other.1),
        Order::Newest => other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)),
    }
}
