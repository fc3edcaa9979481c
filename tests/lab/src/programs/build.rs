//! Builds one Go module into its cache entry: once, whoever asks at the same time, and never half.

use std::fs::{self, File};
use std::io::{self, BufReader, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::module::Module;
use super::toolchain::{Go, fetching};
use crate::process::tied;

/// A build failed.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The cache could not be written.
    #[error("cannot {action} {path}; set JIYUN_LAB_CACHE to a folder that can be written")]
    Cache {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The compiler could not be started.
    #[error("cannot run `go build` for `{program}`; `setpriv` (package util-linux) starts it")]
    Run {
        /// The program being built.
        program: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The compiler refused.
    #[error("`go build` of `{program}` failed ({status}):\n{output}")]
    Refused {
        /// The program being built.
        program: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The last lines it printed.
        output: String,
    },
}

/// The folder with the module's programs, built if it is not there.
pub(super) fn provide(module: &Module, go: &Go, cache: &Path) -> Result<PathBuf, BuildError> {
    let entry = cache.join(format!("{}-{}", module.name, module.digest(&go.version)));
    let built = once(cache, &entry, |unfinished| {
        for (program, package) in &module.packages {
            compile(module, go, program, package, &unfinished.join(program))?;
        }
        for (file, (from, path)) in &module.files {
            let source = folder_of(module, go, from)?.join(path);
            at("copy from the module cache", &source, fs::copy(&source, unfinished.join(file)))?;
        }
        for alias in &module.aliases {
            let link = unfinished.join(alias);
            at("create", &link, std::os::unix::fs::symlink(&module.name, &link))?;
        }
        Ok(())
    })?;
    remove_older(cache, &module.name, &built);
    Ok(built)
}

/// Makes the folder `target` with `make`, which fills a folder beside it that is then renamed. One lock for all modules:
/// linking two such programs at once takes several gigabytes.
pub(super) fn once<E: From<BuildError>>(
    cache: &Path,
    target: &Path,
    make: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<PathBuf, E> {
    once_under(cache, "build", target, make)
}

/// As [`once`], one at a time of those with the same lock.
pub(super) fn once_under<E: From<BuildError>>(
    cache: &Path,
    lock: &str,
    target: &Path,
    make: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<PathBuf, E> {
    if target.is_dir() {
        return Ok(target.to_owned());
    }
    at("create", cache, fs::create_dir_all(cache))?;
    let lock_path = cache.join(format!("{lock}.lock"));
    let lock = at("create", &lock_path, File::create(&lock_path))?;
    if lock.try_lock().is_err() {
        report(format_args!("another lab is building ({}); waiting for it", lock_path.display()));
        at("lock", &lock_path, lock.lock())?;
    }
    if target.is_dir() {
        return Ok(target.to_owned());
    }
    let unfinished = target.with_extension("unfinished");
    if unfinished.exists() {
        at("remove", &unfinished, fs::remove_dir_all(&unfinished))?;
    }
    at("create", &unfinished, fs::create_dir_all(&unfinished))?;
    make(&unfinished)?;
    at("rename to", target, fs::rename(&unfinished, target))?;
    Ok(target.to_owned())
}

fn at<T>(action: &'static str, path: &Path, result: io::Result<T>) -> Result<T, BuildError> {
    result.map_err(|source| BuildError::Cache { action, path: path.to_owned(), source })
}

/// Says a line on standard error. That may be a file on a full disk, which is no reason to end as a panic does.
pub fn report(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "jiyun-lab: {line}");
}

fn compile(module: &Module, go: &Go, program: &str, package: &str, output: &Path) -> Result<(), BuildError> {
    let failed = |source| BuildError::Run { program: program.to_owned(), source };
    // It waits for the compiler on this thread; killed itself, it leaves nothing that goes on compiling.
    let mut child = fetching(tied(program, &go.program))
        .args(["build", "-v", "-trimpath", "-tags", &module.tags, "-ldflags", &module.ldflags, "-o"])
        .arg(output)
        .arg(package)
        .env("CGO_ENABLED", if module.cgo.contains(program) { "1" } else { "0" })
        .current_dir(&module.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut progress = Progress::new(program);
    let mut last = Vec::new();
    for line in child.stderr.take().map(BufReader::new).into_iter().flat_map(io::BufRead::lines) {
        let line = line.map_err(failed)?;
        progress.saw(&line);
        last.push(line);
        if last.len() > 40 {
            last.remove(0);
        }
    }
    let status = child.wait().map_err(failed)?;
    progress.finish(status.success());
    if status.success() {
        return Ok(());
    }
    Err(BuildError::Refused { program: program.to_owned(), status, output: last.join("\n") })
}

/// Where the compiler keeps a module this one is made of.
fn folder_of(module: &Module, go: &Go, from: &str) -> Result<PathBuf, BuildError> {
    let output = fetching(Command::new(&go.program))
        .args(["list", "-m", "-f", "{{.Dir}}", from])
        .current_dir(&module.folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| BuildError::Run { program: from.to_owned(), source })?;
    if output.status.success() {
        return Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(BuildError::Refused { program: from.to_owned(), status: output.status, output: said })
}

/// Removes what older sources of the module left in the cache, but for the newest of them: another checkout may use it.
pub(super) fn remove_older(cache: &Path, module: &str, current: &Path) {
    let is_entry = |name: &str| {
        name.strip_prefix(module)
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|digest| digest.len() == 16 && digest.chars().all(|c| c.is_ascii_hexdigit()))
    };
    let mut older: Vec<_> = fs::read_dir(cache)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| is_entry(&entry.file_name().to_string_lossy()) && entry.path() != current)
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    older.sort();
    older.pop();
    for (_, path) in older {
        // A leftover costs disk space, nothing else.
        let _ = fs::remove_dir_all(path);
    }
}

/// Shows how far a build is: a line rewritten in a terminal, else one line every ten seconds.
struct Progress<'a> {
    program: &'a str,
    started: Instant,
    shown: Instant,
    downloads: usize,
    packages: usize,
    terminal: bool,
}

impl<'a> Progress<'a> {
    fn new(program: &'a str) -> Self {
        report(format_args!("building {program} (once; kept in the cache)"));
        let now = Instant::now();
        Self { program, started: now, shown: now, downloads: 0, packages: 0, terminal: io::stderr().is_terminal() }
    }

    fn saw(&mut self, line: &str) {
        if line.starts_with("go: downloading") {
            self.downloads += 1;
        } else {
            self.packages += 1;
        }
        let pause = if self.terminal { Duration::from_millis(100) } else { Duration::from_secs(10) };
        if self.shown.elapsed() >= pause {
            self.shown = Instant::now();
            self.show(if self.terminal { "\r" } else { "" }, if self.terminal { "" } else { "\n" });
        }
    }

    fn show(&self, before: &str, after: &str) {
        let mut stderr = io::stderr();
        let _ = write!(
            stderr,
            "{before}jiyun-lab: {}: {} modules fetched, {} packages compiled, {} s{after}",
            self.program,
            self.downloads,
            self.packages,
            self.started.elapsed().as_secs()
        );
        let _ = stderr.flush();
    }

    fn finish(&self, built: bool) {
        self.show(if self.terminal { "\r" } else { "" }, "\n");
        if built {
            report(format_args!("built {}", self.program));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_who_ask_at_the_same_time_share_one_build() {
        let cache = tempfile::tempdir().expect("temp dir");
        let builds = std::sync::atomic::AtomicU32::new(0);
        let target = cache.path().join("tool-0000000000000001");
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    once::<BuildError>(cache.path(), &target, |unfinished| {
                        builds.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        assert!(!target.exists(), "nothing is in place before it is whole");
                        fs::write(unfinished.join("tool"), "built").expect("write");
                        Ok(())
                    })
                    .expect("built");
                });
            }
        });
        assert_eq!(builds.into_inner(), 1);
        assert_eq!(fs::read_to_string(target.join("tool")).expect("in place"), "built");
    }

    #[test]
    fn a_failed_build_leaves_nothing_in_place_and_is_tried_again() {
        let cache = tempfile::tempdir().expect("temp dir");
        let target = cache.path().join("tool-0000000000000001");
        let failure = || BuildError::Run { program: "tool".into(), source: io::Error::other("refused") };
        once::<BuildError>(cache.path(), &target, |_| Err(failure())).expect_err("fails");
        assert!(!target.exists());
        once::<BuildError>(cache.path(), &target, |_| Ok(())).expect("succeeds");
        assert!(target.exists());
    }

    #[test]
    fn what_a_killed_build_has_left_is_not_taken_for_a_program() {
        let cache = tempfile::tempdir().expect("temp dir");
        let target = cache.path().join("tool-1");
        let left = target.with_extension("unfinished");
        fs::create_dir_all(&left).expect("made");
        fs::write(left.join("half"), "of a program").expect("written");
        let made = once::<BuildError>(cache.path(), &target, |unfinished| {
            assert!(!unfinished.join("half").exists());
            fs::write(unfinished.join("tool"), "built").expect("write");
            Ok(())
        });
        let made = made.expect("built");
        assert!(made.join("tool").exists() && !made.join("half").exists() && !left.exists());
    }

    #[test]
    fn of_older_entries_only_the_newest_is_kept() {
        let cache = tempfile::tempdir().expect("temp dir");
        let entry = |name: &str| {
            let path = cache.path().join(name);
            fs::create_dir_all(&path).expect("create");
            path
        };
        let oldest = entry("tool-0000000000000001");
        let other_module = entry("tool-extra-0000000000000001");
        std::thread::sleep(Duration::from_millis(20));
        let older = entry("tool-0000000000000002");
        std::thread::sleep(Duration::from_millis(20));
        let current = entry("tool-0000000000000003");
        remove_older(cache.path(), "tool", &current);
        assert!(!oldest.exists() && older.exists() && current.exists() && other_module.exists());
    }
}
