//! The problem document (RFC 9457) as it is sent.

use std::collections::BTreeMap;

use jiyun_messages::{Language, Parameters, refusal_code, text};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Fault, Problem, code::kebab};

/// Where the identifiers of problem types live. They are names, not addresses that must answer.
const TYPES: &str = "https://jiyun.io/problems/";

/// Parameters that count something: shown as numbers.
const AMOUNTS: [&str; 6] = ["available", "held", "limit", "missing", "requested", "used"];

/// A problem document (RFC 9457), media type `application/problem+json`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(crate::model::example::problem()))]
pub struct ProblemDocument {
    /// Identifies the kind of problem; the code in an address.
    #[schema(example = "https://jiyun.io/problems/exceeds-limit")]
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in a few English words.
    #[schema(example = "Exceeds limit")]
    pub title: String,
    /// The HTTP status.
    #[schema(example = 409)]
    pub status: u16,
    /// What happened and what to do, in the language asked for with `Accept-Language`.
    pub detail: String,
    /// The same in Chinese.
    pub detail_zh: String,
    /// The same in English.
    pub detail_en: String,
    /// The kind of problem as one word, for programs.
    #[schema(example = "ExceedsLimit")]
    pub code: String,
    /// The field of the request it is about.
    #[schema(example = "systemDisk.size")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The facts of the sentence by name. Amounts (`limit`, `used`, `held`, `requested`, `missing`, `available`) are
    /// numbers in the unit of the parameter `meter`: cores, hosts, or MiB.
    #[schema(value_type = BTreeMap<String, Value>)]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Value>,
    /// Every single fault, where the request had several or names a field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// The number of the request, to be named when asking for help.
    pub request_id: String,
}

/// One fault of one field.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldProblem {
    /// The field; absent where the whole object is meant.
    #[schema(example = "name")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The kind of fault as one word.
    #[schema(example = "InvalidField")]
    pub code: String,
    /// What is wrong, in the language asked for.
    pub detail: String,
}

impl Problem {
    /// The document for a reader of `language`; `request_id` is the number the log has it under.
    pub fn document(&self, language: Language, request_id: &str) -> ProblemDocument {
        let Fault { field, code, parameters } = self.fault.as_ref();
        let mut known = parameters.clone();
        known.insert("request_id".to_owned(), request_id.to_owned());
        let detail = |language| match &self.words {
            Some(words) => in_language(words, language).to_owned(),
            None => sentence(code, &known, language),
        };
        ProblemDocument {
            kind: format!("{TYPES}{}", kebab(code)),
            title: title(code),
            status: self.status.as_u16(),
            detail: detail(language),
            detail_zh: detail(Language::Chinese),
            detail_en: detail(Language::English),
            code: code.to_string(),
            field: field.clone(),
            parameters: facts(parameters),
            errors: self.errors(language),
            request_id: request_id.to_owned(),
        }
    }

    fn errors(&self, language: Language) -> Vec<FieldProblem> {
        let one = |fault: &Fault| FieldProblem {
            field: fault.field.clone(),
            code: fault.code.to_string(),
            detail: sentence(&fault.code, &fault.parameters, language),
        };
        if self.faults.is_empty() && self.fault.field.is_some() {
            return vec![one(&self.fault)];
        }
        self.faults.iter().map(one).collect()
    }
}

/// The sentence of `code` with its facts.
pub fn sentence(code: &str, parameters: &Parameters, language: Language) -> String {
    text(refusal_code(code, parameters), parameters, language)
}

/// The part of a condition's message, Chinese before English, that is in the reader's language; all of any other text.
fn in_language(words: &str, language: Language) -> &str {
    match (words.split_once(" | "), language) {
        (Some((chinese, _)), Language::Chinese) => chinese,
        (Some((_, english)), Language::English) => english,
        (None, _) => words,
    }
}

/// Parameters as JSON: amounts as numbers, everything else as it is.
pub fn facts(parameters: &Parameters) -> BTreeMap<String, Value> {
    let shown = |(name, value): (&String, &String)| {
        let number = AMOUNTS.contains(&name.as_str()).then(|| value.parse::<u64>().ok()).flatten();
        (name.clone(), number.map_or_else(|| Value::from(value.as_str()), Value::from))
    };
    parameters.iter().map(shown).collect()
}

/// `ExceedsLimit` as `Exceeds limit`.
fn title(code: &str) -> String {
    let mut words = kebab(code).replace('-', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}
