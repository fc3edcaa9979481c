//! The one thread that starts children. Linux sends `PR_SET_PDEATHSIG` when the *thread* that started a child ends, so
//! children must come from a thread that lives as long as the process: not from a runtime's worker.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;

/// Checks, after the death signal is set, that the parent is still the one that asked for the child: a parent that died
/// in between would never be noticed. Then becomes the program.
const GUARD: &str = r#"[ "$PPID" = "$1" ] || exit 75; shift; exec "$@""#;

/// How a child ends when the lab does, however that ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tie {
    /// The kernel kills it.
    Killed,
    /// Its standard input ends, and it does the rest: what the kernel would leave behind is its to remove.
    Told,
}

/// What to start.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Name of the component, as logs and messages show it.
    pub name: String,
    /// The program's path.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Environment variables added to the lab's own.
    pub environment: Vec<(String, String)>,
    /// Working directory.
    pub directory: PathBuf,
    /// Standard output and error are appended here.
    pub log: PathBuf,
    /// How it ends with the lab.
    pub tie: Tie,
}

/// A child could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The log file could not be opened.
    #[error("{name}: cannot open the log file {path}")]
    Log {
        /// The component.
        name: String,
        /// The log file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// `setpriv` is not installed.
    #[error(
        "{name}: the program `setpriv` is needed so that no process outlives the lab; install util-linux (`sudo apt install util-linux`)"
    )]
    NoSetpriv {
        /// The component.
        name: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The program could not be started.
    #[error("{name}: cannot start {program}")]
    Start {
        /// The component.
        name: String,
        /// The program.
        program: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

type Job = (Command, mpsc::SyncSender<io::Result<Child>>);

/// Starts a child whose standard streams go to its log and which is killed when this process ends.
pub(super) fn spawn(launch: &Launch) -> Result<Child, SpawnError> {
    let command = command(launch)?;
    run_on_spawner(command).map_err(|source| {
        let name = launch.name.clone();
        if source.kind() == io::ErrorKind::NotFound {
            SpawnError::NoSetpriv { name, source }
        } else {
            SpawnError::Start { name, program: launch.program.clone(), source }
        }
    })
}

fn command(launch: &Launch) -> Result<Command, SpawnError> {
    let open = || -> io::Result<(File, File)> {
        let log = OpenOptions::new().create(true).append(true).open(&launch.log)?;
        let copy = log.try_clone()?;
        Ok((log, copy))
    };
    let (log, copy) =
        open().map_err(|source| SpawnError::Log { name: launch.name.clone(), path: launch.log.clone(), source })?;
    let (mut command, input) = match launch.tie {
        Tie::Killed => (tied(&launch.name, &launch.program), Stdio::null()),
        Tie::Told => (Command::new(&launch.program), Stdio::piped()),
    };
    command
        .args(&launch.arguments)
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&launch.directory)
        .stdin(input)
        .stdout(log)
        .stderr(copy)
        // A group of its own: Ctrl-C in a terminal reaches the lab alone, which then stops its children in order.
        .process_group(0);
    Ok(command)
}

/// A command that begins with `program`, which the kernel kills once the thread that started it has ended, however that ends.
pub(crate) fn tied(name: &str, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--", "/bin/sh", "-c", GUARD])
        .arg(name)
        .arg(std::process::id().to_string())
        .arg(program);
    command
}

fn run_on_spawner(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        // If the thread cannot be made, the channel closes and every spawn reports it.
        let _ = std::thread::Builder::new().name("lab-spawner".into()).spawn(move || {
            for (mut command, reply) in jobs {
                let _ = reply.send(command.spawn());
            }
        });
        sender
    });
    let (reply, answer) = mpsc::sync_channel(1);
    let gone = || io::Error::other("the thread that starts children has ended");
    spawner.send((command, reply)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}
