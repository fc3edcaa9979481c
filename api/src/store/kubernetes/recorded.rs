//! What is written is recorded before it is asked for, and again when it was answered: there is no other way to write.

use http::Request;
use jiff::Timestamp;
use jiyun_crds::v1alpha1::CloudHost;
use jiyun_trail::core::{action::Action, outcome::Outcome};
use kube::{Resource, api::GetParams, core::request::Request as Verb};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Caller, KubernetesError, decode};
use crate::{
    console::Console,
    store::Run,
    trail::{self, Asked, Begun},
};

impl Caller {
    /// Records that something is about to be written. None where nothing will be, and where no trail is kept.
    ///
    /// Who it is, whether they may look at the department, and what is there before are asked at once: a change waits for
    /// one answer and for one record more than without a trail.
    pub(super) async fn begin<K: Resource<DynamicType = ()>>(
        &self,
        action: Action,
        (namespace, name): (Option<&str>, &str),
        sent: Option<&Value>,
        run: Run,
    ) -> Result<Option<Begun>, KubernetesError> {
        if run.is_dry() || !self.recorder.is_kept() {
            return Ok(None);
        }
        let asked = tokio::join!(self.who(), self.is_insider(namespace), self.remembered::<K>(action, namespace, name));
        let (user, insider, before) = asked;
        let (user, insider) = (user.map_err(unasked)?, insider.map_err(unasked)?);
        let kind = K::kind(&());
        let asked = Asked { action, kind: &kind, namespace, name, sent, before: before.as_ref() };
        let record = trail::begun(Timestamp::now(), &asked, &user, insider, &self.origin);
        Ok(self.recorder.begin(record, &self.origin).await?)
    }

    /// Records that a console of `host` is about to be opened; none where no trail is kept.
    pub async fn begin_console(
        &self,
        namespace: &str,
        host: &CloudHost,
        console: Console,
    ) -> Result<Option<Begun>, KubernetesError> {
        if !self.recorder.is_kept() {
            return Ok(None);
        }
        let (user, insider) = tokio::try_join!(self.who(), self.is_insider(Some(namespace))).map_err(unasked)?;
        let now = Timestamp::now();
        let record = trail::console_opened(now, namespace, host, console, &user, insider, &self.origin);
        Ok(self.recorder.begin(record, &self.origin).await?)
    }

    /// Asks for what was begun, and records what came of it.
    pub(super) async fn write<T: DeserializeOwned>(
        &self,
        begun: Option<Begun>,
        request: Request<Vec<u8>>,
    ) -> Result<T, KubernetesError> {
        let answer = self.text(request).await;
        if let Some(begun) = begun {
            match &answer {
                Ok(text) => begun.ended(Outcome::Succeeded, serde_json::from_str(text).ok().as_ref()),
                Err(error) => begun.ended(error.outcome(), None),
            }
        }
        decode(&answer?)
    }

    /// What is there, as the API server remembers it: it costs its store nothing, and says of which version it is. A change
    /// is never made out of it. None where the caller may not look, or nothing can be there.
    async fn remembered<K: Resource<DynamicType = ()>>(
        &self,
        action: Action,
        namespace: Option<&str>,
        name: &str,
    ) -> Option<Value> {
        if !matches!(action, Action::Change | Action::Delete) {
            return None;
        }
        let request = Verb::new(K::url_path(&(), namespace)).get(name, &GetParams::any()).ok()?;
        self.ask(request).await.ok()
    }
}

/// Who it is was not found out: nothing is asked for.
fn unasked(error: KubernetesError) -> KubernetesError {
    match error {
        KubernetesError::Unauthenticated => KubernetesError::Unauthenticated,
        error => KubernetesError::Unasked(Box::new(error)),
    }
}

impl KubernetesError {
    /// How the trail says it: in the API server's sense, which callers are not always told.
    fn outcome(&self) -> Outcome {
        match self {
            Self::Unauthenticated => Outcome::refused("InvalidToken"),
            Self::Forbidden(_) => Outcome::refused("Forbidden"),
            Self::NotFound(_) => Outcome::refused("NotFound"),
            Self::AlreadyExists(_) => Outcome::refused("AlreadyExists"),
            Self::Conflict(_) => Outcome::refused("Conflict"),
            Self::Invalid(_) => Outcome::refused("RefusedByRule"),
            Self::BadRequest(_) => Outcome::refused("BadRequest"),
            // Sentences of the API server and of the network may quote what was sent.
            Self::Gone(_) | Self::Busy(_) => Outcome::failed("the api server could not do it"),
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Decode { .. } => {
                Outcome::failed("the api server gave no answer that can be read: it may have been done")
            }
            Self::Build { .. } | Self::Address { .. } | Self::Unasked(_) | Self::Nobody | Self::Unrecorded(_) => {
                Outcome::failed("it was not asked for")
            }
        }
    }
}
