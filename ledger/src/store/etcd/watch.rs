//! The watch on the stream of entries, with a sign of life every few seconds.

use std::{collections::VecDeque, time::Duration};

use etcd_client::{Client, EventType, WatchOptions, WatchRequestSender, WatchResponse, WatchResponseStream};
use futures::{StreamExt, stream::BoxStream};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Change, MAX_ANSWER_BYTES, StoreError, call, entry, failed};

/// How often etcd is asked whether all has been told.
const ASK: Duration = Duration::from_secs(1);
/// How long it may stay silent before the watch is given up.
const SILENCE: Duration = Duration::from_secs(5);

struct Watch {
    ask: WatchRequestSender,
    answers: WatchResponseStream,
    ticks: tokio::time::Interval,
    heard: Instant,
    /// What was read before the watch began is not told again.
    seen: i64,
    told: VecDeque<Result<Change, StoreError>>,
    ended: bool,
}

pub(super) async fn watch(
    client: &Client,
    prefix: String,
    revision: i64,
) -> Result<BoxStream<'static, Result<Change, StoreError>>, StoreError> {
    // From the revision already seen, not the next one: etcd tells no progress to a watch that begins in the future
    // (`server/storage/mvcc/watchable_store.go`, `progressIfSync`), and an idle ledger would look like a silent etcd.
    let options = WatchOptions::new().with_prefix().with_start_revision(revision.max(1));
    let mut watcher = client.watch_client().max_decoding_message_size(MAX_ANSWER_BYTES);
    let (ask, answers) = call("watch", watcher.watch(prefix, Some(options))).await?.split();
    let mut ticks = interval(ASK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let watch =
        Watch { ask, answers, ticks, heard: Instant::now(), seen: revision, told: VecDeque::new(), ended: false };
    Ok(futures::stream::unfold(watch, next).boxed())
}

async fn next(mut watch: Watch) -> Option<(Result<Change, StoreError>, Watch)> {
    loop {
        if let Some(change) = watch.told.pop_front() {
            watch.ended = change.is_err();
            return Some((change, watch));
        }
        if watch.ended {
            return None;
        }
        tokio::select! {
            answer = watch.answers.message() => match answer {
                Ok(Some(answer)) => {
                    watch.heard = Instant::now();
                    tell(&answer, watch.seen, &mut watch.told);
                }
                Ok(None) => watch.told.push_back(Err(ended("etcd closed it"))),
                Err(error) => watch.told.push_back(Err(failed("watch", error))),
            },
            _ = watch.ticks.tick() => {
                if watch.heard.elapsed() > SILENCE {
                    watch.told.push_back(Err(ended("etcd is silent")));
                } else if let Err(error) = watch.ask.request_progress().await {
                    watch.told.push_back(Err(failed("watch", error)));
                }
            }
        }
    }
}

fn tell(answer: &WatchResponse, seen: i64, told: &mut VecDeque<Result<Change, StoreError>>) {
    if answer.canceled() {
        let compacted = answer.compact_revision();
        let reason =
            if compacted > 0 { format!("compacted up to {compacted}") } else { answer.cancel_reason().to_owned() };
        told.push_back(Err(ended(&reason)));
        return;
    }
    for event in answer.events() {
        if event.kv().is_some_and(|kv| kv.mod_revision() <= seen) {
            continue;
        }
        match (event.event_type(), event.kv()) {
            (EventType::Put, Some(kv)) => told.push_back(entry(kv).map(Change::Entry)),
            (EventType::Delete, Some(kv)) => told.push_back(Ok(Change::Removed(number(kv.key())))),
            (EventType::Put | EventType::Delete, None) => told.push_back(Ok(Change::Removed(None))),
        }
    }
    if answer.events().is_empty() && !answer.created() {
        told.push_back(Ok(Change::Current));
    }
}

/// The number of the entry under `key`.
fn number(key: &[u8]) -> Option<u64> {
    std::str::from_utf8(key).ok()?.rsplit('/').next()?.parse().ok()
}

fn ended(reason: &str) -> StoreError {
    StoreError::WatchEnded { reason: reason.to_owned() }
}
