//! What a lab's etcd is filled with before it starts: the definitions of kinds, stored once for all labs that have the same.
//!
//! An API server works 14 s on one processor when it is given the engines' definitions one by one, and 5.5 s when it finds all
//! of them at its start. So they are given once, to a control plane that exists for that alone; what its
//! etcd has then is kept in the cache, under a digest of the definitions and of the programs, and copied into every lab.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::apiserver::{Auditing, SignIn};
use crate::cluster::own::ControlPlane;
use crate::etcd::{self, EtcdError, TlsFiles};
use crate::folder::Folder;
use crate::install::Installer;
use crate::kubeconfig;
use crate::lab::LabError;
use crate::pki::Authority;
use crate::process::Supervisor;
use crate::programs::{self, BuildError, ControlPlanePrograms};

/// Name of the control plane that takes the definitions, beside what is kept of it.
const TAKER: &str = "taker";
/// Name of its etcd's files in the cache.
const ETCD: &str = "etcd";
/// How long its API server, which nobody watches, may take to end.
const GRACE: Duration = Duration::from_secs(3);
/// Raised when what is stored beside the definitions changes.
const RECIPE: u32 = 2;

/// It could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrefillError {
    /// It could not be kept.
    #[error(transparent)]
    Cache(#[from] BuildError),
    /// The control plane that was to take the definitions failed.
    #[error("the definitions could not be stored beforehand")]
    Taker(#[source] Box<LabError>),
    /// Its etcd's files could not be copied.
    #[error("cannot copy the files of etcd")]
    Copy(#[from] io::Error),
}

impl From<LabError> for PrefillError {
    fn from(source: LabError) -> Self {
        Self::Taker(Box::new(source))
    }
}

/// The programs of the control plane that takes the definitions, which are those of the lab.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    /// The key-value store.
    pub(crate) etcd: PathBuf,
    /// The rest.
    pub(crate) control_plane: ControlPlanePrograms,
}

impl Programs {
    /// Whether they are the cache's, where another program has another path.
    pub(crate) fn are_built(&self) -> bool {
        let cache = programs::cache_folder();
        [&self.etcd, &self.control_plane.apiserver].iter().all(|program| program.starts_with(&cache))
    }
}

/// The folder of an etcd that has these definitions, made if it is not in the cache. `variant` names what the lab has, so
/// that labs of another kind keep theirs.
pub(crate) async fn provide(
    programs: Programs,
    variant: String,
    definitions: Vec<Value>,
) -> Result<PathBuf, PrefillError> {
    let runtime = tokio::runtime::Handle::current();
    let made = tokio::task::spawn_blocking(move || {
        let entry = programs::cache_folder().join(format!("{variant}-{}", digest(&programs, &definitions)));
        programs::keep_alone(&entry, &variant, |target| {
            let made = runtime.block_on(Box::pin(make(&programs, definitions, target)));
            // Half of it is of no use to anybody, and the lab that does without needs the room.
            made.inspect_err(|_| drop(std::fs::remove_dir_all(target)))
        })
    });
    made.await.map_err(io::Error::other)?
}

/// The beginning of what tells this etcd's content from every other.
fn digest(programs: &Programs, definitions: &[Value]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(RECIPE.to_be_bytes());
    for program in [&programs.etcd, &programs.control_plane.apiserver] {
        // Programs of the cache are in a folder with the digest of their sources.
        hasher.update(program.as_os_str().as_encoded_bytes());
        hasher.update([0]);
    }
    for definition in definitions {
        hasher.update(definition.to_string());
        hasher.update([0]);
    }
    hex::encode(hasher.finalize()).chars().take(16).collect()
}

/// Kills what was started, however its start ends.
struct Ends<'a>(&'a Supervisor);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.kill_all();
    }
}

async fn make(programs: &Programs, definitions: Vec<Value>, target: &Path) -> Result<(), PrefillError> {
    programs::report(format_args!("storing {} definitions (once; kept in the cache)", definitions.len()));
    let folder = Folder::create(target, TAKER).map_err(LabError::from)?;
    let authority = Authority::create(&folder.path().join("pki")).map_err(LabError::from)?;
    let nobody = SignIn { tokens: String::new(), jwt: None };
    let control_plane = programs.control_plane.clone();
    let taker = ControlPlane::prepare(control_plane, &folder, &authority, &nobody, &Auditing::default(), None)?;
    let supervisor = Supervisor::default();
    let ends = Ends(&supervisor);
    taker.start(&programs.etcd, &folder, &supervisor)?;
    let filled = async {
        let client = kubeconfig::client(taker.admin_kubeconfig()).await?;
        taker.ready(&client).await?;
        Installer::new(client).apply(definitions).await?;
        Ok::<_, LabError>(())
    };
    tokio::select! {
        biased;
        failure = supervisor.failed() => Err(failure.into()),
        filled = filled => filled,
    }?;
    if let Some(server) = supervisor.find("kube-apiserver") {
        server.stop(GRACE).await;
    }
    forget(&taker, &authority).await?;
    supervisor.stop_all().await;
    drop(ends);
    copy(&taker.etcd_folder(&folder), &target.join(ETCD))?;
    folder.remove().map_err(LabError::from)?;
    Ok(())
}

