//! The Go compiler: where it is, whether it is new enough, and what to type when it is not.

use std::io;
use std::path::PathBuf;
use std::process::Command;

use super::module::Module;

/// The Go compiler cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// No `go` on the PATH.
    #[error("Go is not installed; it builds the lab's programs once.\n{help}")]
    Missing {
        /// What to type.
        help: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// `go` is older than the module demands, and may not fetch a newer one by itself.
    #[error("Go is too old: `{module}` needs {needed}, and `{program} version` says: {found}\n{help}")]
    TooOld {
        /// The module's name.
        module: String,
        /// The program called.
        program: String,
        /// The version demanded.
        needed: String,
        /// What was found.
        found: String,
        /// What to type.
        help: String,
    },
}

/// A usable compiler.
#[derive(Debug)]
pub struct Go {
    /// The program to call.
    pub program: PathBuf,
    /// What `go version` says in the module's folder.
    pub version: String,
}

/// Lets `go` fetch the compiler a module names, unless somebody said otherwise: some distributions forbid it by default.
pub fn fetching(mut go: Command) -> Command {
    if std::env::var_os("GOTOOLCHAIN").is_none() {
        go.env("GOTOOLCHAIN", "auto");
    }
    go
}

/// Finds a compiler that can build the module: `GO`, or `go` on the PATH.
pub fn find(module: &Module) -> Result<Go, ToolchainError> {
    let program = std::env::var_os("GO").map_or_else(|| PathBuf::from("go"), PathBuf::from);
    let help = help(&module.go_version);
    // In the module's folder, a `go` that may fetch newer compilers answers with the one it would use.
    let output = fetching(Command::new(&program))
        .arg("version")
        .current_dir(&module.folder)
        .output()
        .map_err(|source| ToolchainError::Missing { help: help.clone(), source })?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let version = said(&output.stdout);
    if output.status.success() && new_enough(&version, &module.go_version) {
        return Ok(Go { program, version });
    }
    let found = if version.is_empty() { said(&output.stderr) } else { version };
    Err(ToolchainError::TooOld {
        module: module.name.clone(),
        program: program.display().to_string(),
        needed: module.go_version.clone(),
        found,
        help,
    })
}

fn help(version: &str) -> String {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    format!(
        "Debian 13, Ubuntu 24.04 or newer, whose packaged Go then fetches {version} by itself:\n  \
           sudo apt install golang-go && go env -w GOTOOLCHAIN=auto\n\
         Anywhere else on Linux:\n  \
           curl -LO https://go.dev/dl/go{version}.linux-{architecture}.tar.gz\n  \
           sudo rm -rf /usr/local/go && sudo tar -C /usr/local -xzf go{version}.linux-{architecture}.tar.gz\n  \
           export PATH=/usr/local/go/bin:$PATH\n\
         Or, without Go: set JIYUN_LAB_BIN to a folder that holds etcd, kube-apiserver, kube-controller-manager, kubectl \
         and helm, and JIYUN_LAB_ENGINE_CRDS to one that holds the engines' definitions."
    )
}

/// Whether `go version go1.26.8 linux/amd64` is at least `1.26.0`.
fn new_enough(said: &str, needed: &str) -> bool {
    let found = said.split_whitespace().find_map(|word| word.strip_prefix("go1.")).map(|rest| format!("1.{rest}"));
    found.is_some_and(|found| numbers(&found) >= numbers(needed))
}

/// `1.26.8` or `1.27rc1` as numbers.
fn numbers(version: &str) -> Vec<u32> {
    let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0);
    let mut numbers: Vec<u32> = version.split('.').map(digits).collect();
    numbers.resize(3, 0);
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_not_by_letter() {
        assert!(new_enough("go version go1.26.8 linux/amd64", "1.26.0"));
        assert!(new_enough("go version go1.100.0 linux/amd64", "1.26.0"));
        assert!(new_enough("go version go1.27rc1 linux/amd64", "1.26.0"));
        assert!(!new_enough("go version go1.9.7 linux/amd64", "1.26.0"));
        assert!(!new_enough("go version go1.24.4 linux/amd64", "1.26.0"));
        assert!(!new_enough("", "1.26.0"));
    }

    #[test]
    fn the_help_says_what_to_type_on_debian_and_elsewhere() {
        let help = help("1.26.0");
        assert!(help.contains("sudo apt install golang-go") && help.contains("https://go.dev/dl/go1.26.0.linux-"));
    }
}
