//! People of a lab in an existing cluster: its API server cannot be handed a token file, so each is a `ServiceAccount`
//! with a token of its own. Such a person is in none of the groups a department names; see `bindings.rs`.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client};
use serde_json::{Value, json};

use super::ClusterError;
use super::error::asked;
use super::marks::PEOPLE;
use crate::install::Installer;
use crate::lab::issue_token;
use crate::people::Person;

/// Tokens asked for at the same time.
const CONCURRENCY: usize = 8;

/// Makes an account and a token for each name; groups are kept for the bindings.
pub(super) async fn make(client: &Client, named: Vec<(String, Vec<String>)>) -> Result<Vec<Person>, ClusterError> {
    let accounts = named.iter().map(|(name, _)| account(name)).collect();
    Installer::new(client.clone()).apply(accounts).await?;
    stream::iter(named)
        .map(|(name, groups)| async move {
            let token = token(client, &name).await?;
            Ok(Person { user: user(&name), name, groups, token })
        })
        .buffered(CONCURRENCY)
        .try_collect()
        .await
}

async fn token(client: &Client, name: &str) -> Result<String, ClusterError> {
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), PEOPLE);
    let token = asked(format!("issue a token for {PEOPLE}/{name}"), issue_token(&accounts, name).await)?;
    token.ok_or_else(|| ClusterError::NoToken(format!("{PEOPLE}/{name}")))
}

fn account(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": PEOPLE},
        // No pod runs as a person.
        "automountServiceAccountToken": false,
    })
}

/// The name under which RBAC knows the account.
fn user(name: &str) -> String {
    format!("system:serviceaccount:{PEOPLE}:{name}")
}
