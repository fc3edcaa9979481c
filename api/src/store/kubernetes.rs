//! The API server, always spoken to with the caller's own token: what the person may not do, this program may not
//! either, and the audit log there shows the person.

mod access;
mod error;
mod recorded;
mod seen;
mod user;
mod watch;

use std::{path::Path, time::Duration};

use http::{HeaderName, HeaderValue, Request, header};
use jiyun_trail::core::action::Action;
use kube::{
    Client, Config, Resource,
    api::{
        DeleteParams, GetParams, ListParams, ObjectList, Patch, PatchParams, PostParams, Preconditions,
        ValidationDirective,
    },
    client::ClientBuilder,
    core::request::Request as Verb,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::Run;
use crate::{
    bounds::Asker,
    extract::Bearer,
    trail::{Origin, Recorder},
};

pub use access::Report;
pub use error::{ConnectError, KubernetesError};
use seen::{Sights, sights};
pub use user::User;
use user::{Users, users};
pub use watch::Change;

/// The longest a single call may take. The API server answers such calls within milliseconds; its own limit is 60 s,
/// longer than our callers wait.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Who writes, in the API server's record of field owners.
const FIELD_MANAGER: &str = "jiyun-api";

/// The header with which a client names its request in the API server's audit log; 64 characters at most, as ours are.
const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

/// How this program introduces itself.
const USER_AGENT: &str = concat!("jiyun-api/", env!("CARGO_PKG_VERSION"));

/// The way to the API server. Holds no credentials of its own.
#[derive(Clone)]
pub struct Kubernetes {
    client: Client,
    recorder: Recorder,
    users: Users,
    sights: Sights,
}

impl Kubernetes {
    /// Prepares the way to `url`, trusting the certificates (PEM) in the file `ca`. Connects at the first call.
    pub fn new(url: &str, ca: &Path) -> Result<Self, ConnectError> {
        let builder =
            ClientBuilder::try_from(configured(url, ca)?).map_err(|source| ConnectError::Client { source })?;
        Ok(Self { client: builder.build(), recorder: Recorder::default(), users: users(), sights: sights() })
    }

    /// The same, with everything that is written recorded.
    #[must_use]
    pub fn recorded(self, recorder: Recorder) -> Self {
        Self { recorder, ..self }
    }

    /// Where that is recorded.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The way that `client` knows; for tests.
    #[cfg(test)]
    pub fn over(client: Client) -> Self {
        Self { client, recorder: Recorder::default(), users: users(), sights: sights() }
    }

    /// Speaks in the name of whoever sent `bearer`, for one request of theirs.
    pub fn caller(&self, bearer: &Bearer) -> Caller {
        Caller {
            client: self.client.clone(),
            authorization: bearer.header(),
            origin: bearer.origin().clone(),
            recorder: self.recorder.clone(),
            users: self.users.clone(),
            sights: self.sights.clone(),
        }
    }
}

/// How the API server at `url` is reached, trusting the certificates (PEM) in the file `ca`; with nobody's token.
pub(super) fn configured(url: &str, ca: &Path) -> Result<Config, ConnectError> {
    let uri = url.parse().map_err(|source| ConnectError::Url { url: url.to_owned(), source })?;
    let pem = std::fs::read(ca).map_err(|source| ConnectError::ReadCa { path: ca.to_owned(), source })?;
    let roots = error::certificates(&pem).map_err(|source| ConnectError::Ca { path: ca.to_owned(), source })?;
    if roots.is_empty() {
        return Err(ConnectError::NoCa { path: ca.to_owned() });
    }
    let mut config = Config::new(uri);
    config.root_cert = Some(roots);
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    // The built-in retry repeats every method for minutes; a person is waiting here, and a repeated POST may be a
    // second order.
    config.default_retry = false;
    Ok(config)
}

/// The API server in the name of one caller.
#[derive(Clone)]
pub struct Caller {
    client: Client,
    authorization: HeaderValue,
    origin: Origin,
    recorder: Recorder,
    users: Users,
    sights: Sights,
}

impl Caller {
    /// Whose requests these are, as far as counting goes.
    pub fn asker(&self) -> Asker {
        Asker::sending(&self.authorization)
    }

    /// One object; `namespace` is none for kinds of the whole cluster.
    pub async fn get<K>(&self, namespace: Option<&str>, name: &str) -> Result<K, KubernetesError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let verb = Verb::new(K::url_path(&(), namespace));
        self.ask(verb.get(name, &GetParams::default())?).await
    }

    /// Whether there is one object, as the API server remembers it: costs its store nothing. What it does not remember
    /// is asked of the store, so that an object made a moment ago is never missed.
    pub async fn find<K>(&self, namespace: Option<&str>, name: &str) -> Result<K, KubernetesError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        match self.glimpse(namespace, name).await {
            Err(KubernetesError::NotFound(_)) => self.get(namespace, name).await,
            outcome => outcome,
        }
    }

    /// A page of a list.
    pub async fn list<K>(&self, namespace: Option<&str>, page: &ListParams) -> Result<ObjectList<K>, KubernetesError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Clone,
    {
        let verb = Verb::new(K::url_path(&(), namespace));
        self.ask(verb.list(page)?).await
    }

    /// Creates `object`. An unknown field is refused rather than dropped (`fieldValidation=Strict`).
    pub async fn create<K>(&self, namespace: Option<&str>, object: &K, run: Run) -> Result<K, KubernetesError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Serialize,
    {
        let sent = serde_json::to_value(object).map_err(|source| KubernetesError::Decode { source })?;
        let name = object.meta().name.as_deref().unwrap_or_default();
        let action = match sent.pointer("/spec/decision").and_then(Value::as_str) {
            Some("Approve") => Action::Approve,
            Some("Refuse") => Action::Refuse,
            _ => Action::Create,
        };
        let begun = self.begin::<K>(action, (namespace, name), Some(&sent), run).await?;
        let verb = Verb::new(K::url_path(&(), namespace));
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), dry_run: run.is_dry() };
        self.write(begun, strict(verb.create(&parameters, sent.to_string().into_bytes())?)?).await
    }

    /// Asks the API server about the caller: nothing comes to be.
    async fn review<K>(&self, question: &K) -> Result<K, KubernetesError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Serialize,
    {
        let data = serde_json::to_vec(question).map_err(|source| KubernetesError::Decode { source })?;
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), dry_run: false };
        self.ask(strict(Verb::new(K::url_path(&(), None)).create(&parameters, data)?)?).await
    }

    /// Changes one object by a merge patch (RFC 7396), which the API server applies to whatever the object is then. A
    /// `metadata.resourceVersion` in it is a condition: if it is another by then, this is a conflict. An unknown field is
    /// refused.
    pub async fn patch<K>(
        &self,
        namespace: Option<&str>,
        name: &str,
        patch: &Value,
        run: Run,
    ) -> Result<K, KubernetesError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let verb = Verb::new(K::url_path(&(), namespace));
        let parameters = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            field_validation: Some(ValidationDirective::Strict),
            dry_run: run.is_dry(),
            ..PatchParams::default()
        };
        let begun = self.begin::<K>(Action::Change, (namespace, name), Some(patch), run).await?;
        self.write(begun, verb.patch(name, &parameters, &Patch::Merge(patch))?).await
    }

    /// Asks for the end of one object; it is gone once its finalizers are. Only if `preconditions` hold, else it is a
    /// conflict.
    pub async fn delete<K>(
        &self,
        namespace: Option<&str>,
        name: &str,
        preconditions: Option<Preconditions>,
        run: Run,
    ) -> Result<(), KubernetesError>
    where
        K: Resource<DynamicType = ()>,
    {
        let verb = Verb::new(K::url_path(&(), namespace));
        let parameters = DeleteParams { preconditions, dry_run: run.is_dry(), ..DeleteParams::default() };
        // Answers with the object or with a Status; neither is needed.
        let begun = self.begin::<K>(Action::Delete, (namespace, name), None, run).await?;
        self.write::<Value>(begun, verb.delete(name, &parameters)?).await.map(drop)
    }

    /// Asks for the end of one object, of that very one and of no namesake.
    pub async fn delete_this<K>(&self, namespace: Option<&str>, name: &str, uid: &str) -> Result<(), KubernetesError>
    where
        K: Resource<DynamicType = ()>,
    {
        let only = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        self.delete::<K>(namespace, name, Some(only), Run::Real).await
    }

    async fn ask<T: DeserializeOwned>(&self, request: Request<Vec<u8>>) -> Result<T, KubernetesError> {
        decode(&self.text(request).await?)
    }

    async fn text(&self, request: Request<Vec<u8>>) -> Result<String, KubernetesError> {
        let request = self.signed(request);
        let answer = tokio::time::timeout(CALL_TIMEOUT, self.client.request_text(request));
        Ok(answer.await.map_err(|_| KubernetesError::TimedOut { after: CALL_TIMEOUT })??)
    }

    /// `request` in the caller's name. Of all that the caller sent, the token alone goes on, and the request's number, so that
    /// the API server's own audit log has it too; impersonation and other headers do not.
    fn signed(&self, mut request: Request<Vec<u8>>) -> Request<Vec<u8>> {
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        if let Some(number) = self.origin.request().and_then(|number| HeaderValue::try_from(number).ok()) {
            headers.insert(AUDIT_ID, number);
        }
        request
    }
}

fn decode<T: DeserializeOwned>(text: &str) -> Result<T, KubernetesError> {
    serde_json::from_str(text).map_err(|source| KubernetesError::Decode { source })
}

/// Adds `fieldValidation=Strict`, which the library's parameters lack.
fn strict(request: Request<Vec<u8>>) -> Result<Request<Vec<u8>>, KubernetesError> {
    let (mut parts, body) = request.into_parts();
    let separator = if parts.uri.query().is_some() { '&' } else { '?' };
    let uri = format!("{}{separator}fieldValidation=Strict", parts.uri);
    parts.uri = uri.parse().map_err(|source| KubernetesError::Address { source })?;
    Ok(Request::from_parts(parts, body))
}
