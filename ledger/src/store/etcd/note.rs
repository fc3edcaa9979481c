//! Notes and edits as transactions of etcd.

use etcd_client::{Compare, CompareOp, DeleteOptions, GetOptions, Txn, TxnOp, TxnOpResponse};

use super::{Edit, EditError, EtcdStore, Fence, StoreError, call, prefix_end};

impl EtcdStore {
    /// The names of the notes in `folder`, without their values.
    pub(super) async fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let options = GetOptions::new().with_prefix().with_keys_only();
        let key = format!("{}{folder}", self.prefix);
        let answer = call("list of notes", self.client.kv_client().get(key, Some(options))).await?;
        let name = |key: &[u8]| String::from_utf8_lossy(key).strip_prefix(&self.prefix).map(str::to_owned);
        Ok(answer.kvs().iter().filter_map(|kv| name(kv.key())).collect())
    }

    /// All of `edits` in one transaction.
    pub(super) async fn transact(&self, edits: &[Edit], fence: Option<Fence>) -> Result<(), EditError> {
        let mut conditions = Vec::new();
        if let Some(fence) = fence {
            conditions.push(Compare::create_revision(self.leader(), CompareOp::Equal, fence.epoch));
        }
        let mut changes = Vec::new();
        for edit in edits {
            let key = |name: &str| format!("{}{name}", self.prefix);
            match edit {
                Edit::Expect { name, value: Some(value) } => {
                    conditions.push(Compare::value(key(name), CompareOp::Equal, value.clone()));
                }
                Edit::Expect { name, value: None } => {
                    conditions.push(Compare::version(key(name), CompareOp::Equal, 0));
                }
                Edit::Put { name, value } => changes.push(TxnOp::put(key(name), value.clone(), None)),
                Edit::Remove { name } => changes.push(TxnOp::delete(key(name), None)),
                Edit::RemoveFolder { folder } => {
                    let end = prefix_end(&key(folder));
                    changes.push(TxnOp::delete(key(folder), Some(DeleteOptions::new().with_range(end))));
                }
                Edit::Prune { from, to } => {
                    let options = DeleteOptions::new().with_range(self.key(to.saturating_add(1)));
                    changes.push(TxnOp::delete(self.key(*from), Some(options)));
                }
            }
        }
        let look = TxnOp::get(self.leader(), Some(GetOptions::new()));
        let txn = Txn::new().when(conditions).and_then(changes).or_else([look]);
        let answer = call("change beside the entries", self.client.kv_client().txn(txn)).await?;
        if answer.succeeded() {
            return Ok(());
        }
        let leader = answer.op_responses().into_iter().find_map(|response| match response {
            TxnOpResponse::Get(get) => get.kvs().first().map(etcd_client::KeyValue::create_revision),
            _ => None,
        });
        let leads = fence.is_none_or(|fence| leader == Some(fence.epoch));
        Err(if leads { EditError::Changed } else { EditError::Fenced })
    }
}
