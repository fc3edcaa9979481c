//! What a claim is called outside of its book: on the objects that engines make for it.

use std::sync::Arc;

use super::{
    claim::{Claim, ClaimId},
    state::State,
};

/// How engine objects are labelled with a claim: numbers are given once in a book, and another book begins anew.
pub fn label_of(claim: ClaimId, state: &State) -> String {
    let lineage = state.lineage().map(ToString::to_string).unwrap_or_default();
    let beginning: String = lineage.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    format!("{claim}.{beginning}")
}

/// The claim an engine object is labelled with, if it is one of this book.
pub fn labelled<'a>(label: &str, state: &'a State) -> Option<&'a Arc<Claim>> {
    let claim = state.claim(label.split_once('.')?.0.parse().ok()?)?;
    (label_of(claim.id, state) == label).then_some(claim)
}
