//! The engines we drive: one file per engine says what we write and what we read; nothing else knows their fields.

pub mod applied;
pub mod cdi;
pub mod cloud_init;
pub mod cnpg;
pub mod fault;
pub mod installation;
pub mod kube_ovn;
pub mod kubevirt;
pub mod network;
pub mod node;
pub mod order;
pub mod release;
pub mod rook;
pub mod snapshot;
pub mod version;
pub mod view;
pub mod volume;
