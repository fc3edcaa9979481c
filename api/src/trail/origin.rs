//! Where a request came from, and what was found out about its sender: asked once, and kept as long as the request.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::OnceCell;

use crate::store::User;

/// Cheap to clone: all clones are of one request.
#[derive(Clone, Debug, Default)]
pub struct Origin(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    source: Option<IpAddr>,
    request: Option<String>,
    user: OnceCell<User>,
    insider: OnceCell<bool>,
    recorded: AtomicBool,
}

impl Origin {
    /// Of a request that came from `source` and has the number `request`.
    pub fn new(source: Option<IpAddr>, request: Option<String>) -> Self {
        Self(Arc::new(Known { source, request, ..Known::default() }))
    }

    /// The address at the other end of the connection: behind a proxy, the proxy's. What headers say of addresses anybody
    /// can write.
    pub fn source(&self) -> Option<IpAddr> {
        self.0.source.map(|address| address.to_canonical())
    }

    /// The request's number.
    pub fn request(&self) -> Option<&str> {
        self.0.request.as_deref()
    }

    /// Who sent it, as the API server said; nobody asks twice.
    pub fn user(&self) -> &OnceCell<User> {
        &self.0.user
    }

    /// Whether its sender may look at the department it is about. A request is about one department.
    pub fn insider(&self) -> &OnceCell<bool> {
        &self.0.insider
    }

    /// Notes that the trail has a record of it.
    pub fn mark_recorded(&self) {
        self.0.recorded.store(true, Ordering::Relaxed);
    }

    /// Whether the trail has a record of it.
    pub fn is_recorded(&self) -> bool {
        self.0.recorded.load(Ordering::Relaxed)
    }
}
