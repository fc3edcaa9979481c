//! `doctor`: shows what this machine can run, what is missing, and what to do about it.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::ValueEnum as _;
use jiyun_lab::doctor::{Facts, Finding, examine};
use jiyun_lab::{Part, Profile};

/// What to look at.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// One profile; all if left out.
    #[arg(long, value_enum)]
    profile: Option<Profile>,
    /// What is to run on a node beside Kubernetes.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PARTS")]
    with: Vec<Part>,
}

/// Shows it; the exit code is 0 only if every profile that was asked for can run.
pub fn run(options: &Options) -> ExitCode {
    let facts = Facts::read();
    let profiles = options.profile.map_or_else(|| Profile::value_variants().to_vec(), |profile| vec![profile]);
    let parts: BTreeSet<Part> = options.with.iter().copied().collect();
    let mut able = true;
    for profile in profiles {
        let findings = examine(&facts, profile, &parts);
        let can = !findings.iter().any(Finding::is_missing);
        println!("profile {profile}: {}", if can { "can run here" } else { "cannot run here" });
        for finding in &findings {
            println!("  {finding}");
        }
        able &= can;
    }
    if able { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
