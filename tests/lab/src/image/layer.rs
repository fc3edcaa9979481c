//! One layer: files of folders, single files, links and texts, as a tar without anything that changes from build to build.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

/// `CAP_NET_BIND_SERVICE`, permitted and effective, as the kernel keeps it with a file (`linux/capability.h`,
/// `vfs_cap_data`, revision 2).
const BIND_SERVICE: [u8; 20] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// What a path in a layer is.
#[derive(Debug)]
enum Content {
    /// As on disk: file, folder, link, with its mode and owner.
    OnDisk(PathBuf),
    File {
        from: PathBuf,
        mode: u32,
        binds_low_ports: bool,
    },
    Bytes {
        bytes: Vec<u8>,
        mode: u32,
    },
    Folder {
        mode: u32,
        owner: u32,
    },
    Link(PathBuf),
}

/// The files of a layer, by their paths in the image. What is named later takes the place of what was named before.
#[derive(Debug, Default)]
pub struct Layer {
    entries: BTreeMap<PathBuf, Content>,
    owner: Option<u32>,
}

impl Layer {
    /// A layer with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// All of a folder, at the root of the image.
    pub fn folder(mut self, folder: &Path) -> io::Result<Self> {
        collect(folder, folder, &mut self.entries)?;
        Ok(self)
    }

    /// All of a folder, below `to`.
    pub fn folder_at(mut self, folder: &Path, to: &str) -> io::Result<Self> {
        let mut found = BTreeMap::new();
        collect(folder, folder, &mut found)?;
        self.entries.extend(found.into_iter().map(|(path, content)| (Path::new(to).join(path), content)));
        Ok(self)
    }

    /// One file.
    #[must_use]
    pub fn file(mut self, from: impl Into<PathBuf>, to: &str, mode: u32) -> Self {
        self.put(to, Content::File { from: from.into(), mode, binds_low_ports: false });
        self
    }

    /// A program that may listen on ports below 1024 whoever starts it.
    #[must_use]
    pub fn program_that_binds_low_ports(mut self, from: impl Into<PathBuf>, to: &str) -> Self {
        self.put(to, Content::File { from: from.into(), mode: 0o755, binds_low_ports: true });
        self
    }

    /// A file with this text.
    #[must_use]
    pub fn text(self, to: &str, text: impl Into<String>, mode: u32) -> Self {
        self.bytes(to, text.into().into_bytes(), mode)
    }

    /// A file with this content.
    #[must_use]
    pub fn bytes(mut self, to: &str, bytes: Vec<u8>, mode: u32) -> Self {
        self.put(to, Content::Bytes { bytes, mode });
        self
    }

    /// An empty folder of this user and group.
    #[must_use]
    pub fn empty_folder(mut self, to: &str, mode: u32, owner: u32) -> Self {
        self.put(to, Content::Folder { mode, owner });
        self
    }

    /// A symbolic link.
    #[must_use]
    pub fn link(mut self, target: impl Into<PathBuf>, to: &str) -> Self {
        self.put(to, Content::Link(target.into()));
        self
    }

    /// All files belong to this user and group, whoever owns them on disk.
    #[must_use]
    pub fn owned_by(mut self, owner: u32) -> Self {
        self.owner = Some(owner);
        self
    }

    fn put(&mut self, to: &str, content: Content) {
        self.entries.insert(PathBuf::from(to.trim_start_matches('/')), content);
    }

    /// Writes the tar.
    pub(crate) fn write(&self, output: impl Write) -> io::Result<()> {
        let mut archive = Builder::new(output);
        let mut linked = HashMap::new();
        for (path, content) in &self.entries {
            self.entry(&mut archive, path, content, &mut linked)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        }
        archive.into_inner()?.flush()
    }

    fn entry(
        &self,
        archive: &mut Builder<impl Write>,
        path: &Path,
        content: &Content,
        linked: &mut HashMap<(u64, u64), PathBuf>,
    ) -> io::Result<()> {
        match content {
            Content::OnDisk(from) => self.on_disk(archive, path, from, linked),
            Content::File { from, mode, binds_low_ports } => {
                if *binds_low_ports {
                    archive.append_pax_extensions([("SCHILY.xattr.security.capability", BIND_SERVICE.as_slice())])?;
                }
                let file = fs::File::open(from)?;
                let mut header = self.header(EntryType::Regular, *mode, 0, 0);
                header.set_size(file.metadata()?.len());
                archive.append_data(&mut header, path, file)
            }
            Content::Bytes { bytes, mode } => {
                let mut header = self.header(EntryType::Regular, *mode, 0, 0);
                header.set_size(bytes.len() as u64);
                archive.append_data(&mut header, path, bytes.as_slice())
            }
            Content::Folder { mode, owner } => {
                let mut header = self.header(EntryType::Directory, *mode, *owner, *owner);
                archive.append_data(&mut header, path, io::empty())
            }
            Content::Link(target) => {
                archive.append_link(&mut self.header(EntryType::Symlink, 0o777, 0, 0), path, target)
            }
        }
    }

    fn on_disk(
        &self,
        archive: &mut Builder<impl Write>,
        path: &Path,
        from: &Path,
        linked: &mut HashMap<(u64, u64), PathBuf>,
    ) -> io::Result<()> {
        let metadata = fs::symlink_metadata(from)?;
        let kind = metadata.file_type();
        let header = |kind| self.header(kind, metadata.mode() & 0o7777, metadata.uid(), metadata.gid());
        if kind.is_dir() {
            return archive.append_data(&mut header(EntryType::Directory), path, io::empty());
        }
        if kind.is_symlink() {
            return archive.append_link(&mut header(EntryType::Symlink), path, fs::read_link(from)?);
        }
        if !kind.is_file() {
            let what = if kind.is_socket() { "a socket" } else { "a device or pipe" };
            return Err(io::Error::other(format!("{what} cannot be in an image")));
        }
        if let Some(first) = earlier_name(&metadata, path, linked) {
            return archive.append_link(&mut header(EntryType::Link), path, first);
        }
        let mut header = header(EntryType::Regular);
        header.set_size(metadata.len());
        archive.append_data(&mut header, path, fs::File::open(from)?)
    }

    fn header(&self, kind: EntryType, mode: u32, user: u32, group: u32) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(u64::from(self.owner.unwrap_or(user)));
        header.set_gid(u64::from(self.owner.unwrap_or(group)));
        header.set_mtime(0);
        header.set_size(0);
        header
    }
}

/// Of a file with several names, the one that came first.
fn earlier_name(metadata: &Metadata, path: &Path, linked: &mut HashMap<(u64, u64), PathBuf>) -> Option<PathBuf> {
    if metadata.nlink() < 2 {
        return None;
    }
    let key = (metadata.dev(), metadata.ino());
    let first = linked.get(&key).cloned();
    if first.is_none() {
        linked.insert(key, path.to_owned());
    }
    first
}

fn collect(root: &Path, folder: &Path, entries: &mut BTreeMap<PathBuf, Content>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let kind = fs::symlink_metadata(&path)?.file_type();
        if kind.is_dir() {
            collect(root, &path, entries)?;
        }
        let relative = path.strip_prefix(root).unwrap_or(&path).to_owned();
        entries.insert(relative, Content::OnDisk(path));
    }
    Ok(())
}
