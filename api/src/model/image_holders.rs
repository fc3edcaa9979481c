//! Which hosts were made from an image (谁在用某镜像): for platform operators alone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiyun_ledger::{Claim, State};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// The most hosts told one by one in an answer; the counts beside them are whole.
pub const MOST: usize = 2000;

/// The hosts made from an image, at one revision of the ledger.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::image_holders()))]
pub struct ImageHolders {
    /// The image.
    #[schema(example = "openeuler-24.03-amd64")]
    pub image: String,
    /// The ledger's entry this was read at.
    pub revision: u64,
    /// Up to when the ledger is known.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// How many hosts there are.
    pub host_count: usize,
    /// Departments that have some, by name.
    pub departments: Vec<ImageDepartment>,
}

/// A department's hosts made from an image.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageDepartment {
    /// The department.
    #[schema(example = "finance")]
    pub department: String,
    /// Its name for people.
    pub display_name: String,
    /// How many it has.
    pub host_count: usize,
    /// Which, by name; at most 2000 of all departments together: those of one are asked for by its name.
    pub hosts: Vec<ImageHost>,
}

/// A host made from an image.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageHost {
    /// Its name.
    #[schema(example = "web-1")]
    pub host: String,
    /// Its information system.
    #[schema(example = "portal")]
    pub system: String,
    /// Where it stands: `Held`, `Reserved`, `Billable`, `Ending`.
    #[schema(example = "Billable")]
    pub stage: String,
    /// Since when capacity is set aside for it.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

impl ImageHolders {
    /// The hosts made from the image called `image`, of `only` or of all. Those made from a snapshot are of the image that its host
    /// was made from.
    pub fn new(state: &State, image: &str, only: Option<&str>, as_of: Timestamp) -> Self {
        let of_image = |claim: &&Claim| only.is_none_or(|only| only == claim.account.as_str()) && is_of(claim, image);
        let mut by_department: BTreeMap<&str, Vec<&Claim>> = BTreeMap::new();
        for claim in state.claims().map(AsRef::as_ref).filter(of_image) {
            by_department.entry(claim.account.as_str()).or_default().push(claim);
        }
        let host_count = by_department.values().map(Vec::len).sum();
        let mut room = MOST;
        let departments = by_department.into_iter().map(|(account, mut claims)| {
            let host_count = claims.len();
            claims.sort_by(|one, other| one.subject.name.cmp(&other.subject.name));
            let hosts: Vec<_> = claims.into_iter().take(room).map(ImageHost::from).collect();
            room -= hosts.len();
            let found = state.account(&account.into());
            let display_name = found.map(|found| found.display_name.clone()).unwrap_or_default();
            ImageDepartment { department: account.to_owned(), display_name, host_count, hosts }
        });
        let departments = departments.collect();
        Self { image: image.to_owned(), revision: state.seq(), as_of, host_count, departments }
    }
}

/// Whether it is of a host that is there, or on its way, and was made from the image: as it was approved.
fn is_of(claim: &Claim, image: &str) -> bool {
    // What is quickly told first: most claims of an old book are over.
    claim.is_open()
        && claim.subject.kind == "CloudHost"
        && claim.approved_spec.get("image").and_then(Value::as_str) == Some(image)
}

impl From<&Claim> for ImageHost {
    fn from(claim: &Claim) -> Self {
        Self {
            host: claim.subject.name.clone(),
            system: claim.system.clone(),
            stage: claim.stage().to_string(),
            since: claim.reserved_at,
        }
    }
}
