//! Bootable disks made of files: a partition table, GRUB, one ext4 file system, as a compressed qcow2. Nothing is mounted and
//! no loop device taken: the file system is written by `mke2fs` from an archive, GRUB lies in the gap before it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::debian::{DebianError, Root};
use crate::image::Layer;
use crate::programs::report;

/// The programs, run from where they are unpacked.
const TOOLS: Root = Root {
    name: "disk-tools",
    // mke2fs reads archives by libarchive.
    packages: &["e2fsprogs", "grub-common", "grub-pc-bin", "kmod", "libarchive13t64", "qemu-utils"],
    users: &[],
};
/// Bytes of a sector, and the sector at which the file system begins: GRUB has the first MiB.
const SECTOR: u64 = 512;
const FIRST: u64 = 2048;
/// What GRUB needs to read a kernel from the disk and to write to the serial console.
const MODULES: [&str; 5] = ["biosdisk", "part_msdos", "ext2", "linux", "serial"];
/// The file system's identity, the same each time: so are its bytes.
const IDENTITY: &str = "6a697975-6e00-4000-8000-000000000001";
/// Where the table of a master boot record lies, and the mark after it.
const TABLE: usize = 446;
const MARK: usize = 510;

/// A disk could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The programs could not be had.
    #[error(transparent)]
    Debian(#[from] DebianError),
    /// A program failed.
    #[error("cannot make a disk: {program} failed ({status})\n{output}")]
    Failed {
        /// Which one.
        program: &'static str,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said.
        output: String,
    },
    /// A file could not be read or written.
    #[error("cannot make a disk: {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl DiskError {
    /// A file could not be read or written.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// The programs disks are made with.
#[derive(Debug)]
pub(crate) struct Tools {
    root: PathBuf,
}

impl Tools {
    /// Finds or fetches them. Blocks.
    pub(crate) fn provide() -> Result<Self, DiskError> {
        Ok(Self { root: TOOLS.provide()? })
    }

    /// Which ones they are.
    pub(crate) fn entry() -> PathBuf {
        TOOLS.entry()
    }

    /// Lists what depends on what among the modules of a kernel, for `modprobe`: below `root`, written to `output`.
    pub(crate) fn depmod(&self, root: &Path, kernel: &str, output: &Path) -> Result<(), DiskError> {
        let arguments = [OsStr::new("--basedir"), root.as_os_str(), OsStr::new("--outdir"), output.as_os_str()];
        self.run("depmod", "usr/sbin/depmod", arguments.into_iter().chain([OsStr::new(kernel)]))
    }

    /// Writes a disk of so many MiB with these files to the new file `disk`; `/boot/vmlinuz` and `/boot/initrd.img` are
    /// started with `command_line`. `scratch` is a folder for what is in the making.
    pub(crate) fn write(
        &self,
        files: &Layer,
        command_line: &str,
        mebibytes: u64,
        disk: &Path,
        scratch: &Path,
    ) -> Result<(), DiskError> {
        let [archive, raw, core] = ["files.tar", "disk.raw", "core.img"].map(|name| scratch.join(name));
        report(format_args!("writing a disk: {}", disk.display()));
        let output = File::create(&archive).map_err(DiskError::file(&archive))?;
        files.write(io::BufWriter::new(output)).map_err(DiskError::file(&archive))?;
        let output = File::create(&raw).map_err(DiskError::file(&raw))?;
        output.set_len(mebibytes << 20).map_err(DiskError::file(&raw))?;
        self.file_system(&archive, &raw, mebibytes - 1)?;
        self.grub(command_line, &core, scratch)?;
        self.boot_record(&core, &raw, (mebibytes - 1) * (FIRST * SECTOR) / SECTOR)?;
        let arguments = ["convert", "-c", "-O", "qcow2"].map(OsStr::new);
        self.run("qemu-img", "usr/bin/qemu-img", arguments.into_iter().chain([raw.as_os_str(), disk.as_os_str()]))?;
        [archive, raw, core].iter().try_for_each(|path| fs::remove_file(path).map_err(DiskError::file(path)))
    }

    fn file_system(&self, archive: &Path, raw: &Path, mebibytes: u64) -> Result<(), DiskError> {
        let extended = format!("offset={},hash_seed={IDENTITY},root_owner=0:0", FIRST * SECTOR);
        let size = format!("{mebibytes}M");
        let arguments = ["-q", "-t", "ext4", "-L", "root", "-m", "0", "-U", IDENTITY, "-E", &extended, "-d"];
        let arguments = arguments.map(OsStr::new).into_iter();
        let files = [archive.as_os_str(), raw.as_os_str(), OsStr::new(&size)];
        self.run("mke2fs", "usr/sbin/mke2fs", arguments.chain(files))
    }

    /// GRUB in one piece, which boots without asking.
    fn grub(&self, command_line: &str, core: &Path, scratch: &Path) -> Result<(), DiskError> {
        let script = scratch.join("grub.cfg");
        let text = format!(
            "serial --unit=0 --speed=115200\nterminal_output serial\nset root=(hd0,msdos1)\n\
             linux /boot/vmlinuz {command_line}\ninitrd /boot/initrd.img\nboot\n"
        );
        fs::write(&script, text).map_err(DiskError::file(&script))?;
        let modules = self.grub_folder();
        let arguments = [
            OsStr::new("-d"),
            modules.as_os_str(),
            OsStr::new("-O"),
            OsStr::new("i386-pc"),
            OsStr::new("-p"),
            OsStr::new("/boot/grub"),
            OsStr::new("-c"),
            script.as_os_str(),
            OsStr::new("-o"),
            core.as_os_str(),
        ];
        self.run("grub-mkimage", "usr/bin/grub-mkimage", arguments.into_iter().chain(MODULES.map(OsStr::new)))?;
        fs::remove_file(&script).map_err(DiskError::file(&script))
    }

    /// The first sector loads what follows it: GRUB's own defaults say so. One partition, which may be started from.
    fn boot_record(&self, core: &Path, raw: &Path, sectors: u64) -> Result<(), DiskError> {
        let first = self.grub_folder().join("boot.img");
        let mut record = Vec::new();
        File::open(&first).and_then(|mut file| file.read_to_end(&mut record)).map_err(DiskError::file(&first))?;
        let core = fs::read(core).map_err(DiskError::file(core))?;
        let room = usize::try_from((FIRST - 1) * SECTOR).unwrap_or_default();
        if record.len() != MARK + 2 || core.len() > room {
            let source = io::Error::other("GRUB is not of the size it is known by");
            return Err(DiskError::File { path: first, source });
        }
        record.splice(TABLE..MARK, table(sectors));
        record.splice(MARK.., [0x55, 0xaa]);
        let write = || {
            let mut disk = File::options().write(true).open(raw)?;
            disk.seek(SeekFrom::Start(0))?;
            disk.write_all(&record)?;
            disk.write_all(&core)
        };
        write().map_err(DiskError::file(raw))
    }

    fn grub_folder(&self) -> PathBuf {
        self.root.join("usr/lib/grub/i386-pc")
    }

    /// By the loader and the libraries of its own root: the machine's may be of another release.
    fn run<'a>(
        &self,
        program: &'static str,
        path: &str,
        arguments: impl IntoIterator<Item = &'a OsStr>,
    ) -> Result<(), DiskError> {
        let loader = self.root.join("usr/lib64/ld-linux-x86-64.so.2");
        let output = Command::new(&loader)
            .arg("--library-path")
            .arg(self.root.join("usr/lib/x86_64-linux-gnu"))
            .arg(self.root.join(path))
            .args(arguments)
            .env("LC_ALL", "C")
            // Times that mke2fs writes.
            .env("SOURCE_DATE_EPOCH", "1")
            .env("MKE2FS_CONFIG", self.root.join("etc/mke2fs.conf"))
            .stdin(Stdio::null())
            .output()
            .map_err(DiskError::file(&loader))?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        Err(DiskError::Failed { program, status: output.status, output: said })
    }
}

/// A table of four partitions, of which there is one: active, of Linux, with its place told by sectors and not by cylinders.
fn table(sectors: u64) -> [u8; MARK - TABLE] {
    let mut table = [0; MARK - TABLE];
    let number = |value: u64| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
    let entry = [&[0x80, 0xfe, 0xff, 0xff, 0x83, 0xfe, 0xff, 0xff][..], &number(FIRST), &number(sectors)].concat();
    table[..entry.len()].copy_from_slice(&entry);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_names_one_partition_of_linux_after_the_first_mebibyte() {
        let table = table(4096);
        assert_eq!((table[0], table[4]), (0x80, 0x83));
        assert_eq!(table[8..16], [0, 8, 0, 0, 0, 16, 0, 0]);
        assert!(table[16..].iter().all(|byte| *byte == 0));
    }
}
