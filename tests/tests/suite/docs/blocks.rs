//! The documents of the project and the commands in them: fenced blocks marked `sh run=<name>` are run, plain `sh` is not.

use std::path::{Path, PathBuf};

/// How the commands begin that take Jiyun from a cluster.
pub const UNINSTALL: &str = "( set -euo pipefail # what labs left";

/// Commands no test can run, by the first line of their block, with the reason. A block of `make` targets needs no entry.
pub const NOT_RUN: [(&str, &str); 16] = [
    ("export KUBECONFIG=", "the test itself sets what `make demo` prints"),
    (
        "sudo --preserve-env env \"PATH=$PATH\" jiyun-lab doctor",
        "needs root; tests/lab/tests/node/ starts the same labs where it is there",
    ),
    ("make build lab && export PATH=", "needs root; on_node/guide.rs starts the same lab where it is there"),
    (
        "for name in jiyun-controller jiyun-api; do\n  skopeo",
        "needs a registry; on_node/images.rs reads the same archive",
    ),
    ("jiyun-lab up --cluster", "needs a cluster; tests/lab/tests/given.rs gives these arguments with one of its own"),
    (UNINSTALL, "given_cluster.rs runs it, where nothing is lost"),
    ("etcdctl user add root --no-password", "the lab has no etcdctl; it makes the same calls (tests/lab/src/etcd.rs)"),
    (
        "kubectl create namespace jiyun-system",
        "needs certificates and a cluster with nodes; the lab applies the same charts",
    ),
    (
        "jiyun-controller ledger adopt --plan",
        "restored.rs runs it, where something was restored; the lab has no pods to scale",
    ),
    ("kubectl create clusterrolebinding jiyun-platform-operators", "the lab binds groups of its own (people.yaml)"),
    (
        "kubectl --namespace jiyun-system create secret generic jiyun-notifications",
        "needs the city's files and an installation; charts.rs renders the same value",
    ),
    ("kubectl --namespace jiyun-system exec deploy", "the lab has no pods; the same commands are run beside it"),
    ("last=$(tail -n 1 /archive", "ledger/tests/book/archives.rs and pruning.rs do it; the lab has no /archive"),
    ("cat /archive/", "an import needs an empty ledger and no controller; ledger/tests/book/archives.rs does it"),
    ("revision=$(etcdctl", "the lab has no etcdctl; ledger/tests/etcd/full.rs makes the same calls"),
    ("kubectl --namespace jiyun-system port-forward", "the lab has no pods to forward to; programs run as processes"),
];

/// One fenced block of shell commands.
#[derive(Debug)]
pub struct Block {
    /// Line of the file its fence is in, from 1.
    pub line: usize,
    /// Its name, where it is to be run.
    pub run: Option<String>,
    /// The commands.
    pub script: String,
}

/// Every document: `README.md` and all of `docs/`, in Chinese too.
pub fn documents() -> Vec<PathBuf> {
    let root = jiyun_lab::source_root();
    let within = |folder: &str| std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let is_text = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    let docs = within("docs").chain(within("docs/zh"));
    let mut all: Vec<_> = docs.filter(is_text).chain([root.join("README.md")]).collect();
    all.sort();
    all
}

/// The text of a document.
pub fn text(document: &Path) -> String {
    std::fs::read_to_string(document).unwrap_or_else(|error| panic!("{}: {error}", document.display()))
}

/// The shell blocks of a document, in order.
pub fn blocks(document: &Path) -> Vec<Block> {
    let (mut found, mut open) = (Vec::new(), None::<(bool, Block)>);
    for (number, line) in text(document).lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                let mut words = info.split_whitespace();
                let is_shell = matches!(words.next(), Some("sh" | "bash" | "shell" | "console"));
                let run = words.find_map(|word| word.strip_prefix("run=")).map(str::to_owned);
                open = Some((is_shell, Block { line: number + 1, run, script: String::new() }));
            }
            (Some(_), Some(_)) => found.extend(open.take().filter(|(is_shell, _)| *is_shell).map(|(_, block)| block)),
            (Some((_, block)), None) => {
                block.script.push_str(line);
                block.script.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{}: a fence is not closed", document.display());
    found
}

/// Whether every line is a target of the Makefile (with or without `NAME=value`) or a comment.
pub fn is_make(script: &str, targets: &[String]) -> bool {
    script.lines().all(|line| {
        let line = line.split('#').next().unwrap_or_default().trim();
        let mut words = line.split_whitespace();
        line.is_empty()
            || words.next() == Some("make")
                && words.filter(|word| !word.contains('=')).all(|word| targets.iter().any(|target| target == word))
    })
}

/// The Makefile's targets.
pub fn targets() -> Vec<String> {
    let makefile = text(&jiyun_lab::source_root().join("Makefile"));
    let phony = makefile.lines().filter_map(|line| line.strip_prefix(".PHONY:"));
    phony.flat_map(str::split_whitespace).map(str::to_owned).collect()
}
