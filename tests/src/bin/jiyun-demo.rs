//! `make demo`: the story of Jiyun on a lab of its own.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use jiyun_lab::Profile;
use jiyun_tests::demo::{DemoOptions, run};
use tokio::signal::unix::{SignalKind, signal};

/// Tells the story of Jiyun on a control plane that it starts on this machine, then stays up.
#[derive(Debug, Parser)]
#[command(name = "jiyun-demo", version)]
struct Arguments {
    /// End after the story, with status 0 only if every step was as told.
    #[arg(long)]
    once: bool,

    /// `real`: KubeVirt's own control plane; `scale`: its objects are simulated as well; `node`: Jiyun in pods, and machines
    /// that boot, which takes root.
    #[arg(long, value_enum, default_value_t = Profile::Real)]
    profile: Profile,

    /// Where the reports go.
    #[arg(long, default_value = "demo-out", value_name = "FOLDER")]
    out: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = DemoOptions { profile: arguments.profile, once: arguments.once, out: arguments.out };
    match Box::pin(run(options, told_to_stop())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("jiyun-demo: {error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(next) = cause {
                eprintln!("  because {next}");
                cause = next.source();
            }
            ExitCode::FAILURE
        }
    }
}

/// Ends with the first SIGINT or SIGTERM; never, where signals cannot be awaited.
async fn told_to_stop() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
}
