//! What every change may be asked for besides.

use axum::{
    RequestExt,
    extract::{FromRequest, Request},
};
use http::HeaderName;
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::IntoParams;

use crate::{
    app::Asked,
    extract::{Digested, Keyed, Query},
    problem::Problem,
    store::Run,
};

/// Says that an earlier request with the same key has created what is answered.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Says how long was waited at most (RFC 7240, section 3).
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How a change is meant.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WriteQuery {
    /// `true`: everything is checked as if it were meant, nothing is written, and the answer is what would come of it.
    #[serde(default)]
    #[param(required = false, default = false, example = true)]
    dry_run: bool,
}

impl WriteQuery {
    /// Whether it is meant.
    pub fn run(self) -> Run {
        if self.dry_run { Run::Dry } else { Run::Real }
    }
}

/// A request to create something: the body, and how it is asked for.
#[derive(Debug)]
pub struct Asking<T> {
    /// What the body says.
    pub body: T,
    /// Key, digest, and whether it is meant.
    pub asked: Asked,
}

impl<T: DeserializeOwned + 'static, S: Send + Sync> FromRequest<S> for Asking<T> {
    type Rejection = Problem;

    async fn from_request(mut request: Request, state: &S) -> Result<Self, Problem> {
        let Keyed(key) = request.extract_parts().await?;
        let Query(how) = request.extract_parts::<Query<WriteQuery>>().await?;
        let Digested { value, digest } = Digested::from_request(request, state).await?;
        Ok(Self { body: value, asked: Asked { key, digest, run: how.run() } })
    }
}
