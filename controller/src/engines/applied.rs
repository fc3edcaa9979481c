//! A fingerprint of what was last applied, kept on the engine object itself, so that nothing is sent twice.

use kube::core::ObjectMeta;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Annotation that holds the fingerprint.
pub const ANNOTATION: &str = "jiyun.io/applied";

/// Adds the fingerprint of `object` to its annotations. 64 bits are plenty: it guards against repetition, not malice.
pub fn stamped(mut object: Value) -> Value {
    let fingerprint = fingerprint(&object);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        let annotations = metadata.entry("annotations").or_insert_with(|| Value::Object(serde_json::Map::new()));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(ANNOTATION.to_owned(), fingerprint.into());
        }
    }
    object
}

/// Whether the object with this metadata carries the fingerprint of `desired` (which was [`stamped`]).
pub fn is_applied(metadata: &ObjectMeta, desired: &Value) -> bool {
    let wanted = desired.pointer("/metadata/annotations").and_then(|annotations| annotations.get(ANNOTATION));
    let found = metadata.annotations.as_ref().and_then(|annotations| annotations.get(ANNOTATION));
    matches!((wanted.and_then(Value::as_str), found), (Some(wanted), Some(found)) if wanted == found)
}

/// JSON objects are ordered by key, so equal wishes give equal text.
fn fingerprint(object: &Value) -> String {
    let digest = Sha256::digest(object.to_string().as_bytes());
    hex::encode(digest.get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_changed_wish_has_another_fingerprint_and_an_equal_one_the_same() {
        let small = stamped(json!({"metadata": {"name": "a"}, "spec": {"size": 1}}));
        let reordered = stamped(json!({"spec": {"size": 1}, "metadata": {"name": "a"}}));
        let large = stamped(json!({"metadata": {"name": "a"}, "spec": {"size": 2}}));
        assert_eq!(small, reordered);
        let metadata: ObjectMeta = serde_json::from_value(small["metadata"].clone()).unwrap();
        assert!(is_applied(&metadata, &small));
        assert!(!is_applied(&metadata, &large));
        assert!(!is_applied(&ObjectMeta::default(), &small));
    }
}
