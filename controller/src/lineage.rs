//! Two stores that know each other: whether the ledger or Kubernetes went backwards since they last met.
//!
//! A `ConfigMap` beside the controller remembers the ledger's lineage and revision; the ledger remembers the Kubernetes
//! store's lineage and how far it had come. If either is behind what the other remembers, it was restored or replaced,
//! and nothing may be granted, released or deleted until an operator has looked.

use std::{collections::BTreeSet, time::Duration};

use jiyun_ledger::{CommandError, Ledger, LedgerError, Lineage, OpenReport};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{Api, Client, ResourceExt, api::ListParams};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::{
    error::{ReconcileError, chain},
    write::Writer,
};

/// Name of the `ConfigMap`; the chart's Role names it too.
const MARK: &str = "jiyun-ledger-mark";

/// At most one mark in this time: it costs a write in each store.
const EVERY: Duration = Duration::from_secs(10);

/// The Kubernetes store as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its lineage: the UID of `kube-system`, which lives as long as the store.
    pub lineage: Lineage,
    /// Its revision. Comparable within one lineage.
    pub revision: u64,
}

/// What Kubernetes remembers of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The ledger's lineage.
    pub lineage: Lineage,
    /// The entry it had come to, at least.
    pub revision: u64,
}

/// Looks at the Kubernetes store.
///
/// # Errors
/// When it cannot be read.
pub async fn peer(client: &Client) -> Result<Peer, ReconcileError> {
    let namespaces = Api::<Namespace>::all(client.clone());
    let system =
        namespaces.get("kube-system").await.map_err(|source| ReconcileError::read("namespace kube-system", source))?;
    let list = namespaces
        .list(&ListParams::default().limit(1))
        .await
        .map_err(|source| ReconcileError::read("namespaces", source))?;
    let revision = list.metadata.resource_version.as_deref().unwrap_or_default();
    Ok(Peer { lineage: Lineage::new(system.uid().unwrap_or_default()), revision: revision.parse().unwrap_or_default() })
}

/// Reads what Kubernetes remembers of the ledger; `None` before the first mark.
///
/// # Errors
/// When it cannot be read.
pub async fn mark(client: &Client, namespace: &str) -> Result<Option<Mark>, ReconcileError> {
    let api = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    let found = api.get_opt(MARK).await.map_err(|source| ReconcileError::read(MARK, source))?;
    Ok(found.and_then(|found| found.data).and_then(|data| {
        let revision = data.get("revision")?.parse().ok()?;
        Some(Mark { lineage: Lineage::new(data.get("lineage")?), revision })
    }))
}

/// Why the two stores do not belong together as they are; `None` when they do.
pub fn contradiction(report: &OpenReport, mark: Option<&Mark>, peer: &Peer) -> Option<String> {
    if let Some(mark) = mark {
        if mark.lineage != report.lineage {
            return Some(format!(
                "Kubernetes remembers ledger {} but this is {}: the ledger was replaced",
                mark.lineage, report.lineage
            ));
        }
        if mark.revision > report.head_seq {
            return Some(format!(
                "Kubernetes remembers entry {} but the ledger ends at {}: the ledger was restored from an older backup",
                mark.revision, report.head_seq
            ));
        }
    }
    let known = report.peer.as_ref()?;
    if known.lineage != peer.lineage {
        return Some(format!(
            "the ledger belongs to Kubernetes store {} but this is {}: the API server's store was replaced",
            known.lineage, peer.lineage
        ));
    }
    if known.high_water > peer.revision {
        return Some(format!(
            "the ledger remembers Kubernetes revision {} but it is at {}: the API server's store was restored from an \
             older backup",
            known.high_water, peer.revision
        ));
    }
    None
}

fn written(namespace: &str, lineage: &str, revision: u64) -> serde_json::Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": MARK, "namespace": namespace},
        "data": {"lineage": lineage, "revision": revision.to_string()},
    })
}

/// Notes the ledger as it is now, whatever was noted before: an operator has vouched for it.
///
/// # Errors
/// When Kubernetes does not take it.
pub async fn remember(
    client: &Client,
    writer: &Writer,
    namespace: &str,
    lineage: &str,
    revision: u64,
) -> Result<(), ReconcileError> {
    let api = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    writer.apply(&api, MARK, &written(namespace, lineage, revision)).await?;
    Ok(())
}

/// Name of the `ConfigMap` with what an operator has looked at and left as it is; the chart's Role names it too.
const ACKNOWLEDGED: &str = "jiyun-ledger-acknowledged";

