//! Heads in etcd: `<prefix>trail/<writer>/head` and `<prefix>trail/<writer>/pruned`, each a JSON object.
//!
//! A head moves in the transaction `when mod_revision(head) == <as read or written last> then put(head)`.

use std::{future::Future, sync::Arc, time::Duration};

use etcd_client::{Client, Compare, CompareOp, GetOptions, KeyValue, Txn, TxnOp, TxnOpResponse};
use serde::{Serialize, de::DeserializeOwned};

use super::{HeadError, Heads, Marks};
use crate::core::{
    head::{Head, Pruned},
    writer::Writer,
};

/// Where heads lie unless told otherwise: `/jiyun/trail/`, beside the ledger's `/jiyun/ledger/`.
pub const DEFAULT_PREFIX: &str = "/jiyun/";

/// How long one call may take: a change waits for the trail, and a person for the change.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// See the module.
#[derive(Clone)]
pub struct EtcdHeads {
    client: Client,
    folder: String,
}

impl std::fmt::Debug for EtcdHeads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EtcdHeads").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl EtcdHeads {
    /// Heads under `prefix`.
    pub fn new(client: Client, prefix: &str) -> Self {
        Self { client, folder: format!("{}/trail/", prefix.trim_end_matches('/')) }
    }

    fn head(&self, writer: &Writer) -> String {
        format!("{}{writer}/head", self.folder)
    }

    fn pruned(&self, writer: &Writer) -> String {
        format!("{}{writer}/pruned", self.folder)
    }

    /// Puts `value` at `key` while the head is at the revision of `from`; gives the head's revision after it.
    async fn put(
        &self,
        what: &'static str,
        writer: &Writer,
        from: &Marks,
        key: String,
        value: Vec<u8>,
    ) -> Result<i64, HeadError> {
        let unmoved = match from.revision {
            0 => Compare::version(self.head(writer), CompareOp::Equal, 0),
            revision => Compare::mod_revision(self.head(writer), CompareOp::Equal, revision),
        };
        let txn = Txn::new()
            .when([unmoved])
            .and_then([TxnOp::put(key.clone(), value.clone(), None)])
            .or_else([TxnOp::get(key, None)]);
        let answer = call(what, self.client.kv_client().txn(txn)).await?;
        if answer.succeeded() {
            return Ok(answer.header().map_or(0, etcd_client::ResponseHeader::revision));
        }
        let there = answer.op_responses().into_iter().find_map(|response| match response {
            TxnOpResponse::Get(get) => get.kvs().first().map(|kv| (kv.mod_revision(), kv.value() == value)),
            _ => None,
        });
        match there {
            // An earlier try of this very change went through.
            Some((revision, true)) => Ok(revision),
            _ => Err(HeadError::Moved { writer: writer.clone() }),
        }
    }
}

impl Heads for EtcdHeads {
    async fn read(&self, writer: &Writer) -> Result<Marks, HeadError> {
        let (head, pruned) = (self.head(writer), self.pruned(writer));
        // In one transaction: both are of the same moment.
        let txn = Txn::new().and_then([TxnOp::get(head.clone(), None), TxnOp::get(pruned.clone(), None)]);
        let answer = call("read", self.client.kv_client().txn(txn)).await?;
        let mut marks = Marks::default();
        for response in answer.op_responses() {
            let TxnOpResponse::Get(get) = response else { continue };
            let Some(kv) = get.kvs().first() else { continue };
            if kv.key() == head.as_bytes() {
                (marks.head, marks.revision) = (Some(decode(kv)?), kv.mod_revision());
            } else {
                marks.pruned = Some(decode(kv)?);
            }
        }
        Ok(marks)
    }

    async fn advance(&self, writer: &Writer, from: &Marks, head: &Head) -> Result<Marks, HeadError> {
        from.leads_to(head)?;
        let revision = self.put("move", writer, from, self.head(writer), encode(head)?).await?;
        Ok(Marks { head: Some(head.clone()), pruned: from.pruned.clone(), revision })
    }

    async fn prune(&self, writer: &Writer, from: &Marks, pruned: &Pruned) -> Result<Marks, HeadError> {
        self.put("mark of pruning", writer, from, self.pruned(writer), encode(pruned)?).await?;
        Ok(Marks { pruned: Some(pruned.clone()), ..from.clone() })
    }

    async fn writers(&self) -> Result<Vec<Writer>, HeadError> {
        let options = GetOptions::new().with_prefix().with_keys_only();
        let answer = call("list", self.client.kv_client().get(self.folder.clone(), Some(options))).await?;
        let writer = |kv: &KeyValue| {
            let key = String::from_utf8_lossy(kv.key()).into_owned();
            key.strip_prefix(&self.folder)?.strip_suffix("/head")?.parse().ok()
        };
        let mut writers: Vec<Writer> = answer.kvs().iter().filter_map(writer).collect();
        writers.sort();
        Ok(writers)
    }
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, HeadError> {
    serde_json::to_vec(value).map_err(|source| HeadError::Failed { what: "encoding", source: Arc::new(source) })
}

fn decode<T: DeserializeOwned>(kv: &KeyValue) -> Result<T, HeadError> {
    serde_json::from_slice(kv.value()).map_err(|source| HeadError::Corrupt {
        key: String::from_utf8_lossy(kv.key()).into_owned(),
        source: Arc::new(source),
    })
}

async fn call<T>(
    what: &'static str,
    answer: impl Future<Output = Result<T, etcd_client::Error>>,
) -> Result<T, HeadError> {
    match tokio::time::timeout(CALL_TIMEOUT, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(source)) => Err(HeadError::Failed { what, source: Arc::new(source) }),
        Err(_) => Err(HeadError::TimedOut { what, after: CALL_TIMEOUT }),
    }
}
