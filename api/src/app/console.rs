//! Opening the console (控制台) of a host: whether the caller may, where its machine is, and that it is recorded.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use jiyun_crds::{names, v1alpha1::CloudHost};
use jiyun_ledger::{Claim, ClaimId, State, label_of};
use jiyun_messages::Language;
use jiyun_trail::core::{outcome::Outcome, record::Record};
use kube::ResourceExt;

use super::{App, department::unavailable, noun::called};
use crate::{
    console::{Console, ConsoleArgs, Course, Limits, Place as Taken, Places, Rights, Session, Upgraded},
    extract::ObjectPath,
    metrics::ConsoleFigures,
    problem::{Code, Problem},
    store::{
        Caller, KubernetesError,
        consoles::{ConsoleError, Consoles, Place},
    },
    trail::{Begun, console_closed},
};

/// When to try again where too many are open: some of them are closed by then, or not.
const RETRY: Duration = Duration::from_secs(30);

/// When to try again where this program ends: another one answers then.
const SOON: Duration = Duration::from_secs(5);

/// The way to consoles, and how many are open.
pub struct Doors {
    consoles: Consoles,
    places: Places,
    limits: Limits,
    figures: ConsoleFigures,
}

impl Doors {
    /// None open yet.
    pub fn new(consoles: Consoles, arguments: &ConsoleArgs, figures: ConsoleFigures) -> Self {
        let places = Places::new(arguments.most_of_caller, arguments.most);
        Self { consoles, places, limits: arguments.limits(), figures }
    }
}

/// A console whose machine answers.
pub struct Opened {
    app: Arc<App>,
    machine: Upgraded,
    console: Console,
    session: Session<Holder>,
    record: Option<Record>,
    place: Taken,
}

/// Whoever has a console, and of which machine.
pub struct Holder {
    app: Arc<App>,
    caller: Caller,
    path: ObjectPath,
    uid: String,
    claim: ClaimId,
}

impl App {
    /// Whether the caller may open a console of a host, and the host.
    ///
    /// # Errors
    /// 404 of a host the caller may not see, 403 of one they may not open.
    async fn console_of(&self, caller: &Caller, path: &ObjectPath) -> Result<CloudHost, Problem> {
        let host = self.look::<CloudHost>(caller, path).await?;
        let what = || called::<CloudHost>(&path.department, path.name.as_str());
        let may = caller.may_open_console(&path.department.namespace(), path.name.as_str()).await;
        if may.map_err(|error| Problem::from_kubernetes(error, what()))? {
            Ok(host)
        } else {
            Err(Problem::new(Code::Forbidden, [("what", what())]))
        }
    }

    /// Opens a console of a host. `wanted` says whether the caller can take one: asked once it is known that they may have it.
    ///
    /// # Errors
    /// When they may not, cannot, or have too many; when the machine does not run; when it cannot be recorded.
    pub async fn open_console<W>(
        self: Arc<Self>,
        caller: Caller,
        path: ObjectPath,
        console: Console,
        language: Language,
        wanted: Result<W, Problem>,
    ) -> Result<(W, Opened), Problem> {
        let host = self.console_of(&caller, &path).await?;
        let wanted = wanted?;
        let doors = self.doors.as_ref().ok_or_else(|| Problem::bare(Code::ConsolesOff))?;
        let what = || called::<CloudHost>(&path.department, path.name.as_str());
        if self.stopping.is_cancelled() {
            // It would be closed at once, and whoever has it open now would have lost it.
            return Err(not_now(what(), SOON));
        }
        let uid = host.uid().unwrap_or_default();
        let reading = self.book.read().map_err(unavailable)?;
        let (claim, at) =
            machine_of(&reading.state, &uid).ok_or_else(|| Problem::new(Code::HostNotRunning, [("what", what())]))?;
        let place = doors.places.take(caller.asker()).map_err(too_many)?;
        doors.consoles.check(&at).await.map_err(|error| unopened(error, what()))?;
        let begun = caller.begin_console(&path.department.namespace(), &host, console).await;
        let begun = begun.map_err(|error| Problem::from_kubernetes(error, what()))?;
        let machine = match doors.consoles.open(&at, console).await {
            Ok(machine) => machine,
            Err(error) => {
                if let Some(begun) = begun {
                    begun.ended(Outcome::failed("the engine gave no console"), None);
                }
                return Err(unopened(error, what()));
            }
        };
        let record = begun.as_ref().and_then(Begun::record).cloned();
        if let Some(begun) = begun {
            begun.ended(Outcome::Succeeded, None);
        }
        let holder = Holder { app: Arc::clone(&self), caller, path, uid, claim };
        let stopping = self.stopping.clone();
        let session = Session { limits: doors.limits, language, rights: holder, stopping };
        Ok((wanted, Opened { app: Arc::clone(&self), machine, console, session, record, place }))
    }
}

