//! What was approved for a cloud host, resolved from the catalogue: kept in the ledger, and all that the engines see.
//!
//! Later edits of a class or an image do not reach machines that exist: they are built from this.

use jiyun_crds::v1alpha1::RefusalParameter;
use jiyun_ledger::Claim;
use serde::{Deserialize, Serialize};

use super::lease::Lease;
use crate::{
    content::{Content, Restoration},
    engines::order::{Apart, ImageSource},
    order::mark::OrderMark,
};

/// A cloud host in resolved terms: quantities instead of names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approved {
    /// Host class, for statements.
    pub class: String,
    /// Image, for people.
    pub image: String,
    /// Where the image is fetched from.
    pub image_source: ImageSource,
    /// vCPUs.
    pub vcpu: u64,
    /// Memory in MiB.
    pub memory_mebibytes: u64,
    /// CPU architecture.
    pub architecture: String,
    /// Tier of the system disk.
    pub disk_tier: String,
    /// Size of the system disk in MiB.
    pub disk_mebibytes: u64,
    /// Machines it shares no node with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart: Option<Apart>,
    /// Public keys allowed to sign in.
    pub ssh_authorized_keys: Vec<String>,
    /// The Secret of the department that its user data was in when its machine was made; what it says is not in the book.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<String>,
    /// The subnet its machine lies in, where the zone gives departments networks of their own. It keeps it when the host is
    /// handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// Whether the host may be deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deletable: bool,
    /// Until when it is lent, and what has become of that; none: without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// The snapshot whose content its disk was made with, instead of the image's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// The restore of its disk that was begun last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<Restoration>,
    /// The order that was approved, if people had to agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderMark>,
    /// The policies that let it through, if nobody had to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
}

/// The subnet of a claim, read alone: of every claim at every look.
pub fn subnet_of(claim: &Claim) -> Option<&str> {
    claim.approved_spec.pointer("/subnet")?.as_str()
}

impl Approved {
    /// What a claim was granted for.
    ///
    /// # Errors
    /// When the book's text is none of ours.
    pub fn of(claim: &Claim) -> Result<Self, serde_json::Error> {
        Self::deserialize(&*claim.approved_spec)
    }

    /// What was approved, for people.
    pub fn summary(&self) -> Vec<RefusalParameter> {
        let size = |mebibytes: u64| format!("{mebibytes} MiB");
        let told = [
            ("class", self.class.clone()),
            ("image", self.image.clone()),
            ("vcpu", self.vcpu.to_string()),
            ("memory", size(self.memory_mebibytes)),
            ("tier", self.disk_tier.clone()),
            ("blockStorage", size(self.disk_mebibytes)),
        ];
        let content = self.content.as_ref().map(|content| ("snapshot", content.snapshot.clone()));
        let user_data = self.user_data.as_ref().map(|secret| ("userData", secret.clone()));
        let lease = self.lease.as_ref().map(|lease| ("leaseEndsAt", lease.ends_at.to_string()));
        // Protected is the ordinary case.
        let unprotected = self.deletable.then(|| ("deletionProtection", "Disabled".to_owned()));
        let parameter = |(name, value): (&str, String)| RefusalParameter { name: name.to_owned(), value };
        told.into_iter().chain(content).chain(user_data).chain(lease).chain(unprotected).map(parameter).collect()
    }
}
