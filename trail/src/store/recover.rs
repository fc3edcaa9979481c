//! Where a chain stands when its files are opened: after a clean end, a crash, a full disk, or a loss.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Seek, SeekFrom},
    path::PathBuf,
};

use jiff::Timestamp;

use super::{
    StoreError, end,
    folder::{Folder, SegmentFile, sync_folder},
    gap::Gap,
    lines::Lines,
};
use crate::core::{
    chain::Chain,
    hash::{self, Digest, Hash},
    head::{Head, Pruned},
    line::{Line, Said, fits},
    writer::Writer,
};

/// What is known from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The head: up to here records were acknowledged.
    pub head: Option<Head>,
    /// Up to where segments were deleted.
    pub pruned: Option<Pruned>,
    /// The last record that certainly reached the disk, where this process wrote before and failed: what lies beyond
    /// was answered with an error and may be only in memory.
    pub synced: Option<u64>,
}

/// A chain to go on with.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) chain: Chain,
    /// The segment to append to, its length and when it was opened; none: a new one is begun.
    pub(crate) open: Option<(PathBuf, u64, Timestamp)>,
    pub(crate) gaps: Vec<Gap>,
}

/// The most records the files may be ahead of the head: one batch.
pub(crate) const MOST_AHEAD: u64 = crate::keeper::MOST_BATCH as u64;

/// Reads the end of the chain. What was never acknowledged and is not whole is cut; nothing else is touched.
pub(crate) fn recover(
    folder: &Folder,
    writer: &Writer,
    algorithm: &'static dyn Hash,
    known: &Known,
) -> Result<Recovered, StoreError> {
    let mut segments = folder.segments()?;
    let acknowledged = known.head.as_ref().map_or(0, |head| head.sequence);
    let (chain, open) = loop {
        let Some(last) = segments.last() else {
            let (sequence, line) =
                known.pruned.as_ref().map_or((0, Digest::default()), |pruned| (pruned.sequence, pruned.hash));
            break (Chain::after(writer.clone(), algorithm, sequence, line), None);
        };
        let end = read(last, writer, known.synced)?;
        match end {
            // Its header was never written whole, or never acknowledged: the one before is the last.
            End { chain: None, good, .. } if acknowledged < last.first => {
                never_whole(last, good, known)?;
                fs::remove_file(&last.path).map_err(|source| StoreError::file(&last.path, "removed", source))?;
                sync_folder(folder.path())?;
                segments.pop();
            }
            End { chain: None, .. } => {
                break (Chain::after(writer.clone(), algorithm, last.first - 1, Digest::default()), None);
            }
            End { chain: Some(chain), opened, good, length, closed } => {
                if good < length && acknowledged <= chain.sequence() {
                    never_whole(last, good, known)?;
                    cut(last, good)?;
                }
                let open = (!closed).then(|| (last.path.clone(), good, opened));
                break (chain, open);
            }
        }
    };
    let mut gaps = broken(&segments, known.pruned.as_ref())?;
    let Some(head) = &known.head else {
        if chain.sequence() > MOST_AHEAD {
            gaps.push(Gap::HeadBehind { head: 0, last: chain.sequence() });
        }
        return Ok(Recovered { chain, open, gaps });
    };
    let last = chain.sequence();
    if head.sequence > last {
        gaps.push(Gap::Lost { from: last + 1, to: head.sequence });
    } else if find(&segments, head.sequence)?.is_some_and(|there| there != head.hash) {
        gaps.push(Gap::Rewritten { sequence: head.sequence });
    } else {
        if last - head.sequence > MOST_AHEAD {
            gaps.push(Gap::HeadBehind { head: head.sequence, last });
        }
        return Ok(Recovered { chain, open, gaps });
    }
    // The chain goes on from the head, in a new segment: what is there stays as it is, for whoever looks into it.
    let chain = Chain::after(writer.clone(), algorithm, head.sequence.max(last), head.hash);
    Ok(Recovered { chain, open: None, gaps })
}

/// What a segment holds, up to the first line that is not sound.
struct End {
    chain: Option<Chain>,
    opened: Timestamp,
    /// Bytes that are sound.
    good: u64,
    length: u64,
    closed: bool,
}

