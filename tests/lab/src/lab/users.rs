//! Users of a lab: people with tokens, service accounts, kubeconfigs for either.

use std::path::PathBuf;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::PostParams;

use super::{Lab, LabError};
use crate::kubeconfig::{self, Credentials};
use crate::people::Person;

/// Lifetime of a ServiceAccount's token: longer than any lab's run.
const TOKEN_SECONDS: i64 = 24 * 3600;

impl Lab {
    /// All people of the lab.
    pub fn people(&self) -> &[Person] {
        &self.site.people
    }

    /// A person by name: `operator`, `finance`, `auditor`, `<department>-operator`, `<department>-reader`,
    /// `<department>-approver`, or one named in the options.
    pub fn person(&self, name: &str) -> Result<&Person, LabError> {
        let found = self.people().iter().find(|person| person.name == name);
        found.ok_or_else(|| LabError::NoSuchPerson(name.to_owned()))
    }

    /// A fresh bearer token of a ServiceAccount (`TokenRequest`, valid for a day).
    pub async fn user_token(&self, namespace: &str, service_account: &str) -> Result<String, LabError> {
        let accounts = Api::<ServiceAccount>::namespaced(self.client().await?, namespace);
        let request = TokenRequest {
            spec: Some(TokenRequestSpec { expiration_seconds: Some(TOKEN_SECONDS), ..TokenRequestSpec::default() }),
            ..TokenRequest::default()
        };
        let refused = |source| LabError::Refused {
            action: format!("issue a token for the ServiceAccount {namespace}/{service_account}"),
            source,
        };
        let answer =
            accounts.create_token_request(service_account, &PostParams::default(), &request).await.map_err(refused)?;
        let token = answer.status.and_then(|status| status.token);
        token.ok_or_else(|| LabError::NoToken(format!("{namespace}/{service_account}")))
    }

    /// Writes a kubeconfig for a bearer token and returns its path.
    pub fn write_kubeconfig(&self, user: &str, token: &str) -> Result<PathBuf, LabError> {
        let text = kubeconfig::render(&self.url(), self.authority(), user, Credentials::Token(token));
        Ok(self.site.folder.write_etc(&format!("{}.kubeconfig", user.replace(['/', ':'], "-")), &text)?)
    }
}
