//! Components of a lab that die and come back: an etcd, the API server.

use super::{Lab, LabError};

impl Lab {
    /// Sends SIGKILL to a component, as a crash; returns when the process is gone. The lab does not take it for its own
    /// failure.
    ///
    /// # Errors
    /// When there is no component of that name.
    pub async fn kill(&self, component: &str) -> Result<(), LabError> {
        let process = self.process(component).ok_or_else(|| LabError::NoSuchComponent(component.to_owned()))?;
        if let Some(node) = &self.site.node {
            node.ways().close(component);
        }
        process.kill();
        process.wait().await;
        Ok(())
    }

    /// Starts a component that was killed again, on its ports and with its data; does not wait until it answers.
    ///
    /// # Errors
    /// When there is none of that name, it is a node, or it cannot be started.
    pub fn revive(&self, component: &str) -> Result<(), LabError> {
        if self.nodes().iter().any(|node| node == component) {
            return Err(LabError::IsNode(component.to_owned()));
        }
        let started = self.site.supervisor.start_again(component)?;
        started.map(drop).ok_or_else(|| LabError::NoSuchComponent(component.to_owned()))
    }
}
