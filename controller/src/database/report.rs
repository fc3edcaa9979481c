//! Status: what a database's conditions say, computed from decisions and observations; written only where it differs.

use std::sync::Arc;

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{
    CloudDatabase, CloudDatabaseStatus, ConditionStatus, ConditionType, DatabaseConnection, DatabaseGrant,
    DeletionProtection, LocalRef, Quantity, Reason, condition::Finding,
};
use jiyun_ledger::{Claim, Meter, Refusal, RefusalCode};
use jiyun_messages::{Parameters, parameters};

use super::{approved::Approved, digest};
use crate::{
    conditions::{finding, merged, plain},
    deleting,
    engines::{
        cnpg::{DatabaseState, instances::Lag},
        order::Power,
    },
    host::{
        change::Objection,
        rejection::Rejection,
        report::{decided_against, granted, in_parts, objected_to, recorded, refused, rejected},
    },
    order::answer::Ordered,
};

/// How a database stands.
#[derive(Clone, Debug)]
pub enum Standing {
    /// The wish is not valid, and nothing was ever granted.
    Rejected(Rejection),
    /// The ledger said no.
    Refused(Refusal),
    /// Nobody has said anything yet.
    Undecided(Reason),
    /// People have to agree, or did not.
    Ordered(Ordered),
    /// The ledger holds a claim.
    Admitted {
        /// The claim.
        claim: Arc<Claim>,
        /// What stands in the way of the wish as it is now; the database stays as approved.
        objection: Option<Box<Objection>>,
        /// The engine's side.
        engine: Engine,
        /// What was granted.
        approved: Box<Approved>,
    },
    /// The database is being deleted.
    Ending {
        /// The claim, until it is released.
        claim: Arc<Claim>,
        /// What still has to disappear; nothing is deleted at the moment where that is `None`.
        waiting_for: Option<String>,
    },
    /// The database is being deleted, and the ledger does not know the claim that its status names.
    Unaccounted {
        /// What the status names.
        claim: String,
    },
}

/// What the engine says.
#[derive(Clone, Debug)]
pub struct Engine {
    /// What the database is doing; `None` before it exists.
    pub state: Option<DatabaseState>,
    /// Instances that answer.
    pub ready_instances: Option<u32>,
    /// Whether it is to run.
    pub power: Power,
    /// Where clients find it, once its credentials were handed over.
    pub connection: Option<DatabaseConnection>,
    /// Why the engine could not be asked for what is wanted.
    pub problem: Option<String>,
    /// Whether the engine is not installed.
    pub missing: bool,
    /// In what its instances are behind what was approved, where it was changed.
    pub lag: Option<Lag>,
    /// Whether it is stopped, and its engine may not have heard yet of what was changed.
    pub unheard: bool,
    /// Whether its instances were seen to be what was approved.
    pub followed: bool,
}

impl Engine {
    /// Whether it runs or is stopped, as was asked.
    pub fn does_what_was_asked(&self) -> bool {
        matches!(
            (self.power, &self.state),
            (Power::On, Some(DatabaseState::Running)) | (Power::Off, Some(DatabaseState::Stopped))
        )
    }

    /// Whether the database does what was asked, and its owner can sign in.
    pub fn settled(&self) -> bool {
        self.does_what_was_asked() && self.connection.is_some() && self.problem.is_none() && self.lag.is_none()
    }
}

impl Standing {
    /// Whether there is nothing to wait for but what calls by itself.
    pub fn is_settled(&self) -> bool {
        match self {
            Self::Admitted { objection, engine, approved, .. } => {
                // What an order's hold kept from being given back is given back when that is gone.
                let keeps = engine.followed && approved.under_way.is_some();
                let waits = |objection: &Objection| objection.is_open() || matches!(objection, Objection::Invalid(_));
                engine.settled() && !engine.unheard && !keeps && !objection.as_deref().is_some_and(waits)
            }
            Self::Refused(refusal) => {
                !matches!(refusal.code, RefusalCode::NoMatchingPool | RefusalCode::WaitingForCapacity)
            }
            Self::Ordered(ordered) => ordered.refusal.is_some(),
            Self::Rejected(_) | Self::Undecided(_) | Self::Ending { .. } | Self::Unaccounted { .. } => false,
        }
    }
}

