//! Applies a reviewed plan, as the one leader: each step that is still due, then both stores' marks, then the end of the
//! quarantine. Broken off anywhere, the same plan can be applied again.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use jiyun_crds::v1alpha1::CloudHost;
use jiyun_ledger::{
    Campaign, Claim, ClaimId, Command, ElectionError, Ledger, Line, OpenOptions, PoolId, State,
    store::etcd::{DEFAULT_PREFIX, EtcdStore},
};
use kube::{Api, Client, ResourceExt};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{
    AdoptError,
    gather::{Objects, plan_with},
    plan::{Plan, Step, Unresolved},
};
use crate::{
    args::Adopt,
    error::ReconcileError,
    host::{self, found::Found},
    leading, lineage,
    metrics::Metrics,
    serve::{self, ServeError},
    trail::Recorder,
    write::Writer,
};

/// Longer than a silent leader's lease: after this somebody leads.
const ELECTION: Duration = Duration::from_secs(20);

/// Applies `reviewed`.
///
/// # Errors
/// See [`AdoptError`]. What was done stays done, and is not planned again.
pub async fn apply(reviewed: &Plan, arguments: &Adopt) -> Result<(), AdoptError> {
    let client = serve::kubernetes(arguments.kubeconfig.as_deref()).await?;
    let etcd = serve::ledger_config(&arguments.ledger)?.connect().await?;
    let withdraw = CancellationToken::new();
    let campaign = Campaign::new(DEFAULT_PREFIX, "jiyun-controller ledger adopt");
    let won = tokio::time::timeout(ELECTION, campaign.win(&etcd, &withdraw)).await;
    let leadership = match won {
        Ok(Ok(leadership)) => leadership,
        Err(_) | Ok(Err(ElectionError::Withdrawn)) => return Err(AdoptError::Led),
        Ok(Err(error)) => return Err(error.into()),
    };
    let peer = lineage::peer(&client).await?;
    let options = OpenOptions::new(leading::new_lineage(), peer.lineage.clone());
    let store = EtcdStore::new(etcd, DEFAULT_PREFIX);
    let opened = Ledger::open(store, leadership.fence(), leadership.lost(), options).await;
    let outcome = match opened {
        Ok((ledger, _)) => {
            let outcome = steps(reviewed, &ledger, &client, arguments).await;
            ledger.shutdown().await;
            outcome
        }
        Err(error) => Err(error.into()),
    };
    leadership.resign().await;
    outcome
}

async fn steps(reviewed: &Plan, ledger: &Ledger, client: &Client, arguments: &Adopt) -> Result<(), AdoptError> {
    let state = ledger.snapshot();
    let (now, _) = plan_with(&state, client).await?;
    let due = due(reviewed, &now)?;
    // Nothing else may move while both are brought together.
    ledger.quarantine(format!("adoption by {}", arguments.by())).await?;
    let writer = Writer::new(Metrics::new().map_err(ServeError::from)?, Recorder::default());
    let mut ended = Vec::new();
    for step in &due {
        match step {
            Step::End { claim, .. } => ended.push(id(claim)?),
            Step::Rebind { claim, to, .. } => drop(ledger.rebind(id(claim)?, to.clone()).await?),
            Step::Recreate { claim, object, manifest } => {
                let (namespace, name) = object.split_once('/').unwrap_or_default();
                let api = Api::<CloudHost>::namespaced(client.clone(), namespace);
                let made = writer.apply(&api, name, manifest).await.map_err(ReconcileError::from)?;
                ledger.rebind(id(claim)?, made.uid().unwrap_or_default()).await?;
            }
            Step::Adopt { claim, .. } => drop(ledger.record(Command::Adopt(claim.clone())).await?),
        }
        info!(?step, "done");
    }
    // Both marks are taken as they are now: this is the state an operator has vouched for.
    let peer = lineage::peer(client).await?;
    let commit = ledger.mark_peer(peer.lineage, peer.revision).await?;
    lineage::remember(client, &writer, &arguments.namespace, &now.lineage, commit.revision).await?;
    let doubts = now.unresolved.iter().filter_map(|doubt| doubt.uid.clone());
    let known = doubts.chain(now.vanished.iter().cloned()).collect();
    lineage::acknowledge(client, &writer, &arguments.namespace, &known).await?;
    ledger.lift(arguments.by(), arguments.note()).await?;
    // The controller takes down what is left of them, and releases them.
    for claim in ended {
        ledger.end(claim).await?;
    }
    Ok(())
}

