//! What a lab in the foreground tells other commands, in `state.json` in its folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiyun_lab::{Lab, Person, Profile};
use serde::{Deserialize, Serialize};

use super::{CliError, Which};

const FILE: &str = "state.json";

/// How far a lab is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It starts.
    Starting,
    /// It can be used.
    Ready,
    /// A component ended unasked.
    Failed,
}

/// A lab as other commands see it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// How far it is.
    pub phase: Phase,
    /// What it does now, or why it failed.
    pub step: String,
    /// The profile's name.
    pub profile: String,
    /// Whether an existing cluster serves Kubernetes.
    #[serde(default)]
    pub given_cluster: bool,
    /// Who moves the machines, in words.
    #[serde(default)]
    pub engines: String,
    /// The API server's URL; empty until ready, as what follows.
    pub url: String,
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
    /// The path of kubectl.
    pub kubectl: PathBuf,
    /// The ledger's etcd.
    pub ledger: String,
    /// The lab's ports.
    pub ports: Vec<u16>,
    /// Users and their tokens.
    pub people: Vec<(String, String)>,
    /// Milliseconds from start to ready.
    pub ready_after_ms: u64,
}

impl State {
    /// A lab that starts.
    pub fn starting(profile: Profile, step: &str) -> Self {
        Self {
            phase: Phase::Starting,
            step: step.to_owned(),
            profile: format!("{profile:?}").to_lowercase(),
            given_cluster: false,
            engines: String::new(),
            url: String::new(),
            kubeconfig: PathBuf::new(),
            kubectl: PathBuf::new(),
            ledger: String::new(),
            ports: Vec::new(),
            people: Vec::new(),
            ready_after_ms: 0,
        }
    }

    /// A lab that is ready.
    pub fn ready(profile: Profile, lab: &Lab) -> Self {
        let person = |person: &Person| (person.name.clone(), person.token.clone());
        Self {
            phase: Phase::Ready,
            given_cluster: lab.uses_given_cluster(),
            engines: lab.engines().to_string(),
            url: lab.url(),
            kubeconfig: lab.kubeconfig(),
            kubectl: lab.kubectl_program().to_owned(),
            ledger: lab.ledger_endpoint(),
            ports: lab.ports(),
            people: lab.people().iter().map(person).collect(),
            ready_after_ms: u64::try_from(lab.age().as_millis()).unwrap_or(u64::MAX),
            ..Self::starting(profile, "ready")
        }
    }

    /// Writes it so that a reader sees the old or the new one, never half. Tokens are for the owner's eyes.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let unfinished = folder.join(".state.json");
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        fs::rename(unfinished, folder.join(FILE))
    }

    /// Reads it; nothing if the lab has not written one yet.
    pub fn read(folder: &Path) -> Result<Option<Self>, CliError> {
        let path = folder.join(FILE);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            outcome => super::tried(format!("read {}", path.display()), outcome)?,
        };
        serde_json::from_slice(&text).map(Some).map_err(|source| CliError::State { path, source })
    }

    /// What a person wants to know of a lab that is ready.
    pub fn describe(&self, which: &Which) -> String {
        let people: Vec<_> = self.people.iter().map(|(person, token)| format!("    {person:<24} {token}")).collect();
        let people = people.join("\n");
        let name = &which.name;
        let which = which.flags();
        format!(
            "lab `{name}` (profile {}) is ready after {}.{} s
  API server  {}{}
  engines     {}
  kubeconfig  {kubeconfig}
  ledger      {}
  tokens (and <user>.kubeconfig beside the kubeconfig above)
{people}
  use         export KUBECONFIG={kubeconfig}
  stop        jiyun-lab{which} down
",
            self.profile,
            self.ready_after_ms / 1000,
            self.ready_after_ms % 1000 / 100,
            self.url,
            if self.given_cluster { " (an existing cluster)" } else { "" },
            self.engines,
            self.ledger,
            kubeconfig = self.kubeconfig.display(),
        )
    }
}
