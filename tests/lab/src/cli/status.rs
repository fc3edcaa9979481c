//! `status`: shows a lab; the exit code says whether it is ready.

use std::process::ExitCode;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};

use super::state::{Phase, State};
use super::{CliError, Which};

/// Shows a lab.
pub fn run(which: &Which) -> Result<ExitCode, CliError> {
    let state = super::running(which)?;
    match state.phase {
        Phase::Ready => {}
        Phase::Starting => {
            println!("lab `{}` is starting: {}", which.name, state.step);
            return Ok(ExitCode::FAILURE);
        }
        Phase::Failed => {
            println!("lab `{}` has failed: {}", which.name, state.step);
            return Ok(ExitCode::FAILURE);
        }
    }
    let answer = super::runtime()?.block_on(async {
        let asked = tokio::time::timeout(Duration::from_secs(5), version(&state));
        asked.await.unwrap_or_else(|_| Err("no answer within 5 s".into()))
    });
    match answer {
        Ok(version) => {
            println!("{}  Kubernetes  {version}", state.describe(which));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            println!("lab `{}` does not answer at {}: {error}", which.name, state.url);
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn version(state: &State) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let kubeconfig = Kubeconfig::read_from(&state.kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(kube::Client::try_from(config)?.apiserver_version().await?.git_version)
}
