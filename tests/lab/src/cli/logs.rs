//! `logs`: shows what components log.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::{CliError, Which, tried};

/// What to show.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// One component, for example kube-apiserver; all if left out.
    component: Option<String>,
    /// Go on showing what is added.
    #[arg(short, long)]
    follow: bool,
}

/// Shows logs.
pub fn run(which: &Which, options: &Options) -> Result<ExitCode, CliError> {
    let folder = tried("find the lab's folder", which.folder())?;
    let output = tried("find the lab's folder", which.output())?;
    let mut read = BTreeMap::new();
    loop {
        let files = files(&folder, &output);
        if files.is_empty() {
            return Err(CliError::NotRunning { name: which.name.clone(), dir: which.dir.clone() });
        }
        let wanted = |name: &String| options.component.as_ref().is_none_or(|component| component == name);
        if let Some(component) = options.component.as_ref().filter(|component| !files.contains_key(*component)) {
            let known = files.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(CliError::NoSuchComponent { component: component.clone(), known });
        }
        for (name, path) in files.iter().filter(|(name, _)| wanted(name)) {
            let prefix = if options.component.is_some() { "" } else { name };
            let from = read.entry(name.clone()).or_insert(0);
            *from = tried(format!("read {}", path.display()), show(path, *from, prefix))?;
        }
        if !options.follow {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Component -> log file. The lab itself is the component `lab`.
fn files(folder: &Path, output: &Path) -> BTreeMap<String, PathBuf> {
    let entries = fs::read_dir(folder.join("logs")).into_iter().flatten().flatten().map(|entry| entry.path());
    let name = |path: &Path| Some(path.file_stem()?.to_string_lossy().into_owned());
    let own = output.is_file().then(|| ("lab".to_owned(), output.to_owned()));
    entries.filter_map(|path| Some((name(&path)?, path))).chain(own).collect()
}

/// Prints what was added since `from` up to the last whole line and returns where that ends.
fn show(path: &Path, from: u64, prefix: &str) -> io::Result<u64> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let mut stdout = io::stdout().lock();
    for line in bytes.get(..whole).unwrap_or_default().split_inclusive(|byte| *byte == b'\n') {
        if !prefix.is_empty() {
            write!(stdout, "{prefix}: ")?;
        }
        stdout.write_all(line)?;
    }
    stdout.flush()?;
    Ok(from + whole as u64)
}
