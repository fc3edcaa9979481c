//! The folder of one lab: certificates, data, logs. A lock on a file inside tells whether its lab still lives.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The file whose lock is held while the lab lives; it holds the number of the process.
const LOCK: &str = "lab.lock";
/// Guards creation and removal of labs beside each other.
const PARENT_LOCK: &str = ".labs.lock";

/// With less than this free, in MiB, a lab may fail for want of room: etcd lays 61 by at a time, and the kubelet runs no
/// pods below 100.
const LITTLE: u64 = 128;

/// There is little room where a lab lives.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("only {free} MiB are free on the disk that holds {folder}: free some, or let labs live elsewhere (`--dir`)")]
pub struct LittleRoom {
    /// The lab's folder.
    pub folder: PathBuf,
    /// MiB.
    pub free: u64,
}

/// A lab's folder could not be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A lab already runs there.
    #[error("a lab already runs in {0}: stop it with `jiyun-lab down`, or choose another name")]
    Busy(PathBuf),
    /// The file system refused.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

fn at<T>(action: &'static str, path: &Path, result: io::Result<T>) -> Result<T, FolderError> {
    result.map_err(|source| FolderError::Io { action, path: path.to_owned(), source })
}

/// A lab's own folder, locked while this value lives.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder `parent/name` anew, after removing what dead labs left beside it.
    pub fn create(parent: &Path, name: &str) -> Result<Self, FolderError> {
        let parent = &absolute(parent)?;
        let _guard = guard(parent)?;
        let path = parent.join(name);
        if path.exists() && lives(&path) {
            return Err(FolderError::Busy(path));
        }
        for dead in labs(parent).into_iter().filter(|lab| !lives(lab) || *lab == path) {
            at("remove the folder of a dead lab", &dead, fs::remove_dir_all(&dead))?;
        }
        at("create the folder", &path, fs::create_dir_all(&path))?;
        let lock_path = path.join(LOCK);
        let lock = at("create", &lock_path, File::create(&lock_path))?;
        at("lock", &lock_path, lock.lock())?;
        at("write", &lock_path, fs::write(&lock_path, std::process::id().to_string()))?;
        for sub in ["logs", "pki", "etc"] {
            let sub = path.join(sub);
            at("create the folder", &sub, fs::create_dir_all(&sub))?;
        }
        Ok(Self { path, _lock: lock })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The log file of a component.
    pub fn log(&self, component: &str) -> PathBuf {
        self.path.join("logs").join(format!("{component}.log"))
    }

    /// A configuration file.
    pub fn etc(&self, file: &str) -> PathBuf {
        self.path.join("etc").join(file)
    }

    /// Writes a configuration file, readable by its owner only (it may hold a token), and returns its path.
    pub fn write_etc(&self, file: &str, content: &str) -> Result<PathBuf, FolderError> {
        let path = self.etc(file);
        at("write", &path, write_private(&path, content))?;
        Ok(path)
    }

    /// Removes the folder with all it holds.
    pub fn remove(&self) -> Result<(), FolderError> {
        at("remove", &self.path, fs::remove_dir_all(&self.path))
    }
}

/// Writes a file that only its owner may read.
pub(crate) fn write_private(path: &Path, content: &str) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(content.as_bytes())
}

/// Whether a process holds the lab in this folder.
pub fn lives(lab: &Path) -> bool {
    File::open(lab.join(LOCK)).is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

/// The process that holds the lab, while it lives.
pub fn holder(lab: &Path) -> Option<i32> {
    lives(lab).then(|| fs::read_to_string(lab.join(LOCK)).ok()?.trim().parse().ok()).flatten()
}

/// What to tell whose lab failed in this folder, where that may be for want of room.
pub fn little_room(lab: &Path) -> Option<LittleRoom> {
    little(lab, crate::doctor::room(lab))
}

fn little(lab: &Path, free: u64) -> Option<LittleRoom> {
    (free < LITTLE).then(|| LittleRoom { folder: lab.to_owned(), free })
}

/// Removes the folder of a lab that no longer lives.
pub fn remove_dead(lab: &Path) -> Result<(), FolderError> {
    let _guard = lab.parent().map(guard).transpose()?;
    if lives(lab) {
        return Err(FolderError::Busy(lab.to_owned()));
    }
    match fs::remove_dir_all(lab) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(FolderError::Io { action: "remove", path: lab.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn guard(parent: &Path) -> Result<File, FolderError> {
    at("create the folder", parent, fs::create_dir_all(parent))?;
    let path = parent.join(PARENT_LOCK);
    let file = at("create", &path, File::create(&path))?;
    at("lock", &path, file.lock())?;
    Ok(file)
}

fn labs(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.join(LOCK).exists()).collect()
}

fn absolute(path: &Path) -> Result<PathBuf, FolderError> {
    at("resolve", path, std::path::absolute(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_lab_keeps_its_folder_and_a_dead_one_loses_it() {
        let parent = tempfile::tempdir().expect("temp dir");
        let living = Folder::create(parent.path(), "living").expect("create");
        let dead = Folder::create(parent.path(), "dead").expect("create").path().to_owned();
        assert!(!lives(&dead));
        let other = Folder::create(parent.path(), "other").expect("create");
        assert!(!dead.exists(), "the dead lab's folder is removed");
        assert!(lives(living.path()) && lives(other.path()));
        assert_eq!(holder(living.path()), i32::try_from(std::process::id()).ok());
    }

    #[test]
    fn little_room_is_told_with_the_folder_and_what_to_do() {
        let told = little(Path::new("/labs/one"), 99).expect("little").to_string();
        assert!(told.contains("only 99 MiB") && told.contains("/labs/one") && told.contains("--dir"), "{told}");
        assert_eq!(little(Path::new("/labs/one"), LITTLE), None);
    }

    #[test]
    fn a_second_lab_of_the_same_name_is_refused() {
        let parent = tempfile::tempdir().expect("temp dir");
        let _first = Folder::create(parent.path(), "same").expect("create");
        assert!(matches!(Folder::create(parent.path(), "same"), Err(FolderError::Busy(_))));
    }
}