/// What is due now, as it was reviewed: more may have been done since, nothing may have been added. A reviewer may have
/// written `end` where an object would be made again; an object that was made again already only needs its claim.
fn due(reviewed: &Plan, now: &Plan) -> Result<Vec<Step>, AdoptError> {
    if reviewed.lineage != now.lineage {
        let what = format!("it was made for ledger {}, and this is {}", reviewed.lineage, now.lineage);
        return Err(AdoptError::Outdated { what });
    }
    if let Some(doubt) = now.unresolved.iter().find(|doubt| doubt.blocks()) {
        let Unresolved { object, why, what_to_do, .. } = doubt;
        return Err(AdoptError::Unsettled { what: format!("{object}: {why}; {what_to_do}") });
    }
    let fitting = |step: &Step| {
        let about = step.about();
        reviewed.steps.iter().find_map(|other| match (step, other) {
            _ if step == other => Some(step.clone()),
            (Step::Recreate { .. }, Step::End { .. }) if other.about() == about => Some(other.clone()),
            (Step::Rebind { .. }, Step::Recreate { .. }) if other.about() == about => Some(step.clone()),
            _ => None,
        })
    };
    let due = now
        .steps
        .iter()
        .map(|step| fitting(step).ok_or_else(|| AdoptError::Outdated { what: format!("not reviewed: {step:?}") }));
    due.collect()
}

fn id(claim: &str) -> Result<ClaimId, AdoptError> {
    claim.parse().map_err(|_| AdoptError::Outdated { what: format!("{claim} is no claim") })
}

/// The claim a host had, from what it says itself and what it names; its number is for the caller.
pub fn lost_claim(host: &CloudHost, state: &State, objects: &Objects) -> Option<Claim> {
    let host = &as_granted(host);
    let found = found(host, objects);
    let valid = host::valid::validate(host, &found).ok()?;
    let request = host::request::claim_request(host, &valid).ok()?;
    let status = host.status.as_ref()?;
    let (compute, storage) = (status.pool_ref.as_ref()?, status.storage_pool_ref.as_ref()?);
    let mut lines = Vec::new();
    for placement in &request.placements {
        let name = match placement.pool_kind {
            jiyun_ledger::PoolKind::Compute => &compute.name,
            _ => &storage.name,
        };
        let pool = state.pool(&PoolId::of(placement.pool_kind, name))?;
        let dimensions = Arc::new(jiyun_ledger::Dimensions {
            pool: None,
            architecture: pool.architecture.clone(),
            tier: pool.tier.clone(),
            zone: Some(request.zone.clone()),
        });
        lines.extend(placement.quantities.iter().map(|(meter, quantity)| Line {
            meter: *meter,
            pool: pool.id.clone(),
            dimensions: Arc::clone(&dimensions),
            quantity: *quantity,
        }));
    }
    lines.sort();
    Some(Claim {
        id: ClaimId(0),
        account: request.account,
        system: request.system,
        engine_namespace: None,
        subject: request.subject,
        item: request.item,
        lines,
        held: Vec::new(),
        hold: None,
        spec_digest: request.spec_digest,
        approved_spec: request.approved_spec,
        adopted: true,
        reserved_at: Timestamp::UNIX_EPOCH,
        billable_from: None,
        billable_until: None,
        released_at: None,
        history: Vec::new(),
    })
}

/// The host as it was granted last: what it asks for beyond that was not decided, and is not booked as if it were.
fn as_granted(host: &CloudHost) -> CloudHost {
    let mut host = host.clone();
    if let Some(granted) = host.status.as_ref().and_then(|status| status.granted.clone()) {
        let size = &mut host.spec.system_disk.size;
        if size.mebibytes().ok() != granted.system_disk_size.mebibytes().ok() {
            *size = granted.system_disk_size;
        }
        host.spec.class_ref.name = granted.class;
    }
    host
}

fn found(host: &CloudHost, objects: &Objects) -> Found {
    let namespace = host.namespace().unwrap_or_default();
    let department = jiyun_crds::names::department_of_namespace(&namespace).unwrap_or_default();
    let spec = &host.spec;
    Found {
        department: objects.departments.iter().find(|each| each.name_any() == department).cloned(),
        system: objects
            .systems
            .iter()
            .find(|each| each.name_any() == spec.system_ref.name && each.namespace().as_deref() == Some(&namespace))
            .cloned(),
        class: objects.classes.iter().find(|each| each.name_any() == spec.class_ref.name).cloned(),
        image: objects.images.iter().find(|each| each.name_any() == spec.image_ref.name).cloned(),
        zone: objects.zones.iter().find(|each| each.name_any() == spec.zone_ref.name).cloned(),
        // What it was made from is on its disk, whatever has become of the snapshot since.
        content: crate::content::Named::Nothing,
        lease: None,
    }
}
