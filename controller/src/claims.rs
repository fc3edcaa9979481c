//! What every kind with a claim shares: the claim of an object, its place in line, the refusal it keeps, and who stands
//! first in line.

use std::{sync::Arc, time::Duration};

use futures::{Stream, StreamExt, stream};
use jiyun_crds::{names::LABEL_CLAIM, v1alpha1::HostRefusal};
use jiyun_ledger::{Claim, Command, Ledger, PlacementReport, Refusal};
use kube::{Resource, runtime::reflector::ObjectRef};

use crate::{
    context::Context,
    error::ReconcileError,
    host,
    watch::{Guarded, Watched},
};

/// How often those who wait are asked at most: a release is worth a look, a hundred in a second are not worth a hundred.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// The most looked at in one round: those behind have to wait for those before them anyhow.
const FRONT: usize = 32;

/// The open claim of this very object (by UID: a namesake made later is another one).
pub fn open_claim(object: &impl Resource, context: &Context) -> Option<Arc<Claim>> {
    let uid = object.meta().uid.as_deref()?;
    context.ledger.read(|state| state.claim_of_subject(uid).cloned()).filter(|claim| claim.is_open())
}

/// The claim of an object of this `kind` that an engine's object was made for, by the label that one carries.
pub fn claim_behind(made: &impl Resource, kind: &str, ledger: &Ledger) -> Option<Arc<Claim>> {
    let label = made.meta().labels.as_ref()?.get(LABEL_CLAIM)?;
    ledger.read(|state| host::labelled(label, state).cloned()).filter(|claim| claim.subject.kind == kind)
}

/// The object of this `kind` that an engine's object was made for.
pub fn made_for<K: Watched>(made: &impl Resource, kind: &str, ledger: &Ledger) -> Option<ObjectRef<Guarded<K>>> {
    let claim = claim_behind(made, kind, ledger)?;
    Some(ObjectRef::new(&claim.subject.name).within(&claim.subject.namespace))
}

/// Gives up the place in line of an object that asks for nothing any more.
///
/// # Errors
/// When the ledger cannot be asked.
pub async fn leave_line(object: &impl Resource, context: &Context) -> Result<(), ReconcileError> {
    let uid = object.meta().uid.as_deref().unwrap_or_default();
    if context.ledger.read(|state| state.waiting_of(uid).is_some()) {
        context.ledger.record(Command::Unqueue(uid.to_owned())).await?;
    }
    Ok(())
}

/// The ledger's refusal that an object keeps; none where what it keeps is no refusal of the ledger's.
pub fn kept(refusal: &HostRefusal) -> Option<Refusal> {
    let parameters = refusal.parameters.iter().map(|each| (each.name.clone(), each.value.clone())).collect();
    Some(Refusal { code: refusal.code.parse().ok()?, parameters, report: PlacementReport::default() })
}

/// The order a claim was granted for.
pub fn ordered_by(claim: &Claim) -> Option<String> {
    // Of every object at every look: the rest of what was approved is not wanted.
    Some(claim.approved_spec.pointer("/order/name")?.as_str()?.to_owned())
}

/// Objects of a kind that stand first in line, whenever the book has changed: room may have come.
pub fn in_line<K: Watched>(ledger: Ledger, kind: &'static str) -> impl Stream<Item = ObjectRef<Guarded<K>>> + Send {
    let rounds = stream::unfold((ledger.revisions(), ledger), move |(mut revisions, ledger)| async move {
        tokio::time::sleep(LINE_EVERY).await;
        revisions.changed().await.ok()?;
        let front: Vec<_> = ledger.read(|state| {
            let front = state.waiting().take(FRONT).map(|waiting| &waiting.request.subject);
            let own = front.filter(|subject| subject.kind == kind);
            own.map(|subject| ObjectRef::new(&subject.name).within(&subject.namespace)).collect()
        });
        Some((stream::iter(front), (revisions, ledger)))
    });
    rounds.flatten()
}
