//! A snapshot as its engine has it: whether a disk can be made from it now, and how large that has to be at least.
//!
//! CDI looks at both after a disk was asked for, and makes nothing of one that does not fit for as long as it is there:
//! so they are known before one is asked for, and before a former one goes.

use jiyun_crds::names::LABEL_CLAIM;
use kube::{Api, ResourceExt};

use super::Content;
use crate::{
    context::Context,
    engines::{
        cdi::DiskState,
        fault::Fault,
        snapshot::{self, SnapshotState, SnapshotView},
    },
    error::ReconcileError,
    host::{self, plan::Obstacle},
    site::SiteEngines,
};

/// The kind of a snapshot at its engine.
const KIND: &str = "VolumeSnapshot";

/// How a snapshot stands at its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEngine {
    /// Disks can be made from it that have so many MiB or more.
    Usable(u64),
    /// None can be made from it for now: it is not ready, something went wrong with it, or its size was not told.
    Unusable,
    /// It is not there, or goes, or something else has its name.
    Gone,
}

impl AtEngine {
    /// The least that a disk has that is made from `of`, in MiB.
    ///
    /// # Errors
    /// How a disk stands that cannot be made for now: nobody knows how large it has to be.
    pub fn least(self, of: &Content) -> Result<u64, DiskState> {
        match self {
            Self::Usable(mebibytes) => Ok(mebibytes),
            Self::Unusable => Err(DiskState::Filling(described(of))),
            Self::Gone => {
                let lost = Obstacle::Lost { kind: KIND, name: of.object.clone() };
                Err(DiskState::Failed(Fault::other(lost.to_string())))
            }
        }
    }
}

/// A snapshot at its engine, for people: kind and name.
pub fn described(of: &Content) -> String {
    format!("{KIND} {}", of.object)
}

/// How a snapshot stands by the API server's own word.
///
/// # Errors
/// When it cannot be read.
pub async fn look(of: &Content, site: &SiteEngines, context: &Context) -> Result<AtEngine, ReconcileError> {
    let api = Api::<SnapshotView>::namespaced(site.client.clone(), &of.namespace);
    let found = api.get_opt(&of.object).await;
    let found = found.map_err(|source| ReconcileError::read(described(of), source))?;
    Ok(standing(found.as_ref(), &label(of, context)))
}

/// How a snapshot stands from memory where that says that it can be used, and as [`look`] has it otherwise: memory may
/// be late, and has nothing where no snapshot was ever asked for since we began to lead.
///
/// # Errors
/// When it cannot be read.
pub async fn seen(of: &Content, site: &SiteEngines, context: &Context) -> Result<AtEngine, ReconcileError> {
    let known = site.volume_snapshot(&of.namespace, &of.object);
    match standing(known.as_ref(), &label(of, context)) {
        usable @ AtEngine::Usable(_) => Ok(usable),
        AtEngine::Unusable | AtEngine::Gone => look(of, site, context).await,
    }
}

/// How the claim of a snapshot is written on it.
fn label(of: &Content, context: &Context) -> String {
    context.ledger.read(|state| host::label_of(of.claim, state))
}

/// How a snapshot stands that is labelled with `claim`.
fn standing(there: Option<&SnapshotView>, claim: &str) -> AtEngine {
    let is_its = |found: &&SnapshotView| {
        let carries = found.labels().get(LABEL_CLAIM).is_some_and(|labelled| labelled == claim);
        carries && found.metadata.deletion_timestamp.is_none()
    };
    let Some(found) = there.filter(is_its) else { return AtEngine::Gone };
    match (snapshot::state(found), snapshot::least_mebibytes(found)) {
        (SnapshotState::Taken, Some(mebibytes)) => AtEngine::Usable(mebibytes),
        _ => AtEngine::Unusable,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn there(claim: &str, leaving: bool, status: &Value) -> SnapshotView {
        serde_json::from_value(json!({
            "metadata": {
                "name": "web-1-snapshot", "labels": {"jiyun.io/claim": claim},
                "deletionTimestamp": leaving.then_some("2026-03-01T08:00:00Z"),
            },
            "spec": {"source": {"persistentVolumeClaimName": "web-system"}}, "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn a_disk_is_made_only_from_a_snapshot_that_is_there_without_error_and_says_its_size() {
        let ours = "claim-8.book";
        let taken = |more: Value| {
            let mut status = json!({
                "readyToUse": true, "boundVolumeSnapshotContentName": "snapcontent-1", "restoreSize": "43463Mi",
            });
            for (name, value) in more.as_object().unwrap() {
                status[name] = value.clone();
            }
            status
        };
        let error = json!({"message": "no such volume"});
        for (what, snapshot, expected) in [
            ("there is none", None, AtEngine::Gone),
            ("taken", Some(there(ours, false, &taken(json!({})))), AtEngine::Usable(43_463)),
            (
                "its driver does not say",
                Some(there(ours, false, &taken(json!({"restoreSize": "0"})))),
                AtEngine::Usable(0),
            ),
            ("no size", Some(there(ours, false, &taken(json!({"restoreSize": null})))), AtEngine::Unusable),
            ("no sense", Some(there(ours, false, &taken(json!({"restoreSize": "-1"})))), AtEngine::Unusable),
            ("being taken", Some(there(ours, false, &taken(json!({"readyToUse": false})))), AtEngine::Unusable),
            ("ready with an error", Some(there(ours, false, &taken(json!({"error": error})))), AtEngine::Unusable),
            ("no status", Some(there(ours, false, &json!({}))), AtEngine::Unusable),
            ("it goes", Some(there(ours, true, &taken(json!({})))), AtEngine::Gone),
            ("a namesake's", Some(there("claim-9.book", false, &taken(json!({})))), AtEngine::Gone),
        ] {
            assert_eq!(standing(snapshot.as_ref(), ours), expected, "{what}");
        }
    }

    #[test]
    fn a_disk_whose_snapshot_cannot_be_used_is_waited_for_and_one_whose_snapshot_is_gone_has_a_fault() {
        let of = super::super::tests::content();
        assert_eq!(AtEngine::Usable(43_463).least(&of), Ok(43_463));
        assert_eq!(AtEngine::Unusable.least(&of), Err(DiskState::Filling("VolumeSnapshot web-1-snapshot".into())));
        let Err(DiskState::Failed(fault)) = AtEngine::Gone.least(&of) else { panic!("it is a fault") };
        assert!(fault.word.contains("web-1-snapshot is gone"), "{}", fault.word);
    }
}
