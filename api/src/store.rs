//! Where the API reads and writes: the API server in the caller's name, and the ledger's stream, read only.

pub mod book;
pub mod follower;
pub mod kubernetes;
mod run;

pub use book::{Book, BookError, Reading};
pub use kubernetes::{Caller, Kubernetes, KubernetesError, Report};
pub use run::Run;
