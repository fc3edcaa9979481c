//! The API types of Jiyun (集云): one kind per file, their validation rules, and nothing that acts.
//!
//! Group `jiyun.io`. The manifests under `manifests/` are generated from these types by the `crdgen` program;
//! [`v1alpha1::definitions`] gives the same definitions to programs.

pub mod date_time;
pub mod manifests;
pub mod names;
pub mod quantity;
pub mod rules;
pub mod schema;
pub mod v1alpha1;
