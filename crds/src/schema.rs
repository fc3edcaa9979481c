//! Turns derived JSON schemas into what a Kubernetes API server wants and what a reader of `kubectl explain` needs.

use schemars::Schema;
use schemars::transform::transform_subschemas;
use serde_json::{Map, Value};

/// Schema transform of every `spec` and `status`:
///
/// * an absent field is absent, never `null`: `nullable` does not appear (the API server then drops explicit nulls,
///   and a rule need not tell the two apart);
/// * integer formats Kubernetes does not know (`uint32`...) become `int64`, and the lower bound that goes with them
///   is left to the field's rule, whose message a clerk can read;
/// * the descriptions of an enum's values, which Kubernetes has no place for, move into the field's description;
/// * a description's paragraphs are one line each, as `kubectl explain` wraps them itself.
pub fn structural(schema: &mut Schema) {
    if let Some(object) = schema.as_object_mut() {
        // First, so that an optional enum is one enum by the time its values are folded.
        flatten_optional(object);
    }
    transform_subschemas(&mut structural, schema);
    if let Some(object) = schema.as_object_mut() {
        drop_null(object);
        plain_integer(object);
        fold_enum(object);
        unwrap_lines(object);
    }
}

/// `anyOf: [T, null]` becomes `T`; what the field itself says (its description) wins over what the type says.
fn flatten_optional(object: &mut Map<String, Value>) {
    let Some([Value::Object(inner), null]) = object.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) else {
        return;
    };
    if null.get("type") != Some(&Value::from("null")) {
        return;
    }
    let inner = inner.clone();
    object.remove("anyOf");
    for (key, value) in inner {
        object.entry(key).or_insert(value);
    }
}

fn drop_null(object: &mut Map<String, Value>) {
    if let Some(types) = object.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(values) = object.get_mut("enum").and_then(Value::as_array_mut) {
        values.retain(|value| !value.is_null());
    }
}

fn plain_integer(object: &mut Map<String, Value>) {
    let unsigned = object.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint"));
    if unsigned {
        object.insert("format".to_owned(), Value::from("int64"));
        object.remove("minimum");
        object.remove("maximum");
    }
}

/// `oneOf` of described constants becomes a plain `enum`, with the meanings appended to the description.
fn fold_enum(object: &mut Map<String, Value>) {
    let Some(variants) = object.get("oneOf").and_then(Value::as_array) else { return };
    let mut values = Vec::new();
    let mut meanings = Vec::new();
    for variant in variants {
        let Some(value) = variant.get("const").and_then(Value::as_str) else { return };
        values.push(Value::from(value));
        if let Some(meaning) = variant.get("description").and_then(Value::as_str) {
            meanings.push(format!("`{value}`: {}", meaning.trim_end_matches('.')));
        }
    }
    let description = object.get("description").and_then(Value::as_str).unwrap_or_default();
    let description = format!("{description}\n\n{}.", meanings.join("; ")).trim_start().to_owned();
    object.remove("oneOf");
    object.insert("description".to_owned(), Value::from(description));
    object.insert("type".to_owned(), Value::from("string"));
    object.insert("enum".to_owned(), Value::from(values));
}

fn unwrap_lines(object: &mut Map<String, Value>) {
    if let Some(Value::String(description)) = object.get_mut("description") {
        let paragraphs: Vec<String> = description.split("\n\n").map(|text| text.replace('\n', " ")).collect();
        *description = paragraphs.join("\n\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1alpha1::Power;
    use schemars::{JsonSchema, json_schema};
    use serde::Serialize;

    #[derive(Serialize, JsonSchema)]
    #[schemars(transform = structural, inline)]
    struct Machine {
        /// Whether it runs.
        power: Option<Power>,
        count: u32,
    }

    #[test]
    fn nothing_is_nullable_and_enum_values_keep_their_meaning() {
        let mut generator =
            schemars::generate::SchemaSettings::openapi3().with(|s| s.inline_subschemas = true).into_generator();
        let schema = Machine::json_schema(&mut generator);
        let power = schema.pointer("/properties/power").unwrap();
        assert_eq!(power.get("enum"), json_schema!({ "enum": ["Running", "Stopped"] }).get("enum"));
        assert_eq!(power.get("type"), Some(&Value::from("string")));
        let description = power.get("description").and_then(Value::as_str).unwrap();
        assert_eq!(description, "Whether it runs.\n\n`Running`: it runs (开机); `Stopped`: it is switched off (关机).");
        let count = schema.pointer("/properties/count").unwrap();
        assert_eq!(count.get("format"), Some(&Value::from("int64")));
        assert_eq!(count.get("minimum"), None);
    }
}
