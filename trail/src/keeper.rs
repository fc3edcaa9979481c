//! The task that keeps the chain: opens it, writes batches, moves the head, answers; after an error it begins anew.

use std::{path::PathBuf, time::Duration};

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

use crate::{
    Unwritable,
    core::{action::Action, actor::Actor, object::Object, outcome::Outcome, record::Record, writer::Writer},
    figures::Figures,
    heads::{Heads, Marks},
    store::{
        disk::Disk,
        journal::{Journal, Known, Shape},
        limits::Retention,
        lock::Lock,
        prune,
    },
    trail::Waiting,
};

mod opening;
mod probe;

/// Records written at once: one wait for the disk and one for etcd are shared by so many.
pub(crate) const MOST_BATCH: usize = 256;

/// How often a trail that cannot be written is tried again, unless told otherwise.
pub const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Where and how a trail is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of all writers' folders.
    pub folder: PathBuf,
    /// The name of this process, the same after a restart.
    pub writer: Writer,
    /// How segments are made.
    pub shape: Shape,
    /// How long records are kept.
    pub retention: Retention,
    /// How often it is tried again while it cannot be written.
    pub probe_every: Duration,
}

impl Options {
    /// The usual: SHA-256, 64 MiB, 180 days, 1 s.
    pub fn new(folder: impl Into<PathBuf>, writer: Writer) -> Self {
        Self {
            folder: folder.into(),
            writer,
            shape: Shape::default(),
            retention: Retention::default(),
            probe_every: PROBE_EVERY,
        }
    }
}

/// See the module.
pub(crate) struct Keeper<H, D> {
    options: Options,
    heads: H,
    disk: D,
    figures: Figures,
    inbox: mpsc::Receiver<Waiting>,
    trouble: watch::Sender<Option<Unwritable>>,
    /// Held over everything, errors too.
    lock: Option<Lock>,
    /// After an error of the files: the last record that certainly reached the disk.
    synced: Option<u64>,
}

/// An open chain and what is kept of it elsewhere.
struct Session<D> {
    journal: Journal<D>,
    marks: Marks,
}

impl<H: Heads, D: Disk> Keeper<H, D> {
    pub(crate) fn new(
        options: Options,
        heads: H,
        disk: D,
        figures: Figures,
        inbox: mpsc::Receiver<Waiting>,
        trouble: watch::Sender<Option<Unwritable>>,
    ) -> Self {
        figures.writable(false);
        Self { options, heads, disk, figures, inbox, trouble, lock: None, synced: None }
    }

    pub(crate) async fn run(mut self) {
        loop {
            let failed = match Box::pin(self.open()).await {
                Ok(session) => {
                    info!(writer = %self.options.writer, record = session.journal.sequence(), "the audit trail is open");
                    self.tell(None);
                    match self.serve(session).await {
                        Ok(()) => return,
                        Err(failed) => failed,
                    }
                }
                Err(failed) => failed,
            };
            self.tell(Some(failed));
            if !self.rest().await {
                return;
            }
        }
    }

    /// Lets everybody know whether it can be written; says so in the log when that changes.
    fn tell(&self, trouble: Option<Unwritable>) {
        let was = self.trouble.borrow().as_ref().map(ToString::to_string);
        if let Some(trouble) = trouble.as_ref().filter(|trouble| was.as_deref() != Some(&trouble.to_string())) {
            error!(error = causes(trouble), "the audit trail cannot be written: changes are refused");
        }
        self.figures.writable(trouble.is_none());
        self.trouble.send_replace(trouble);
    }

    /// Answers whoever comes while it cannot be written. False once nobody can come any more.
    async fn rest(&mut self) -> bool {
        let probe = tokio::time::sleep(self.options.probe_every);
        tokio::pin!(probe);
        loop {
            tokio::select! {
                () = &mut probe => return true,
                waiting = self.inbox.recv() => match waiting {
                    // Whoever asked may have given up.
                    Some((_, answer)) => drop(answer.send(Err(self.trouble.borrow().clone().unwrap_or(Unwritable::Closed)))),
                    None => return false,
                }
            }
        }
    }

    /// Writes what comes, until nobody can come any more.
    async fn serve(&mut self, mut session: Session<D>) -> Result<(), Unwritable> {
        session = self.prune(session).await?;
        let mut segment = session.journal.segment();
        while let Some(first) = self.inbox.recv().await {
            let (mut records, mut answers) = (vec![first.0], vec![first.1]);
            while records.len() < MOST_BATCH {
                let Ok((record, answer)) = self.inbox.try_recv() else { break };
                records.push(record);
                answers.push(answer);
            }
            match self.commit(session, records).await {
                Ok((number, next)) => {
                    for (sequence, answer) in (number..).zip(answers) {
                        drop(answer.send(Ok(sequence)));
                    }
                    session = next;
                }
                Err(failed) => {
                    // First they must not be able to come again, then they are told.
                    self.tell(Some(failed.clone()));
                    for answer in answers {
                        drop(answer.send(Err(failed.clone())));
                    }
                    return Err(failed);
                }
            }
            if session.journal.segment() != segment {
                segment = session.journal.segment();
                session = self.prune(session).await?;
            }
        }
        Ok(())
    }

    /// Writes records, makes them durable, moves the head; gives the number of the first.
    async fn commit(&mut self, session: Session<D>, records: Vec<Record>) -> Result<(u64, Session<D>), Unwritable> {
        let Session { mut journal, mut marks } = session;
        let (before, count) = (journal.sequence(), records.len() as u64);
        let (journal, written) = blocking(move || {
            let written = journal.append(records);
            (journal, written)
        })
        .await?;
        let first = match written {
            Ok(first) => first,
            Err(error) => {
                self.synced = Some(before);
                return Err(error.into());
            }
        };
        if let Some(head) = journal.head() {
            marks = self.heads.advance(&self.options.writer, &marks, head).await?;
        }
        self.figures.appended(count);
        Ok((first, Session { journal, marks }))
    }

    /// Deletes what is older than the retention: first a record of it, then the mark, then the files.
    async fn prune(&mut self, session: Session<D>) -> Result<Session<D>, Unwritable> {
        let Options { folder, writer, retention, .. } = self.options.clone();
        let due = {
            let (folder, writer, now) = (folder.clone(), writer.clone(), Timestamp::now());
            blocking(move || prune::due(&folder, &writer, retention, now)).await?
        };
        let mark = match due {
            Ok(Some(mark)) => mark,
            Ok(None) => return Ok(session),
            Err(error) => {
                warn!(error = causes(&error), "old segments of the audit trail could not be looked for");
                return Ok(session);
            }
        };
        let object = format!("{writer}:1-{}", mark.sequence);
        let record = own(Action::TrailPruned, object, Outcome::Succeeded);
        let (_, mut session) = self.commit(session, vec![record]).await?;
        session.marks = self.heads.prune(&writer, &session.marks, &mark).await?;
        info!(up_to = mark.sequence, "records of the audit trail older than the retention are deleted");
        let deleted = blocking(move || prune::delete(&folder, &writer, &mark)).await?;
        if let Err(error) = deleted {
            warn!(error = causes(&error), "old segments of the audit trail could not be deleted; it is tried again");
        }
        Ok(session)
    }
}

/// A record the trail makes of itself.
fn own(action: Action, name: String, result: Outcome) -> Record {
    Record::new(Timestamp::now(), Actor::platform("jiyun-trail"), action, Object::new("Trail", name), result)
}

/// Runs what waits for the disk on a thread of its own. A fault of this program there closes the trail for a moment.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Unwritable> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Unwritable::Closed)
}

/// An error and its causes in one line.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
