//! What an engine is asked to make: a cloud host, a database, a volume, a bucket or a snapshot in plain terms, free of
//! Jiyun's and of any engine's kinds.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One machine with its system disk, as approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineOrder {
    /// Namespace of the engine objects; tenants have no rights there.
    pub namespace: String,
    /// Name of the machine.
    pub name: String,
    /// Name of its system disk.
    pub disk_name: String,
    /// Links back to what asked for it; owner references do not cross namespaces.
    pub labels: BTreeMap<String, String>,
    /// vCPUs, at least 1.
    pub vcpu: u64,
    /// Memory in MiB.
    pub memory_mebibytes: u64,
    /// CPU architecture as Kubernetes spells it (`amd64`, `arm64`).
    pub architecture: String,
    /// System disk in MiB.
    pub disk_mebibytes: u64,
    /// Storage class of the system disk.
    pub storage_class: String,
    /// Where the system disk's content comes from.
    pub image: ImageSource,
    /// The snapshot that it comes from instead.
    pub content: Option<FromSnapshot>,
    /// Machines it shares no node with.
    pub apart: Option<Apart>,
    /// Public keys allowed to sign in.
    pub ssh_authorized_keys: Vec<String>,
    /// The Secret that its first-boot data is in, with all that it has of it; none: there are only those keys and its name.
    pub user_data: Option<String>,
    /// The subnet it lies in; none: the cluster's own network.
    pub subnet: Option<String>,
    /// Volumes attached to it, by the names of their disks.
    pub volumes: Vec<AttachedVolume>,
    /// Whether the machine is to run.
    pub power: Power,
}

/// Machines of one group, which run on different nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Apart {
    /// The information system they were made for, by the first [`Apart::DIGITS`] characters of its UID: another one may be
    /// called so later. It stays with a machine that is handed over.
    pub system: String,
    /// The group within it.
    pub group: String,
    /// Whether one that finds no node of its own waits, instead of running beside another.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
}

impl Apart {
    /// Characters of a UID that tell the systems of one namespace apart.
    pub const DIGITS: usize = 8;
}

/// A volume that is attached to a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachedVolume {
    /// Name of its disk, in the machine's namespace.
    pub disk_name: String,
    /// The serial number the guest finds it by, at most 20 characters.
    pub serial: Option<String>,
}

/// One volume, as approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeOrder {
    /// Namespace of the disk; tenants have no rights there.
    pub namespace: String,
    /// Name of the disk.
    pub disk_name: String,
    /// Links back to what asked for it; owner references do not cross namespaces.
    pub labels: BTreeMap<String, String>,
    /// Size in MiB.
    pub mebibytes: u64,
    /// Storage class of the disk.
    pub storage_class: String,
    /// The snapshot whose content it has; none: it comes empty.
    pub content: Option<FromSnapshot>,
}

/// The snapshot that a disk's content comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromSnapshot {
    /// The namespace it lies in: that of the disk.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Of a disk that is made anew in its place: the moment that was asked for with.
    pub restored_at: Option<Timestamp>,
}

/// One bucket, as approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketOrder {
    /// Namespace of the engine objects; tenants have no rights there.
    pub namespace: String,
    /// Name of what the bucket is asked for with.
    pub claim_name: String,
    /// What the bucket's own name begins with.
    pub prefix: String,
    /// What it is called for people: namespace and name of what asked for it.
    pub title: String,
    /// Links back to what asked for it; owner references do not cross namespaces.
    pub labels: BTreeMap<String, String>,
    /// How much it may hold, in MiB.
    pub mebibytes: u64,
    /// Storage class of the bucket.
    pub storage_class: String,
}

/// One snapshot, as approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotOrder {
    /// Namespace of the engine objects; tenants have no rights there.
    pub namespace: String,
    /// Name of the snapshot.
    pub name: String,
    /// Links back to what asked for it; owner references do not cross namespaces.
    pub labels: BTreeMap<String, String>,
    /// Name of the disk it is taken of, and of the volume claim behind that.
    pub disk_name: String,
    /// Snapshot class of the pool the disk lies in.
    pub class: String,
}

/// One database with its instances and their storage, as approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseOrder {
    /// Namespace of the engine objects; tenants have no rights there.
    pub namespace: String,
    /// Name of the database's objects.
    pub name: String,
    /// Links back to what asked for it; owner references do not cross namespaces.
    pub labels: BTreeMap<String, String>,
    /// Container image of the engine, in the version that was approved.
    pub image: String,
    /// Instances, at least 1.
    pub instances: u64,
    /// vCPUs of each, at least 1.
    pub vcpu: u64,
    /// Memory of each in MiB.
    pub memory_mebibytes: u64,
    /// CPU architecture as Kubernetes spells it (`amd64`, `arm64`).
    pub architecture: String,
    /// Storage of each in MiB.
    pub storage_mebibytes: u64,
    /// Storage class of that storage.
    pub storage_class: String,
    /// Whether it is to run.
    pub power: Power,
}

/// Where an image is fetched from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ImageSource {
    /// A disk image behind a URL.
    Http(String),
    /// A disk image in a container registry (`docker://...`).
    Registry(String),
}

/// Whether a machine or a database is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Running.
    On,
    /// Shut down; storage and claim stay.
    Off,
}
