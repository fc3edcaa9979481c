//! The nodes of a lab: how they are reached, how they die and come back.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::{Lab, LabError};
use crate::profile::{NodeSite, start_node_again};

impl Lab {
    /// The names of its nodes, `node-1` and so on; none but in profile `node`.
    pub fn nodes(&self) -> Vec<String> {
        self.site.node.as_ref().map(NodeSite::names).unwrap_or_default()
    }

    /// Connects to an address as a program on a node would, the first one that lives: to a pod's, a service's, a node's own.
    /// Of profile `node` only.
    ///
    /// # Errors
    /// When there is no node, or nothing answers at the address.
    pub async fn connect_from_node(&self, address: SocketAddr) -> Result<TcpStream, LabError> {
        let node = self.site.node.as_ref().ok_or(LabError::NoNode)?;
        connected(node.ways().connect(address).await)
    }

    /// As [`Lab::connect_from_node`], from the node of this name.
    ///
    /// # Errors
    /// When there is none of that name or it was killed, or nothing answers at the address.
    pub async fn connect_from(&self, name: &str, address: SocketAddr) -> Result<TcpStream, LabError> {
        let node = self.node(name)?;
        let reach = node.ways().of(name).ok_or_else(|| LabError::NodeIsDead(name.to_owned()))?;
        connected(reach.connect(address).await)
    }

    /// Kills a node, as a loss of power: everything in it, at once. Returns when nothing of it is left but its disk. The lab
    /// does not take it for its own failure, and Kubernetes is not told.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn kill_node(&self, name: &str) -> Result<(), LabError> {
        self.node(name)?;
        // Its keeper removes what the kernel leaves.
        self.kill(name).await
    }

    /// Starts a node again that was killed, with its disk and its images; returns when it can speak to the API server, before
    /// it is Ready.
    ///
    /// # Errors
    /// When there is none of that name, it was not killed, or it does not come up.
    pub async fn start_node(&self, name: &str) -> Result<(), LabError> {
        self.node(name)?;
        if self.process(name).is_some_and(|process| process.exited().is_none()) {
            return Err(LabError::NodeLives(name.to_owned()));
        }
        let (kept, name) = (Arc::clone(&self.site), name.to_owned());
        // The way into it lives on the lab's own threads.
        let started = self.site.threads.spawn(async move {
            tokio::select! {
                biased;
                failure = kept.supervisor.failed() => Err(LabError::from(failure)),
                started = start_node_again(Arc::clone(&kept), &name) => Ok(started?),
            }
        });
        match started {
            Some(started) => super::boot::joined(started.await),
            None => Ok(()),
        }
    }

    fn node(&self, name: &str) -> Result<&NodeSite, LabError> {
        let node = self.site.node.as_ref().ok_or(LabError::NoNode)?;
        let known = node.names();
        if known.iter().any(|known| known == name) {
            return Ok(node);
        }
        Err(LabError::NoSuchNode { name: name.to_owned(), known: known.join(", ") })
    }
}

fn connected(outcome: std::io::Result<TcpStream>) -> Result<TcpStream, LabError> {
    outcome.map_err(|source| LabError::System { action: "connect from the node", source })
}
