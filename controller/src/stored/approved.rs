//! What was approved for a volume, a bucket or a snapshot: kept in the ledger, and all that the engines see.

use jiyun_crds::v1alpha1::RefusalParameter;
use jiyun_ledger::Claim;
use serde::{Deserialize, Serialize};

use crate::{
    content::{Content, Restoration, Source},
    order::mark::OrderMark,
};

/// A volume, a bucket or a snapshot in resolved terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approved {
    /// Tier of its storage, for statements too.
    pub tier: String,
    /// Size in MiB.
    pub mebibytes: u64,
    /// Whether it may be deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deletable: bool,
    /// Of a snapshot: what it is taken of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Of a volume: the snapshot whose content it was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// Of a volume: the restore that was begun last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<Restoration>,
    /// The order that was approved, if people had to agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderMark>,
    /// The policies that let it through, if nobody had to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
}

impl Approved {
    /// What a claim was granted for.
    ///
    /// # Errors
    /// When the book's text is none of ours.
    pub fn of(claim: &Claim) -> Result<Self, serde_json::Error> {
        Self::deserialize(&*claim.approved_spec)
    }

    /// What was approved, for people; `storage` says storage of which type it is.
    pub fn summary(&self, storage: &str) -> Vec<RefusalParameter> {
        let told = [("tier", self.tier.clone()), (storage, format!("{} MiB", self.mebibytes))];
        let source = self.source.as_ref().map(|source| ("source", format!("{} {}", source.kind.as_str(), source.name)));
        let content = self.content.as_ref().map(|content| ("snapshot", content.snapshot.clone()));
        let parameter = |(name, value): (&str, String)| RefusalParameter { name: name.to_owned(), value };
        told.into_iter().chain(source).chain(content).map(parameter).collect()
    }
}
