//! What every reconciler is given: clients, the ledger, the catalogue, figures.

use std::sync::Arc;

use jiyun_ledger::Ledger;
use kube::Client;

use crate::{catalogue::Catalogue, metrics::Metrics, site::Sites, write::Writer};

/// Shared by all reconcilers; cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The hub.
    pub client: Client,
    /// Changing requests.
    pub writer: Writer,
    /// The account book.
    pub ledger: Ledger,
    /// What may be referred to.
    pub catalogue: Catalogue,
    /// Where engines are.
    pub sites: Arc<Sites>,
    /// Figures.
    pub metrics: Metrics,
}
