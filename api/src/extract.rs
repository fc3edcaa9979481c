//! What a handler takes from a request; every refusal is a problem document.

pub mod bearer;
mod complaint;
mod digested;
mod idempotency;
pub mod json;
pub mod name;
pub mod path;
pub mod prefer;
pub mod query;

pub use bearer::Bearer;
pub use digested::{Digested, RequestDigest};
pub use idempotency::{IdempotencyKey, Keyed};
pub use name::{DepartmentName, HostName};
pub use path::{DepartmentPath, HostPath, PoolPath};
pub use prefer::Wait;
pub use query::Query;
