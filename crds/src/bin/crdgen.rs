//! Writes the manifests from the types, or with `--check` tells which of them are stale.
//!
//! `crdgen [--check] [directory]`; the directory is `crds/manifests` unless given, so run it at the repository's root.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use jiyun_crds::manifests::{RenderError, render};

/// Why the manifests could not be written or compared.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("unknown option {0}; usage: crdgen [--check] [directory]")]
    Usage(String),
    #[error(transparent)]
    Render(#[from] RenderError),
    #[error("{path}: {doing} failed: {source}")]
    File { path: PathBuf, doing: &'static str, source: io::Error },
}

impl Error {
    fn file(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, doing, source }
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(stale) if stale.is_empty() => ExitCode::SUCCESS,
        Ok(stale) => {
            for name in stale {
                eprintln!("stale: {name}");
            }
            eprintln!("run `make crds` and commit the result");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("crdgen: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the names of stale files; none after writing.
fn run() -> Result<BTreeSet<String>, Error> {
    let mut check = false;
    let mut directory = PathBuf::from("crds/manifests");
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--check" => check = true,
            option if option.starts_with('-') => return Err(Error::Usage(argument)),
            path => directory = PathBuf::from(path),
        }
    }
    let files = render()?;
    let mut stale = left_over(&directory, |name| files.contains_key(name))?;
    if check {
        for (name, content) in &files {
            // A file that is missing is stale, too.
            if fs::read_to_string(directory.join(name)).ok().as_ref() != Some(content) {
                stale.insert(name.clone());
            }
        }
        return Ok(stale);
    }
    for name in &stale {
        let path = directory.join(name);
        fs::remove_file(&path).map_err(Error::file(&path, "removing"))?;
    }
    fs::create_dir_all(&directory).map_err(Error::file(&directory, "creating"))?;
    for (name, content) in &files {
        let path = directory.join(name);
        fs::write(&path, content).map_err(Error::file(&path, "writing"))?;
    }
    Ok(BTreeSet::new())
}

/// YAML files in the directory that no kind accounts for any more.
fn left_over(directory: &Path, known: impl Fn(&str) -> bool) -> Result<BTreeSet<String>, Error> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(Error::file(directory, "listing")(error)),
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let name = entry.map_err(Error::file(directory, "listing"))?.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|extension| extension == "yaml") && !known(&name) {
            names.insert(name);
        }
    }
    Ok(names)
}
