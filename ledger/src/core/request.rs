//! What is asked of the book: a claim's subject, place and quantities.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    account::AccountId,
    claim::{ClaimId, Subject},
    meter::{MAX_QUANTITY, Meter},
    pool::{PoolId, PoolKind},
};

/// The most placements in one request.
pub const MAX_PLACEMENTS: usize = 16;

/// Quantities that must come out of one pool. All placements of a request are placed at the same site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// Which kind of pool.
    pub pool_kind: PoolKind,
    /// The architecture it must have; any when absent.
    #[serde(default)]
    pub architecture: Option<String>,
    /// The tier it must have; any when absent.
    #[serde(default)]
    pub tier: Option<String>,
    /// The site it must be at; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The pool it must be; any that fits when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolId>,
    /// How much of each meter; zeros are ignored.
    pub quantities: BTreeMap<Meter, u64>,
}

impl Placement {
    fn compute(architecture: String, quantities: BTreeMap<Meter, u64>) -> Self {
        let pool_kind = PoolKind::Compute;
        Self { pool_kind, architecture: Some(architecture), tier: None, site: None, pool: None, quantities }
    }

    fn storage(tier: String, mebibytes: u64) -> Self {
        Self::storage_of(Meter::BlockStorage, tier, mebibytes)
    }

    fn storage_of(meter: Meter, tier: String, mebibytes: u64) -> Self {
        let quantities = BTreeMap::from([(meter, mebibytes)]);
        let pool_kind = PoolKind::Storage;
        Self { pool_kind, architecture: None, tier: Some(tier), site: None, pool: None, quantities }
    }

    /// What one host takes: itself, its cores and its memory (MiB) out of one compute pool of an architecture, its disk
    /// (MiB) out of one storage pool of a tier.
    pub fn host(architecture: String, vcpu: u64, memory: u64, tier: String, disk: u64) -> [Self; 2] {
        let quantities = BTreeMap::from([(Meter::Hosts, 1), (Meter::Vcpu, vcpu), (Meter::Memory, memory)]);
        [Self::compute(architecture, quantities), Self::storage(tier, disk)]
    }

    /// What one database takes: itself, cores and memory (MiB) of all its instances out of one compute pool of an
    /// architecture, their storage (MiB) out of one storage pool of a tier.
    pub fn database(architecture: String, (vcpu, memory): (u64, u64), tier: String, storage: u64) -> [Self; 2] {
        let quantities = BTreeMap::from([(Meter::DatabaseInstances, 1), (Meter::Vcpu, vcpu), (Meter::Memory, memory)]);
        [Self::compute(architecture, quantities), Self::storage(tier, storage)]
    }

    /// What one volume takes: its size (MiB) out of one storage pool of a tier, at the site of what it is to be used with.
    pub fn volume(tier: String, mebibytes: u64, site: Option<String>) -> [Self; 1] {
        [Self { site, ..Self::storage(tier, mebibytes) }]
    }

    /// What one snapshot takes: as much as the disk it is of (MiB), out of the very pool that lies in, for it shares what was not
    /// written since, and may come to need all of it.
    pub fn snapshot(tier: String, mebibytes: u64, pool: PoolId) -> [Self; 1] {
        [Self { pool: Some(pool), ..Self::storage(tier, mebibytes) }]
    }

    /// What one bucket takes: its size (MiB) out of one pool of object storage of a tier.
    pub fn bucket(tier: String, mebibytes: u64) -> [Self; 1] {
        [Self::storage_of(Meter::ObjectStorage, tier, mebibytes)]
    }
}

/// A wish for a claim, or for a change of the open claim of the same subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimRequest {
    /// Who asks.
    pub account: AccountId,
    /// The information system it is for.
    pub system: String,
    /// The object it is for; its UID identifies the open claim.
    pub subject: Subject,
    /// What the statement calls it, e.g. the host class.
    pub item: String,
    /// The network zone the pools must serve.
    pub zone: String,
    /// The protection level (等保) the pools must be allowed to carry, 1..=4.
    pub protection_level: u8,
    /// What is asked for, by pool kind. None at all: a permission, which is kept and decided like other claims and takes
    /// nothing of anything.
    pub placements: Vec<Placement>,
    /// Digest of the metered spec: equal digests ask for the same thing.
    pub spec_digest: String,
    /// The spec controllers will act on once granted.
    pub approved_spec: Arc<serde_json::Value>,
    /// Only hold it until this moment instead of granting it: the decision is somebody else's and still to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_until: Option<Timestamp>,
    /// Wait in line where the pools that fit have no room.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wait: bool,
}

