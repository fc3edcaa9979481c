//! Whether what takes snapshots is installed, and read.

use kube::Client;

use crate::{context::Context, engines::snapshot::SnapshotView, networks};

/// Whether it was looked for, and what it has is read where it is there.
pub fn is_known(context: &Context) -> bool {
    is_missing(context) || context.snapshots_listed.is_open()
}

/// Whether it is not installed.
pub fn is_missing(context: &Context) -> bool {
    context.snapshot_engine.is_missing()
}

/// Whether its kind can be listed; none where that cannot be told.
pub async fn is_served(client: Client) -> Option<bool> {
    networks::is_served::<SnapshotView>(&client).await
}
