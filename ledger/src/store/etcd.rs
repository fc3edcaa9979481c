//! The store in etcd: one key per entry, each written in one transaction with the fence.
//!
//! Keys, under a prefix (default [`DEFAULT_PREFIX`]): `events/<seq, 20 digits>`, `leader`, and the notes under their own
//! names. The transaction is `when [create_revision(leader) == epoch, version(events/<seq>) == 0] then [put]`.

use std::{future::Future, sync::Arc, time::Duration};

use etcd_client::{Client, Compare, CompareOp, GetOptions, KeyValue, Txn, TxnOp, TxnOpResponse};
use futures::stream::BoxStream;

use super::{AppendError, Change, Edit, EditError, Fence, Page, Sealed, Store, StoreError};
use crate::core::event::{Entry, MAX_ENTRY_BYTES};

mod config;
mod note;
mod raw;
mod size;
mod watch;

pub use config::{EtcdConfig, EtcdTls};
pub use raw::{RawEntry, RawPage};
pub use size::{DEFAULT_LIMIT, Fill, StoreSize};

/// Where the book lies unless told otherwise.
pub const DEFAULT_PREFIX: &str = "/jiyun/ledger/";

/// How long one call may take: well below the renew deadline of the leader's lease (6.6 s), so that a call that hangs
/// is given up while leadership is still known.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// Entries read at once. With [`MAX_ENTRY_BYTES`] this bounds an answer.
const PAGE: i64 = 256;
const MAX_ANSWER_BYTES: usize = 257 * MAX_ENTRY_BYTES;

/// See the module.
#[derive(Clone)]
pub struct EtcdStore {
    client: Client,
    prefix: String,
}

impl std::fmt::Debug for EtcdStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EtcdStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// `prefix` with exactly one slash at its end.
pub(crate) fn normal_prefix(prefix: &str) -> String {
    format!("{}/", prefix.trim_end_matches('/'))
}

impl EtcdStore {
    /// The book under `prefix`.
    pub fn new(client: Client, prefix: &str) -> Self {
        Self { client, prefix: normal_prefix(prefix) }
    }

    fn events(&self) -> String {
        format!("{}events/", self.prefix)
    }

    fn key(&self, seq: u64) -> String {
        format!("{}{seq:020}", self.events())
    }

    fn leader(&self) -> String {
        format!("{}leader", self.prefix)
    }

    /// etcd says it is full after it has written, if several requests reached the limit together: it asks for room
    /// before it applies one, and answers with the error it had then (`server/etcdserver/apply/apply.go`,
    /// `quotaApplierV3.Txn`). The key tells; what is not there now never will be.
    async fn after_no_space(&self, entry: &Sealed, error: StoreError) -> Result<(), AppendError> {
        match self.read(entry.seq()).await {
            Ok(Some(there)) if there == *entry.entry() => Ok(()),
            Ok(Some(_)) => Err(AppendError::Taken { seq: entry.seq() }),
            Ok(None) => Err(AppendError::Rejected(error)),
            Err(error) => Err(AppendError::Unknown(error)),
        }
    }
}

impl Store for EtcdStore {
    async fn page(&self, from: u64) -> Result<Page, StoreError> {
        let events = self.events();
        let end = prefix_end(&events);
        let options = GetOptions::new().with_range(end).with_limit(PAGE);
        let mut kv = self.client.kv_client().max_decoding_message_size(MAX_ANSWER_BYTES);
        let answer = call("load of entries", kv.get(self.key(from), Some(options))).await?;
        let entries = answer.kvs().iter().map(entry).collect::<Result<_, _>>()?;
        let revision = answer.header().map(etcd_client::ResponseHeader::revision).unwrap_or_default();
        Page { entries, more: answer.more(), revision }.beginning_with(from)
    }

    async fn read(&self, seq: u64) -> Result<Option<Entry>, StoreError> {
        let answer = call("read of an entry", self.client.kv_client().get(self.key(seq), None)).await?;
        answer.kvs().first().map(entry).transpose()
    }

