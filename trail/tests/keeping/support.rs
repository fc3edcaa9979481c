//! A trail in a temporary folder with heads in memory, on a disk that can be full and held up.

use std::{
    fs::File,
    io::{self, Write},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use jiyun_trail::{
    Options, Trail,
    core::{
        action::Action, actor::Actor, object::Object, outcome::Outcome, record::Record, verify::Report, writer::Writer,
    },
    figures::Figures,
    heads::{Heads, memory::MemoryHeads},
    store::{
        check::{self, Expected},
        disk::Disk,
        folder::Folder,
    },
};
use prometheus::Registry;
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// A disk with switches.
#[derive(Clone, Debug, Default)]
pub struct Switched(Arc<Switches>);

#[derive(Debug, Default)]
struct Switches {
    full: AtomicBool,
    syncs: AtomicUsize,
    held: Mutex<bool>,
    changed: Condvar,
}

impl Switched {
    pub fn full(&self, full: bool) {
        self.0.full.store(full, Ordering::SeqCst);
    }

    /// While it is held, nothing becomes durable.
    pub fn hold(&self, held: bool) {
        *self.0.held.lock().unwrap() = held;
        self.0.changed.notify_all();
    }

    pub fn syncs(&self) -> usize {
        self.0.syncs.load(Ordering::SeqCst)
    }
}

impl Disk for Switched {
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        if self.0.full.load(Ordering::SeqCst) {
            // Half of it, as a disk does that fills up.
            file.write_all(&bytes[..bytes.len() / 2])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.0.syncs.fetch_add(1, Ordering::SeqCst);
        let held = self.0.held.lock().unwrap();
        drop(self.0.changed.wait_while(held, |held| *held).unwrap());
        file.sync_data()
    }
}

pub struct Kept {
    pub folder: TempDir,
    pub heads: MemoryHeads,
    pub disk: Switched,
    pub registry: Registry,
}

pub fn writer() -> Writer {
    "controller-0".parse().unwrap()
}

pub fn record(n: u64) -> Record {
    let object = Object::new("CloudHost", format!("web-{n}"));
    Record::new(Timestamp::now(), Actor::new("wang"), Action::Create, object, Outcome::Succeeded)
}

impl Kept {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            heads: MemoryHeads::default(),
            disk: Switched::default(),
            registry: Registry::new(),
        }
    }

    pub fn options(&self) -> Options {
        Options { probe_every: Duration::from_millis(5), ..Options::new(self.folder.path(), writer()) }
    }

    /// Starts without waiting until it can be written.
    pub fn begin(&mut self) -> (Trail, JoinHandle<()>) {
        self.registry = Registry::new();
        let figures = Figures::new(&self.registry).unwrap();
        Trail::start(self.options(), self.heads.clone(), self.disk.clone(), figures)
    }

    pub async fn start(&mut self) -> (Trail, JoinHandle<()>) {
        let (trail, task) = self.begin();
        trail.writable().await.unwrap();
        (trail, task)
    }

    /// One life of the process, with so many records.
    pub async fn live(&mut self, records: u64) {
        let (trail, task) = self.start().await;
        for n in 0..records {
            trail.append(record(n)).await.unwrap();
        }
        drop(trail);
        task.await.unwrap();
    }

    /// A figure as `/metrics` shows it.
    pub fn figure(&self, name: &str) -> u64 {
        let text = prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
        line.parse().unwrap()
    }

    pub async fn verify(&self) -> Report {
        let marks = self.heads.read(&writer()).await.unwrap();
        let segments = Folder::of(self.folder.path(), &writer()).segments().unwrap();
        let expected = Expected { heads: marks.head.into_iter().collect(), pruned: marks.pruned };
        check::segments(&writer(), &segments, expected, Timestamp::now(), io::sink()).unwrap()
    }

    pub fn only_segment(&self) -> std::path::PathBuf {
        let segments = Folder::of(self.folder.path(), &writer()).segments().unwrap();
        assert_eq!(segments.len(), 1);
        segments[0].path.clone()
    }
}
