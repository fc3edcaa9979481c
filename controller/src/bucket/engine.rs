//! Whether what makes buckets is installed, and read.

use futures::future::join;
use kube::Client;

use crate::{
    context::Context,
    engines::rook::{ClaimView, UserView},
    networks,
};

/// Whether it was looked for, and what it has is read where it is there.
pub fn is_known(context: &Context) -> bool {
    is_missing(context) || context.buckets_listed.is_open()
}

/// Whether it is not installed.
pub fn is_missing(context: &Context) -> bool {
    context.bucket_engine.is_missing()
}

/// Whether both of its kinds can be listed; none where that cannot be told.
pub async fn is_served(client: Client) -> Option<bool> {
    let served = join(networks::is_served::<ClaimView>(&client), networks::is_served::<UserView>(&client)).await;
    match served {
        (Some(true), Some(true)) => Some(true),
        (Some(false), _) | (_, Some(false)) => Some(false),
        _ => None,
    }
}