    async fn append(&self, entry: &Sealed, fence: Fence) -> Result<(), AppendError> {
        let (key, leader) = (self.key(entry.seq()), self.leader());
        let txn = Txn::new()
            .when([
                Compare::create_revision(leader, CompareOp::Equal, fence.epoch),
                Compare::version(key.clone(), CompareOp::Equal, 0),
            ])
            .and_then([TxnOp::put(key.clone(), entry.bytes(), None)])
            .or_else([TxnOp::get(key, None)]);
        let answer = match tokio::time::timeout(CALL_TIMEOUT, self.client.kv_client().txn(txn)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) if ran_out(&error) => {
                return Box::pin(self.after_no_space(entry, failed("append", error))).await;
            }
            Ok(Err(error)) if was_refused(&error) => return Err(AppendError::Rejected(failed("append", error))),
            Ok(Err(error)) => return Err(AppendError::Unknown(failed("append", error))),
            Err(_) => return Err(AppendError::Unknown(timed_out("append"))),
        };
        if answer.succeeded() {
            return Ok(());
        }
        let responses = answer.op_responses();
        let there = responses.first().and_then(|response| match response {
            TxnOpResponse::Get(get) => get.kvs().first(),
            _ => None,
        });
        match there {
            // An earlier try of this very entry went through; entries of two leaders differ in their epoch.
            Some(kv) if kv.value() == entry.bytes() => Ok(()),
            Some(_) => Err(AppendError::Taken { seq: entry.seq() }),
            None => Err(AppendError::Fenced),
        }
    }

    async fn leads(&self, fence: Fence) -> Result<bool, StoreError> {
        let answer = call("look at the leader", self.client.kv_client().get(self.leader(), None)).await?;
        Ok(answer.kvs().first().is_some_and(|kv| kv.create_revision() == fence.epoch))
    }

    async fn notes(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.list(folder).await
    }

    async fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let key = format!("{}{name}", self.prefix);
        let answer = call("read of a note", self.client.kv_client().get(key, None)).await?;
        Ok(answer.kvs().first().map(|kv| kv.value().to_vec()))
    }

    async fn edit(&self, edits: &[Edit], fence: Option<Fence>) -> Result<(), EditError> {
        self.transact(edits, fence).await
    }

    async fn watch(&self, revision: i64) -> Result<BoxStream<'static, Result<Change, StoreError>>, StoreError> {
        watch::watch(&self.client, self.events(), revision).await
    }
}

/// The first key after all keys that start with `prefix`, which ends in `/`.
fn prefix_end(prefix: &str) -> String {
    // '0' follows '/' in ASCII.
    format!("{}0", prefix.trim_end_matches('/'))
}

fn entry(kv: &KeyValue) -> Result<Entry, StoreError> {
    serde_json::from_slice(kv.value()).map_err(|source| StoreError::Corrupt {
        key: String::from_utf8_lossy(kv.key()).into_owned(),
        source: Arc::new(source),
    })
}

/// Whether etcd said no before anything was written: gRPC codes `INVALID_ARGUMENT` (3, e.g. too large),
/// `PERMISSION_DENIED` (7), `UNAUTHENTICATED` (16); see etcd's `api/v3/v3rpc/rpctypes/error.go`. Anything else may have
/// come after the write.
fn was_refused(error: &etcd_client::Error) -> bool {
    matches!(code(error), Some(3 | 7 | 16))
}

/// Whether etcd had no room: gRPC code `RESOURCE_EXHAUSTED` (8), for a full database or too many requests.
fn ran_out(error: &etcd_client::Error) -> bool {
    code(error) == Some(8)
}

fn code(error: &etcd_client::Error) -> Option<i32> {
    match error {
        etcd_client::Error::GRpcStatus(status) => Some(i32::from(status.code())),
        _ => None,
    }
}

pub(crate) fn failed(what: &str, source: etcd_client::Error) -> StoreError {
    StoreError::Failed { what: what.to_owned(), source: Arc::new(source) }
}

pub(crate) fn timed_out(what: &str) -> StoreError {
    StoreError::TimedOut { what: what.to_owned(), after: CALL_TIMEOUT }
}

/// Waits for an answer of etcd, but not beyond [`CALL_TIMEOUT`].
pub(crate) async fn call<T>(
    what: &str,
    answer: impl Future<Output = Result<T, etcd_client::Error>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(CALL_TIMEOUT, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(failed(what, error)),
        Err(_) => Err(timed_out(what)),
    }
}
