//! Every sentence Jiyun says to a person, in Chinese and English, from one catalogue.
//!
//! A decision travels as a *code with parameters* (`ExceedsLimit`, `{meter: Memory, limit: 819200, ...}`); only where it
//! reaches a person is it turned into words. Conditions, API answers and logs therefore say the same thing, and a
//! reader of the API may choose the language.

mod catalogue;
mod language;
mod term;

pub use catalogue::{bilingual, codes, refusal_code, text};
pub use language::Language;

/// Values for the placeholders of a message, by name.
pub type Parameters = std::collections::BTreeMap<String, String>;

/// Builds [`Parameters`] from pairs.
///
/// ```
/// let parameters = jiyun_messages::parameters([("name", "c4m8")]);
/// assert_eq!(parameters["name"], "c4m8");
/// ```
pub fn parameters<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Parameters {
    pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}
