//! What every list is asked for: how long a page, which order, which fields.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::list::Order,
    problem::{Code, Problem},
};

/// Objects on a page unless asked otherwise, and the most.
const PAGE: u32 = 100;
const MAX_PAGE: u32 = 500;

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
pub enum Sort {
    /// By name.
    #[default]
    #[serde(rename = "name")]
    Name,
    /// The newest first; those of one second by name.
    #[serde(rename = "-created")]
    Newest,
}

impl From<Sort> for Order {
    fn from(sort: Sort) -> Self {
        match sort {
            Sort::Name => Self::Name,
            Sort::Newest => Self::Newest,
        }
    }
}

/// Objects on the page, 1 to 500; 100 unless asked.
pub fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    let limit = asked.unwrap_or(PAGE);
    if (1..=MAX_PAGE).contains(&limit) {
        return Ok(limit);
    }
    Err(invalid("limit", format!("须在 1 至 {MAX_PAGE} 之间 (must be 1 to {MAX_PAGE})")))
}

/// A field to select by; 400 if `value` can be no name, which `fits` knows.
pub fn selected(
    parameter: &'static str,
    field: &'static str,
    value: Option<String>,
    fits: fn(&str) -> bool,
) -> Result<Option<(&'static str, String)>, Problem> {
    match value {
        Some(value) if !fits(&value) => {
            let problem = "须为小写字母、数字、连字符和点组成的名称 (must be a name of lower-case letters, digits, hyphens and dots)";
            Err(invalid(parameter, problem.to_owned()))
        }
        value => Ok(value.map(|value| (field, value))),
    }
}

fn invalid(name: &'static str, problem: String) -> Problem {
    Problem::new(Code::InvalidParameter, [("name", name.to_owned()), ("problem", problem)]).about(name)
}
