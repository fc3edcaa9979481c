//! The archive a kernel unpacks into memory at its start, as the kernel reads it (driver-api/early-userspace/
//! buffer-format.rst): "newc" cpio, compressed by gzip, the same bytes for the same files.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};

/// What a path is, in the bits of a file's mode (stat(2), `st_mode`).
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// An archive in the making. Folders come before what is in them.
#[derive(Debug, Default)]
pub struct Initramfs {
    bytes: Vec<u8>,
    entries: u32,
}

impl Initramfs {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// A folder.
    #[must_use]
    pub fn folder(self, path: &str) -> Self {
        self.entry(path, FOLDER | 0o755, &[])
    }

    /// A file that can be read and run.
    #[must_use]
    pub fn file(self, path: &str, content: &[u8]) -> Self {
        self.entry(path, FILE | 0o755, content)
    }

    /// A symbolic link.
    #[must_use]
    pub fn link(self, path: &str, target: &str) -> Self {
        self.entry(path, LINK | 0o777, target.as_bytes())
    }

    /// The finished archive, compressed.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        let Self { bytes, .. } = self.entry("TRAILER!!!", 0, &[]);
        // No file name and no time in the header.
        let mut compressed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::fast());
        compressed.write_all(&bytes)?;
        compressed.finish()
    }

    fn entry(mut self, path: &str, mode: u32, content: &[u8]) -> Self {
        self.entries += 1;
        let links = 1 + u32::from(mode & FOLDER == FOLDER);
        let (size, name) =
            (u32::try_from(content.len()).unwrap_or(u32::MAX), u32::try_from(path.len() + 1).unwrap_or(0));
        // inode, mode, user, group, links, time, size, device (two), device of the file (two), length of the name, check
        let fields = [self.entries, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name, 0];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").into_bytes());
        }
        self.bytes.extend(path.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend(content);
        self.align();
        self
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn the_archive_is_what_the_kernel_reads_and_the_same_each_time() {
        let made = || Initramfs::new().folder("bin").file("bin/sh", b"program").link("init", "bin/sh").finish();
        let archive = made().expect("made");
        assert_eq!(archive, made().expect("made"));
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(archive.as_slice()).read_to_end(&mut bytes).expect("gzip");
        assert_eq!(bytes.len() % 4, 0);
        // The second entry begins after the first: a header of 110 bytes and a name of 4, aligned to 4.
        let second = &bytes[116..];
        assert!(bytes.starts_with(b"07070100000001000041ed") && second.starts_with(b"07070100000002000081ed"));
        assert_eq!(&second[110..117], b"bin/sh\0");
        assert_eq!(&second[120..127], b"program");
        assert!(String::from_utf8_lossy(&bytes).contains("TRAILER!!!"));
    }
}
