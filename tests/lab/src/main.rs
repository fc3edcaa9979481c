//! `jiyun-lab`: starts, shows and stops labs from the command line.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;
use jiyun_lab::programs::report;
use tracing_subscriber::EnvFilter;

/// The client library reports each broken connection as an error; when an API server ends there are many.
const QUIET: &str = "warn,kube_client=off";

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(QUIET));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match cli::run(cli::Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            report(format_args!("{}", with_causes(&error)));
            ExitCode::FAILURE
        }
    }
}

/// An error and what caused it, on one line each. Some of the libraries' errors name their causes themselves.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str("\n  because: ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}