/// The status of `database` given its standing.
pub fn status(database: &CloudDatabase, standing: &Standing, now: Timestamp) -> CloudDatabaseStatus {
    let before = database.status.clone().unwrap_or_default();
    let generation = database.metadata.generation;
    // What was told before is evidence of who held what: a ledger that lost a claim is no reason to wipe it. It goes with
    // the object, after the claim was released.
    let mut status = CloudDatabaseStatus {
        observed_generation: generation,
        spec_digest: Some(digest::of(&database.spec)),
        claim_id: before.claim_id,
        pool_ref: before.pool_ref,
        storage_pool_ref: before.storage_pool_ref,
        granted: before.granted,
        deletion_protection: before.deletion_protection,
        ..CloudDatabaseStatus::default()
    };
    let (ready, no) = (ConditionType::Ready, ConditionStatus::False);
    let findings = match standing {
        Standing::Rejected(rejection) => {
            status.refusal = Some(in_parts(rejection.code.to_owned(), &rejection.parameters));
            rejected(rejection)
        }
        Standing::Refused(refusal) => {
            status.refusal = Some(recorded(refusal));
            refused(refusal)
        }
        Standing::Undecided(reason) => {
            status.connection = before.connection;
            let code = if *reason == Reason::EngineMissing { "DatabaseEngineMissing" } else { reason.as_str() };
            vec![
                plain(ConditionType::Accepted, ConditionStatus::True, Reason::Valid),
                finding(ConditionType::Admitted, ConditionStatus::Unknown, *reason, code, &Parameters::new()),
                plain(ready, no, Reason::NotAdmitted),
            ]
        }
        Standing::Ordered(ordered) => {
            status.order_ref = Some(LocalRef::new(&ordered.order));
            status.refusal.clone_from(&ordered.refusal);
            vec![
                plain(ConditionType::Accepted, ConditionStatus::True, Reason::Valid),
                ordered.admitted(),
                plain(ready, no, Reason::NotAdmitted),
            ]
        }
        Standing::Admitted { claim, objection, engine, approved } => {
            place(&mut status, claim);
            // Where it was found last is still so while the engine cannot be asked.
            status.connection = engine.connection.clone().or(before.connection);
            status.ready_instances = engine.ready_instances;
            status.granted = Some(grant(approved));
            status.deletion_protection = approved.deletable.then_some(DeletionProtection::Disabled);
            status.refusal = objection.as_deref().and_then(decided_against);
            status.order_ref = objection.as_deref().and_then(Objection::order).map(LocalRef::new);
            vec![objected_to(objection.as_deref()), granted(claim), provisioned(engine), readiness(engine)]
        }
        Standing::Ending { claim, waiting_for } => {
            place(&mut status, claim);
            let told = match waiting_for {
                Some(what) => deleting::waits(&database.metadata, claim.billable_until, what, now),
                None => finding(ready, no, Reason::Quarantined, "DatabaseDeletionPaused", &Parameters::new()),
            };
            vec![granted(claim), told]
        }
        Standing::Unaccounted { claim } => {
            let about = parameters([("claim", claim.as_str())]);
            vec![finding(ready, no, Reason::UnknownClaim, Reason::UnknownClaim.as_str(), &about)]
        }
    };
    status.conditions = merged(&before.conditions, findings, generation, now);
    status
}

fn place(status: &mut CloudDatabaseStatus, claim: &Claim) {
    let pool = |meter| claim.pool_of(meter).map(|pool| LocalRef::new(pool.name()));
    status.claim_id = Some(claim.id.to_string());
    status.pool_ref = pool(Meter::DatabaseInstances);
    status.storage_pool_ref = pool(Meter::BlockStorage);
}

fn grant(approved: &Approved) -> DatabaseGrant {
    DatabaseGrant {
        class: approved.class.clone(),
        instances: u32::try_from(approved.instances).unwrap_or(u32::MAX),
        storage_size: Quantity::from_mebibytes(approved.storage_mebibytes),
    }
}

fn provisioned(engine: &Engine) -> Finding {
    let (kind, no) = (ConditionType::Provisioned, ConditionStatus::False);
    let fault = match (&engine.problem, &engine.state) {
        (Some(problem), _) | (None, Some(DatabaseState::Failed(problem))) => Some(problem),
        _ => None,
    };
    if let Some(problem) = fault {
        let about = parameters([("problem", problem.as_str())]);
        return finding(kind, no, Reason::EngineError, "EngineError", &about);
    }
    if engine.missing {
        return finding(kind, no, Reason::EngineMissing, "DatabaseEngineMissing", &Parameters::new());
    }
    if engine.connection.is_some() {
        return finding(kind, ConditionStatus::True, Reason::Provisioned, "DatabaseProvisioned", &Parameters::new());
    }
    finding(kind, no, Reason::Provisioning, "DatabaseProvisioning", &parameters([("state", word(engine))]))
}

fn readiness(engine: &Engine) -> Finding {
    let (kind, yes, no) = (ConditionType::Ready, ConditionStatus::True, ConditionStatus::False);
    if engine.missing {
        return finding(kind, no, Reason::EngineMissing, "DatabaseEngineMissing", &Parameters::new());
    }
    let (settled, about) = (engine.settled(), parameters([("state", word(engine))]));
    match engine.power {
        Power::On if settled => finding(kind, yes, Reason::Running, "DatabaseRunning", &Parameters::new()),
        Power::Off if settled => finding(kind, yes, Reason::Stopped, "DatabaseStopped", &Parameters::new()),
        Power::On => match engine.lag.filter(|_| !matches!(engine.state, Some(DatabaseState::Failed(_)))) {
            Some(lag) => finding(kind, no, Reason::Resizing, sentence(lag), &Parameters::new()),
            None => finding(kind, no, Reason::Starting, "DatabaseStarting", &about),
        },
        Power::Off => finding(kind, no, Reason::Stopping, "DatabaseStopping", &about),
    }
}

fn sentence(lag: Lag) -> &'static str {
    match lag {
        Lag::Instances => "DatabaseResizingInstances",
        Lag::Sizes => "DatabaseResizingSizes",
        Lag::Storage => "DatabaseResizingStorage",
        Lag::Unheard => "DatabaseResizing",
    }
}

fn word(engine: &Engine) -> String {
    match &engine.state {
        None => "-".to_owned(),
        Some(DatabaseState::Running) => "Running".to_owned(),
        Some(DatabaseState::Stopped) => "Stopped".to_owned(),
        Some(DatabaseState::Changing(word) | DatabaseState::Failed(word)) => word.clone(),
    }
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
