//! Installing into a lab: the engines' definitions, Jiyun's charts, any manifest.

mod apply;
mod charts;
mod engines;
mod manifest;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::options::{Buckets, Databases, Network, Snapshots};
use crate::parts::Part;
use crate::profile::Profile;
use crate::programs::{self, ProgramError};
use crate::wait::NotInTime;

pub(crate) use apply::{Installer, MANAGER};
pub(crate) use charts::{NAMESPACE, people};
pub(crate) use manifest::{parse, read};

/// Something could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// A program could not be found or built.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// What a program writes could not be kept in the cache.
    #[error(transparent)]
    Cache(#[from] programs::BuildError),
    /// A certificate could not be made.
    #[error(transparent)]
    Pki(#[from] crate::pki::PkiError),
    /// A file could not be read.
    #[error("cannot read {path}")]
    Read {
        /// Which file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A file is not YAML.
    #[error("{path}: not valid YAML")]
    Yaml {
        /// Which file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Box<serde_yaml::Error>,
    },
    /// An object lacks what names it.
    #[error("{path}: document {number} has no {field}")]
    Incomplete {
        /// Which file.
        path: PathBuf,
        /// Which document, from 1.
        number: usize,
        /// The missing field.
        field: &'static str,
    },
    /// The API server refused an object.
    #[error("{object} was refused")]
    Refused {
        /// Kind, namespace and name.
        object: String,
        /// The cause.
        #[source]
        source: Box<kube::Error>,
    },
    /// Something did not come in time.
    #[error(transparent)]
    NotInTime(#[from] NotInTime),
    /// A program could not be run.
    #[error("cannot run {program}")]
    Run {
        /// Which program.
        program: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A program refused.
    #[error("`{program}` failed ({exit}):\n{output}")]
    Failed {
        /// Which program.
        program: String,
        /// How it ended.
        exit: std::process::ExitStatus,
        /// What it said.
        output: String,
    },
}

/// Where manifests come from: found or built once, read as often as a lab starts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Supplies {
    definitions: Vec<PathBuf>,
    helm: Option<PathBuf>,
}

/// What is installed into a lab.
#[derive(Debug, Default)]
pub(crate) struct Manifests {
    /// The engines' definitions.
    pub(crate) definitions: Vec<Value>,
    /// Jiyun's charts, each to be served before the next is applied.
    pub(crate) charts: Vec<Vec<Value>>,
}

impl Manifests {
    /// Takes all definitions out, those of the charts too.
    pub(crate) fn take_definitions(&mut self) -> Vec<Value> {
        let mut taken = std::mem::take(&mut self.definitions);
        for chart in &mut self.charts {
            taken.extend(chart.extract_if(.., |object| object["kind"] == "CustomResourceDefinition"));
        }
        taken
    }
}

impl Supplies {
    /// Finds or builds what installation needs. Blocks.
    pub(crate) fn provide(engines: bool, charts: bool) -> Result<Self, InstallError> {
        let definitions = if engines { engines::definitions()? } else { Vec::new() };
        let helm = if charts && charts::exist() { Some(programs::program("helm", "helm")?) } else { None };
        Ok(Self { definitions, helm })
    }

    /// Reads all manifests; `groups` is whether the platform's groups are bound to its roles. Blocks.
    pub(crate) fn read(
        &self,
        profile: Profile,
        parts: &BTreeSet<Part>,
        (network, databases, buckets, snapshots): (Network, Databases, Buckets, Snapshots),
        groups: bool,
    ) -> Result<Manifests, InstallError> {
        let mut definitions = Vec::new();
        for folder in &self.definitions {
            definitions.extend(read_once(folder)?.iter().cloned());
        }
        definitions.retain(|object| {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let asked_for = match object["spec"]["group"].as_str() {
                Some("kubeovn.io") => network == Network::KubeOvn,
                Some("postgresql.cnpg.io") => databases == Databases::Cnpg,
                Some("objectbucket.io" | "ceph.rook.io") => buckets == Buckets::Rook,
                Some("snapshot.storage.k8s.io") => snapshots == Snapshots::Csi,
                _ => true,
            };
            object["kind"] == "CustomResourceDefinition" && asked_for && profile.uses(parts, name)
        });
        let charts = self.helm.as_deref().map(|helm| charts::render(helm, groups)).transpose()?.unwrap_or_default();
        Ok(Manifests { definitions, charts })
    }
}

/// As [`read`], once in the life of this process: a folder of definitions is megabytes that nobody changes, and tests start
/// one lab after the other.
fn read_once(folder: &Path) -> Result<Arc<[Value]>, InstallError> {
    static READ: Mutex<BTreeMap<PathBuf, Arc<[Value]>>> = Mutex::new(BTreeMap::new());
    let known = || READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(read) = known().get(folder) {
        return Ok(Arc::clone(read));
    }
    let objects: Arc<[Value]> = read(folder)?.into();
    known().insert(folder.to_owned(), Arc::clone(&objects));
    Ok(objects)
}

/// Runs a program and returns what it printed.
pub(crate) async fn output(program: &Path, arguments: &[String]) -> Result<String, InstallError> {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(std::process::Stdio::null()).kill_on_drop(true);
    printed(program, command.output().await)
}

/// As [`output`], for threads that may block.
fn output_blocking(program: &Path, arguments: &[&str]) -> Result<String, InstallError> {
    let mut command = std::process::Command::new(program);
    printed(program, command.args(arguments).stdin(std::process::Stdio::null()).output())
}

fn printed(program: &Path, ended: std::io::Result<std::process::Output>) -> Result<String, InstallError> {
    let program = program.display().to_string();
    let output = ended.map_err(|source| InstallError::Run { program: program.clone(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(InstallError::Failed { program, exit: output.status, output: said })
}
