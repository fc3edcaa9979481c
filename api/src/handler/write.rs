//! What every change may be asked for besides, and how an order is answered.

use axum::{
    Json, RequestExt,
    extract::{FromRequest, Request},
    response::{AppendHeaders, IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::IntoParams;

use crate::{
    app::{Asked, Ordered},
    extract::{Digested, Keyed, Query, Wait},
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

/// The answer to an order that is not meant: what would come of it. `replayed` says whether an earlier one has created it.
pub fn previewed<T: Serialize>(replayed: Option<HeaderValue>, preview: T) -> Response {
    let headers = AppendHeaders(replayed.map(|replayed| (REPLAYED, replayed)).into_iter().collect::<Vec<_>>());
    (headers, Json(preview)).into_response()
}

/// The answer to an order: 201 with what was granted, 202 with what is not decided yet, as it is `shown`.
///
/// # Errors
/// What was decided against, with the place where it is all the same.
pub fn answered<K, T: Serialize>(
    ordered: Ordered<K>,
    wait: Wait,
    location: Option<HeaderValue>,
    replayed: Option<HeaderValue>,
    shown: impl FnOnce(K) -> T,
) -> Result<Response, Problem> {
    let (status, object, applied) = match ordered {
        Ordered::Granted(object) => (StatusCode::CREATED, object, wait.applied()),
        Ordered::Open { object, waited } => (StatusCode::ACCEPTED, object, wait.applied().filter(|_| waited)),
        Ordered::Refused(problem) => {
            let applied = wait.applied();
            return Err(problem.located(location).with(PREFERENCE_APPLIED, applied).with(REPLAYED, replayed));
        }
    };
    let headers = [
        location.map(|place| (header::LOCATION, place)),
        applied.map(|wait| (PREFERENCE_APPLIED, wait)),
        replayed.map(|replayed| (REPLAYED, replayed)),
    ];
    let headers = AppendHeaders(headers.into_iter().flatten().collect::<Vec<_>>());
    Ok((status, headers, Json(shown(*object))).into_response())
}
