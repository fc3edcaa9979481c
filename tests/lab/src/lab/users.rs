//! Users of a lab: people with tokens, service accounts, kubeconfigs for either.

use std::path::PathBuf;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::PostParams;

use super::{Lab, LabError};
use crate::cluster::Cluster;
use crate::kubeconfig::{self, Credentials};
use crate::oidc::Issuer;
use crate::people::Person;

/// Lifetime of a ServiceAccount's token: longer than any lab's run.
const TOKEN_SECONDS: i64 = 24 * 3600;

impl Lab {
    /// All people of the lab.
    pub fn people(&self) -> &[Person] {
        self.site.people()
    }

    /// A person by name: `operator`, `finance`, `auditor`, `<department>-operator`, `<department>-reader`,
    /// `<department>-approver`, or one named in the options.
    pub fn person(&self, name: &str) -> Result<&Person, LabError> {
        let found = self.people().iter().find(|person| person.name == name);
        found.ok_or_else(|| LabError::NoSuchPerson(name.to_owned()))
    }

    /// The identity provider, where the lab was asked for one.
    pub fn issuer(&self) -> Result<&Issuer, LabError> {
        self.site.issuer.as_ref().ok_or(LabError::NoIssuer)
    }

    /// A fresh bearer token of a ServiceAccount (`TokenRequest`, valid for a day).
    pub async fn user_token(&self, namespace: &str, service_account: &str) -> Result<String, LabError> {
        let accounts = Api::<ServiceAccount>::namespaced(self.client().await?, namespace);
        let refused = |source| LabError::Refused {
            action: format!("issue a token for the ServiceAccount {namespace}/{service_account}"),
            source,
        };
        let token = issue_token(&accounts, service_account).await.map_err(refused)?;
        token.ok_or_else(|| LabError::NoToken(format!("{namespace}/{service_account}")))
    }

    /// Writes a kubeconfig for a bearer token and returns its path.
    pub fn write_kubeconfig(&self, user: &str, token: &str) -> Result<PathBuf, LabError> {
        self.write_kubeconfig_to(&self.url(), user, token)
    }

    /// As [`Lab::write_kubeconfig`], for an API server that is reached at `server`.
    pub(super) fn write_kubeconfig_to(&self, server: &str, user: &str, token: &str) -> Result<PathBuf, LabError> {
        let text = kubeconfig::render(server, self.kubernetes_authority(), user, Credentials::Token(token));
        Ok(self.site.folder.write_etc(&format!("{}.kubeconfig", user.replace(['/', ':'], "-")), &text)?)
    }

    /// Waits until a department's people have the roles their groups get. In a Kubernetes of the lab's own they have them
    /// when the department is ready; in a given cluster the lab binds them itself, once the namespace is there.
    pub async fn people_ready(&self, department: &str) -> Result<(), LabError> {
        match &self.site.cluster {
            Cluster::Own(_) => Ok(()),
            Cluster::Given(given) => Ok(given.people_ready(self.people(), department).await?),
        }
    }
}

/// Asks for a token of a `ServiceAccount`.
pub(crate) async fn issue_token(accounts: &Api<ServiceAccount>, name: &str) -> Result<Option<String>, kube::Error> {
    let request = TokenRequest {
        spec: Some(TokenRequestSpec { expiration_seconds: Some(TOKEN_SECONDS), ..TokenRequestSpec::default() }),
        ..TokenRequest::default()
    };
    let answer = accounts.create_token_request(name, &PostParams::default(), &request).await?;
    Ok(answer.status.and_then(|status| status.token))
}
