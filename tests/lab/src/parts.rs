//! Parts of a node that are switched on by name, so that a test pays only for what it needs.

use std::fmt;

/// What runs on a node beside Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Part {
    /// KubeVirt whole, with libvirt and QEMU in software emulation: guests boot.
    Kubevirt,
    /// CDI whole: it fills disks from images over HTTP; and a shop in the node that has one.
    Cdi,
    /// CloudNativePG with real PostgreSQL.
    Cnpg,
    /// Volumes with snapshots, by a driver of the lab's own.
    Csi,
    /// An S3 service: versitygw on a volume of the node.
    S3,
    /// Images of Jiyun's own programs as they are built, and of an etcd, for its charts.
    Jiyun,
}

impl Part {
    /// Its name, as the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kubevirt => "kubevirt",
            Self::Cdi => "cdi",
            Self::Cnpg => "cnpg",
            Self::Csi => "csi",
            Self::S3 => "s3",
            Self::Jiyun => "jiyun",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