/// Notes disagreements that stay after an adoption (numbers of claims, UIDs of objects): they call for no new quarantine.
///
/// # Errors
/// When Kubernetes does not take it.
pub async fn acknowledge(
    client: &Client,
    writer: &Writer,
    namespace: &str,
    known: &BTreeSet<String>,
) -> Result<(), ReconcileError> {
    let api = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ACKNOWLEDGED, "namespace": namespace},
        "data": {"known": known.join("\n")},
    });
    writer.apply(&api, ACKNOWLEDGED, &object).await?;
    Ok(())
}

/// What was acknowledged; nothing before the first adoption.
///
/// # Errors
/// When it cannot be read.
pub async fn acknowledged(client: &Client, namespace: &str) -> Result<BTreeSet<String>, ReconcileError> {
    let api = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    let found = api.get_opt(ACKNOWLEDGED).await.map_err(|source| ReconcileError::read(ACKNOWLEDGED, source))?;
    let known = found.and_then(|found| found.data).and_then(|mut data| data.remove("known")).unwrap_or_default();
    Ok(known.lines().map(str::to_owned).collect())
}

/// Keeps both memories fresh while anything happens, until `stop`. An idle system writes nothing.
pub async fn keep(
    client: Client,
    namespace: String,
    lineage: Lineage,
    peer: Lineage,
    ledger: Ledger,
    writer: Writer,
    stop: CancellationToken,
) {
    let api = Api::<ConfigMap>::namespaced(client, &namespace);
    let mut marked = 0;
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        let (revision, quarantined) = ledger.read(|state| (state.seq(), state.quarantine().is_some()));
        // In quarantine both memories are evidence, and one of the stores may be the wrong one.
        if revision == marked || quarantined {
            continue;
        }
        let object = written(&namespace, &lineage.to_string(), revision);
        match writer.apply(&api, MARK, &object).await {
            Ok(written) => {
                let water = written.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default();
                // The mark itself is an entry; noting its number keeps it from calling for the next mark.
                match ledger.mark_peer(peer.clone(), water).await {
                    Ok(commit) => marked = commit.revision,
                    // Restored under a running leader: what it has seen since may never have been.
                    Err(LedgerError::Command(
                        refused @ (CommandError::PeerBack { .. } | CommandError::PeerChanged { .. }),
                    )) => {
                        error!(reason = %refused, "quarantine: the API server's store went backwards or was replaced");
                        if let Err(error) = ledger.quarantine(refused.to_string()).await {
                            warn!(error = chain(&error), "the quarantine was not recorded yet");
                        }
                    }
                    Err(error) => warn!(error = chain(&error), "the ledger did not take the mark"),
                }
            }
            Err(error) => warn!(error = chain(&error), "the mark of the ledger was not written"),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiyun_ledger::PeerMark;

    use super::*;

    fn report(head_seq: u64, high_water: u64) -> OpenReport {
        OpenReport {
            lineage: Lineage::new("book"),
            head_seq,
            peer: Some(PeerMark { lineage: Lineage::new("cluster"), high_water }),
            quarantine: None,
            fresh: false,
            snapshot: None,
        }
    }

    fn peer(lineage: &str, revision: u64) -> Peer {
        Peer { lineage: Lineage::new(lineage), revision }
    }

    fn remembered(lineage: &str, revision: u64) -> Mark {
        Mark { lineage: Lineage::new(lineage), revision }
    }

    #[test]
    fn stores_that_only_went_forward_belong_together() {
        assert_eq!(contradiction(&report(50, 900), Some(&remembered("book", 50)), &peer("cluster", 900)), None);
        assert_eq!(contradiction(&report(50, 900), None, &peer("cluster", 1200)), None);
    }

    #[test]
    fn a_ledger_restored_from_an_older_backup_is_noticed() {
        let why = contradiction(&report(49, 900), Some(&remembered("book", 50)), &peer("cluster", 900)).unwrap();
        assert!(why.contains("restored from an older backup") && why.contains("49"), "{why}");
    }

    #[test]
    fn another_ledger_or_another_kubernetes_store_is_noticed() {
        assert!(contradiction(&report(99, 900), Some(&remembered("other", 50)), &peer("cluster", 900)).is_some());
        assert!(contradiction(&report(99, 900), Some(&remembered("book", 50)), &peer("other", 900)).is_some());
    }

    #[test]
    fn a_kubernetes_store_restored_from_an_older_backup_is_noticed() {
        let why = contradiction(&report(50, 900), Some(&remembered("book", 50)), &peer("cluster", 899)).unwrap();
        assert!(why.contains("API server's store was restored"), "{why}");
    }
}
