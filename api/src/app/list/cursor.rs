//! The place in a list where the next page starts: opaque to callers, and bound to the list it belongs to. It gives no
//! rights, so it is not signed: whoever makes one up gets a page of what he may read anyway.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Order, Question};
use crate::{
    app::noun::Noun,
    extract::DepartmentName,
    problem::{Code, Problem},
};

/// Digits of the question's digest that a cursor holds: it guards against mistakes, not against anybody.
const DIGITS: usize = 16;

/// A place and the list it is in.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// The digest of what was asked for, but for the length of a page.
    list: String,
    place: Place,
}

/// A place.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Place {
    /// In a list as the API server gives it.
    Server {
        /// Its own token.
        at: String,
    },
    /// Behind one object, in the order asked for. It need not be there any more.
    After {
        /// When that was created, in seconds since 1970; 0 where it does not matter.
        created: i64,
        /// Its name.
        name: String,
    },
}

impl Cursor {
    /// `place` as the caller is given it.
    pub(super) fn text<K: Noun>(
        place: Place,
        department: &DepartmentName,
        question: &Question,
    ) -> Result<String, Problem> {
        let cursor = Self { list: digest::<K>(department, question), place };
        let text = serde_json::to_vec(&cursor).map_err(|error| Problem::bare(Code::Internal).because(error))?;
        Ok(BASE64URL_NOPAD.encode(&text))
    }

    /// The place that `text` is in the list asked for now.
    pub(super) fn read<K: Noun>(
        text: &str,
        department: &DepartmentName,
        question: &Question,
    ) -> Result<Place, Problem> {
        let decoded = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| no_place())?;
        let Self { list, place } = serde_json::from_slice(&decoded).map_err(|_| no_place())?;
        if list != digest::<K>(department, question) {
            return Err(other_list());
        }
        Ok(place)
    }
}

fn digest<K: Noun>(department: &DepartmentName, question: &Question) -> String {
    let order = match question.order {
        Order::Name => "name",
        Order::Newest => "-created",
    };
    let state = question.state.unwrap_or_default();
    let parts = [K::kind(&()).as_ref(), department.as_str(), &question.selector(), state, order].join("\0");
    let digest = hex::encode(Sha256::digest(parts));
    digest.get(..DIGITS).unwrap_or(&digest).to_owned()
}

/// 400: a place in another list.
pub(in crate::app) fn other_list() -> Problem {
    invalid(
        "属于另一个列表：单位、筛选条件或排序不同，请从第一页重新读取 \
         (it belongs to another list: the department, a filter or the order differs; read again from the first page)",
    )
}

/// 400: not a place in any list.
pub(in crate::app) fn no_place() -> Problem {
    invalid("不是列表给出过的位置 (not a place the list has given out)")
}

fn invalid(problem: &str) -> Problem {
    Problem::new(Code::InvalidParameter, [("name", "continue"), ("problem", problem)])
}
