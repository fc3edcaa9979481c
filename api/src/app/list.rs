//! Lists of a department's objects, page by page.
//!
//! The API server gives objects by name and knows a few fields to select by. Everything else is done here, on all of them:
//! another order, or a state, which is nothing the API server knows. A page of that is taken from the whole, read anew.

mod cursor;
mod whole;

use kube::api::ListParams;

use self::cursor::{Cursor, Place};
pub(super) use self::cursor::{no_place, other_list};
use super::{
    App,
    department::{is_missing, named},
    noun::Noun,
};
use crate::{
    extract::DepartmentName,
    problem::{Code, Problem},
    store::{Caller, KubernetesError},
};

/// In which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By name.
    #[default]
    Name,
    /// The newest first; those of one second by name.
    Newest,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Question {
    /// The most objects on the page; at least 1.
    pub limit: u32,
    /// The place the page before has given, as it came.
    pub place: Option<String>,
    /// Fields the API server selects by, and the value of each, which holds no `,` and no `=`.
    pub fields: Vec<(&'static str, String)>,
    /// Only those in this state, in the word of [`Noun::state_word`].
    pub state: Option<&'static str>,
    /// In which order.
    pub order: Order,
}

/// A page.
#[derive(Clone, Debug)]
pub struct Page<K> {
    /// The objects.
    pub items: Vec<K>,
    /// Where the next page starts; none on the last.
    pub next: Option<String>,
    /// How many are left after this page, where that is known.
    pub remaining: Option<i64>,
}

impl Question {
    fn selector(&self) -> String {
        self.fields.iter().map(|(field, value)| format!("{field}={value}")).collect::<Vec<_>>().join(",")
    }

    fn parameters(&self, limit: u32, place: Option<String>) -> ListParams {
        let field_selector = Some(self.selector()).filter(|selector| !selector.is_empty());
        ListParams { limit: Some(limit), continue_token: place, field_selector, ..ListParams::default() }
    }
}

impl App {
    /// A page of the department's objects of one kind.
    pub async fn list<K: Noun>(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        question: &Question,
    ) -> Result<Page<K>, Problem> {
        let given = question.place.as_deref();
        let place = given.map(|text| Cursor::read::<K>(text, department, question)).transpose()?;
        let page = match (place, question.state.is_none() && question.order == Order::Name) {
            (None, true) => by_name(caller, department, question, None).await?,
            (Some(Place::Server { at }), true) => by_name(caller, department, question, Some(at)).await?,
            (None, false) => whole::page(caller, department, question, None).await?,
            (Some(Place::After { created, name }), false) => {
                whole::page(caller, department, question, Some((created, name))).await?
            }
            (Some(_), _) => return Err(cursor::no_place()),
        };
        if page.items.is_empty() && given.is_none() && is_missing(caller, department).await {
            return Err(Problem::not_found(named(department)));
        }
        Ok(page)
    }
}

/// A page as the API server gives it.
async fn by_name<K: Noun>(
    caller: &Caller,
    department: &DepartmentName,
    question: &Question,
    place: Option<String>,
) -> Result<Page<K>, Problem> {
    let continued = place.is_some();
    let page = question.parameters(question.limit, place);
    let list = caller.list::<K>(Some(&department.namespace()), &page).await.map_err(|error| match error {
        KubernetesError::BadRequest(_) if continued => cursor::no_place().because(error),
        error => Problem::from_kubernetes(error, named(department)),
    })?;
    let next = list.metadata.continue_.filter(|place| !place.is_empty()).map(|at| Place::Server { at });
    Ok(Page {
        items: list.items,
        next: next.map(|place| Cursor::text::<K>(place, department, question)).transpose()?,
        remaining: list.metadata.remaining_item_count,
    })
}

/// 422: there are more than can be put into an order or looked through.
pub(super) fn too_long() -> Problem {
    Problem::new(Code::ListTooLong, [("limit", whole::MOST.to_string())])
}