/// Removes what tells this Kubernetes from others: the UID by which Jiyun knows it (`kube-system`, which an API server makes
/// where it is missing), and which clients it trusts. A controller manager and people were never there.
async fn forget(taker: &ControlPlane, authority: &Authority) -> Result<(), LabError> {
    let client = authority.client("prefill", "prefill", None)?;
    let tls = TlsFiles { authority: authority.certificate().to_owned(), client };
    let endpoint = taker.etcd_endpoint();
    let mut etcd = etcd::connect(&endpoint, &tls).await?;
    for key in ["namespaces/kube-system", "configmaps/kube-system/extension-apiserver-authentication"] {
        let deleted = etcd.delete(format!("/registry/{key}"), None).await;
        deleted.map_err(|source| EtcdError::Refused { endpoint: endpoint.clone(), action: "remove a key", source })?;
    }
    Ok(())
}

/// Lets the etcd whose files will be in `data` begin with what [`provide`] made. On an error there is nothing. Blocks.
pub(crate) fn fill(made: &Path, data: &Path) -> io::Result<()> {
    let copied = copy(&made.join(ETCD), data).and_then(|()| whole(data));
    copied.inspect_err(|_| drop(std::fs::remove_dir_all(data)))
}

/// Another checkout may have removed an entry while it was copied: an etcd with one half of its files would begin all the same.
fn whole(data: &Path) -> io::Result<()> {
    let member = data.join("member");
    let log = std::fs::read_dir(member.join("wal"))?.flatten().map(|entry| entry.path());
    let has_log = log.filter_map(|path| path.extension().map(ToOwned::to_owned)).any(|kind| kind == "wal");
    if has_log && member.join("snap").join("db").is_file() {
        return Ok(());
    }
    Err(io::Error::other("the files of etcd are not whole"))
}

/// etcd's log is given its full size beforehand, 64 MB: most of it is nothing, and stays so.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let ended = Command::new("cp").args(["--archive", "--sparse=always"]).arg(from).arg(to).output()?;
    if ended.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("cp: {}", String::from_utf8_lossy(&ended.stderr).trim())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn programs(apiserver: &str) -> Programs {
        let control_plane = ControlPlanePrograms { apiserver: apiserver.into(), controller_manager: "m".into() };
        Programs { etcd: "e".into(), control_plane }
    }

    #[test]
    fn other_definitions_or_another_program_are_kept_apart() {
        let (one, two) = ([json!({"a": 1})], [json!({"a": 2})]);
        let first = digest(&programs("p"), &one);
        assert_eq!(first, digest(&programs("p"), &one));
        assert_eq!(first.len(), 16);
        assert_ne!(first, digest(&programs("p"), &two));
        assert_ne!(first, digest(&programs("q"), &one));
        assert_ne!(
            digest(&programs("p"), &[json!("ab"), json!("c")]),
            digest(&programs("p"), &[json!("a"), json!("bc")])
        );
    }

    #[test]
    fn what_cannot_be_copied_leaves_nothing_behind() {
        let scratch = tempfile::tempdir().expect("a folder");
        let data = scratch.path().join("data").join("etcd");
        let error = fill(&scratch.path().join("nothing"), &data).expect_err("there is none");
        assert!(error.to_string().starts_with("cp: "), "{error}");
        assert!(!data.exists());
    }

    #[test]
    fn a_copy_without_its_log_is_refused_and_removed() {
        let scratch = tempfile::tempdir().expect("a folder");
        let (made, data) = (scratch.path().join("made"), scratch.path().join("data"));
        let member = made.join(ETCD).join("member");
        for folder in ["snap", "wal"] {
            std::fs::create_dir_all(member.join(folder)).expect("made");
        }
        std::fs::write(member.join("snap/db"), "").expect("written");
        assert_eq!(fill(&made, &data).expect_err("no log").to_string(), "the files of etcd are not whole");
        assert!(!data.exists());
        std::fs::write(member.join("wal/0.wal"), "").expect("written");
        fill(&made, &data).expect("whole");
    }
}
