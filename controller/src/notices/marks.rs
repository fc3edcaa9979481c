//! Who was told what: `/jiyun/notices/told/<uid of the object>/<matter>/<to whom>`, in the ledger's etcd, with the time.
//!
//! Written in the transaction `when create_revision(leader) == epoch then put`, after the receiver has said that it has it.

use std::{
    collections::BTreeSet,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use etcd_client::{Client, Compare, CompareOp, GetOptions, Txn, TxnOp};
use jiff::Timestamp;
use jiyun_ledger::{Fence, leader_key, store::etcd::DEFAULT_PREFIX};
use jiyun_notices::Notice;

/// Where marks lie, beside the ledger's `/jiyun/ledger/`.
const TOLD: &str = "/jiyun/notices/told/";

/// Behind the last of them: the key that follows `/` with `0`.
const END: &str = "/jiyun/notices/told0";

/// When notices were first sent.
const BEGUN: &str = "/jiyun/notices/begun";

/// How long one call may take: a letter that was sent waits to be marked.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// Marks read at once: a key has 200 bytes at most, and an answer may have 4 MiB.
const PAGE: usize = 5000;

/// Marks removed in one transaction; etcd takes 128 operations.
const AT_ONCE: usize = 100;

/// Why a mark was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    /// No answer, or an error for an answer.
    #[error("{what} of who was told failed; check that the ledger's etcd is reachable and healthy")]
    Failed {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: Box<etcd_client::Error>,
    },
    /// No answer in time.
    #[error("{what} of who was told took longer than {CALL_TIMEOUT:?}; check that the ledger's etcd is healthy")]
    TimedOut {
        /// What was tried.
        what: &'static str,
    },
    /// Another replica leads.
    #[error("another replica leads and tells what has to be told")]
    Fenced,
}

/// Cheap to clone; all clones know the same.
#[derive(Clone)]
pub struct Marks {
    client: Client,
    fence: Fence,
    told: Arc<Mutex<BTreeSet<String>>>,
}

/// The key of one letter, below the folder of marks.
pub fn key(notice: &Notice, letter: &str) -> String {
    format!("{}/{}/{letter}", notice.subject.uid, notice.matter())
}

/// Every key there is, page by page: `page` gives the first `size` keys from `from` on.
async fn every<E, F: Future<Output = Result<Vec<Vec<u8>>, E>>>(
    size: usize,
    page: impl Fn(Vec<u8>) -> F,
) -> Result<Vec<Vec<u8>>, E> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    let mut from = TOLD.as_bytes().to_vec();
    loop {
        let mut keys = page(from).await?;
        let is_last = keys.len() < size;
        all.append(&mut keys);
        match all.last() {
            // The next key there can be.
            Some(last) if !is_last => from = [last.as_slice(), &[0]].concat(),
            _ => return Ok(all),
        }
    }
}

/// The first `size` keys of marks from `from` on.
async fn page(client: Client, from: Vec<u8>, size: usize) -> Result<Vec<Vec<u8>>, MarkError> {
    let limit = i64::try_from(size).unwrap_or(i64::MAX);
    let options = GetOptions::new().with_range(END).with_limit(limit).with_keys_only();
    let answer = call("list", client.kv_client().get(from, Some(options))).await?;
    Ok(answer.kvs().iter().map(|kv| kv.key().to_vec()).collect())
}

/// The UID of the object a mark is about.
fn uid(key: &str) -> &str {
    key.split('/').next().unwrap_or_default()
}

impl Marks {
    /// Reads the marks there are, and since when notices are sent: since now, if there never were any.
    ///
    /// # Errors
    /// When etcd does not answer, or another replica leads.
    pub async fn open(client: Client, fence: Fence, now: Timestamp) -> Result<(Self, Timestamp), MarkError> {
        let told = every(PAGE, |from| page(client.clone(), from, PAGE)).await?;
        let name = |key: &Vec<u8>| String::from_utf8_lossy(key).strip_prefix(TOLD).map(str::to_owned);
        let told = Arc::new(Mutex::new(told.iter().filter_map(name).collect()));
        let marks = Self { client, fence, told };
        let begun = call("read", marks.client.kv_client().get(BEGUN, None)).await?;
        let begun = begun.kvs().first().and_then(|kv| String::from_utf8_lossy(kv.value()).parse().ok());
        if let Some(begun) = begun {
            return Ok((marks, begun));
        }
        marks.change("begin", [TxnOp::put(BEGUN, now.to_string(), None)]).await?;
        Ok((marks, now))
    }

