//! `up`: starts a lab in the background, or shows the one that runs.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use jiyun_lab::simulate::Pace;
use jiyun_lab::{Lab, LabOptions, Part, Profile};

use super::state::{Phase, State};
use super::{CliError, Which, tried};

/// Options of a lab.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Which engines are real.
    #[arg(long, value_enum, default_value_t)]
    pub profile: Profile,
    /// What runs on the node beside Kubernetes, for profile `node`.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PARTS")]
    pub with: Vec<Part>,
    /// How many nodes, 1 or 2, for profile `node`; one if left out.
    #[arg(long, value_name = "NUMBER")]
    pub nodes: Option<u8>,
    /// How fast simulated engines go, in percent of their usual time; 0 is instantly.
    #[arg(long, default_value_t = 10, value_name = "PERCENT")]
    pub pace: u32,
    /// Departments that get people with tokens, for example `culture,health`.
    #[arg(long, value_delimiter = ',', value_name = "DEPARTMENTS")]
    pub departments: Vec<String>,
    /// Write the API server's audit log of changing requests to this file.
    #[arg(long, value_name = "FILE")]
    pub audit: Option<PathBuf>,
    /// Use the existing cluster of this kubeconfig, instead of a Kubernetes of the lab's own; else the environment
    /// variable `JIYUN_LAB_CLUSTER` may name one. `KUBECONFIG` is never looked at.
    #[arg(long, value_name = "KUBECONFIG")]
    pub cluster: Option<PathBuf>,
    /// The context in that kubeconfig; its current one if left out.
    #[arg(long, value_name = "NAME", requires = "cluster")]
    pub context: Option<String>,
    /// Leave out Jiyun's own charts.
    #[arg(long)]
    pub without_charts: bool,
    /// Stay in the foreground until Ctrl-C.
    #[arg(long)]
    pub foreground: bool,
}

impl Options {
    /// The lab they ask for.
    pub fn lab(&self, which: &Which) -> Result<LabOptions, CliError> {
        let mut wanted = LabOptions::default()
            .folder(&which.dir, &which.name)
            .profile(self.profile)
            .with(self.with.iter().copied())
            .pace(Pace::percent(self.pace))
            .departments(self.departments.clone())
            .charts(!self.without_charts);
        if let Some(nodes) = self.nodes {
            wanted = wanted.nodes(nodes);
        }
        if let Some(audit) = &self.audit {
            wanted = wanted.audit(tried("find the audit log", std::path::absolute(audit))?);
        }
        Ok(match (&self.cluster, &self.context) {
            (None, _) => wanted,
            (Some(kubeconfig), None) => wanted.cluster(kubeconfig),
            (Some(kubeconfig), Some(context)) => wanted.cluster_context(kubeconfig, context),
        })
    }

    fn arguments(&self) -> Vec<String> {
        let profile = format!("{:?}", self.profile).to_lowercase();
        let mut arguments = vec!["up".into(), "--foreground".into(), format!("--profile={profile}")];
        arguments.extend(self.with.iter().map(|part| format!("--with={part}")));
        arguments.extend(self.nodes.iter().map(|nodes| format!("--nodes={nodes}")));
        arguments.push(format!("--pace={}", self.pace));
        if !self.departments.is_empty() {
            arguments.push(format!("--departments={}", self.departments.join(",")));
        }
        arguments.extend(self.audit.iter().map(|file| format!("--audit={}", file.display())));
        arguments.extend(self.cluster.iter().map(|file| format!("--cluster={}", file.display())));
        arguments.extend(self.context.iter().map(|name| format!("--context={name}")));
        if self.without_charts {
            arguments.push("--without-charts".into());
        }
        arguments
    }
}

/// Starts a lab in a session of its own and waits until it is ready.
pub fn run(which: &Which, options: &Options) -> Result<ExitCode, CliError> {
    let folder = tried("find the lab's folder", which.folder())?;
    if let (true, Some(state)) = (jiyun_lab::lives(&folder), State::read(&folder)?)
        && state.phase == Phase::Ready
    {
        print!("{}", state.describe(which));
        return Ok(ExitCode::SUCCESS);
    }
    // Here rather than in the background, so that a person sees how far it is.
    super::runtime()?.block_on(Lab::provide(&options.lab(which)?))?;
    let log = tried("find the lab's folder", which.output())?;
    let supervisor = detach(which, options, &log)?;
    let state = super::runtime()?.block_on(wait(&folder, supervisor, &log))?;
    match state {
        Some(state) => {
            print!("{}", state.describe(which));
            Ok(ExitCode::SUCCESS)
        }
        // 128 + SIGINT, as shells count.
        None => Ok(ExitCode::from(130)),
    }
}

/// A session of its own: neither Ctrl-C nor the end of the terminal reaches it.
fn detach(which: &Which, options: &Options, log: &Path) -> Result<Child, CliError> {
    tried(format!("create {}", which.dir.display()), std::fs::create_dir_all(&which.dir))?;
    let open = || -> io::Result<(File, File)> {
        let output = File::create(log)?;
        Ok((output.try_clone()?, output))
    };
    let (output, errors) = tried(format!("create {}", log.display()), open())?;
    let own = tried("find this program", std::env::current_exe())?;
    let child = Command::new("setsid")
        .arg(own)
        .args(options.arguments())
        .args(["--name", &which.name, "--dir"])
        .arg(&which.dir)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn();
    tried("run `setsid` (package util-linux)", child)
}

/// Waits until the lab is ready; nothing if the person gave up, in which case it is stopped.
async fn wait(folder: &Path, mut supervisor: Child, log: &Path) -> Result<Option<State>, CliError> {
    let mut progress = Progress::new();
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {
                super::down::terminate(i32::try_from(supervisor.id()).unwrap_or(0));
                tried("wait for the lab to stop", supervisor.wait())?;
                return Ok(None);
            }
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
        if let Some(exit) = tried("watch the lab", supervisor.try_wait())? {
            // On a full disk it could not say anything.
            let room = jiyun_lab::little_room(folder).map(|room| room.to_string());
            let output = [super::tail(log)].into_iter().chain(room).collect::<Vec<_>>().join("\n");
            return Err(CliError::NotReady { exit, output });
        }
        // A state without a living lab is one of an earlier lab of this name.
        if !jiyun_lab::lives(folder) {
            continue;
        }
        if let Some(state) = State::read(folder)? {
            if state.phase == Phase::Ready {
                progress.end();
                return Ok(Some(state));
            }
            progress.show(&state.step);
        }
    }
}

/// One line per step, with the time it began.
struct Progress {
    started: Instant,
    step: String,
    terminal: bool,
}

impl Progress {
    fn new() -> Self {
        Self { started: Instant::now(), step: String::new(), terminal: io::stderr().is_terminal() }
    }

    fn show(&mut self, step: &str) {
        if self.step == step && !self.terminal {
            return;
        }
        let new_line = !self.step.is_empty() && self.step != step;
        step.clone_into(&mut self.step);
        let tenths = self.started.elapsed().as_millis() / 100;
        let mut stderr = io::stderr();
        let _ = if self.terminal {
            let before = if new_line { "\n" } else { "" };
            write!(stderr, "{before}\r{:>3}.{} s  {step}", tenths / 10, tenths % 10)
        } else {
            writeln!(stderr, "{:>3}.{} s  {step}", tenths / 10, tenths % 10)
        };
        let _ = stderr.flush();
    }

    fn end(&self) {
        if self.terminal && !self.step.is_empty() {
            let _ = writeln!(io::stderr());
        }
    }
}
