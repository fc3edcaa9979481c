//! Notes and edits of the store in memory.

use super::{Edit, EditError, Fence, Inner, lost};

impl Inner {
    pub(super) fn edit(&mut self, edits: &[Edit], fence: Option<Fence>) -> Result<(), EditError> {
        match &mut self.edits_left {
            Some(0) => return Err(lost("edit").into()),
            Some(left) => *left -= 1,
            None => {}
        }
        if fence.is_some_and(|fence| fence.epoch != self.leader) {
            return Err(EditError::Fenced);
        }
        let as_expected = |edit: &Edit| match edit {
            Edit::Expect { name, value } => self.notes.get(name) == value.as_ref(),
            _ => true,
        };
        if !edits.iter().all(as_expected) {
            return Err(EditError::Changed);
        }
        for edit in edits {
            match edit {
                Edit::Expect { .. } => {}
                Edit::Put { name, value } => drop(self.notes.insert(name.clone(), value.clone())),
                Edit::Remove { name } => drop(self.notes.remove(name)),
                Edit::RemoveFolder { folder } => self.notes.retain(|name, _| !name.starts_with(folder.as_str())),
                Edit::Prune { from, to } => self.remove(*from, *to),
            }
        }
        Ok(())
    }
}
