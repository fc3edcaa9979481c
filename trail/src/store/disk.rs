//! What the trail asks of a disk, so that tests can let it be full or broken at any byte.

use std::{fs::File, io, io::Write};

/// Writing and making durable.
pub trait Disk: Clone + std::fmt::Debug + Send + Sync + 'static {
    /// Appends all of `bytes`. After an error any part of them may have been written.
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()>;

    /// Returns once everything written to `file` outlives a power failure.
    fn sync(&self, file: &File) -> io::Result<()>;
}

/// The disk of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}
