//! Entries byte for byte as they lie in etcd: for those who check what was written and not what was understood of it.

use etcd_client::{GetOptions, KeyValue};

use super::{EtcdStore, MAX_ANSWER_BYTES, PAGE, StoreError, call, prefix_end};

/// One key of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawEntry {
    /// The number in its key; what it holds may say otherwise.
    pub key: u64,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Some keys in a row.
#[derive(Clone, Debug)]
pub struct RawPage {
    /// The keys in order; a gap is left as it is.
    pub entries: Vec<RawEntry>,
    /// Whether there are more after these.
    pub more: bool,
}

impl EtcdStore {
    /// Keys from number `from` on, as many as one read takes.
    ///
    /// # Errors
    /// When etcd does not answer, or a key is not a number.
    pub async fn raw_page(&self, from: u64) -> Result<RawPage, StoreError> {
        let events = self.events();
        let options = GetOptions::new().with_range(prefix_end(&events)).with_limit(PAGE);
        let mut kv = self.client.kv_client().max_decoding_message_size(MAX_ANSWER_BYTES);
        let answer = call("load of entries", kv.get(self.key(from), Some(options))).await?;
        let entries = answer.kvs().iter().map(|kv| raw(kv, &events)).collect::<Result<_, _>>()?;
        Ok(RawPage { entries, more: answer.more() })
    }
}

fn raw(kv: &KeyValue, events: &str) -> Result<RawEntry, StoreError> {
    let key = String::from_utf8_lossy(kv.key());
    let number = key.strip_prefix(events).unwrap_or(&key).parse();
    let number = number.map_err(|source: std::num::ParseIntError| StoreError::Corrupt {
        key: key.clone().into_owned(),
        source: std::sync::Arc::new(source),
    })?;
    Ok(RawEntry { key: number, bytes: kv.value().to_vec() })
}
