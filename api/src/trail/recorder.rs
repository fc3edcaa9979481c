//! The trail as the rest of the program meets it; without `--trail-dir` nothing is recorded.

use std::{net::IpAddr, sync::Arc, time::Duration};

use jiff::Timestamp;
use jiyun_trail::{
    Options, Trail, Unwritable,
    core::{
        action::Action,
        actor::{Actor, Authentication},
        content::Content,
        object::Object,
        outcome::Outcome,
        record::Record,
    },
    figures::Figures,
    heads::Heads,
    store::disk::Disk,
};
use serde_json::{Value, json};
use tokio::{runtime::Handle, task::JoinHandle};

use super::{Origin, strangers::Strangers, write};
use crate::problem::Code;

/// How long the start waits for the trail: usually it is open within milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long records under way may take at the end of the program.
const DRAIN: Duration = Duration::from_secs(3);

/// How long the end of something is kept while the trail cannot be written: its store elects a leader within seconds.
const INSISTENCE: Duration = Duration::from_mins(1);

/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Option<Kept>);

#[derive(Clone, Debug)]
struct Kept {
    trail: Trail,
    strangers: Arc<Strangers>,
}

/// Ends when the last recorder is gone and everything is written.
#[derive(Debug, Default)]
pub struct Keeping(Option<JoinHandle<()>>);

impl Keeping {
    /// Waits for it, not for ever.
    pub async fn ended(self) {
        if let Some(task) = self.0
            && tokio::time::timeout(DRAIN, task).await.is_err()
        {
            tracing::warn!("records of the audit trail under way were not written before the end");
        }
    }
}

impl Recorder {
    /// Begins to keep a trail.
    pub fn start<H: Heads, D: Disk>(options: Options, heads: H, disk: D, figures: Figures) -> (Self, Keeping) {
        tracing::info!(folder = %options.folder.display(), writer = %options.writer, "an audit trail is kept");
        let (trail, task) = Trail::start(options, heads, disk, figures);
        (Self(Some(Kept { trail, strangers: Arc::default() })), Keeping(Some(task)))
    }

    /// Waits until the trail is open, but not for long: without it everything can be read.
    pub async fn ready(&self) {
        if let Some(kept) = &self.0
            && tokio::time::timeout(PATIENCE, kept.trail.writable()).await.is_err()
        {
            tracing::warn!("the audit trail is not open yet: nothing is changed until it is");
        }
    }

    /// Whether a trail is kept.
    pub fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Records that something is about to be done; see [`Begun`]. None where no trail is kept.
    ///
    /// # Errors
    /// When it could not be recorded: then it may not be done.
    pub async fn begin(&self, record: Record, origin: &Origin) -> Result<Option<Begun>, Unwritable> {
        let Some(kept) = &self.0 else { return Ok(None) };
        // Before it is appended: whoever leaves meanwhile may leave it in the trail.
        let mut begun = Begun { recorder: self.clone(), record: Some(record.clone()) };
        if let Err(error) = kept.trail.append(record).await {
            begun.record = None;
            return Err(error);
        }
        origin.mark_recorded();
        Ok(Some(begun))
    }

    /// Appends a record.
    ///
    /// # Errors
    /// When it could not be recorded.
    pub async fn append(&self, record: Record) -> Result<(), Unwritable> {
        match &self.0 {
            Some(kept) => kept.trail.append(record).await.map(drop),
            None => Ok(()),
        }
    }

    /// Appends a record that nothing depends on; a failure is told in the log.
    pub async fn tell(&self, record: Record) {
        let Some(kept) = &self.0 else { return };
        let (action, object) = (record.action, record.object.name.clone());
        if let Err(error) = kept.trail.append(record).await {
            tracing::error!(%action, object, %error, "not recorded in the audit trail");
        }
    }

    /// The same, and nobody waits for it.
    fn note(&self, record: Record) {
        // Without a runtime the program is ending, and the record of what was begun stands.
        let Ok(runtime) = Handle::try_current() else { return };
        let recorder = self.clone();
        runtime.spawn(async move { recorder.tell(record).await });
    }

    /// Records that somebody at `source` sent a token nobody accepts; few of many, see [`Strangers`].
    pub fn sign_in_failed(&self, origin: &Origin) {
        let (Some(kept), now) = (&self.0, Timestamp::now()) else { return };
        let source: Option<IpAddr> = origin.source();
        let Some(left_out) = kept.strangers.tells(source, now) else { return };
        let nobody = Actor { authentication: Some(Authentication::None), ..Actor::default() };
        let refused = Outcome::refused(<&str>::from(Code::InvalidToken));
        let mut record = Record::new(now, nobody, Action::SignInFailed, Object::new("Token", ""), refused);
        record.source = source.map(|address| address.to_string());
        record.request = origin.request().map(str::to_owned);
        record.after = (left_out > 0).then(|| Content::of(json!({"notRecordedBefore": left_out})));
        self.note(record);
    }
}

/// Something that was begun. If nobody says how it ended, its caller left or it took too long: then that is recorded.
#[derive(Debug)]
pub struct Begun {
    recorder: Recorder,
    record: Option<Record>,
}

impl Begun {
    /// Records how it ended; `answered` is the object as it is then. Nobody waits for that: it was recorded that it was
    /// begun, which stands if this record fails.
    pub fn ended(mut self, result: Outcome, answered: Option<&Value>) {
        if let Some(record) = self.record.take() {
            self.recorder.note(write::ended(record, Timestamp::now(), result, answered));
        }
    }

    /// Records that it was done, and that it goes on: see [`Lasting`]. `broken_off` makes the record of an end that nobody saw.
    pub async fn lasts(mut self, broken_off: impl FnOnce(Record) -> Record) -> Option<Lasting> {
        let begun = self.record.take()?;
        let record = write::ended(begun, Timestamp::now(), Outcome::Succeeded, None);
        let broken_off = Some(broken_off(record.clone()));
        let lasting = Lasting { recorder: self.recorder.clone(), record, broken_off };
        lasting.recorder.tell(lasting.record.clone()).await;
        Some(lasting)
    }
}

/// Something that was done and goes on. If nobody says how it ended, that it was broken off is recorded.
#[derive(Debug)]
pub struct Lasting {
    recorder: Recorder,
    record: Record,
    broken_off: Option<Record>,
}

impl Lasting {
    /// Records its end, and tries for a while where the trail cannot be written just then: there is no second chance. One that was
    /// not acknowledged may have been written all the same, and stands there twice then.
    pub async fn ended(mut self, end: impl FnOnce(Record) -> Record) {
        let Some(Kept { trail, .. }) = &self.recorder.0 else { return };
        let end = end(self.record.clone());
        self.broken_off = Some(end.clone());
        let written = tokio::time::timeout(INSISTENCE, async {
            while trail.writable().await.is_ok() {
                if trail.append(end.clone()).await.is_ok() {
                    return true;
                }
            }
            false
        });
        let is_written = written.await.unwrap_or(false);
        self.broken_off = None;
        if !is_written {
            self.recorder.tell(end).await;
        }
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        if let Some(record) = self.broken_off.take() {
            self.recorder.note(Record { at: Timestamp::now(), ..record });
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if let Some(record) = self.record.take() {
            let unknown = Outcome::failed("nobody waited for the answer: it may have been done");
            self.recorder.note(write::ended(record, Timestamp::now(), unknown, None));
        }
    }
}
