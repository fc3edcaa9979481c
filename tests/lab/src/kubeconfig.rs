//! Kubeconfig files of a lab and clients made from them.

use std::path::Path;

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};

use crate::pki::KeyFiles;

/// A client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The kubeconfig is not usable.
    #[error("the lab's kubeconfig is not usable")]
    Kubeconfig(#[from] KubeconfigError),
    /// The client's TLS could not be set up.
    #[error("cannot make a client for the lab's API server")]
    Client(#[from] kube::Error),
}

/// How a user proves who it is.
#[derive(Debug, Clone, Copy)]
pub enum Credentials<'a> {
    /// A client certificate.
    Certificate(&'a KeyFiles),
    /// A bearer token.
    Token(&'a str),
}

/// A kubeconfig with one cluster and one user. Paths in it are absolute.
pub fn render(server: &str, authority: &Path, user: &str, credentials: Credentials<'_>) -> String {
    // JSON strings are YAML strings; that keeps unusual characters of paths and names harmless.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let path = |path: &Path| quoted(&path.to_string_lossy());
    let proof = match credentials {
        Credentials::Certificate(files) => {
            format!("client-certificate: {}\n    client-key: {}", path(&files.certificate), path(&files.key))
        }
        Credentials::Token(token) => format!("token: {}", quoted(token)),
    };
    let (server, authority, user) = (quoted(server), path(authority), quoted(user));
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: lab
  cluster:
    server: {server}
    certificate-authority: {authority}
users:
- name: {user}
  user:
    {proof}
contexts:
- name: lab
  context:
    cluster: lab
    user: {user}
    namespace: default
current-context: lab
"
    )
}

/// A client that lives on the caller's runtime.
pub async fn client(kubeconfig: &str) -> Result<kube::Client, ClientError> {
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(kube::Client::try_from(config)?)
}
