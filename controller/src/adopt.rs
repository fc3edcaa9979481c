//! `ledger adopt`: brings ledger and Kubernetes together again after one of them was restored. First a plan, for people
//! to review; then, told to, its steps, and the end of the quarantine.

mod apply;
mod facts;
mod gather;
mod object;
pub mod plan;
mod rebound;

use std::{path::PathBuf, process::ExitCode};

use jiyun_ledger::{ElectionError, LedgerError, OpenError, StoreError};
use thiserror::Error;

use crate::{args::Adopt, error::ReconcileError, input::Input, serve::ServeError};
use plan::Plan;

/// Why nothing was brought together, or not all of it.
#[derive(Debug, Error)]
pub enum AdoptError {
    /// Kubernetes or etcd cannot be reached as configured.
    #[error(transparent)]
    Connect(#[from] ServeError),
    /// The ledger's etcd did not answer.
    #[error("the ledger's etcd cannot be used")]
    Store(#[from] StoreError),
    /// The ledger cannot be read.
    #[error("the ledger cannot be opened")]
    Open(#[from] OpenError),
    /// The ledger refused a step.
    #[error("the ledger did not take a step; make a new plan")]
    Ledger(#[from] LedgerError),
    /// Kubernetes cannot be read or did not take a step.
    #[error("kubernetes did not take part; make a new plan and go on with that")]
    Kubernetes(#[from] ReconcileError),
    /// A controller leads.
    #[error(
        "a controller leads, and only the leader may write: scale jiyun-controller to 0 replicas, apply the plan, scale it up \
         again"
    )]
    Led,
    /// The election failed.
    #[error("the election failed")]
    Election(#[from] ElectionError),
    /// A file cannot be read or written.
    #[error("{} cannot be used", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A file is no plan.
    #[error("{} holds no plan; make one with `ledger adopt --plan`", path.display())]
    NoPlan {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// A plan cannot be written as JSON.
    #[error("the plan cannot be written as JSON")]
    Encode(#[source] serde_json::Error),
    /// Something is not settled that must be.
    #[error("not applied, nothing was changed: {what}")]
    Unsettled {
        /// What, and what to do.
        what: String,
    },
    /// Things have changed since the plan was made.
    #[error("the plan no longer fits: {what}. Nothing was changed; make a new plan and review that")]
    Outdated {
        /// What is different.
        what: String,
    },
}

/// Makes a plan, or applies one.
///
/// # Errors
/// See [`AdoptError`].
pub async fn run(arguments: &Adopt) -> Result<ExitCode, AdoptError> {
    match &arguments.apply {
        None => {
            let (plan, _) = gather::plan(arguments).await?;
            let text = serde_json::to_string_pretty(&plan).map_err(AdoptError::Encode)?;
            match &arguments.output {
                Some(path) => {
                    std::fs::write(path, format!("{text}\n"))
                        .map_err(|source| AdoptError::File { path: path.clone(), source })?;
                    eprint!("{}", summary(&plan));
                    eprintln!(
                        "written: {}. Review it, scale jiyun-controller to 0 replicas, then: ledger adopt --apply {} --by \
                         YOU --note WHY",
                        path.display(),
                        path.display()
                    );
                }
                None => println!("{text}"),
            }
        }
        Some(path) => {
            let read = Input::open(path).and_then(|input| input.again()).and_then(std::io::read_to_string);
            let text = read.map_err(|source| AdoptError::File { path: path.clone(), source })?;
            let reviewed: Plan =
                serde_json::from_str(&text).map_err(|source| AdoptError::NoPlan { path: path.clone(), source })?;
            Box::pin(apply::apply(&reviewed, arguments)).await?;
            eprint!("{}", summary(&reviewed));
            eprintln!("applied; the quarantine is lifted. Scale jiyun-controller up again.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn summary(plan: &Plan) -> String {
    let of = |kind: &str| {
        let steps = plan.steps.iter().filter(|step| {
            let word = match step {
                plan::Step::Rebind { .. } => "rebind",
                plan::Step::Recreate { .. } => "recreate",
                plan::Step::Adopt { .. } => "adopt",
                plan::Step::End { .. } => "end",
            };
            word == kind
        });
        steps.count()
    };
    format!(
        "{} claims go to objects made anew, {} objects are made again, {} lost claims are booked again, {} claims end, {} in \
         doubt, {} without their machine or disk\n",
        of("rebind"),
        of("recreate"),
        of("adopt"),
        of("end"),
        plan.unresolved.len(),
        plan.vanished.len()
    )
}
