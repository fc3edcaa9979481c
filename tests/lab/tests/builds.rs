//! A build of the lab's programs that is killed: nothing half is ever taken for a program, and the next one clears up.

// Helpers of tests fail the test as the tests themselves do; clippy exempts only the latter.
#![allow(clippy::expect_used)]

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiyun_lab::wait_for;

const DEADLINE: Duration = Duration::from_mins(1);

/// The modules that `jiyun-lab build` builds, where the engines' definitions are given.
const MODULES: [&str; 2] = ["controlplane", "helm"];

/// Plays the compiler: `go version`, and `go build ... -o OUTPUT PACKAGE`. Told to, it stops halfway and shows progress,
/// as the real one does, until nobody reads it.
const GO: &str = r#"#!/bin/sh
[ "$1" = version ] && { echo "go version go1.99.0 linux/amd64"; exit; }
while [ "$1" != -o ]; do shift; done
printf half >"$2"
while [ "$STOPS_HALFWAY" ] && echo compiling >&2; do sleep 0.02; done
[ "$STOPS_HALFWAY" ] && exit 1
if [ "$LINKS_SILENTLY" ]; then
    echo "$$" >"$LINKS_SILENTLY.new"
    mv "$LINKS_SILENTLY.new" "$LINKS_SILENTLY"
    exec sleep 600
fi
printf 'and whole' >>"$2"
"#;

/// Modules, a compiler and a cache of the test's own.
struct Workshop(tempfile::TempDir);

impl Workshop {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("temp dir");
        for module in MODULES {
            let module = folder.path().join("programs").join(module);
            fs::create_dir_all(&module).expect("made");
            fs::write(module.join("go.mod"), "module x\n\ngo 1.26.0\n").expect("written");
        }
        fs::create_dir(folder.path().join("definitions")).expect("made");
        let go = folder.path().join("go");
        fs::write(&go, GO).expect("written");
        fs::set_permissions(&go, Permissions::from_mode(0o755)).expect("changed");
        Self(folder)
    }

    fn build(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jiyun-lab"));
        let variables = [
            ("GO", "go"),
            ("JIYUN_LAB_PROGRAMS", "programs"),
            ("JIYUN_LAB_CACHE", "cache"),
            ("JIYUN_LAB_ENGINE_CRDS", "definitions"),
        ];
        command.arg("build").envs(variables.map(|(name, path)| (name, self.0.path().join(path))));
        command.env_remove("JIYUN_LAB_BIN").stdin(Stdio::null());
        command
    }

    fn cache(&self) -> PathBuf {
        self.0.path().join("cache")
    }

    /// Folders in the cache.
    fn kept(&self) -> BTreeSet<PathBuf> {
        let entries = fs::read_dir(self.cache()).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    }
}

/// Killed and reaped whatever the test says.
struct Builder(Child);

impl Builder {
    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Builder {
    fn drop(&mut self) {
        self.kill();
    }
}

#[tokio::test]
async fn sigkill_of_a_build_leaves_nothing_for_a_program_and_the_next_one_clears_up() {
    let workshop = Workshop::new();
    let builder = workshop.build().env("STOPS_HALFWAY", "yes").stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut builder = Builder(builder.expect("jiyun-lab runs"));
    let half = wait_for("half a program to be there", DEADLINE, || async {
        let kept = workshop.kept();
        let half = kept.iter().find(|folder| fs::read(folder.join("controlplane")).is_ok_and(|text| text == b"half"));
        half.cloned().ok_or(format!("{kept:?}"))
    });
    let half = half.await.expect("it is built");
    builder.kill();
    assert_eq!(workshop.kept(), BTreeSet::from([half.clone()]), "what it has left");
    assert!(half.extension().is_some_and(|name| name == "unfinished"), "{} is no entry", half.display());

    let output = workshop.build().output().expect("jiyun-lab runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("waiting for it"), "the lock ended with its holder: {said}");
    assert!(!half.exists(), "it is cleared up");
    let names: Vec<String> = workshop.kept().iter().map(|folder| folder.display().to_string()).collect();
    assert_eq!(names.len(), MODULES.len(), "{names:?}");
    let program = half.with_extension("").join("controlplane");
    assert_eq!(fs::read_to_string(program).expect("built"), "halfand whole");
}

#[tokio::test]
async fn a_compiler_that_says_nothing_ends_with_the_build_that_started_it() {
    let workshop = Workshop::new();
    let told = workshop.0.path().join("compiler");
    let builder = workshop.build().env("LINKS_SILENTLY", &told).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut builder = Builder(builder.expect("jiyun-lab runs"));
    let number = wait_for("the compiler to have begun", DEADLINE, || async {
        fs::read_to_string(&told).map(|number| number.trim().to_owned()).map_err(|error| error.to_string())
    });
    let compiler = PathBuf::from("/proc").join(number.await.expect("it compiles")).join("comm");
    let is_there = || fs::read_to_string(&compiler).is_ok_and(|name| name.trim() == "sleep");
    let began = wait_for("the compiler to compile", DEADLINE, || async { is_there().then_some(()).ok_or("not yet") });
    began.await.expect("it is there");
    builder.kill();
    let gone = wait_for("the compiler to be gone", DEADLINE, || async { (!is_there()).then_some(()).ok_or("there") });
    gone.await.expect("it does not outlive its build");
}
