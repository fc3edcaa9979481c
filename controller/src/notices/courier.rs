//! The courier of one channel: sends what has to be sent, marks what has arrived, tries again what has not.

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
};
use crate::{error::chain, metrics::Metrics};

/// How often a mark is tried, and the pause between.
const MARKS: u32 = 10;
const AGAIN: Duration = Duration::from_secs(1);

/// See the module.
pub struct Courier {
    /// The way out.
    pub channel: Arc<Channel>,
    /// Who was told.
    pub marks: Marks,
    /// What has to be told.
    pub notices: watch::Receiver<Arc<Vec<Arc<Notice>>>>,
    /// Where somebody acts on a notice.
    pub link: Option<Arc<str>>,
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
            self.look(&mut schedule, &mut unreached);
            while under_way.len() < self.channel.at_once() {
                let Some((key, letter)) = schedule.take(Instant::now()) else { break };
                under_way.spawn(self.send(key, letter));
            }
            self.metrics.set_notices_waiting(self.channel.name(), schedule.len());
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
                Some(done) = under_way.join_next() => self.note(done.ok(), &mut schedule),
                () = due, if under_way.len() < self.channel.at_once() => {}
            }
        }
        while let Some(done) = under_way.join_next().await {
            self.note(done.ok(), &mut schedule);
        }
    }

    /// Puts on the schedule what has to be told and was not.
    fn look(&mut self, schedule: &mut Schedule, unreached: &mut BTreeSet<String>) {
        let notices = Arc::clone(&self.notices.borrow_and_update());
        let mut wanted = BTreeMap::new();
        for notice in notices.iter() {
            for (letter, to) in self.channel.letters(notice) {
                let key = marks::key(notice, &letter);
                if !self.marks.has(&key) {
                    wanted.insert(key, Letter { notice: Arc::clone(notice), to });
                }
            }
            if let Channel::Mail(mail) = &*self.channel {
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
            self.metrics.noticed(self.channel.name(), "dropped");
            let Notice { id, event, .. } = &*letter.notice;
            info!(channel = self.channel.name(), id, %event, "the matter is over before it could be told");
        }
    }

    /// Sends one letter and marks it.
    fn send(&self, key: String, letter: Letter) -> impl Future<Output = (String, Letter, Outcome)> + Send + use<> {
        let (channel, marks, link) = (Arc::clone(&self.channel), self.marks.clone(), self.link.clone());
        async move {
            let link = link.map(|template| words::link(&template, &letter.notice));
            // Whoever was frozen for a while may have been followed by another.
            let outcome = match marks.leads().await {
                Ok(true) => match channel.send(&letter.notice, &letter.to, link.as_deref()).await {
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
        let (channel, Notice { id, event, .. }) = (self.channel.name(), &*letter.notice);
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
