//! Heads in memory, for tests: it forgets, and can be told to fail.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{HeadError, Heads, Marks};
use crate::core::{
    head::{Head, Pruned},
    writer::Writer,
};

/// See the module. Clones share what is kept.
#[derive(Clone, Debug, Default)]
pub struct MemoryHeads(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    marks: BTreeMap<Writer, Marks>,
    failing: bool,
}

impl MemoryHeads {
    /// From now on every call fails, or none.
    pub fn fail(&self, failing: bool) {
        self.with(|kept| kept.failing = failing);
    }

    /// Puts these marks there, whatever was there before: what no writer does.
    pub fn set(&self, writer: &Writer, marks: Marks) {
        self.with(|kept| {
            kept.marks.insert(writer.clone(), marks);
        });
    }

    fn with<T>(&self, change: impl FnOnce(&mut Kept) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn call<T>(
        &self,
        what: &'static str,
        change: impl FnOnce(&mut Kept) -> Result<T, HeadError>,
    ) -> Result<T, HeadError> {
        self.with(|kept| {
            if kept.failing {
                let source = Arc::new(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
                return Err(HeadError::Failed { what, source });
            }
            change(kept)
        })
    }
}

fn same<'a>(kept: &'a mut Kept, writer: &Writer, from: &Marks) -> Result<&'a mut Marks, HeadError> {
    let marks = kept.marks.entry(writer.clone()).or_default();
    if marks.revision == from.revision { Ok(marks) } else { Err(HeadError::Moved { writer: writer.clone() }) }
}

impl Heads for MemoryHeads {
    async fn read(&self, writer: &Writer) -> Result<Marks, HeadError> {
        self.call("read", |kept| Ok(kept.marks.get(writer).cloned().unwrap_or_default()))
    }

    async fn advance(&self, writer: &Writer, from: &Marks, head: &Head) -> Result<Marks, HeadError> {
        from.leads_to(head)?;
        self.call("move", |kept| {
            let marks = same(kept, writer, from)?;
            marks.head = Some(head.clone());
            marks.revision += 1;
            Ok(marks.clone())
        })
    }

    async fn prune(&self, writer: &Writer, from: &Marks, pruned: &Pruned) -> Result<Marks, HeadError> {
        self.call("mark of pruning", |kept| {
            let marks = same(kept, writer, from)?;
            marks.pruned = Some(pruned.clone());
            Ok(marks.clone())
        })
    }

    async fn writers(&self) -> Result<Vec<Writer>, HeadError> {
        self.call("list", |kept| Ok(kept.marks.keys().cloned().collect()))
    }
}
