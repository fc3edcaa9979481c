//! The names in a request's address. One that cannot be a name is answered like one nobody has: 404.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use super::name::{DepartmentName, ObjectName, is_subdomain};
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

/// `/v1/departments/{department}/{hosts,systems}/{name}`
#[derive(Clone, Debug)]
pub struct ObjectPath {
    /// The department.
    pub department: DepartmentName,
    /// The host, the information system or the order.
    pub name: ObjectName,
}

impl<S: Send + Sync> FromRequestParts<S> for ObjectPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((department, name)) =
            Path::<(String, String)>::from_request_parts(parts, state).await.map_err(|_| nowhere(parts))?;
        let (department, name) = (DepartmentName::parse(&department), ObjectName::parse(&name));
        department.zip(name).map(|(department, name)| Self { department, name }).ok_or_else(|| nowhere(parts))
    }
}

/// `/v1/departments/{department}/orders/{name}/...`: orders have longer names.
#[derive(Clone, Debug)]
pub struct OrderPath(pub ObjectPath);

impl<S: Send + Sync> FromRequestParts<S> for OrderPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((department, name)) =
            Path::<(String, String)>::from_request_parts(parts, state).await.map_err(|_| nowhere(parts))?;
        let (department, name) = (DepartmentName::parse(&department), ObjectName::parse_order(&name));
        let path = department.zip(name).map(|(department, name)| ObjectPath { department, name });
        path.map(Self).ok_or_else(|| nowhere(parts))
    }
}

/// `/v1/pools/{kind}/{pool}/...`
#[derive(Clone, Debug)]
pub struct PoolPath {
    /// Whether it is a compute pool; else a storage pool.
    pub is_compute: bool,
    /// The pool's name.
    pub pool: String,
}

/// `/v1/images/{image}/...`
#[derive(Clone, Debug)]
pub struct ImagePath(pub String);

impl<S: Send + Sync> FromRequestParts<S> for ImagePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(image) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| nowhere(parts))?;
        if is_subdomain(&image) { Ok(Self(image)) } else { Err(nowhere(parts)) }
    }
}

impl std::fmt::Display for PoolPath {
    /// As problems name it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", if self.is_compute { "ComputePool" } else { "StoragePool" }, self.pool)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PoolPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((kind, pool)) =
            Path::<(String, String)>::from_request_parts(parts, state).await.map_err(|_| nowhere(parts))?;
        let is_compute = match kind.as_str() {
            "compute" => true,
            "storage" => false,
            _ => return Err(nowhere(parts)),
        };
        if is_subdomain(&pool) { Ok(Self { is_compute, pool }) } else { Err(nowhere(parts)) }
    }
}

fn nowhere(parts: &Parts) -> Problem {
    Problem::not_found(parts.uri.path())
}
