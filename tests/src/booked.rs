//! What is booked for a department and billed to it, as tests wait for it.

use jiyun_lab::wait_for;
use serde_json::Value;

use crate::{
    WorldError,
    world::{Bureau, PATIENCE},
};

/// Waits until this much is used and held of a meter.
///
/// # Errors
/// When it is not in time.
pub async fn uses(bureau: &Bureau<'_>, meter: &str, expected: (u64, u64)) -> Result<(), WorldError> {
    wait_for(format!("{expected:?} of {meter} to be used and held by {}", bureau.name), PATIENCE, || async {
        let used = bureau.used(meter).await.map_err(|error| error.to_string())?;
        if used == expected { Ok(()) } else { Err(format!("{used:?}")) }
    })
    .await?;
    Ok(())
}

/// Waits until the statement has a line of a claim about so much: each begins to show when a second of it is over.
///
/// # Errors
/// When it is not in time.
pub async fn billed(bureau: &Bureau<'_>, claim: &str, quantity: u64) -> Result<Value, WorldError> {
    let finance = bureau.world.caller("finance")?;
    let path = format!("/v1/departments/{}/usage", bureau.name);
    Ok(wait_for(format!("{quantity} of {claim} on the statement"), PATIENCE, || async {
        let answer = finance.get(&path).await.map_err(|error| error.to_string())?.json();
        let lines = answer["lines"].as_array().cloned().unwrap_or_default();
        let is_it = |line: &Value| line["claim"] == claim && line["quantity"] == quantity;
        lines.into_iter().find(|line| is_it(line)).ok_or_else(|| answer.to_string())
    })
    .await?)
}
