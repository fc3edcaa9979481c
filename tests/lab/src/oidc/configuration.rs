//! The API server's `AuthenticationConfiguration`: the one that is shipped as an example, with the lab's issuer in it.

use serde_json::{Value, json};

use super::OidcError;

/// What a city starts from.
const EXAMPLE: &str = include_str!("../../../../examples/identity/authentication.yaml");

/// The example's text for an issuer at `url`, whose certificate is signed by `authority` (PEM).
///
/// # Errors
/// When the example names no issuer.
pub(crate) fn configuration(url: &str, authority: &str) -> Result<String, OidcError> {
    let mut example: Value =
        serde_yaml::from_str(EXAMPLE).map_err(|source| OidcError::Example(Some(Box::new(source))))?;
    let issuer = example.pointer_mut("/jwt/0/issuer").and_then(Value::as_object_mut);
    let issuer = issuer.ok_or(OidcError::Example(None))?;
    issuer.insert("url".into(), json!(url));
    issuer.insert("certificateAuthority".into(), json!(authority));
    // JSON is YAML.
    Ok(example.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_address_and_its_authority_differ_from_what_is_shipped() {
        let made: Value = serde_json::from_str(&configuration("https://127.0.0.1:1", "PEM").unwrap()).unwrap();
        let shipped: Value = serde_yaml::from_str(EXAMPLE).unwrap();
        let [made, shipped] = [&made, &shipped].map(|configuration| &configuration["jwt"][0]);
        assert_eq!(made["issuer"]["url"], "https://127.0.0.1:1");
        for part in ["claimValidationRules", "claimMappings", "userValidationRules"] {
            assert_eq!(made[part], shipped[part]);
            assert!(made[part].is_array() || made[part].is_object());
        }
    }
}
