//! The commands of `jiyun-lab`.

mod doctor;
mod down;
mod foreground;
mod images;
mod logs;
mod state;
mod status;
mod up;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use jiyun_lab::{FolderError, Lab, LabError, Part, Profile};

/// A real Kubernetes control plane and the ledger's etcd on this machine, with simulated nodes. No cluster, no containers,
/// no root. With `up --cluster`, an existing cluster instead of that control plane.
#[derive(Debug, Parser)]
#[command(name = "jiyun-lab", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    which: Which,
}

const NAME: &str = "default";
const DIR: &str = ".lab";

/// Which lab.
#[derive(Debug, Clone, Args)]
pub struct Which {
    /// Name of the lab; several may run side by side.
    #[arg(long, global = true, default_value = NAME)]
    name: String,
    /// Folder in which labs live, one subfolder each.
    #[arg(long, global = true, default_value = DIR, env = "JIYUN_LAB_DIR", value_name = "FOLDER")]
    dir: PathBuf,
}

impl Which {
    fn folder(&self) -> io::Result<PathBuf> {
        Ok(std::path::absolute(&self.dir)?.join(&self.name))
    }

    /// The flags that name this lab, each after a space; none for the default.
    fn flags(&self) -> String {
        let mut flags = String::new();
        if self.dir != Path::new(DIR) {
            flags = format!(" --dir {}", self.dir.display());
        }
        if self.name != NAME {
            flags = format!("{flags} --name {}", self.name);
        }
        flags
    }

    /// What a lab in the background says: beside its folder, which it makes anew.
    fn output(&self) -> io::Result<PathBuf> {
        Ok(std::path::absolute(&self.dir)?.join(format!("{}.log", self.name)))
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a lab and wait until it is ready.
    Up(up::Options),
    /// Stop a lab; returns when its processes, ports and files are gone.
    Down,
    /// Show a lab; the exit code is 0 only if it is ready.
    Status,
    /// Show what a lab's components log.
    Logs(logs::Options),
    /// Run kubectl as the lab's administrator: `jiyun-lab kubectl -- get nodes`.
    Kubectl {
        /// Arguments for kubectl.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Show what this machine can run, what is missing, and what to do about it.
    Doctor(doctor::Options),
    /// Write the container images of Jiyun's programs to an archive, without a container daemon.
    Images(images::Options),
    /// Part of a node; the lab calls this itself.
    #[command(hide = true)]
    Node {
        /// Which part.
        #[arg(value_enum)]
        role: jiyun_lab::node::Role,
        /// The description of the node.
        spec: PathBuf,
        /// The process number of the node's keeper.
        keeper: Option<u32>,
    },
    /// Build the lab's programs, so that the next `up` starts at once.
    Build {
        /// Which engines are real.
        #[arg(long, value_enum, default_value_t)]
        profile: Profile,
        /// Parts of a node, for profile `node`.
        #[arg(long, value_enum, value_delimiter = ',', value_name = "PARTS")]
        with: Vec<Part>,
    },
}

/// A command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The lab failed.
    #[error(transparent)]
    Lab(Box<LabError>),
    /// The lab's folder is unusable.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The operating system refused.
    #[error("cannot {action}")]
    System {
        /// What was tried.
        action: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file of the lab is not what it should be.
    #[error("{path}: not a state of a lab")]
    State {
        /// Which file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// No such lab.
    #[error("no lab named `{name}` runs in {dir}: start one with `jiyun-lab up --name {name}`")]
    NotRunning {
        /// The name.
        name: String,
        /// The folder.
        dir: PathBuf,
    },
    /// The lab in the background ended before it was ready.
    #[error("the lab ended before it was ready ({exit}); it said:\n{output}")]
    NotReady {
        /// How it ended.
        exit: std::process::ExitStatus,
        /// The end of its output.
        output: String,
    },
    /// No such component.
    #[error("no component `{component}`; there are: {known}")]
    NoSuchComponent {
        /// What was asked for.
        component: String,
        /// What there is.
        known: String,
    },
    /// Something of a lab is still there.
    #[error("the lab is not gone: {0}")]
    Leftover(String),
}

impl From<LabError> for CliError {
    fn from(error: LabError) -> Self {
        Self::Lab(Box::new(error))
    }
}

/// Words what was tried when the operating system refuses.
fn tried<T>(action: impl Into<String>, outcome: io::Result<T>) -> Result<T, CliError> {
    outcome.map_err(|source| CliError::System { action: action.into(), source })
}

/// Runs a command.
pub fn run(arguments: Arguments) -> Result<ExitCode, CliError> {
    let which = arguments.which;
    match arguments.command {
        Command::Up(options) if options.foreground => foreground::run(&which, &options),
        Command::Up(options) => up::run(&which, &options),
        Command::Down => down::run(&which),
        Command::Status => status::run(&which),
        Command::Logs(options) => logs::run(&which, &options),
        Command::Kubectl { arguments } => kubectl(&which, &arguments),
        Command::Doctor(options) => Ok(doctor::run(&options)),
        Command::Images(options) => images::run(&options),
        Command::Node { role, spec, keeper } => Ok(jiyun_lab::node::run(role, &spec, keeper)),
        Command::Build { profile, with } => {
            Lab::build(profile, &with.into_iter().collect())?;
            println!("everything is built in {}", jiyun_lab::programs::cache_folder().display());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn kubectl(which: &Which, arguments: &[String]) -> Result<ExitCode, CliError> {
    use std::os::unix::process::CommandExt as _;
    let state = running(which)?;
    let mut command = std::process::Command::new(&state.kubectl);
    command.args(arguments).env("KUBECONFIG", &state.kubeconfig);
    // Returns only if kubectl could not be started.
    tried("run kubectl", Err(command.exec()))
}

/// The state of a lab that runs.
fn running(which: &Which) -> Result<state::State, CliError> {
    let folder = tried("find the lab's folder", which.folder())?;
    let missing = || CliError::NotRunning { name: which.name.clone(), dir: which.dir.clone() };
    if !jiyun_lab::lives(&folder) {
        return Err(missing());
    }
    state::State::read(&folder)?.ok_or_else(missing)
}

/// A runtime for one command.
fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tried("start the program's threads", tokio::runtime::Runtime::new())
}

/// The end of a file, for messages.
fn tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n")
}
