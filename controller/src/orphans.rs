//! Claims whose object is gone although nobody ended them: released one by one, or, if there are many, an alarm.
//!
//! An object can only vanish like this when somebody forced its finalizer off. Many at once mean that a store was
//! restored, a namespace lost or a list answered empty: then nothing is touched.

use std::{collections::HashSet, time::Duration};

use jiyun_crds::v1alpha1::CloudHost;
use jiyun_ledger::{Claim, ClaimId, ClaimStage, Command};
use kube::{Api, core::Status, runtime::reflector::Store};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::{
    context::Context,
    error::{ReconcileError, chain},
    host::dismantle,
    watch::Guarded,
};

/// How often to look. A claim is called an orphan only after two looks, so a watch that lags does no harm.
const EVERY: Duration = Duration::from_secs(30);

/// What to do about claims without an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Release these.
    Release(Vec<ClaimId>),
    /// Too many at once: touch nothing and call somebody.
    Quarantine {
        /// Claims without an object.
        missing: usize,
        /// Open claims.
        open: usize,
    },
}

/// Judges `missing` among `open` claims: more than max(5, 1 %) at once are no accident of single objects.
pub fn judge(missing: Vec<ClaimId>, open: usize) -> Verdict {
    let bearable = (open / 100).max(5);
    if missing.len() > bearable {
        Verdict::Quarantine { missing: missing.len(), open }
    } else {
        Verdict::Release(missing)
    }
}

/// Looks for orphans until `stop`.
pub async fn sweep(
    hosts: Store<Guarded<CloudHost>>,
    mut listed: watch::Receiver<bool>,
    context: Context,
    stop: CancellationToken,
) {
    // A store that was not listed yet is not an empty one.
    if !matches!(stop.run_until_cancelled(listed.wait_for(|listed| *listed)).await, Some(Ok(_))) {
        return;
    }
    let (mut suspected, mut absent) = (HashSet::new(), HashSet::new());
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        if context.quarantined() {
            continue;
        }
        leave_lines(&hosts, &context, &mut absent).await;
        let (missing, open) = without_object(&hosts, &context);
        let confirmed: Vec<_> = missing.iter().copied().filter(|claim| suspected.contains(claim)).collect();
        suspected = missing.into_iter().collect();
        // What was ended already is finished, however much of it there is; only sudden losses are counted.
        let (ending, lost): (Vec<_>, Vec<_>) = confirmed.into_iter().partition(|claim| is_ending(*claim, &context));
        for claim in ending {
            finish(claim, &context).await;
        }
        match judge(lost, open) {
            Verdict::Release(claims) => {
                for claim in claims {
                    finish(claim, &context).await;
                }
            }
            Verdict::Quarantine { missing, open } => {
                let reason = format!("{missing} of {open} open claims have no object: a store or a namespace was lost");
                error!(reason, "quarantine");
                if let Err(problem) = context.ledger.quarantine(reason).await {
                    warn!(error = chain(&problem), "the quarantine was not recorded yet");
                }
            }
        }
    }
}

/// Takes out of the line whoever has no object any more, after two looks: what is kept for it is kept from others.
async fn leave_lines(hosts: &Store<Guarded<CloudHost>>, context: &Context, absent: &mut HashSet<String>) {
    let present: HashSet<String> = hosts.state().iter().filter_map(|host| uid(host)).collect();
    let gone: HashSet<String> = context.ledger.read(|state| {
        let uids = state.waiting().map(|waiting| waiting.request.subject.uid.clone());
        uids.filter(|uid| !present.contains(uid)).collect()
    });
    for uid in gone.intersection(absent) {
        if let Err(problem) = context.ledger.record(Command::Unqueue(uid.clone())).await {
            warn!(uid, error = chain(&problem), "a request without an object still stands in line");
        }
    }
    *absent = gone;
}

fn is_ending(claim: ClaimId, context: &Context) -> bool {
    context.ledger.read(|state| state.claim(claim).is_some_and(|claim| claim.stage() == ClaimStage::Ending))
}

async fn finish(claim: ClaimId, context: &Context) {
    if let Err(problem) = release(claim, context).await {
        warn!(%claim, error = chain(&problem), "a claim without an object was not released yet");
    }
}

fn without_object(hosts: &Store<Guarded<CloudHost>>, context: &Context) -> (Vec<ClaimId>, usize) {
    let present: HashSet<String> = hosts.state().iter().filter_map(|host| uid(host)).collect();
    context.ledger.read(|state| {
        let open = state.claims().filter(|claim| claim.is_open() && claim.subject.kind == "CloudHost");
        let (mut missing, mut count) = (Vec::new(), 0);
        for claim in open {
            count += 1;
            if !present.contains(&claim.subject.uid) {
                missing.push(claim.id);
            }
        }
        (missing, count)
    })
}

fn uid(host: &Guarded<CloudHost>) -> Option<String> {
    kube::Resource::meta(host).uid.clone()
}

/// Ends a claim whose object the API server itself says is gone.
async fn release(id: ClaimId, context: &Context) -> Result<(), ReconcileError> {
    let claim = context.ledger.read(|state| state.claim(id).map(|claim| Claim::clone(claim)));
    let Some(claim) = claim.filter(Claim::is_open) else { return Ok(()) };
    let (namespace, name) = (&claim.subject.namespace, &claim.subject.name);
    let api = Api::<Guarded<CloudHost>>::namespaced(context.client.clone(), namespace);
    match api.get(name).await {
        Ok(host) if uid(&host).is_some_and(|uid| uid == claim.subject.uid) => return Ok(()),
        // Another object of the name, or the API server's own word that there is none of this kind and name. A missing
        // definition answers 404 as well, but says nothing about the object.
        Ok(_) => {}
        Err(kube::Error::Api(status)) if names_object(&status, name) => {}
        Err(source) => return Err(ReconcileError::read(format!("CloudHost {name}"), source)),
    }
    context.ledger.end(id).await?;
    if dismantle(&claim, context).await?.is_none() {
        context.ledger.release(id).await?;
        warn!(claim = %id, host.namespace = namespace, host.name = name, "released: its object had vanished");
    }
    Ok(())
}

/// Whether an answer says that exactly this object does not exist.
fn names_object(status: &Status, name: &str) -> bool {
    status.reason == "NotFound" && status.details.as_ref().is_some_and(|details| details.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(count: u64) -> Vec<ClaimId> {
        (0..count).map(ClaimId).collect()
    }

    #[test]
    fn a_few_orphans_are_released() {
        assert_eq!(judge(claims(5), 10), Verdict::Release(claims(5)));
        assert_eq!(judge(claims(500), 50_000), Verdict::Release(claims(500)));
    }

    #[test]
    fn many_at_once_are_an_alarm_and_nothing_is_released() {
        assert_eq!(judge(claims(6), 10), Verdict::Quarantine { missing: 6, open: 10 });
        assert_eq!(judge(claims(501), 50_000), Verdict::Quarantine { missing: 501, open: 50_000 });
    }
}
