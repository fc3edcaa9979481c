//! Where a caller may list orders: asked of the API server for each department of the ledger, and remembered for a moment.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

use super::name_them;
use crate::{
    app::{App, department::unavailable},
    bounds::Asker,
    extract::DepartmentName,
    problem::{Code, Problem},
    store::{Caller, KubernetesError},
};

/// How long the answer is remembered, so that a console which looks every few seconds does not ask thousands of questions each
/// time. It opens nothing: orders are read with the caller's own token, and a right that was lost shows at once.
const REMEMBERED: Duration = Duration::from_mins(1);

/// The most callers remembered; with [`MOST_IN_REACH`] names each they take some 20 MB.
const MOST: u64 = 2_000;

/// The most departments whose orders one look reads. Whoever may list those of more is somebody of the platform, who has the
/// right to list those of all.
const MOST_IN_REACH: usize = 256;

/// The most departments asked about: a few seconds of questions. A city has some hundreds.
const MOST_DEPARTMENTS: usize = 5_000;

/// Questions of one caller at the same time.
const AT_ONCE: usize = 16;

/// Questions of all callers at the same time: Monday morning must not be felt by whoever orders.
const AT_ONCE_OF_ALL: usize = 32;

/// The departments in which one caller may list orders; shared by requests of theirs at the same time.
type Reach = Arc<OnceCell<Arc<[DepartmentName]>>>;

/// Where callers may list orders.
pub(in crate::app) struct Reaches {
    known: moka::sync::Cache<Asker, Reach>,
    asking: Semaphore,
}

impl Default for Reaches {
    fn default() -> Self {
        let known = moka::sync::Cache::builder().max_capacity(MOST).time_to_live(REMEMBERED).build();
        Self { known, asking: Semaphore::new(AT_ONCE_OF_ALL) }
    }
}

impl App {
    /// The departments in which `caller` may list orders, if that is known; the ledger and the API server are asked
    /// otherwise. That there are none is no problem.
    pub(super) async fn reach(&self, caller: &Caller) -> Result<Arc<[DepartmentName]>, Problem> {
        let reach = self.reaches.known.get_with(caller.asker(), Reach::default);
        reach.get_or_try_init(|| self.ask_reach(caller)).await.cloned()
    }

    /// The same, if it was asked within the last minute.
    pub(super) fn known_reach(&self, caller: &Caller) -> Option<Arc<[DepartmentName]>> {
        self.reaches.known.get(&caller.asker())?.get().cloned()
    }

    async fn ask_reach(&self, caller: &Caller) -> Result<Arc<[DepartmentName]>, Problem> {
        let reading = self.book.read().map_err(unavailable)?;
        let named = |account: &Arc<jiyun_ledger::Account>| DepartmentName::parse(account.id.as_str());
        let departments: Vec<DepartmentName> = reading.state.accounts().filter_map(named).collect();
        drop(reading);
        if departments.len() > MOST_DEPARTMENTS {
            return Err(name_them());
        }
        let asked = stream::iter(departments).map(|department| async move {
            let _turn = self.turn().await;
            let may = caller.may_list_orders(&department.namespace()).await.map_err(unanswered)?;
            Ok::<_, Problem>(may.then_some(department))
        });
        let found = asked.buffered(AT_ONCE).try_filter_map(async |found| Ok(found)).try_collect::<Vec<_>>().await?;
        if found.len() > MOST_IN_REACH { Err(name_them()) } else { Ok(Arc::from(found)) }
    }

    /// Leave to ask the API server one thing about one department, for as long as it is held.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed; if it were, questions would go unbounded, and be asked all the same.
        self.reaches.asking.acquire().await.ok()
    }
}

/// Everybody may ask about themselves: a refusal of that says nothing of a department.
fn unanswered(error: KubernetesError) -> Problem {
    if error.is_invisible() {
        return Problem::bare(Code::Internal).because(error);
    }
    Problem::from_kubernetes(error, "SelfSubjectAccessReview")
}
