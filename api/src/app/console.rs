//! Opening the console (控制台) of a host: whether the caller may, where its machine is, and that it is recorded.

mod holder;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use jiyun_crds::v1alpha1::CloudHost;
use jiyun_messages::Language;
use jiyun_trail::core::outcome::Outcome;
use kube::ResourceExt;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::holder::machine_of;
use super::{App, department::unavailable, noun::called};
use crate::{
    bounds::Asker,
    console::{Console, ConsoleArgs, Course, Full, Limits, Place as Taken, Places, Session, Upgraded},
    extract::ObjectPath,
    metrics::ConsoleFigures,
    problem::{Code, Problem},
    store::{
        Caller, KubernetesError,
        consoles::{ConsoleError, Consoles, Place},
    },
    trail::{Begun, console_closed},
};

pub use self::holder::Holder;

/// How long a caller may take to take the answer that opens a console.
const PATIENCE: Duration = Duration::from_secs(30);

/// The same when this program ends.
const MOMENT: Duration = Duration::from_secs(2);

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

    /// Opens a console of the very machine that was checked, which is looked at once more: it was opened by its name.
    async fn open(&self, at: &Place, uid: &str, console: Console) -> Result<Upgraded, ConsoleError> {
        let machine = self.consoles.open(at, console).await?;
        if self.consoles.check(at).await? == uid { Ok(machine) } else { Err(ConsoleError::NotRunning) }
    }
}

/// A console whose machine answers.
pub struct Opened {
    app: Arc<App>,
    machine: Upgraded,
    console: Console,
    session: Session<Holder>,
    begun: Option<Begun>,
    place: Taken,
}

impl App {
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
        let uid = host.uid().unwrap_or_default();
        let reading = self.book.read().map_err(unavailable)?;
        let (claim, at) =
            machine_of(&reading.state, &uid).ok_or_else(|| Problem::new(Code::HostNotRunning, [("what", what())]))?;
        let place = doors.places.take(Asker::called(&caller.user().await?.name)).map_err(too_many)?;
        let uid_of_machine = doors.consoles.check(&at).await.map_err(|error| unopened(error, what()))?;
        let begun = caller.begin_console(&path.department.namespace(), &host, console).await;
        let begun = begun.map_err(|error| Problem::from_kubernetes(error, what()))?;
        if self.stopping.is_cancelled() {
            // Told while this was asked for: nobody who has it open now loses it for nothing.
            if let Some(begun) = begun {
                begun.ended(Outcome::failed("the program ends"), None);
            }
            return Err(not_now(what(), SOON));
        }
        let machine = match doors.open(&at, &uid_of_machine, console).await {
            Ok(machine) => machine,
            Err(error) => {
                if let Some(begun) = begun {
                    begun.ended(Outcome::failed("the engine gave no console"), None);
                }
                return Err(unopened(error, what()));
            }
        };
        let holder = Holder { app: Arc::clone(&self), caller, path, uid, claim };
        let stopping = self.stopping.clone();
        let session = Session { limits: doors.limits, language, rights: holder, stopping };
        Ok((wanted, Opened { app: Arc::clone(&self), machine, console, session, begun, place }))
    }
}

impl Opened {
    /// Lets the caller have it until it ends.
    pub async fn run(self, becomes: impl Future<Output = Result<Upgraded, hyper::Error>>) {
        let Self { app, machine, console, session, begun, place } = self;
        let Some(open) = app.doors.as_ref().map(|doors| doors.figures.open(console)) else { return };
        let host = format!("{}/{}", session.rights.path.department, session.rights.path.name.as_str());
        tracing::info!(%console, host, "a console was opened");
        let lasting = match begun {
            Some(begun) => {
                begun.lasts(|record| console_closed(record, Timestamp::now(), console, &Course::BROKEN_OFF)).await
            }
            None => None,
        };
        let course = if let Some(caller) = taken(becomes, &session.stopping).await {
            session.run(caller, machine).await
        } else {
            drop(machine);
            Course::NEVER_TAKEN
        };
        let (ending, seconds) = (course.ending, course.open_for.as_secs());
        tracing::info!(%console, host, %ending, seconds, "a console was closed");
        open.closed(ending);
        // Nothing of it is kept while its end is recorded, which may take a while.
        drop((place, session, app));
        if let Some(lasting) = lasting {
            lasting.ended(|record| console_closed(record, Timestamp::now(), console, &course)).await;
        }
    }
}

/// The caller's side, once the answer was sent. Whoever does not take the answer has no console, and keeps nobody from having it;
/// when this program ends there is a moment left to be told so.
async fn taken(
    becomes: impl Future<Output = Result<Upgraded, hyper::Error>>,
    stopping: &CancellationToken,
) -> Option<Upgraded> {
    let late = async {
        tokio::select! {
            () = sleep(PATIENCE) => {}
            () = async { stopping.cancelled().await; sleep(MOMENT).await } => {}
        }
    };
    tokio::select! {
        biased;
        taken = becomes => taken.ok(),
        () = late => None,
    }
}

fn too_many(full: Full) -> Problem {
    let (code, most) = match full {
        Full::OfCaller(most) => (Code::TooManyConsoles, most),
        Full::OfAll(most) => (Code::ConsolesExhausted, most),
    };
    Problem::new(code, [("most", most.to_string())]).retry_after(RETRY)
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
