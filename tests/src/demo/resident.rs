//! How much memory the story takes: of all processes that this one has started, and those have.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// Kibibytes of memory that this process's descendants hold, what several share counted once (proc(5), `smaps_rollup`, `Pss`).
pub fn kibibytes() -> u64 {
    let parents = parents();
    descendants(std::process::id(), &parents).into_iter().filter_map(proportional).sum()
}

/// Each process with its parent.
fn parents() -> BTreeMap<u32, u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let number: u32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // The name, in parentheses, may hold anything; the state and the parent come after it.
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            Some((number, parent))
        })
        .collect()
}

fn descendants(of: u32, parents: &BTreeMap<u32, u32>) -> BTreeSet<u32> {
    let (mut found, mut last) = (BTreeSet::new(), BTreeSet::from([of]));
    while !last.is_empty() {
        last = parents.iter().filter(|(_, parent)| last.contains(parent)).map(|(number, _)| *number).collect();
        last.retain(|number| found.insert(*number));
    }
    found
}

fn proportional(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
    let line = text.lines().find(|line| line.starts_with("Pss:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_and_theirs_are_descendants_and_nobody_else() {
        let parents = BTreeMap::from([(2, 1), (3, 2), (4, 3), (5, 1), (6, 9)]);
        assert_eq!(descendants(2, &parents), BTreeSet::from([3, 4]));
        assert_eq!(descendants(7, &parents), BTreeSet::new());
    }

    #[test]
    fn a_process_that_was_started_takes_memory() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let taken = kibibytes();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(taken > 0);
    }
}
