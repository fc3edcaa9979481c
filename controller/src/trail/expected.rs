//! What the trail is compared with: heads in etcd and heads that were kept elsewhere.

use std::{collections::BTreeMap, fs, path::Path};

use jiyun_trail::{
    core::{head::KeptHead, writer::Writer},
    heads::Heads,
    store::check::Expected,
};

use super::error::TrailError;

/// What is known of each chain.
pub type Chains = BTreeMap<Writer, Expected>;

/// The heads in etcd.
pub async fn kept(heads: &impl Heads) -> Result<Vec<KeptHead>, TrailError> {
    let mut kept = Vec::new();
    for writer in heads.writers().await? {
        let marks = heads.read(&writer).await?;
        kept.extend(marks.head.map(|head| KeptHead { writer, head, pruned: marks.pruned }));
    }
    Ok(kept)
}

/// The heads in a file, a line each. Empty lines are passed over.
pub fn from_file(path: &Path) -> Result<Vec<KeptHead>, TrailError> {
    let text = fs::read_to_string(path).map_err(|source| TrailError::HeadFile { path: path.to_owned(), source })?;
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let head = |(line, text)| {
        serde_json::from_str(text).map_err(|source| TrailError::HeadLine { path: path.to_owned(), line, source })
    };
    lines.map(head).collect()
}

/// Adds heads to what is known. The mark of pruning that reaches farther counts.
pub fn add(chains: &mut Chains, heads: Vec<KeptHead>) {
    for KeptHead { writer, head, pruned } in heads {
        let chain = chains.entry(writer).or_default();
        chain.heads.push(head);
        if pruned.as_ref().map(|mark| mark.sequence) > chain.pruned.as_ref().map(|mark| mark.sequence) {
            chain.pruned = pruned;
        }
    }
}
