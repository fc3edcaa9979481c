//! Simulated engines: what a node, an importer or a hypervisor would do to the engines' own objects, never to ours.
//! One file per engine; each transition names the place in the engine's source it imitates. A simulator proves nothing
//! about data, isolation or erasure.

mod clone;
pub(crate) mod cnpg;
pub(crate) mod data_volume;
pub(crate) mod disk;
mod faults;
pub(crate) mod follow;
mod held;
mod instance;
pub(crate) mod kube_ovn;
mod launcher;
mod pace;
pub(crate) mod rook;
mod runner;
pub(crate) mod snapshot;
pub(crate) mod virtual_machine;
pub(crate) mod vmi;

use std::sync::Arc;

use kube::Client;

pub use faults::{Fault, Faults, UnknownFault};
pub(crate) use launcher::NODES;
pub use pace::Pace;

/// The annotation of a disk's claim, and of what was kept of that, with a word in the place of what is on it: an empty disk and
/// each import begin with a word of their own, a snapshot keeps the word of its disk, and a disk made from it has that. Whoever
/// changes the word of a claim has written to the disk. No engine knows of it.
pub const CONTENT: &str = "lab.jiyun.io/content";

/// The node every simulated machine claims to run on: its name says what it is.
pub const NODE: &str = "simulated-node-1";

/// What every simulator needs.
#[derive(Clone)]
pub(crate) struct Simulation {
    pub(crate) client: Client,
    pub(crate) pace: Pace,
    pub(crate) faults: Arc<Faults>,
}