    fn known(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was told.
    pub fn has(&self, key: &str) -> bool {
        self.known().contains(key)
    }

    /// Takes it for told, in this process alone.
    pub fn remember(&self, key: &str) {
        self.known().insert(key.to_owned());
    }

    /// Marks it as told. Safe to repeat.
    ///
    /// # Errors
    /// When etcd does not answer, or another replica leads.
    pub async fn put(&self, key: &str, now: Timestamp) -> Result<(), MarkError> {
        self.change("mark", [TxnOp::put(format!("{TOLD}{key}"), now.to_string(), None)]).await?;
        self.remember(key);
        Ok(())
    }

    /// Whether this process still leads: whoever does not, tells nobody.
    ///
    /// # Errors
    /// When etcd does not answer.
    pub async fn leads(&self) -> Result<bool, MarkError> {
        let answer = call("look at the leader", self.client.kv_client().get(leader_key(DEFAULT_PREFIX), None)).await?;
        Ok(answer.kvs().first().is_some_and(|kv| kv.create_revision() == self.fence.epoch))
    }

    /// Removes the marks of objects that are none of `kept`; gives how many.
    ///
    /// # Errors
    /// When etcd does not answer, or another replica leads.
    pub async fn sweep(&self, kept: &BTreeSet<String>) -> Result<usize, MarkError> {
        let outdated: Vec<String> = self.known().iter().filter(|key| !kept.contains(uid(key))).cloned().collect();
        for some in outdated.chunks(AT_ONCE) {
            self.change("sweep", some.iter().map(|key| TxnOp::delete(format!("{TOLD}{key}"), None))).await?;
            let mut known = self.known();
            for key in some {
                known.remove(key);
            }
        }
        Ok(outdated.len())
    }

    async fn change(&self, what: &'static str, changes: impl IntoIterator<Item = TxnOp>) -> Result<(), MarkError> {
        let leads = Compare::create_revision(leader_key(DEFAULT_PREFIX), CompareOp::Equal, self.fence.epoch);
        let txn = Txn::new().when([leads]).and_then(changes.into_iter().collect::<Vec<_>>());
        let answer = call(what, self.client.kv_client().txn(txn)).await?;
        if answer.succeeded() { Ok(()) } else { Err(MarkError::Fenced) }
    }
}

async fn call<T>(
    what: &'static str,
    answer: impl Future<Output = Result<T, etcd_client::Error>>,
) -> Result<T, MarkError> {
    match tokio::time::timeout(CALL_TIMEOUT, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(source)) => Err(MarkError::Failed { what, source: Box::new(source) }),
        Err(_) => Err(MarkError::TimedOut { what }),
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::ready};

    use super::*;

    /// What is read of these keys, `size` at a time, and in how many pages.
    async fn read(kept: &BTreeSet<Vec<u8>>, size: usize) -> (BTreeSet<Vec<u8>>, usize) {
        let pages = Mutex::new(0);
        let page = |from: Vec<u8>| {
            *pages.lock().unwrap() += 1;
            ready(Ok::<_, Infallible>(kept.range(from..).take(size).cloned().collect()))
        };
        let all = every(size, page).await.unwrap();
        let count = all.len();
        let read: BTreeSet<_> = all.into_iter().collect();
        assert_eq!(read.len(), count, "none is read twice");
        (read, pages.into_inner().unwrap())
    }

    #[tokio::test]
    async fn more_marks_than_one_page_has_are_all_read() {
        for (count, pages) in [(0, 1), (2, 1), (3, 2), (7, 3)] {
            let kept: BTreeSet<_> = (0..count).map(|number| format!("{TOLD}u-{number}/told/oa").into_bytes()).collect();
            assert_eq!(read(&kept, 3).await, (kept, pages));
        }
    }
}
