//! Restarting a host (重启): from a moment on, what it runs as is to have been started since.

use jiff::{SignedDuration, Timestamp};
use jiyun_crds::v1alpha1::{CloudHost, DateTime, Power};
use serde_json::json;

use crate::{
    app::{App, noun::called},
    extract::{ObjectPath, Version},
    problem::{Code, Problem},
    store::{Caller, Run},
};

impl App {
    /// Asks for the restart of a host, as [`App::change`] does; with `version`, only while it is of that version.
    ///
    /// # Errors
    /// What the API server refuses, and [`Code::HostIsStopped`] of a host that is to be off.
    pub async fn restart_host(
        &self,
        caller: &Caller,
        path: &ObjectPath,
        version: Option<&Version>,
        run: Run,
    ) -> Result<CloudHost, Problem> {
        let found = self.look::<CloudHost>(caller, path).await?;
        if found.spec.power == Power::Stopped {
            let what = called::<CloudHost>(&path.department, path.name.as_str());
            return Err(Problem::new(Code::HostIsStopped, [("what", what)]));
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

/// The next whole second: what was started in the same second as `moment` would not be older than that second, and would
/// be left alone.
fn just_after(moment: Timestamp) -> DateTime {
    DateTime::from(moment + SignedDuration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_started_up_to_now_is_older_and_what_is_started_a_second_later_is_not() {
        for now in ["2026-03-01T08:00:00Z", "2026-03-01T08:00:00.000000001Z", "2026-03-01T08:00:00.999999999Z"] {
            assert_eq!(just_after(now.parse().unwrap()).as_str(), "2026-03-01T08:00:01Z", "{now}");
        }
    }
}
