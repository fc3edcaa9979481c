//! Where the API reads and writes: the API server in the caller's name; the ledger's stream and the audit trail's files, read
//! only; consoles of machines, with an account of its own.

pub mod book;
pub mod consoles;
pub mod follower;
pub mod kubernetes;
mod records;
mod run;

pub use book::{Book, BookError, Reading};
pub use kubernetes::{Caller, Kubernetes, KubernetesError, Report, User};
pub use records::{Records, RecordsError};
pub use run::Run;