fn read(segment: &SegmentFile, writer: &Writer, synced: Option<u64>) -> Result<End, StoreError> {
    let length = fs::metadata(&segment.path).map_err(|source| StoreError::file(&segment.path, "read", source))?.len();
    let mut end = End { chain: None, opened: Timestamp::UNIX_EPOCH, good: 0, length, closed: false };
    let mut lines = Lines::open(&segment.path)?;
    let (mut algorithm, mut previous) = (None, Digest::default());
    while let Some(text) = lines.next()? {
        let Ok(line) = Line::parse(text.bytes) else { break };
        if let (Said::Header(header), None) = (&line.said, &end.chain) {
            algorithm = hash::named(&header.algorithm);
            previous = line.previous;
            end.opened = header.opened;
        }
        let Some(algorithm) = algorithm.filter(|hash| text.whole && !end.closed && fits(text.bytes, *hash)) else {
            break;
        };
        let follows = line.previous == previous
            && match (&line.said, &end.chain) {
                (Said::Header(header), None) => header.first == segment.first && header.writer == *writer,
                (Said::Record(sequence, _), Some(chain)) => *sequence == chain.sequence() + 1,
                (Said::Closing(closing), Some(chain)) => closing.last == chain.sequence(),
                _ => false,
            };
        if !follows || synced.is_some_and(|synced| line.sequence().is_some_and(|sequence| sequence > synced)) {
            break;
        }
        let before = segment.first.saturating_sub(1);
        let chain = end.chain.get_or_insert_with(|| Chain::after(writer.clone(), algorithm, before, previous));
        chain.resume(&line.said, line.hash);
        previous = line.hash;
        end.closed = matches!(line.said, Said::Closing(_));
        end.good += text.bytes.len() as u64 + 1;
    }
    Ok(end)
}

/// Without a head nobody can say what was acknowledged: then only a line without a line feed may go, for no line was
/// ever acknowledged before it was whole. Anything else is for people to look at.
fn never_whole(segment: &SegmentFile, good: u64, known: &Known) -> Result<(), StoreError> {
    if known.head.is_some() || known.synced.is_some() {
        return Ok(());
    }
    let failed = |source| StoreError::file(&segment.path, "read", source);
    let mut file = File::open(&segment.path).map_err(failed)?;
    file.seek(SeekFrom::Start(good)).map_err(failed)?;
    let mut tail = BufReader::new(file);
    let mut line = Vec::new();
    tail.read_until(b'\n', &mut line).map_err(failed)?;
    if line.ends_with(b"\n") {
        let line = 1 + Lines::count_to(&segment.path, good)?;
        return Err(StoreError::Damaged { path: segment.path.clone(), line });
    }
    Ok(())
}

fn cut(segment: &SegmentFile, length: u64) -> Result<(), StoreError> {
    let failed = |source| StoreError::file(&segment.path, "cut", source);
    let file = OpenOptions::new().write(true).open(&segment.path).map_err(failed)?;
    file.set_len(length).map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// Segments that do not follow one another, by their first and last lines.
fn broken(segments: &[SegmentFile], pruned: Option<&Pruned>) -> Result<Vec<Gap>, StoreError> {
    let mut gaps = Vec::new();
    // What pruning has begun to delete is not missed.
    let mut expected = match (segments.first(), pruned) {
        (Some(first), Some(pruned)) if first.first == pruned.sequence + 1 => Some((pruned.sequence, pruned.hash)),
        (Some(first), Some(pruned)) if first.first <= pruned.sequence => {
            end::header(first)?.map(|(header, previous)| (header.first - 1, previous))
        }
        _ => Some((0, Digest::default())),
    };
    for segment in segments {
        let header = end::header(segment)?.map(|(header, previous)| (header.first.saturating_sub(1), previous));
        if header.is_none() || header != expected {
            gaps.push(Gap::Broken { first: segment.first });
        }
        expected = end::closing(segment)?.map(|(closing, hash)| (closing.last, hash));
    }
    Ok(gaps)
}

/// The hash of a record as its line names it, if it is there.
fn find(segments: &[SegmentFile], sequence: u64) -> Result<Option<Digest>, StoreError> {
    let Some(segment) = segments.iter().rev().find(|segment| segment.first <= sequence) else { return Ok(None) };
    let mut lines = Lines::open(&segment.path)?;
    while let Some(text) = lines.next()? {
        match Line::parse(text.bytes) {
            Ok(line) if line.sequence() == Some(sequence) => return Ok(Some(line.hash)),
            _ => {}
        }
    }
    Ok(None)
}