impl Opened {
    /// Lets the caller have it until it ends.
    pub async fn run(self, becomes: impl Future<Output = Result<Upgraded, hyper::Error>>) {
        let Self { app, machine, console, session, record, place } = self;
        let Some(doors) = &app.doors else { return };
        let open = doors.figures.open(console);
        tracing::info!(%console, "a console was opened");
        let course = match becomes.await {
            Ok(caller) => session.run(caller, machine).await,
            Err(error) => {
                tracing::info!(%error, "a console was not taken by its caller");
                Course::NEVER_TAKEN
            }
        };
        let (ending, seconds) = (course.ending, course.open_for.as_secs());
        tracing::info!(%console, %ending, seconds, "a console was closed");
        open.closed(ending);
        if let Some(record) = record {
            app.recorder().tell(console_closed(record, Timestamp::now(), console, &course)).await;
        }
        drop(place);
    }
}

impl Rights for Holder {
    /// Whether its caller may open it now, and the host is the same and of the same claim.
    async fn stand(&self) -> bool {
        let may = match self.app.console_of(&self.caller, &self.path).await {
            Ok(host) => host.uid().unwrap_or_default() == self.uid,
            Err(problem) => problem.status.is_server_error() || problem.is(Code::TooManyRequests),
        };
        let same =
            self.app.book.read().ok().is_none_or(|reading| {
                machine_of(&reading.state, &self.uid).is_some_and(|(claim, _)| claim == self.claim)
            });
        may && same
    }
}

/// The claim of the host with this UID, and where its machine is. None where nothing was granted to it, or not any more.
fn machine_of(state: &State, uid: &str) -> Option<(ClaimId, Place)> {
    let claim = state.claim_of_subject(uid).filter(|claim| claim.is_open() && claim.subject.kind == "CloudHost")?;
    let namespace = engine_namespace(claim);
    let (name, label) = (claim.first_name().to_owned(), label_of(claim.id, state));
    Some((claim.id, Place { namespace, name, claim: label }))
}

/// With its department, or where it was when it was handed over.
fn engine_namespace(claim: &Claim) -> String {
    claim.engine_namespace.clone().unwrap_or_else(|| names::engine_namespace(claim.account.as_str()))
}

fn too_many(most: u32) -> Problem {
    Problem::new(Code::TooManyConsoles, [("most", most.to_string())]).retry_after(RETRY)
}

fn not_now(what: String, wait: Duration) -> Problem {
    Problem::new(Code::ConsoleUnavailable, [("what", what)]).retry_after(wait)
}

/// Why there is no console, as the caller is told. What the API server thinks of this program is for those who run it.
fn unopened(error: ConsoleError, what: String) -> Problem {
    match error {
        ConsoleError::NotRunning => Problem::new(Code::HostNotRunning, [("what", what)]),
        ConsoleError::Another { .. } => {
            tracing::error!(%error, "a machine is not its claim's: no console of it is opened");
            Problem::new(Code::HostNotRunning, [("what", what)]).because(error)
        }
        ConsoleError::Kubernetes(KubernetesError::Forbidden(_) | KubernetesError::Unauthenticated) => {
            tracing::error!("this program's own account may not reach consoles");
            not_now(what, RETRY).because(error)
        }
        error => not_now(what, RETRY).because(error),
    }
}
