//! `up --foreground`: holds a lab until it is told to stop or a component fails.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use jiyun_lab::Lab;
use jiyun_lab::programs::report;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::state::{Phase, State};
use super::up::Options;
use super::{CliError, Which, tried};

/// What is said before a lab stops; what is said after it is about the stop.
pub const STOPPING: &str = "jiyun-lab: stopping";

/// Runs a lab.
pub fn run(which: &Which, options: &Options) -> Result<ExitCode, CliError> {
    super::runtime()?.block_on(hold(which, options))
}

async fn hold(which: &Which, options: &Options) -> Result<ExitCode, CliError> {
    let folder = tried("find the lab's folder", which.folder())?;
    let mut stop = Stop {
        interrupt: tried("listen to signals", signal(SignalKind::interrupt()))?,
        terminate: tried("listen to signals", signal(SignalKind::terminate()))?,
    };
    let wanted = options.lab(which)?;
    let tell = |step: &str| {
        report(format_args!("{step}"));
        note(&State::starting(options.profile, step), &folder);
    };
    let lab = tokio::select! {
        lab = Lab::start_with_progress(wanted, &tell) => lab?,
        // What has been started is killed when the unfinished start is dropped.
        () = stop.asked() => return Ok(ExitCode::SUCCESS),
    };
    let state = State::ready(options.profile, &lab);
    note(&state, &folder);
    let _ = write!(io::stdout(), "{}", state.describe(which));
    tokio::select! {
        failure = lab.failed() => {
            report(format_args!("{failure}"));
            note(&State { phase: Phase::Failed, step: failure.to_string(), ..state }, &folder);
            lab.stop_and_keep().await?;
            Ok(ExitCode::FAILURE)
        }
        () = stop.asked() => {
            let _ = writeln!(io::stderr(), "{STOPPING}");
            lab.stop().await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The state is for other commands; a lab does not fail because it cannot be written.
fn note(state: &State, folder: &Path) {
    // Before the first step the folder does not exist.
    if folder.is_dir()
        && let Err(error) = state.write(folder)
    {
        report(format_args!("cannot write the state of the lab: {error}"));
    }
}

struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
