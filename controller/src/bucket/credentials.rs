//! Credentials (凭据): the department gets the key pair in use in its own namespace, with the place of its bucket. They are in no
//! status, no log and no record.

use std::collections::BTreeMap;

use jiyun_crds::names::{LABEL_CLAIM, bucket_secret_name};
use jiyun_ledger::Claim;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::request::labels;
use crate::{
    context::Context,
    database::credentials::read,
    engines::rook::{Endpoint, KeyPair},
    error::ReconcileError,
    host::plan::ours,
};

/// Where programs look for the key that names a pair.
const ACCESS: &str = "AWS_ACCESS_KEY_ID";

/// Where they look for the secret one.
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";

/// What the department's Secret says. Without `Debug`: it is printed nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Contents(BTreeMap<String, ByteString>);

impl Contents {
    /// What it is to say of a bucket that is reached with this pair at this place.
    pub fn of(pair: &KeyPair, endpoint: &Endpoint) -> Self {
        let text = |text: &str| ByteString(text.as_bytes().to_vec());
        let data = [
            (ACCESS, pair.access.clone()),
            (SECRET, pair.secret.clone()),
            ("BUCKET_NAME", text(&endpoint.bucket_name)),
            ("BUCKET_HOST", text(&endpoint.bucket_host)),
            ("BUCKET_PORT", text(&endpoint.bucket_port.to_string())),
        ];
        Self(data.map(|(key, value)| (key.to_owned(), value)).into())
    }

    /// Whether it has this pair.
    pub fn has(&self, pair: &KeyPair) -> bool {
        self.0.get(ACCESS) == Some(&pair.access) && self.0.get(SECRET) == Some(&pair.secret)
    }
}

/// What the department's Secret says, if it has one for this claim.
///
/// # Errors
/// When it cannot be read.
pub async fn held(claim: &Claim, label: &str, context: &Context) -> Result<Option<Contents>, ReconcileError> {
    let found = read(&context.client, &claim.subject.namespace, &bucket_secret_name(&claim.subject.name)).await?;
    let ours = found.filter(|found| found.labels().get(LABEL_CLAIM).is_some_and(|carried| carried == label));
    Ok(ours.and_then(|found| found.data).map(Contents))
}

/// Has the department's Secret say this.
///
/// # Errors
/// When it cannot be read or is not taken, or somebody else's has its name.
pub async fn hand_over(
    claim: &Claim,
    label: &str,
    contents: &Contents,
    context: &Context,
) -> Result<(), ReconcileError> {
    let (home, name) = (claim.subject.namespace.as_str(), bucket_secret_name(&claim.subject.name));
    if let Some(found) = read(&context.client, home, &name).await? {
        ours(&found.metadata, label, "Secret")?;
    }
    let api = Api::<Secret>::namespaced(context.client.clone(), home);
    context.writer.apply(&api, &name, &build(claim, label, &name, contents)).await?;
    Ok(())
}

/// Without a fingerprint of what was applied: it would tell something of the key to whoever may read annotations.
fn build(claim: &Claim, label: &str, name: &str, contents: &Contents) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": claim.subject.namespace, "labels": labels(claim, label)},
        "type": "Opaque",
        "data": contents.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_department_is_told_with_what_and_where_a_bucket_is_reached() {
        let key = |text: &str| ByteString(text.as_bytes().to_vec());
        let pair = KeyPair { access: key("A"), secret: key("S") };
        let endpoint = Endpoint {
            bucket_host: "s3.city".into(),
            bucket_port: 80,
            bucket_name: "scans-1".into(),
            additional_config: Value::Null,
        };
        let contents = Contents::of(&pair, &endpoint);
        let Contents(data) = &contents;
        let told: Vec<_> = data.iter().map(|(key, value)| (key.as_str(), String::from_utf8_lossy(&value.0))).collect();
        assert_eq!(
            told,
            [
                ("AWS_ACCESS_KEY_ID", "A".into()),
                ("AWS_SECRET_ACCESS_KEY", "S".into()),
                ("BUCKET_HOST", "s3.city".into()),
                ("BUCKET_NAME", "scans-1".into()),
                ("BUCKET_PORT", "80".into()),
            ]
        );
        assert!(contents.has(&pair));
        assert!(!contents.has(&KeyPair { access: key("A"), secret: key("T") }), "another pair of the same name");
    }
}
