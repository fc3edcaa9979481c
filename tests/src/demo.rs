//! The demo: the whole story on a lab of its own, each command shown with its answer, each answer checked.

mod afterwards;
mod audience;
mod guest;
mod prompter;
mod resident;
mod stage;
mod story;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use jiyun_lab::{Lab, LabError, LabOptions, Profile, simulate::Pace};

use crate::{World, WorldError, city, installed};

pub use audience::Audience;
pub use prompter::{Beat, Prompter};
pub use stage::Stage;
pub use story::tell;

/// Departments of the city whose people appear in the story or in "things to try".
const DEPARTMENTS: [&str; 6] = ["finance", "kaiyun", "health", "human-resources", "government-services", "hengshan"];

/// Share of natural speed at which nodes are simulated: an image is fetched and a guest boots in a few seconds.
const PACE: Pace = Pace::percent(25);

/// What the demo is asked to be.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Which engines are real.
    pub profile: Profile,
    /// Whether to end after the story instead of staying up.
    pub once: bool,
    /// Where the reports go.
    pub out: PathBuf,
}

/// The story did not go as told.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The system.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The API cannot be called.
    #[error("the API cannot be called")]
    Http(#[from] reqwest::Error),
    /// A report cannot be written.
    #[error("{} cannot be written", path.display())]
    Report {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// An answer was not the one the story tells.
    #[error("the story went otherwise: {0}")]
    Otherwise(String),
}

impl From<LabError> for DemoError {
    fn from(source: LabError) -> Self {
        Self::World(source.into())
    }
}

/// Tells the story. `stop` ends the time after it, and the story itself, early.
///
/// # Errors
/// See [`DemoError`]; the lab is gone then, its logs are shown where they help.
pub async fn run(options: DemoOptions, stop: impl Future<Output = ()>) -> Result<(), DemoError> {
    tokio::pin!(stop);
    let stage = Stage::default();
    stage.title("Jiyun 集云: one account book for a city's cloud", "a lab starts, with a real control plane");
    let lab = tokio::select! {
        lab = start(&stage, options.profile) => lab?,
        () = &mut stop => return Ok(()),
    };
    let world = tokio::select! {
        world = open(&stage, lab, options.profile) => world?,
        () = &mut stop => return Ok(()),
    };
    let began = Instant::now();
    let told = tokio::select! {
        told = story::tell(&stage, &world, &options) => told,
        () = &mut stop => {
            world.lab.stop().await?;
            return Ok(());
        }
    };
    if let Err(error) = &told {
        stage.note(&format!("the story stops here: {error}"));
        stage.note(&format!("last lines of the controller:\n{}", world.controller.tail(8)));
        stage.note(&format!("last lines of the API:\n{}", world.api.tail(4)));
    } else {
        let (seconds, mebibytes) = (began.elapsed().as_secs(), resident::kibibytes() / 1024);
        stage.note(&format!("the story took {seconds} s; all processes of the lab hold {mebibytes} MiB now"));
    }
    if told.is_ok() && !options.once {
        afterwards::describe(&stage, &world, &options)?;
        tokio::select! {
            failure = world.lab.failed() => stage.note(&format!("a component of the lab ended: {failure}")),
            () = &mut stop => stage.note("stopping: the lab's processes and files are removed"),
        }
    }
    // The guests go before the lab they use.
    let World { lab, controller, api, .. } = world;
    drop((controller, api));
    let stays = lab.uses_given_cluster();
    lab.stop().await?;
    if stays {
        stage.note(
            "what was installed and applied stays on the cluster; docs/lab.md has the commands that uninstall it",
        );
    }
    told
}

/// The lab the story is told on.
pub fn lab_options(profile: Profile) -> LabOptions {
    let lab = LabOptions::default().profile(profile).pace(PACE).departments(DEPARTMENTS);
    match profile {
        Profile::Node => installed::with_parts(lab, installed::BOOTING),
        Profile::Scale | Profile::Real => lab,
    }
}

/// The system the story is about: programs beside the lab, or on a node what its charts install.
async fn open(stage: &Stage, lab: Lab, profile: Profile) -> Result<World, WorldError> {
    if profile != Profile::Node {
        return World::recorded(lab, &city::PLATFORM_FILES).await;
    }
    let started = Instant::now();
    stage.note("helm install jiyun-crds charts/jiyun-crds; helm install jiyun charts/jiyun --wait");
    let world = World::deployed(lab, &city::PLATFORM_FILES).await?;
    stage.note(&format!("installed, in pods, after {} s", started.elapsed().as_secs()));
    Ok(world)
}

async fn start(stage: &Stage, profile: Profile) -> Result<Lab, LabError> {
    let started = Instant::now();
    let lab = Lab::start_with_progress(lab_options(profile), &|step| stage.note(step)).await?;
    if lab.uses_given_cluster() {
        stage.note(&format!("on the existing cluster at {}; its engines: {}", lab.url(), lab.engines()));
    }
    stage.note(&format!("ready after {:.1} s", started.elapsed().min(Duration::from_secs(9999)).as_secs_f32()));
    Ok(lab)
}
