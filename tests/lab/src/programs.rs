//! The programs of the lab: built once from the Go modules under `programs/`, kept in a cache under a digest of their
//! source, or taken from a folder of existing binaries.

mod build;
mod module;
mod toolchain;

use std::path::{Path, PathBuf};

pub use build::{BuildError, report};
pub use module::ModuleError;
pub use toolchain::ToolchainError;

/// A program could not be provided.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The module's folder or its build description is unusable.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// Go is missing or too old.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// The build failed.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// The Go modules the lab knows, in the order they are built.
pub const MODULES: [&str; 13] = [
    "controlplane",
    "engine-crds",
    "helm",
    "kubevirt",
    "node",
    "containerd",
    "coredns",
    "pods",
    "kubevirt-node",
    "cdi",
    "cnpg",
    "s3",
    "csi",
];

/// The programs linked into `controlplane`; it is called by their names.
const CONTROL_PLANE: [&str; 4] = ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"];

/// Further names a module's program is called by: it chooses what it is from the name.
fn aliases(module: &str) -> &'static [&'static str] {
    match module {
        "controlplane" => &CONTROL_PLANE,
        "kubevirt" => &["virt-api", "virt-controller", "kubevirt-objects"],
        "node" => &["kube-scheduler", "kubelet", "kube-proxy"],
        _ => &[],
    }
}

/// Folder with one Go module per subfolder: `JIYUN_LAB_PROGRAMS`, or the source tree's `tests/lab/programs`.
pub fn modules_folder() -> PathBuf {
    std::env::var_os("JIYUN_LAB_PROGRAMS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("programs"), PathBuf::from)
}

/// Whether this source tree holds the module.
pub fn exists(module: &str) -> bool {
    modules_folder().join(module).join("go.mod").is_file()
}

/// Folder in which built programs are kept: `JIYUN_LAB_CACHE`, else `jiyun-lab` under `XDG_CACHE_HOME` or `~/.cache`.
pub fn cache_folder() -> PathBuf {
    if let Some(cache) = std::env::var_os("JIYUN_LAB_CACHE") {
        return cache.into();
    }
    let base =
        std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cache")));
    base.unwrap_or_else(std::env::temp_dir).join("jiyun-lab")
}

/// The path of `program` of a Go module, building the module first where its cache entry is missing. Blocks.
///
/// Binaries in the folder named by `JIYUN_LAB_BIN` come first: etcd, kube-apiserver, kube-controller-manager, kubectl,
/// or any other program's name.
pub fn program(module: &str, program: &str) -> Result<PathBuf, ProgramError> {
    if let Some(given) = given(program) {
        return Ok(given);
    }
    Ok(provide(module)?.join(program))
}

/// The folder with the built programs of a Go module, building it where it is not in the cache. Blocks.
pub fn provide(module: &str) -> Result<PathBuf, ProgramError> {
    let module = module::Module::read(&modules_folder(), module)?;
    let go = toolchain::find(&module)?;
    Ok(build::provide(&module, &go, &cache_folder())?)
}

/// The folder `name` beside built programs, made by `make` where it is missing: once, whoever asks at the same time, and
/// never half. Blocks.
pub(crate) fn keep<E: From<BuildError>>(
    entry: &Path,
    name: &str,
    make: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<PathBuf, E> {
    build::once(&cache_folder(), &entry.join(name), make)
}

/// The folder `entry`, made by `make` where it is missing: once, whoever asks at the same time, and never half. Nothing else
/// waits for it but who asks with the same `lock`, which is the entry's name without its digest. Blocks.
pub(crate) fn keep_alone<E: From<BuildError>>(
    entry: &Path,
    lock: &str,
    make: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<PathBuf, E> {
    let kept = build::once_under(&cache_folder(), lock, entry, make)?;
    build::remove_older(&cache_folder(), lock, &kept);
    Ok(kept)
}

/// The programs every lab runs, whoever runs its Kubernetes.
#[derive(Debug, Clone)]
pub struct LabPrograms {
    /// The key-value store.
    pub etcd: PathBuf,
    /// The command-line client.
    pub kubectl: PathBuf,
}

impl LabPrograms {
    /// Finds or builds them. Blocks; the first build takes minutes.
    pub fn provide() -> Result<Self, ProgramError> {
        let [etcd, _, _, kubectl] = CONTROL_PLANE;
        Ok(Self { etcd: program("controlplane", etcd)?, kubectl: program("controlplane", kubectl)? })
    }
}

/// The programs of a Kubernetes of the lab's own, beside its etcd.
#[derive(Debug, Clone)]
pub struct ControlPlanePrograms {
    /// The API server.
    pub apiserver: PathBuf,
    /// The controllers of Kubernetes itself.
    pub controller_manager: PathBuf,
}

impl ControlPlanePrograms {
    /// Finds or builds them. Blocks; the first build takes minutes.
    pub fn provide() -> Result<Self, ProgramError> {
        let [_, apiserver, controller_manager, _] = CONTROL_PLANE;
        Ok(Self {
            apiserver: program("controlplane", apiserver)?,
            controller_manager: program("controlplane", controller_manager)?,
        })
    }
}

fn given(program: &str) -> Option<PathBuf> {
    let path = Path::new(&std::env::var_os("JIYUN_LAB_BIN")?).join(program);
    path.is_file().then_some(path)
}
