//! Secrets are taken out of values before anybody can write them down.

use serde_json::Value;

/// What stands in a secret's place.
const SECRET: &str = "(secret)";

/// Parts of names that sound like a secret, in lower case, letters and digits only. `userdata` and `cloudinit` hold what
/// a machine is first told, passwords among it; `lastappliedconfiguration` is kubectl's annotation that repeats the whole
/// object as text.
const NAMES: [&str; 15] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "privatekey",
    "apikey",
    "accesskey",
    "kubeconfig",
    "authorization",
    "cookie",
    "userdata",
    "cloudinit",
    "lastappliedconfiguration",
];

/// Replaces each secret in `value`.
pub(super) fn take_out(value: &mut Value) {
    match value {
        Value::String(text) if sounds_like_a_key(text) => SECRET.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(take_out),
        Value::Object(fields) => {
            // A Kubernetes Secret, wherever it lies in the value.
            let is_secret = fields.get("kind").and_then(Value::as_str) == Some("Secret");
            // `{name: DB_PASSWORD, value: ...}`, as containers have it.
            let is_named = fields.get("name").and_then(Value::as_str).is_some_and(sounds_secret);
            for (name, field) in fields.iter_mut() {
                if is_reference(name, field) {
                    take_out(field);
                    continue;
                }
                let data = is_secret && matches!(name.as_str(), "data" | "stringData");
                if data || (is_named && name == "value") || sounds_secret(name) {
                    *field = Value::String(SECRET.to_owned());
                } else {
                    take_out(field);
                }
            }
        }
        _ => {}
    }
}

/// Whether this only says where something is, as `userDataSecretRef: {name: boot}` does.
fn is_reference(name: &str, value: &Value) -> bool {
    let is_place =
        |(name, value): (&String, &Value)| matches!(name.as_str(), "name" | "namespace") && value.is_string();
    name.ends_with("SecretRef")
        && value.as_object().is_some_and(|fields| !fields.is_empty() && fields.iter().all(is_place))
}

fn sounds_secret(name: &str) -> bool {
    let plain: String =
        name.chars().filter(|letter| letter.is_alphanumeric()).map(|letter| letter.to_ascii_lowercase()).collect();
    NAMES.iter().any(|part| plain.contains(part))
}

fn sounds_like_a_key(text: &str) -> bool {
    let trimmed = text.trim_start();
    let bearer = trimmed.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer "));
    bearer || trimmed.starts_with("#cloud-config") || (text.contains("-----BEGIN") && text.contains("PRIVATE KEY"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_replaced_wherever_they_lie() {
        let mut value = json!({
            "spec": {
                "cores": 4,
                "admin_password": "hunter2-a",
                "cloudInit": {"networkData": "hunter2-b"},
                "env": [{"name": "DB_PASSWD", "value": "hunter2-c"}, {"name": "MODE", "value": "fast"}],
                "note": "-----BEGIN RSA PRIVATE KEY-----hunter2-d",
                "header": "Bearer hunter2-e",
                "userDataSecretRef": {"name": "boot"},
                "otherSecretRef": {"name": "a", "data": "hunter2-i"},
                "passwordRef": {"name": "hunter2-j"},
                "keySecretRef": {"name": "Bearer hunter2-k"},
            },
            "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{hunter2-f}"}},
            "items": [{"kind": "Secret", "data": {"a": "hunter2-g"}, "stringData": {"b": "hunter2-h"}}],
        });
        take_out(&mut value);
        let text = value.to_string();
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("\"cores\":4") && text.contains("fast"), "{text}");
        assert_eq!(value["spec"]["userDataSecretRef"], json!({"name": "boot"}), "where something is may be known");
    }
}
