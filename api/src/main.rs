//! The program `jiyun-api`: serves the provisioning API, or prints its description.

mod app;
mod bounds;
mod cli;
mod console;
mod extract;
mod handler;
mod metrics;
mod middleware;
mod model;
mod problem;
mod router;
mod server;
mod store;
mod telemetry;
#[cfg(test)]
mod tests;
mod trail;
mod webhook;

use std::{error::Error, fs, io::Write, path::Path, process::ExitCode};

use clap::{CommandFactory, Parser, error::ErrorKind};

use crate::{
    bounds::BoundOptions,
    cli::{Cli, Command, TrailArgs},
    console::ConsoleArgs,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match (cli.command, cli.serve) {
        (Some(Command::Openapi { check }), _) => openapi(check.as_deref()),
        (None, Some(options)) => serve(options, &cli.bounds, &cli.trail, &cli.consoles),
        (None, None) => Cli::command().error(ErrorKind::MissingRequiredArgument, "nothing to do; see --help").exit(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let causes = std::iter::successors(Some(error.as_ref()), |&error: &&dyn Error| error.source());
            let told: Vec<_> = causes.map(ToString::to_string).collect();
            eprintln!("jiyun-api: {}", told.join(": "));
            ExitCode::FAILURE
        }
    }
}

fn serve(
    options: cli::Serve,
    bounds: &BoundOptions,
    trail: &TrailArgs,
    consoles: &ConsoleArgs,
) -> Result<(), Box<dyn Error>> {
    telemetry::start();
    // Fails only if there is a provider already, which would be this one.
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(server::serve(options, bounds, trail, consoles))?;
    Ok(())
}

fn openapi(check: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let document = router::description()?;
    match check {
        None => std::io::stdout().write_all(document.as_bytes())?,
        Some(file) if fs::read_to_string(file)? == document => {}
        Some(file) => {
            return Err(format!("{} is not current; write it anew: jiyun-api openapi > FILE", file.display()).into());
        }
    }
    Ok(())
}
