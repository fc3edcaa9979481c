//! The courier of one channel, wherever the configuration sends it now: sends what has to be sent, marks what has arrived,
//! tries again what has not.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use jiyun_notices::{Notice, words};
use tokio::{sync::watch, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    channel::{Channel, SendError},
    marks::{self, MarkError, Marks},
    schedule::{Letter, Schedule},
    ways::{Told, Way},
};
use crate::{error::chain, metrics::Metrics};

/// How often a mark is tried, and the pause between.
const MARKS: u32 = 10;
const AGAIN: Duration = Duration::from_secs(1);

/// See the module.
pub struct Courier {
    /// The name of its channel.
    pub name: String,
    /// The way out.
    pub way: Told,
    /// Who was told.
    pub marks: Marks,
    /// What has to be told.
    pub notices: watch::Receiver<Arc<Vec<Arc<Notice>>>>,
    /// Figures.
    pub metrics: Metrics,
}

/// What became of a letter.
enum Outcome {
    Told,
    Refused(String),
    Failed(String),
}

impl Courier {
    /// Works until `stop`, and then until what is under way has arrived or not: a letter that arrived is marked.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut schedule = Schedule::default();
        let mut under_way = JoinSet::new();
        let mut unreached = BTreeSet::new();
        loop {
            let way = self.way.borrow().clone();
            self.look(way.as_deref(), &mut schedule, &mut unreached);
            let at_once = way.as_ref().map_or(0, |way| way.channel.at_once());
            while let Some(way) = way.as_ref().filter(|_| under_way.len() < at_once) {
                let Some((key, letter)) = schedule.take(Instant::now()) else { break };
                under_way.spawn(self.send(Arc::clone(way), key, letter));
            }
            self.metrics.set_notices_waiting(&self.name, schedule.len());
            let next = schedule.next();
            let due = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                changed = self.notices.changed() => if changed.is_err() { break },
                changed = self.way.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    schedule.hurry(Instant::now());
                    unreached.clear();
                }
                Some(done) = under_way.join_next() => self.note(done.ok(), &mut schedule),
                () = due, if under_way.len() < at_once => {}
            }
        }
        while let Some(done) = under_way.join_next().await {
            self.note(done.ok(), &mut schedule);
        }
    }

    /// Puts on the schedule what has to be told and was not.
    fn look(&mut self, way: Option<&Way>, schedule: &mut Schedule, unreached: &mut BTreeSet<String>) {
        let notices = Arc::clone(&self.notices.borrow_and_update());
        let mut wanted = BTreeMap::new();
        let told = way.into_iter().flat_map(|way| notices.iter().map(move |notice| (&way.channel, notice)));
        for (channel, notice) in told {
            for (letter, to) in channel.letters(notice) {
                let key = marks::key(notice, &letter);
                if !self.marks.has(&key) {
                    wanted.insert(key, Letter { notice: Arc::clone(notice), to });
                }
            }
            if let Channel::Mail(mail) = channel {
                for name in mail.unreached(notice).difference(&unreached.clone()) {
                    warn!(
                        name,
                        "nobody knows the mail address of this group or person: see addresses of --notifications"
                    );
                    unreached.insert(name.clone());
                }
            }
        }
        for (_, letter) in schedule.set(wanted, Instant::now()) {
            self.metrics.noticed(&self.name, "dropped");
            let Notice { id, event, .. } = &*letter.notice;
            info!(channel = self.name, id, %event, "not told: the matter is over, or nobody is told it here any more");
        }
    }

    /// Sends one letter and marks it.
    fn send(
        &self,
        way: Arc<Way>,
        key: String,
        letter: Letter,
    ) -> impl Future<Output = (String, Letter, Outcome)> + Send + use<> {
        let marks = self.marks.clone();
        async move {
            let link = way.link.as_deref().map(|template| words::link(template, &letter.notice));
            // Whoever was frozen for a while may have been followed by another.
            let outcome = match marks.leads().await {
                Ok(true) => match way.channel.send(&letter.notice, &letter.to, link.as_deref()).await {
                    Ok(()) => Outcome::Told,
                    Err(SendError::Never(why)) => Outcome::Refused(why),
                    Err(SendError::Later(why)) => Outcome::Failed(why),
                },
                Ok(false) => Outcome::Failed(MarkError::Fenced.to_string()),
                Err(error) => Outcome::Failed(chain(&error)),
            };
            if !matches!(outcome, Outcome::Failed(_)) {
                mark(&marks, &key).await;
            }
            (key, letter, outcome)
        }
    }

    fn note(&self, done: Option<(String, Letter, Outcome)>, schedule: &mut Schedule) {
        // It panicked: the next leader tells it.
        let Some((key, letter, outcome)) = done else { return };
        let (channel, Notice { id, event, .. }) = (self.name.as_str(), &*letter.notice);
        match outcome {
            Outcome::Told => {
                schedule.done(&key);
                self.metrics.noticed(channel, "told");
                info!(channel, id, %event, "told");
            }
            Outcome::Refused(why) => {
                schedule.done(&key);
                self.metrics.noticed(channel, "refused");
                warn!(channel, id, %event, why, "not told, and not tried again");
            }
            Outcome::Failed(why) => {
                let failures = schedule.failed(&key, Instant::now());
                self.metrics.noticed(channel, "failed");
                warn!(channel, id, %event, why, failures, "not told yet; it is tried again");
            }
        }
    }
}

/// Marks a letter, and takes it for told in any case: only after a crash right now is it sent twice.
async fn mark(marks: &Marks, key: &str) {
    for _ in 0..MARKS {
        match marks.put(key, Timestamp::now()).await {
            Ok(()) => return,
            Err(MarkError::Fenced) => break,
            Err(error) => warn!(error = chain(&error), "who was told cannot be marked; it is tried again"),
        }
        tokio::time::sleep(AGAIN).await;
    }
    marks.remember(key);
}
