//! Finds a code's sentence in `catalogue.yaml` and fills in its parameters.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use crate::{Language, Parameters, term};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    zh: String,
    en: String,
}

impl Message {
    fn template(&self, language: Language) -> &str {
        match language {
            Language::Chinese => &self.zh,
            Language::English => &self.en,
        }
    }
}

type Catalogue = BTreeMap<String, Message>;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| parse().unwrap_or_default());

fn parse() -> Result<Catalogue, serde_yaml::Error> {
    serde_yaml::from_str(include_str!("../catalogue.yaml"))
}

/// All codes of the catalogue, sorted: for tests that compare them with the enums that use them.
pub fn codes() -> impl Iterator<Item = &'static str> {
    CATALOGUE.keys().map(String::as_str)
}

/// The sentence of `code` in `language`, with `{name}` replaced by the parameter of that name.
///
/// A code the catalogue lacks still tells everything it knows, as `code (name=value, ...)`: a missing translation must
/// not hide a refusal. A placeholder without a parameter is shown as `?`.
pub fn text(code: &str, parameters: &Parameters, language: Language) -> String {
    match CATALOGUE.get(code) {
        Some(message) => fill(message.template(language), parameters, language),
        None if parameters.is_empty() => code.to_owned(),
        None => {
            let pairs: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{code} ({})", pairs.join(", "))
        }
    }
}

/// Chinese, then English, in one line: for places that cannot choose, such as a condition's message.
pub fn bilingual(code: &str, parameters: &Parameters) -> String {
    if CATALOGUE.contains_key(code) {
        Language::ALL.map(|language| text(code, parameters, language)).join(" | ")
    } else {
        text(code, parameters, Language::default())
    }
}

/// The code of the sentence for a refusal. A limit of the asker's own account is told with its numbers; a limit of an
/// account above it only by what is left, since the rest would tell what others use.
pub fn refusal_code<'a>(code: &'a str, parameters: &Parameters) -> &'a str {
    if code == "ExceedsLimit" && !parameters.contains_key("used") { "ExceedsAncestorLimit" } else { code }
}

fn fill(template: &str, parameters: &Parameters, language: Language) -> String {
    let mut filled = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            filled.push('{');
            rest = after;
            break;
        };
        filled.push_str(term::shown(name, parameters, language).as_deref().unwrap_or("?"));
        rest = tail;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::parameters;

    fn placeholders(template: &str) -> BTreeSet<&str> {
        template.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(name, _)| name)).collect()
    }

    #[test]
    fn the_catalogue_parses_and_both_languages_use_the_same_placeholders() {
        let catalogue = parse().unwrap();
        assert!(catalogue.len() > 20, "the catalogue holds only {} messages", catalogue.len());
        for (code, message) in &catalogue {
            assert_eq!(placeholders(&message.zh), placeholders(&message.en), "{code}");
            assert!(!message.zh.trim().is_empty() && !message.en.trim().is_empty(), "{code}");
            assert!(message.en.is_ascii(), "{code}: the English text holds other characters");
        }
    }

    #[test]
    fn a_refusal_names_limit_use_and_what_is_missing_in_both_languages() {
        let given = parameters([
            ("meter", "Vcpu"),
            ("limit", "16"),
            ("used", "12"),
            ("held", "0"),
            ("requested", "8"),
            ("missing", "4"),
            ("account", "finance"),
            ("dimensions", "-"),
        ]);
        let english = text("ExceedsLimit", &given, Language::English);
        for fact in ["vCPU", "16", "12", "8", "4"] {
            assert!(english.contains(fact), "{fact} in {english}");
        }
        let both = bilingual("ExceedsLimit", &given);
        assert!(both.contains(&english) && both.contains("配额"), "{both}");
    }

    #[test]
    fn an_unknown_code_still_tells_what_it_knows() {
        let given = parameters([("b", "2"), ("a", "1")]);
        assert_eq!(text("NoSuchCode", &given, Language::English), "NoSuchCode (a=1, b=2)");
    }

    #[test]
    fn a_placeholder_without_a_parameter_is_shown_as_a_question_mark() {
        assert_eq!(fill("{gone} of {here", &Parameters::new(), Language::English), "? of {here");
    }
}
