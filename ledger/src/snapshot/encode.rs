//! A state to packed parts and back. Runs on a thread that may take its time.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    sync::Arc,
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use sha2::{Digest, Sha256};

use super::SnapshotError;
use crate::core::state::{Record, State};

/// What only the whole tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) parts: u32,
    pub(super) bytes: u64,
    pub(super) records: String,
    pub(super) state: String,
}

/// Packs `state` and hands over one part after another; ends with an error if `take` no longer wants any.
pub(super) fn pack(
    state: &State,
    part_bytes: usize,
    take: impl FnMut(u32, Vec<u8>) -> io::Result<()>,
) -> Result<Sums, SnapshotError> {
    let packing = |source| SnapshotError::Packing { seq: state.seq(), source: Arc::new(source) };
    let parts = Parts { size: part_bytes, part: Vec::new(), number: 0, bytes: 0, take };
    // The fastest level: JSON of the book shrinks to about a tenth, more effort gains little.
    let gzip = GzEncoder::new(parts, Compression::fast());
    let mut out = BufWriter::new(Hashed { hash: Sha256::new(), inner: gzip });
    for record in state.records() {
        serde_json::to_writer(&mut out, &record)?;
        out.write_all(b"\n").map_err(packing)?;
    }
    let Hashed { hash, inner } = out.into_inner().map_err(|error| packing(error.into_error()))?;
    let mut parts = inner.finish().map_err(packing)?;
    parts.hand_over().map_err(packing)?;
    let (records, state) = (hex::encode(hash.finalize()), state.digest()?);
    Ok(Sums { parts: parts.number, bytes: parts.bytes, records, state })
}

/// Makes a state of its parts; gives the SHA-256 of the records too.
pub(super) fn unpack(seq: u64, parts: Vec<Vec<u8>>) -> Result<(State, String), SnapshotError> {
    let packing = |source| SnapshotError::Packing { seq, source: Arc::new(source) };
    let mut lines = BufReader::new(GzDecoder::new(Joined { parts: parts.into(), at: 0 }));
    let (mut hash, mut line) = (Sha256::new(), Vec::new());
    let records = std::iter::from_fn(|| {
        line.clear();
        match lines.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => {
                hash.update(&line);
                Some(serde_json::from_slice::<Record>(&line).map_err(SnapshotError::from))
            }
            Err(error) => Some(Err(packing(error))),
        }
    });
    let state = State::restore(records)?;
    Ok((state, hex::encode(hash.finalize())))
}

struct Hashed<W> {
    hash: Sha256,
    inner: W,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

struct Parts<F> {
    size: usize,
    part: Vec<u8>,
    number: u32,
    bytes: u64,
    take: F,
}

impl<F: FnMut(u32, Vec<u8>) -> io::Result<()>> Parts<F> {
    fn hand_over(&mut self) -> io::Result<()> {
        if self.part.is_empty() {
            return Ok(());
        }
        let part = std::mem::take(&mut self.part);
        self.bytes = self.bytes.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        (self.take)(self.number, part)?;
        self.number = self.number.saturating_add(1);
        Ok(())
    }
}

impl<F: FnMut(u32, Vec<u8>) -> io::Result<()>> Write for Parts<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.size.saturating_sub(self.part.len()).min(bytes.len());
        let (now, _) = bytes.split_at(room);
        self.part.extend_from_slice(now);
        if self.part.len() >= self.size {
            self.hand_over()?;
        }
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Joined {
    parts: VecDeque<Vec<u8>>,
    at: usize,
}

impl Read for Joined {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while let Some(part) = self.parts.front() {
            let rest = part.get(self.at..).unwrap_or_default();
            if rest.is_empty() {
                self.parts.pop_front();
                self.at = 0;
                continue;
            }
            let size = rest.len().min(into.len());
            let (from, _) = rest.split_at(size);
            into.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            self.at += size;
            return Ok(size);
        }
        Ok(0)
    }
}
