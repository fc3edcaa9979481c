//! What a handler takes from a request; every refusal is a problem document.

pub mod bearer;
mod complaint;
mod digested;
mod idempotency;
pub mod json;
pub mod merge_patch;
pub mod name;
pub mod path;
pub mod prefer;
pub mod query;
mod version;

pub use bearer::Bearer;
pub use digested::{Digested, RequestDigest};
pub use idempotency::{IdempotencyKey, Keyed};
pub use json::NoBody;
pub use merge_patch::MergePatch;
pub use name::{DepartmentName, ObjectName};
pub use path::{DepartmentPath, ImagePath, ObjectPath, OrderPath, PoolPath};
pub use prefer::Wait;
pub use query::Query;
pub use version::{IfMatch, IfNoneMatch, Version, etag};
