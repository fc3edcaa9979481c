//! Credentials (凭据): the engine makes user and password where tenants have no rights; the department gets a copy in its own
//! namespace, kept as the engine has them. They are in no status, no log and no record.

use std::collections::BTreeMap;

use jiyun_crds::names::credentials_name;
use jiyun_ledger::Claim;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::Api;
use serde_json::{Value, json};

use super::request::labels;
use crate::{
    context::Context,
    engines::cnpg,
    error::ReconcileError,
    host::{
        plan::ours,
        request::{engine_name, engine_namespace},
    },
    site::SiteEngines,
};

/// What is copied; the rest names the database by names that hold in the engine's namespace only.
const COPIED: [&str; 3] = ["username", "password", "dbname"];

/// Has the department's copy say what the engine has; whether there is anything to say yet.
///
/// # Errors
/// When either cannot be read, the copy is not taken, or somebody else's Secret has its name.
pub async fn hand_over(
    claim: &Claim,
    label: &str,
    site: &SiteEngines,
    context: &Context,
) -> Result<bool, ReconcileError> {
    let (namespace, cluster) = (engine_namespace(claim), engine_name(claim));
    let Some(made) = read(&site.client, &namespace, &cnpg::secret_name(cluster)).await? else { return Ok(false) };
    let Some(data) = contents(&made, &cnpg::host(cluster, &namespace)) else { return Ok(false) };
    let (home, name) = (claim.subject.namespace.as_str(), credentials_name(&claim.subject.name));
    if let Some(found) = read(&context.client, home, &name).await? {
        ours(&found.metadata, label, "Secret")?;
        if found.data.as_ref() == Some(&data) {
            return Ok(true);
        }
    }
    let api = Api::<Secret>::namespaced(context.client.clone(), home);
    context.writer.apply(&api, &name, &build(claim, label, &name, &data)).await?;
    Ok(true)
}

/// The Secret of this name, if it is there.
///
/// # Errors
/// When it cannot be read.
pub async fn read(client: &kube::Client, namespace: &str, name: &str) -> Result<Option<Secret>, ReconcileError> {
    let found = Api::<Secret>::namespaced(client.clone(), namespace).get_opt(name).await;
    found.map_err(|source| ReconcileError::read(format!("Secret {name}"), source))
}

/// What the copy is to hold; nothing where the engine's Secret is not complete.
fn contents(made: &Secret, host: &str) -> Option<BTreeMap<String, ByteString>> {
    let made = made.data.as_ref()?;
    let mut data = BTreeMap::new();
    for key in COPIED {
        data.insert(key.to_owned(), made.get(key)?.clone());
    }
    data.insert("host".to_owned(), ByteString(host.as_bytes().to_vec()));
    data.insert("port".to_owned(), ByteString(cnpg::PORT.to_string().into_bytes()));
    Some(data)
}

/// Without a fingerprint of what was applied: it would tell something of the password to whoever may read annotations.
fn build(claim: &Claim, label: &str, name: &str, data: &BTreeMap<String, ByteString>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": claim.subject.namespace, "labels": labels(claim, label)},
        "type": "kubernetes.io/basic-auth",
        "data": data,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(keys: &[&str]) -> Secret {
        let data = keys.iter().map(|key| ((*key).to_owned(), ByteString(format!("its {key}").into_bytes()))).collect();
        Secret { data: Some(data), ..Secret::default() }
    }

    #[test]
    fn the_copy_names_the_database_as_others_reach_it() {
        let made = made(&["username", "password", "dbname", "host", "uri", "pgpass"]);
        let copy = contents(&made, "pg-rw.engine-tax.svc").unwrap();
        let told: Vec<_> = copy.iter().map(|(key, value)| (key.as_str(), String::from_utf8_lossy(&value.0))).collect();
        assert_eq!(
            told,
            [
                ("dbname", "its dbname".into()),
                ("host", "pg-rw.engine-tax.svc".into()),
                ("password", "its password".into()),
                ("port", "5432".into()),
                ("username", "its username".into()),
            ]
        );
    }

    #[test]
    fn what_is_not_complete_yet_is_not_handed_over() {
        assert_eq!(contents(&made(&["username", "dbname"]), "pg"), None);
        assert_eq!(contents(&Secret::default(), "pg"), None);
    }
}
