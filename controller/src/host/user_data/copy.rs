//! The copy of a host's user data that its machine reads, beside the machine: made before that is, and there as long as that
//! is. What is done to the department's Secret later changes nothing, unless the copy gets lost: cloud-init does most of it at the first
//! start only.

use jiyun_crds::names::{LABEL_CLAIM, LABEL_MANAGED_BY, MANAGED_BY, user_data_name};
use jiyun_ledger::Claim;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, core::ObjectMeta};
use tracing::warn;

use super::{
    super::{
        approved::Approved,
        ending::remove,
        labelled,
        plan::ours,
        rejection::Rejection,
        request::{engine_name, engine_namespace},
    },
    text, unknown,
};
use crate::{
    context::Context,
    database::credentials::read,
    engines::cloud_init::{message, settings},
    error::ReconcileError,
    site::SiteEngines,
};

/// The key KubeVirt looks for (`pkg/cloud-init/cloud-init.go`, `resolveNoCloudSecrets`).
const KEY: &str = "userdata";

/// Has a copy be there of the user data that `claim` was granted with. `is_established`: its disk was in use before.
///
/// What such a host was made with is not waited for where its Secret is gone: a copy that got lost has only what every host has
/// then, so that the machine can start.
///
/// # Errors
/// When it cannot be made, or something else has its name.
pub async fn provide(
    claim: &Claim,
    (approved, secret): (&Approved, &str),
    label: &str,
    is_established: bool,
    site: &SiteEngines,
    context: &Context,
) -> Result<Option<Rejection>, ReconcileError> {
    let (namespace, name) = (engine_namespace(claim), user_data_name(engine_name(claim)));
    let api = Api::<Secret>::namespaced(site.client.clone(), &namespace);
    let failed = |source| ReconcileError::read(format!("Secret {name}"), source);
    // Whose it is, is enough: what it says is a lot, and was looked at when it was made.
    if let Some(found) = api.get_metadata_opt(&name).await.map_err(failed)? {
        if !is_late(&found.metadata, context) {
            ours(&found.metadata, label, "Secret")?;
            return Ok(None);
        }
        if let Some(late) = read(&site.client, &namespace, &name).await?.filter(|late| is_late(&late.metadata, context))
        {
            context.writer.delete(&api, &late).await?;
        }
    }
    let source = match claim.engine_namespace {
        None => read(&context.client, &claim.subject.namespace, secret).await?,
        // Of a department that took the host over, a Secret of this name is another one.
        Some(_) => None,
    };
    let data = match text(source.as_ref(), secret) {
        Ok(data) => Some(data),
        Err(rejection) if is_established => {
            warn!(
                namespace,
                name,
                code = rejection.code,
                "the copy of a host's user data is lost, and made without it"
            );
            None
        }
        Err(_) if claim.engine_namespace.is_some() => return Ok(Some(unknown("UserDataLeftBehind", secret))),
        Err(rejection) => return Ok(Some(rejection)),
    };
    let data = message(data, &settings(engine_name(claim), &approved.ssh_authorized_keys));
    let created = context.writer.create(&api, &build(&namespace, &name, label, data)).await;
    let Err(error) = created else { return Ok(None) };
    if error.status() != Some(409) {
        return Err(error.into());
    }
    // The answer to an earlier attempt was lost, or somebody was faster.
    let Some(found) = read(&site.client, &namespace, &name).await? else { return Err(error.into()) };
    ours(&found.metadata, label, "Secret")?;
    Ok(None)
}

/// Whether a copy is of a claim of this book that is over: its making was on its way when that ended, and came after.
fn is_late(found: &ObjectMeta, context: &Context) -> bool {
    let label = found.labels.as_ref().and_then(|labels| labels.get(LABEL_CLAIM));
    let is_over = |label| context.ledger.read(|state| labelled(label, state).is_some_and(|claim| !claim.is_open()));
    label.is_some_and(|label| is_over(label)) && !context.quarantined()
}

/// Deletes the copy of a claim whose machine is gone. `None` once it is not there; otherwise what is.
///
/// # Errors
/// When a request fails.
pub async fn discard(
    claim: &Claim,
    label: &str,
    site: &SiteEngines,
    context: &Context,
) -> Result<Option<String>, ReconcileError> {
    if claim.approved_spec.pointer("/userData").is_none() {
        return Ok(None);
    }
    let name = user_data_name(engine_name(claim));
    remove::<Secret>(&site.client, &engine_namespace(claim), &name, label, context).await
}

fn build(namespace: &str, name: &str, label: &str, data: String) -> Secret {
    // Not the department: the copy stays where it is when its host is handed over.
    let labels = [(LABEL_CLAIM, label), (LABEL_MANAGED_BY, MANAGED_BY)];
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            ..ObjectMeta::default()
        },
        immutable: Some(true),
        type_: Some("Opaque".to_owned()),
        data: Some([(KEY.to_owned(), ByteString(data.into_bytes()))].into()),
        ..Secret::default()
    }
}
