//! Who leads, and how the lead is taken away.

use jiyun_lab::{Guest, Lab, LabError, LedgerUser, NotInTime, wait_for};
use jiyun_ledger::store::etcd::DEFAULT_PREFIX;

use crate::{World, WorldError, world::PATIENCE};

/// Ends the lease of whoever leads, as if it had run out; nothing where nobody leads.
///
/// # Errors
/// When the ledger's etcd cannot be asked.
pub async fn take_lead(lab: &Lab) -> Result<(), LabError> {
    let etcd = lab.ledger_client(LedgerUser::Root).await?;
    let found = etcd.kv_client().get(format!("{DEFAULT_PREFIX}leader"), None).await;
    let lease = found.ok().and_then(|found| found.kvs().first().map(etcd_client::KeyValue::lease));
    if let Some(lease) = lease.filter(|lease| *lease != 0) {
        // It may have run out meanwhile.
        let _ = etcd.lease_client().revoke(lease).await;
    }
    Ok(())
}

/// Waits until one of these controllers leads; those that have ended or stand still do not.
///
/// # Errors
/// When none does in time.
pub async fn leader<'a>(world: &World, guests: &[&'a Guest]) -> Result<&'a Guest, NotInTime> {
    wait_for("one of the controllers to lead", PATIENCE, || async {
        let mut seen = Vec::new();
        for guest in guests.iter().filter(|guest| guest.exited().is_none()) {
            match leads(world, guest).await {
                Ok(true) => return Ok(*guest),
                Ok(false) => seen.push(format!("{} stands by", guest.process().name())),
                Err(error) => seen.push(error.to_string()),
            }
        }
        Err(seen.join(", "))
    })
    .await
}

async fn leads(world: &World, guest: &Guest) -> Result<bool, WorldError> {
    let text = world.metrics_of(guest).await?;
    Ok(text.lines().any(|line| line == "jiyun_leader 1"))
}
