//! Reading the book, from etcd or from an exported file, as lines.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use jiyun_ledger::store::etcd::{DEFAULT_PREFIX, EtcdStore};

use super::BookError;
use crate::{
    args::{LedgerArgs, Source},
    serve,
};

/// A word on progress after so many entries.
const WORD_EVERY: u64 = 10_000;

/// The store, connected.
pub async fn store(arguments: &LedgerArgs) -> Result<EtcdStore, BookError> {
    let config = serve::ledger_config(arguments).map_err(BookError::Certificates)?;
    Ok(EtcdStore::new(config.connect().await?, DEFAULT_PREFIX))
}

/// Gives each entry of `from..=to` to `take`, in order; gives how many, and the last one's number.
pub async fn each(
    store: &EtcdStore,
    from: u64,
    to: Option<u64>,
    mut take: impl FnMut(&[u8]) -> Result<(), BookError>,
) -> Result<(u64, Option<u64>), BookError> {
    let (mut next, mut count, mut last) = (from, 0_u64, None);
    loop {
        let page = store.raw_page(next).await?;
        for entry in &page.entries {
            if to.is_some_and(|to| entry.key > to) {
                return Ok((count, last));
            }
            take(&entry.bytes)?;
            count += 1;
            last = Some(entry.key);
            next = entry.key.saturating_add(1);
            if count.is_multiple_of(WORD_EVERY) {
                eprintln!("{count} entries read, up to entry {}", entry.key);
            }
        }
        if !page.more || page.entries.is_empty() {
            return Ok((count, last));
        }
    }
}

/// What `ledger archive` writes around the entries; it is checked by `ledger import`.
const AROUND: [&str; 2] = [r#"{"archive":"#, r#"{"end":"#];

/// The whole book, one entry a line; from a file that is one archive after the other, too.
pub async fn lines(source: &Source) -> Result<Vec<String>, BookError> {
    if let Some(path) = &source.input {
        let is_entry = |line: &&str| !line.trim().is_empty() && !AROUND.iter().any(|around| line.starts_with(around));
        return Ok(text(path)?.lines().filter(is_entry).map(str::to_owned).collect());
    }
    let mut lines = Vec::new();
    let store = store(&source.ledger()).await?;
    each(&store, 1, None, |bytes| {
        // What is not text is no entry; it is told as such when it is looked at.
        lines.push(String::from_utf8_lossy(bytes).into_owned());
        Ok(())
    })
    .await?;
    if lines.is_empty() {
        return Err(BookError::NoEntry { from: 1, last: 0 });
    }
    Ok(lines)
}

fn text(path: &Path) -> Result<String, BookError> {
    let failed = |source| BookError::File { path: PathBuf::from(path), what: "read", source };
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(failed)?;
        return Ok(text);
    }
    std::fs::read_to_string(path).map_err(failed)
}
