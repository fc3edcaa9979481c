//! The lab: a real Kubernetes control plane and the ledger's etcd on one machine, with simulated nodes, for tests, demo
//! and benchmarks. No cluster, no containers, no root. Told so, it uses an existing cluster instead.
//!
//! ```no_run
//! # async fn example() -> Result<(), jiyun_lab::LabError> {
//! use jiyun_lab::{Lab, LabOptions};
//! let lab = Lab::start(LabOptions::default().departments(["culture"])).await?;
//! let client = lab.client().await?;
//! # drop(client);
//! lab.stop().await
//! # }
//! ```

mod apiserver;
mod cluster;
mod controller_manager;
mod debian;
mod disk;
pub mod doctor;
mod etcd;
mod folder;
pub mod image;
mod install;
mod kubeconfig;
mod lab;
pub mod node;
mod oidc;
mod options;
mod parts;
mod paths;
mod people;
mod pki;
mod ports;
mod prefill;
mod process;
mod profile;
pub mod programs;
mod random;
pub mod simulate;
mod wait;

pub use apiserver::PrepareError;
pub use cluster::Engines;
pub use cluster::given::ClusterError;
pub use etcd::{EtcdError, LedgerUser, TlsFiles};
pub use folder::{FolderError, LittleRoom, holder, little_room, lives, remove_dead};
pub use install::InstallError;
pub use kubeconfig::ClientError;
pub use lab::{ApiOptions, ControllerOptions, Guest, Identity, Lab, LabError};
pub use oidc::{AUDIENCE, Claims, Issuer, LookedUp, OidcError};
pub use options::{LabOptions, MOST_NODES};
pub use parts::Part;
pub use paths::{NotBuilt, product_program, source_root, target_folder};
pub use people::Person;
pub use pki::{KeyFiles, PkiError};
pub use ports::{NoFreePort, Port, in_use};
pub use process::{Exit, Failure, Process, SpawnError};
pub use profile::{NodeProfileError, Profile, ProfileError, RealError};
pub use wait::{NotInTime, wait_for};
