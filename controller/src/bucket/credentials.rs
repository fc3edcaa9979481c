//! Key pairs (密钥对): the engine makes them where tenants have no rights; the department gets a copy of the one in use in its
//! own namespace, with the place of its bucket. They are in no status, no log and no record.

use std::collections::BTreeMap;

use jiyun_crds::names::{LABEL_CLAIM, bucket_secret_name};
use jiyun_ledger::Claim;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::request::{claim_name, labels};
use crate::{
    context::Context,
    database::credentials::read,
    engines::rook::{self, BucketView, Endpoint, KeyPair, UserView},
    error::ReconcileError,
    host::{plan::ours, request::engine_namespace},
    site::SiteEngines,
};

/// Where programs look for the key that names a pair; the engine calls it so as well.
const ACCESS: &str = "AWS_ACCESS_KEY_ID";

/// Where they look for the secret one.
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";

/// What there is of the key pair that a bucket is to have.
#[derive(Default)]
pub struct Look {
    /// Whether the engine gave it to the bucket: the claim's own Secret has it.
    pub issued: bool,
    /// Whether the department has it.
    pub held: bool,
    /// Whether the department's copy says all it is to say.
    pub copied: bool,
    /// What the copy is to say, once all of it is there.
    data: Option<BTreeMap<String, ByteString>>,
}

/// Looks for the key pair of `user` where it has to be.
///
/// # Errors
/// When a Secret cannot be read.
pub async fn look(
    claim: &Claim,
    label: &str,
    (user, bucket): (Option<&UserView>, Option<&BucketView>),
    site: &SiteEngines,
    context: &Context,
) -> Result<Look, ReconcileError> {
    let Some(secret) = user.and_then(rook::secret_of) else { return Ok(Look::default()) };
    let namespace = engine_namespace(claim);
    let made = read(&site.client, &namespace, secret).await?;
    let Some(pair) = made.as_ref().and_then(rook::key_pair) else { return Ok(Look::default()) };
    let issued = read(&site.client, &namespace, &claim_name(claim)).await?;
    let copy = read(&context.client, &claim.subject.namespace, &bucket_secret_name(&claim.subject.name)).await?;
    let copy = copy.filter(|copy| copy.labels().get(LABEL_CLAIM).is_some_and(|carried| carried == label));
    let data = bucket.and_then(|bucket| bucket.spec.endpoint.as_ref()).map(|endpoint| contents(&pair, endpoint));
    let said = copy.as_ref().and_then(|copy| copy.data.as_ref());
    Ok(Look {
        issued: issued.as_ref().and_then(|issued| issued.data.as_ref()?.get(ACCESS)) == Some(&pair.access),
        held: said.is_some_and(|said| said.get(ACCESS) == Some(&pair.access) && said.get(SECRET) == Some(&pair.secret)),
        copied: data.is_some() && said == data.as_ref(),
        data,
    })
}

/// Has the department's copy say what was found.
///
/// # Errors
/// When the copy cannot be read or is not taken, or somebody else's Secret has its name.
pub async fn hand_over(claim: &Claim, label: &str, look: &mut Look, context: &Context) -> Result<(), ReconcileError> {
    let Some(data) = &look.data else { return Ok(()) };
    let (home, name) = (claim.subject.namespace.as_str(), bucket_secret_name(&claim.subject.name));
    if let Some(found) = read(&context.client, home, &name).await? {
        ours(&found.metadata, label, "Secret")?;
    }
    let api = Api::<Secret>::namespaced(context.client.clone(), home);
    context.writer.apply(&api, &name, &build(claim, label, &name, data)).await?;
    (look.held, look.copied) = (true, true);
    Ok(())
}

/// What the copy is to hold.
fn contents(pair: &KeyPair, endpoint: &Endpoint) -> BTreeMap<String, ByteString> {
    let text = |text: &str| ByteString(text.as_bytes().to_vec());
    [
        (ACCESS, pair.access.clone()),
        (SECRET, pair.secret.clone()),
        ("BUCKET_NAME", text(&endpoint.bucket_name)),
        ("BUCKET_HOST", text(&endpoint.bucket_host)),
        ("BUCKET_PORT", text(&endpoint.bucket_port.to_string())),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// Without a fingerprint of what was applied: it would tell something of the key to whoever may read annotations.
fn build(claim: &Claim, label: &str, name: &str, data: &BTreeMap<String, ByteString>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": claim.subject.namespace, "labels": labels(claim, label)},
        "type": "Opaque",
        "data": data,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_says_with_what_and_where_a_bucket_is_reached() {
        let key = |text: &str| ByteString(text.as_bytes().to_vec());
        let pair = KeyPair { access: key("A"), secret: key("S") };
        let endpoint = Endpoint {
            bucket_host: "s3.city".into(),
            bucket_port: 80,
            bucket_name: "scans-1".into(),
            additional_config: Value::Null,
        };
        let copy = contents(&pair, &endpoint);
        let told: Vec<_> = copy.iter().map(|(key, value)| (key.as_str(), String::from_utf8_lossy(&value.0))).collect();
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
    }
}
