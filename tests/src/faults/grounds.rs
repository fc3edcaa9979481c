//! Where the script is played: in memory, and on a real etcd.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use etcd_client::{Client, Txn, TxnOp};
use jiyun_ledger::{
    Fence,
    store::{etcd::EtcdStore, memory::MemoryStore},
};

use super::{FaultError, rehearse::Ground};

/// A book in memory.
#[derive(Debug, Default)]
pub struct InMemory {
    store: MemoryStore,
    epoch: AtomicI64,
}

impl Ground for InMemory {
    type Store = MemoryStore;

    fn store(&self) -> MemoryStore {
        self.store.clone()
    }

    async fn elect(&self) -> Result<Fence, FaultError> {
        Ok(self.store.elect(self.epoch.fetch_add(1, Ordering::SeqCst) + 1))
    }
}

/// A book in etcd, under a prefix of its own.
pub struct InEtcd {
    client: Client,
    prefix: String,
}

impl InEtcd {
    /// A book nobody else has, reached as somebody who may write everything.
    pub fn new(client: Client) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { client, prefix: format!("/jiyun/faults/{}-{number}/", std::process::id()) }
    }
}

impl Ground for InEtcd {
    type Store = EtcdStore;

    fn store(&self) -> EtcdStore {
        EtcdStore::new(self.client.clone(), &self.prefix)
    }

    /// The key of the leader is made anew, as when its lease has run out: its create revision is the new epoch.
    async fn elect(&self) -> Result<Fence, FaultError> {
        let key = format!("{}leader", self.prefix);
        let mut kv = self.client.kv_client();
        kv.delete(key.clone(), None).await.map_err(FaultError::book("an election"))?;
        let put = Txn::new().and_then([TxnOp::put(key, "next", None)]);
        let answer = kv.txn(put).await.map_err(FaultError::book("an election"))?;
        let epoch = answer.header().map(etcd_client::ResponseHeader::revision);
        Ok(Fence { epoch: epoch.unwrap_or_default() })
    }
}
