//! Whoever has a console open, and whether they still may.

use std::sync::Arc;

use jiyun_crds::{names, v1alpha1::CloudHost};
use jiyun_ledger::{ClaimId, State, label_of};
use kube::ResourceExt;

use crate::{
    app::{App, noun::called},
    console::{Rights, Standing},
    extract::ObjectPath,
    problem::{Code, Problem},
    store::{Caller, consoles::Place},
};

/// Whoever has a console, and of which machine.
pub struct Holder {
    /// Where it is asked.
    pub app: Arc<App>,
    /// Who, by the token it was opened with.
    pub caller: Caller,
    /// Which host.
    pub path: ObjectPath,
    /// That very one.
    pub uid: String,
    /// And what was granted to it.
    pub claim: ClaimId,
}

impl App {
    /// Whether the caller may open a console of a host, and the host.
    ///
    /// # Errors
    /// 404 of a host the caller may not see, 403 of one they may not open.
    pub(super) async fn console_of(&self, caller: &Caller, path: &ObjectPath) -> Result<CloudHost, Problem> {
        let host = self.look::<CloudHost>(caller, path).await?;
        let what = || called::<CloudHost>(&path.department, path.name.as_str());
        let may = caller.may_open_console(&path.department.namespace(), path.name.as_str()).await;
        if may.map_err(|error| Problem::from_kubernetes(error, what()))? {
            Ok(host)
        } else {
            Err(Problem::new(Code::Forbidden, [("what", what())]))
        }
    }
}

impl Rights for Holder {
    /// Whether its caller may open it now, and the host is the same and of the same claim. A book that cannot be read, or is
    /// behind, says nothing new.
    async fn stand(&self) -> Standing {
        let moved =
            self.app.book.read().is_ok_and(|reading| {
                machine_of(&reading.state, &self.uid).is_none_or(|(claim, _)| claim != self.claim)
            });
        if moved {
            return Standing::Lost;
        }
        match self.app.console_of(&self.caller, &self.path).await {
            Ok(host) if host.uid().as_deref() == Some(self.uid.as_str()) => Standing::Held,
            Err(problem) if problem.status.is_server_error() => Standing::Unknown,
            Ok(_) | Err(_) => Standing::Lost,
        }
    }
}

/// The claim of the host with this UID, and where its machine is. None where nothing was granted to it, or not any more.
pub(super) fn machine_of(state: &State, uid: &str) -> Option<(ClaimId, Place)> {
    let claim = state.claim_of_subject(uid).filter(|claim| claim.is_open() && claim.subject.kind == "CloudHost")?;
    let namespace = names::engine_namespace_of(claim.engine_namespace.as_deref(), claim.account.as_str());
    let (name, label) = (claim.first_name().to_owned(), label_of(claim.id, state));
    Some((claim.id, Place { namespace, name, claim: label }))
}
