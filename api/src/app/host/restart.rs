//! Restarting a host (重启): from a moment on, what it runs as is to have been started since.

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{CloudHost, LeaseStage, Power};
use serde_json::json;

use crate::{
    app::{App, idle::Idle, moment::just_after, noun::called},
    extract::{ObjectPath, Version},
    problem::{Code, Problem},
    store::{Caller, Run},
};

impl App {
    /// Asks for the restart of a host, as [`App::change`] does; with `version`, only while it is of that version.
    ///
    /// # Errors
    /// What the API server refuses, [`Code::HostIsStopped`] of a host that is to be off, and [`Code::NothingToRestart`] of
    /// one that would not be started for it.
    pub async fn restart_host(
        &self,
        caller: &Caller,
        path: &ObjectPath,
        version: Option<&Version>,
        run: Run,
    ) -> Result<CloudHost, Problem> {
        let found = self.look::<CloudHost>(caller, path).await?;
        let what = || called::<CloudHost>(&path.department, path.name.as_str());
        if let Some(why) = idle(&found) {
            return Err(why.problem(Code::NothingToRestart, what()));
        }
        if found.spec.power == Power::Stopped {
            return Err(Problem::new(Code::HostIsStopped, [("what", what())]));
        }
        if is_being_restored(&found) {
            return Err(Idle::BeingRestored.problem(Code::NothingToRestart, what()));
        }
        // Not bound to what was read: whoever switches the host off in between has it off, for this starts nothing, and once
        // it is on again it was started since.
        // Kubernetes's clock, by which that was started, may be ahead of ours.
        let started = found.status.and_then(|status| status.started_at?.timestamp().ok());
        let moment = just_after(started.unwrap_or_default().max(Timestamp::now()));
        let spec = [("restartRequestedAt".to_owned(), json!(moment))].into_iter().collect();
        self.change(caller, path, spec, version, run).await
    }
}

/// Why nothing comes of it, whether the host is to run or not.
fn idle(host: &CloudHost) -> Option<Idle> {
    let status = host.status.as_ref();
    let is_granted = status.is_some_and(|status| status.claim_id.is_some());
    let stage = status.and_then(|status| Some(status.lease.as_ref()?.stage));
    let by_lease = match stage {
        Some(LeaseStage::Ended | LeaseStage::Archived) => Some(Idle::LeaseOver),
        Some(LeaseStage::Released) => Some(Idle::Ending),
        Some(LeaseStage::Running | LeaseStage::Warned) | None => None,
    };
    Idle::of(host.metadata.deletion_timestamp.is_some(), is_granted).or(by_lease)
}

/// Whether its system disk is being made anew: until that is done the host is off, and then it is started.
fn is_being_restored(host: &CloudHost) -> bool {
    let restored = host.status.as_ref().and_then(|status| status.restored.as_ref());
    restored.is_some_and(|restored| restored.completed_at.is_none())
}
