//! The names in a request's address. One that cannot be a name is answered like one nobody has: 404.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use super::name::{DepartmentName, HostName};
use crate::problem::Problem;

/// `/v1/departments/{department}/...`
#[derive(Clone, Debug)]
pub struct DepartmentPath(pub DepartmentName);

impl<S: Send + Sync> FromRequestParts<S> for DepartmentPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(department) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| nowhere(parts))?;
        DepartmentName::parse(&department).map(Self).ok_or_else(|| nowhere(parts))
    }
}

/// `/v1/departments/{department}/hosts/{name}`
#[derive(Clone, Debug)]
pub struct HostPath {
    /// The department.
    pub department: DepartmentName,
    /// The host.
    pub host: HostName,
}

impl<S: Send + Sync> FromRequestParts<S> for HostPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((department, host)) =
            Path::<(String, String)>::from_request_parts(parts, state).await.map_err(|_| nowhere(parts))?;
        let (department, host) = (DepartmentName::parse(&department), HostName::parse(&host));
        department.zip(host).map(|(department, host)| Self { department, host }).ok_or_else(|| nowhere(parts))
    }
}

fn nowhere(parts: &Parts) -> Problem {
    Problem::not_found(parts.uri.path())
}