/// A request that cannot be decided because it makes no sense: a fault of the caller, not a refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No quantity above zero.
    #[error("request for {subject}: no placement asks for any quantity; name at least one")]
    Empty {
        /// Name of the subject.
        subject: String,
    },
    /// More than [`MAX_PLACEMENTS`].
    #[error("request for {subject}: {count} placements, at most {MAX_PLACEMENTS} are decided together")]
    TooManyPlacements {
        /// Name of the subject.
        subject: String,
        /// How many there were.
        count: usize,
    },
    /// A meter asked of the wrong kind of pool.
    #[error("request for {subject}: a {kind} pool does not give out {meter}")]
    WrongPoolKind {
        /// Name of the subject.
        subject: String,
        /// The kind asked.
        kind: PoolKind,
        /// The meter asked for.
        meter: Meter,
    },
    /// More than [`MAX_QUANTITY`].
    #[error("request for {subject}: {quantity} of {meter} is above {MAX_QUANTITY}")]
    TooMuch {
        /// Name of the subject.
        subject: String,
        /// The meter asked for.
        meter: Meter,
        /// How much.
        quantity: u64,
    },
    /// A subject without UID.
    #[error("request for {subject}: the subject has no uid")]
    NoUid {
        /// Name of the subject.
        subject: String,
    },
    /// The open claim belongs to another account, system or zone; a claim is not moved by asking.
    #[error("request for {subject}: {field} is {asked:?} but {claim} was granted for {granted:?}")]
    Moved {
        /// Name of the subject.
        subject: String,
        /// The claim that exists.
        claim: ClaimId,
        /// The field that differs.
        field: &'static str,
        /// What the claim has.
        granted: String,
        /// What was asked.
        asked: String,
    },
    /// An object of the same name, made before it and gone or not seen, holds a claim: whose machine is that?
    #[error("request for {subject}: {claim} belongs to an earlier object of this name; adopt it or end it first")]
    Namesake {
        /// Name of the subject.
        subject: String,
        /// The claim of the earlier object.
        claim: ClaimId,
    },
    /// A hold whose deadline is not in the future.
    #[error("request for {subject}: it would be held until {until}, which is not after {now}; choose a later deadline")]
    PastDeadline {
        /// Name of the subject.
        subject: String,
        /// The deadline.
        until: Timestamp,
        /// The moment of asking.
        now: Timestamp,
    },
    /// Another object holds the claim that was to be changed.
    #[error("request for {subject}: {claim} belongs to another object; it was handed over or released")]
    NotHolder {
        /// Name of the subject.
        subject: String,
        /// The claim that was to be changed.
        claim: ClaimId,
    },
    /// The claim has changed since the change was worked out.
    #[error("request for {subject}: {claim} has changed meanwhile; look at it again and ask for what is still wanted")]
    Outdated {
        /// Name of the subject.
        subject: String,
        /// The claim that was to be changed.
        claim: ClaimId,
    },
    /// It was asked for as what is guaranteed to the account, and is not any more: others asked in the same moment.
    #[error("request for {subject}: it goes beyond what is guaranteed to {account}; ask those who decide about that")]
    BeyondGuaranteed {
        /// Name of the subject.
        subject: String,
        /// Whose guarantee.
        account: AccountId,
    },
    /// A permission stays one, and what takes something goes on taking it.
    #[error("request for {subject}: {claim} is a permission and the request names amounts, or the other way round")]
    OtherNature {
        /// Name of the subject.
        subject: String,
        /// What it holds.
        claim: ClaimId,
    },
    /// Nothing is set aside on top of a permission: it is changed once that is decided.
    #[error("request for {subject}: {claim} is a permission that was granted; change it instead of holding more")]
    NothingToHold {
        /// Name of the subject.
        subject: String,
        /// What it holds.
        claim: ClaimId,
    },
    /// The claim's end is decided; nothing grows on it.
    #[error("request for {subject}: {claim} is ending; ask again once it is released")]
    Ending {
        /// Name of the subject.
        subject: String,
        /// The claim that is ending.
        claim: ClaimId,
    },
}

impl ClaimRequest {
    /// Whether it asks that something be allowed, and for no amount of anything.
    pub fn is_permission(&self) -> bool {
        self.placements.is_empty()
    }

    /// Namespace and name of the object it is for.
    pub fn name(&self) -> String {
        format!("{}/{}", self.subject.namespace, self.subject.name)
    }

    /// Checks what can be checked without the book.
    pub fn validate(&self) -> Result<(), RequestError> {
        let subject = || self.name();
        if self.subject.uid.is_empty() {
            return Err(RequestError::NoUid { subject: subject() });
        }
        if self.placements.len() > MAX_PLACEMENTS {
            return Err(RequestError::TooManyPlacements { subject: subject(), count: self.placements.len() });
        }
        for placement in &self.placements {
            for (&meter, &quantity) in &placement.quantities {
                if !placement.pool_kind.gives(meter) {
                    return Err(RequestError::WrongPoolKind { subject: subject(), kind: placement.pool_kind, meter });
                }
                if quantity > MAX_QUANTITY {
                    return Err(RequestError::TooMuch { subject: subject(), meter, quantity });
                }
            }
        }
        if !self.is_permission()
            && self.placements.iter().all(|placement| placement.quantities.values().all(|quantity| *quantity == 0))
        {
            return Err(RequestError::Empty { subject: subject() });
        }
        Ok(())
    }
}
