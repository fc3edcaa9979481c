//! What all nouns need to know about a department: whether the caller may see it, and what the ledger has.

use jiyun_crds::v1alpha1::Department;

use super::App;
use crate::{
    extract::DepartmentName,
    problem::{Code, Problem},
    store::{BookError, Caller, KubernetesError, Reading, Report},
};

/// When to ask again while the ledger cannot be read: it is looked for again within 3 s.
const RETRY: std::time::Duration = std::time::Duration::from_secs(5);

/// How problems name a department.
pub(super) fn named(department: &DepartmentName) -> String {
    format!("Department {department}")
}

/// Whether the caller can tell that there is no such department. Whoever may not read departments cannot, and whoever
/// may sees empty lists for any name. Asked only where the answer would otherwise be misleading.
pub(super) async fn is_missing(caller: &Caller, department: &DepartmentName) -> bool {
    matches!(caller.get::<Department>(None, department.as_str()).await, Err(KubernetesError::NotFound(_)))
}

impl App {
    /// The ledger, if the caller may read `report` of `department`; 404 if not, as if there were no such department.
    pub(super) async fn open_book(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        report: Report,
    ) -> Result<Reading, Problem> {
        let allowed = caller.may_read(report, &department.namespace(), department.as_str()).await;
        if !allowed.map_err(|error| Problem::from_kubernetes(error, named(department)))? {
            return Err(Problem::not_found(named(department)));
        }
        self.book.read().map_err(unavailable)
    }
}

/// The ledger is not fit to be shown now.
pub(super) fn unavailable(error: BookError) -> Problem {
    Problem::bare(Code::LedgerUnavailable).retry_after(RETRY).because(error)
}

/// The department has no account: seen at the API server, not booked yet.
pub(super) fn unknown_account(department: &DepartmentName) -> Problem {
    let parameters = jiyun_messages::parameters([("account", department.as_str())]);
    Problem::coded(http::StatusCode::NOT_FOUND, "UnknownAccount", parameters)
}
