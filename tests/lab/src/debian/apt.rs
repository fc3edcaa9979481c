//! apt with every folder its own: it reads the machine's settings for reaching a mirror, and changes nothing there.

use std::fs;
use std::path::{Path, PathBuf};

use super::{DebianError, SUITE, at, run};

/// Keys by which Debian signs its releases; part of the package `debian-archive-keyring`.
pub const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// apt, working in one folder.
pub(super) struct Apt {
    folder: PathBuf,
    mirror: String,
}

impl Apt {
    /// Makes its folders below `entry` and reads the lists of packages.
    pub(super) fn prepare(entry: &Path) -> Result<Self, DebianError> {
        let folder = entry.join("apt");
        let apt = Self { mirror: mirror()?, folder };
        for sub in ["lists/partial", "archives/partial", "sources"] {
            let sub = apt.folder.join(sub);
            at(&sub, fs::create_dir_all(&sub))?;
        }
        let mirror = &apt.mirror;
        apt.write(
            "sources/debian.sources",
            &format!("Types: deb\nURIs: {mirror}\nSuites: {SUITE}\nComponents: main\nSigned-By: {KEYS}\n"),
        )?;
        // An empty list of what is installed: all that is needed is fetched.
        apt.write("status", "")?;
        apt.write("apt.conf", &apt.settings())?;
        crate::programs::report(format_args!("fetching lists of Debian's packages"));
        apt.get("fetching the lists of packages", &["update"])?;
        Ok(apt)
    }

    /// Fetches packages and all they depend on; the folder holds nothing else.
    pub(super) fn download(&self, packages: &[&str]) -> Result<PathBuf, DebianError> {
        crate::programs::report(format_args!("fetching Debian's packages: {}", packages.join(" ")));
        let arguments = [&["--yes", "--download-only", "install"], packages].concat();
        self.get("fetching packages", &arguments)?;
        Ok(self.folder.join("archives"))
    }

    /// Where packages come from.
    pub(super) fn mirror(&self) -> &str {
        &self.mirror
    }

    /// Removes its folder.
    pub(super) fn remove(self) -> Result<(), DebianError> {
        at(&self.folder, fs::remove_dir_all(&self.folder))
    }

    fn write(&self, name: &str, content: &str) -> Result<(), DebianError> {
        let path = self.folder.join(name);
        at(&path, fs::write(&path, content))
    }

    fn get(&self, what: &str, arguments: &[&str]) -> Result<String, DebianError> {
        let settings = self.folder.join("apt.conf");
        run("apt-get", &self.mirror, what, |command| command.env("APT_CONFIG", &settings).args(arguments))
    }

    /// Read after the machine's own settings, which say how the network is reached. Its hooks are taken out: they are
    /// about the machine's folders.
    fn settings(&self) -> String {
        let folder = self.folder.display();
        format!(
            "#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
Dir::State \"{folder}\";
Dir::State::lists \"{folder}/lists\";
Dir::State::status \"{folder}/status\";
Dir::Cache \"{folder}\";
Dir::Cache::archives \"{folder}/archives\";
Dir::Etc::sourcelist \"/dev/null\";
Dir::Etc::sourceparts \"{folder}/sources\";
Dir::Etc::preferences \"/dev/null\";
Dir::Etc::preferencesparts \"/dev/null\";
Dir::Log \"{folder}\";
APT::Architecture \"{architecture}\";
APT::Architectures {{ \"{architecture}\"; }};
APT::Install-Recommends \"false\";
APT::Keep-Downloaded-Packages \"true\";
APT::Sandbox::User \"root\";
Acquire::Languages \"none\";
Acquire::Retries \"3\";
",
            architecture = super::architecture(),
        )
    }
}

/// `JIYUN_LAB_DEBIAN`, else the mirror this machine's apt uses.
fn mirror() -> Result<String, DebianError> {
    if let Some(named) = std::env::var("JIYUN_LAB_DEBIAN").ok().filter(|named| !named.is_empty()) {
        return Ok(named);
    }
    let list = run("apt-get", "", "asking apt for its mirrors", |command| {
        command.args(["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"])
    })?;
    choose(&list).ok_or(DebianError::NoMirror)
}

/// The first that is a mirror of Debian's main archive: such addresses end in `/debian`.
fn choose(list: &str) -> Option<String> {
    list.lines()
        .map(|address| address.trim_end_matches('/'))
        .find(|address| address.ends_with("/debian"))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_archive_is_chosen_and_not_the_security_archive_or_another_distribution() {
        let list = "http://a.example/debian-security/\nhttp://a.example/ubuntu/\nhttp://b.example/debian/\n";
        assert_eq!(choose(list).as_deref(), Some("http://b.example/debian"));
        assert_eq!(choose("http://a.example/ubuntu/\n"), None);
    }
}
