//! `trail head`: the heads in etcd, to be kept elsewhere.

use jiyun_trail::core::head::KeptHead;

use super::{error::TrailError, expected::kept, heads};
use crate::{args::TrailHead, book::answer};

/// Prints the heads.
///
/// # Errors
/// When they cannot be read.
pub async fn run(arguments: &TrailHead) -> Result<(), TrailError> {
    let kept = kept(&heads(&arguments.ledger).await?).await?;
    Ok(answer(&lines(&kept)?)?)
}

/// Heads as lines of JSON.
pub fn lines(heads: &[KeptHead]) -> Result<String, TrailError> {
    let mut text = String::new();
    for head in heads {
        text.push_str(&serde_json::to_string(head).map_err(TrailError::Encode)?);
        text.push('\n');
    }
    Ok(text)
}
