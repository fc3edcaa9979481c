//! Journals in temporary folders, and a disk that breaks when it is told to.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use jiyun_trail::{
    core::{
        action::Action,
        actor::Actor,
        head::{Head, Pruned},
        object::Object,
        outcome::Outcome,
        record::Record,
        verify::Report,
        writer::Writer,
    },
    store::{
        check::{self, Expected},
        disk::{Disk, RealDisk},
        folder::{Folder, SegmentFile},
        gap::Gap,
        journal::{Journal, Known, Shape},
    },
};
use tempfile::TempDir;

/// 2026-11-01T00:00:00Z and so many seconds.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_793_491_200 + second).unwrap()
}

pub fn record(second: i64) -> Record {
    let object = Object::new("CloudHost", format!("web-{second}"));
    let mut record = Record::new(at(second), Actor::new("wang"), Action::Change, object, Outcome::Succeeded);
    record.department = Some("finance".to_owned());
    record
}

pub fn writer(name: &str) -> Writer {
    name.parse().unwrap()
}

/// A folder with the chain of `api-0`, and what etcd would know of it.
pub struct Trail {
    pub folder: TempDir,
    pub known: Known,
    pub shape: Shape,
}

impl Trail {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), known: Known::default(), shape: Shape::default() }
    }

    pub fn small_segments() -> Self {
        Self { shape: Shape { segment_bytes: 1, ..Shape::default() }, ..Self::new() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn open(&self) -> (Journal<RealDisk>, Vec<Gap>) {
        Journal::open(self.path(), &writer("api-0"), RealDisk, self.shape, &self.known).unwrap()
    }

    /// Appends one batch in a process of its own, and acknowledges it.
    pub fn append(&mut self, seconds: impl IntoIterator<Item = i64>) -> Vec<Gap> {
        let (mut journal, gaps) = self.open();
        journal.append(seconds.into_iter().map(record).collect()).unwrap();
        self.known.head = journal.head().cloned();
        gaps
    }

    pub fn segments(&self) -> Vec<SegmentFile> {
        Folder::of(self.path(), &writer("api-0")).segments().unwrap()
    }

    pub fn verify(&self) -> Report {
        self.verify_with(self.known.head.clone(), self.known.pruned.clone(), at(0))
    }

    pub fn verify_with(&self, head: Option<Head>, pruned: Option<Pruned>, now: Timestamp) -> Report {
        let expected = Expected { heads: head.into_iter().collect(), pruned };
        check::segments(&writer("api-0"), &self.segments(), expected, now, io::sink()).unwrap()
    }

    pub fn assert_sound(&self) {
        let report = self.verify();
        assert!(report.is_sound(), "{report:?}");
    }
}

/// A disk that takes so many more bytes and is full then, or fails to make them durable.
#[derive(Clone, Debug, Default)]
pub struct BadDisk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    room: Option<usize>,
    syncs: Option<usize>,
}

impl BadDisk {
    pub fn with_room(bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(State { room: Some(bytes), syncs: None })))
    }

    pub fn with_syncs(count: usize) -> Self {
        Self(Arc::new(Mutex::new(State { room: None, syncs: Some(count) })))
    }
}

impl Disk for BadDisk {
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let taken = state.room.map_or(bytes.len(), |room| room.min(bytes.len()));
        state.room = state.room.map(|room| room - taken);
        file.write_all(&bytes[..taken])?;
        if taken < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&self, _: &File) -> io::Result<()> {
        match &mut self.0.lock().unwrap().syncs {
            Some(0) => Err(io::Error::other("the disk is gone")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}
