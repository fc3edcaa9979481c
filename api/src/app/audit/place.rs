//! The place in the trail where the next page starts: opaque to callers, and bound to what was asked for. It gives no
//! rights, so it is not signed: whoever makes one up gets a page of what they may read anyway.

use data_encoding::BASE64URL_NOPAD;
use jiyun_trail::store::{Cursor, query::Query};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    app::list,
    problem::{Code, Problem},
};

/// Digits of the question's digest: it guards against mistakes, not against anybody.
const DIGITS: usize = 16;

#[derive(Debug, Serialize, Deserialize)]
struct Place {
    /// The digest of what was asked for, but for the length of a page.
    list: String,
    /// The last record of each chain that was looked at.
    after: String,
}

/// `cursor` as the caller is given it.
pub(super) fn text(cursor: &Cursor, query: &Query) -> Result<String, Problem> {
    let place = Place { list: digest(query), after: cursor.to_string() };
    let text = serde_json::to_vec(&place).map_err(|error| Problem::bare(Code::Internal).because(error))?;
    Ok(BASE64URL_NOPAD.encode(&text))
}

/// The place that `text` is in what is asked for now; 400 if it is none.
pub(super) fn read(text: &str, query: &Query) -> Result<Cursor, Problem> {
    let decoded = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| list::no_place())?;
    let Place { list, after } = serde_json::from_slice(&decoded).map_err(|_| list::no_place())?;
    if list != digest(query) {
        return Err(list::other_list());
    }
    after.parse().map_err(|_| list::no_place())
}

/// Of everything that narrows.
fn digest(query: &Query) -> String {
    let Query { department, from, until, actions, actor, order, object, after: _ } = query;
    let asked = format!("{:?}", (department, from, until, actions, actor, order, object));
    let digest = hex::encode(Sha256::digest(asked));
    digest.get(..DIGITS).unwrap_or(&digest).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_belongs_to_what_was_asked_for() {
        let of = |department: &str| Query { department: Some(department.to_owned()), ..Query::default() };
        let cursor: Cursor = "controller:7,jiyun-api-0:120".parse().unwrap();
        let place = text(&cursor, &of("finance")).unwrap();
        assert_eq!(read(&place, &of("finance")).unwrap(), cursor);
        for (place, query) in [
            (place.as_str(), of("tax")),
            (&place, Query { actor: Some("wang".to_owned()), ..of("finance") }),
            ("x", of("finance")),
            ("", of("finance")),
            (&BASE64URL_NOPAD.encode(b"{\"list\": 7}"), of("finance")),
        ] {
            assert!(read(place, &query).unwrap_err().is(Code::InvalidParameter), "{place}");
        }
    }
}
