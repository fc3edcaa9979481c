//! How events change claims and what is counted of them.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    super::{
        claim::{Claim, ClaimId, ClaimStage, Line, LineVersion},
        command::CommandError,
    },
    State,
    counters::OutOfRange,
};

impl State {
    pub(super) fn grant(&mut self, claim: &Claim) -> Result<(), CommandError> {
        if claim.id.0 <= self.last_claim {
            return Err(CommandError::ClaimExists { claim: claim.id });
        }
        self.check_subject_free(&claim.subject.uid, claim.id)?;
        self.check_lines(claim.id, &claim.lines)?;
        self.count(claim, true)?;
        self.index.enter(claim);
        self.last_claim = claim.id.0;
        self.claims.insert(claim.id, Arc::new(claim.clone()));
        Ok(())
    }

    pub(super) fn amend(
        &mut self,
        id: ClaimId,
        at: Timestamp,
        item: &str,
        lines: &[Line],
        spec_digest: &str,
        approved_spec: &serde_json::Value,
    ) -> Result<(), CommandError> {
        self.check_lines(id, lines)?;
        self.change(id, |claim| {
            if claim.lines != lines || claim.item != item {
                let lines = std::mem::replace(&mut claim.lines, lines.to_vec());
                let item = std::mem::replace(&mut claim.item, item.to_owned());
                claim.history.push(LineVersion { until: at, item, lines });
            }
            spec_digest.clone_into(&mut claim.spec_digest);
            claim.approved_spec = approved_spec.clone();
        })
    }

    pub(super) fn hand_over(&mut self, id: ClaimId, at: Timestamp) -> Result<(), CommandError> {
        match self.known_claim(id)?.stage() {
            ClaimStage::Reserved => self.change(id, |claim| claim.billable_from = Some(at)),
            ClaimStage::Billable => Err(CommandError::Billable { claim: id }),
            ClaimStage::Ending => Err(CommandError::Ending { claim: id }),
            ClaimStage::Released => Err(CommandError::Released { claim: id }),
        }
    }

    pub(super) fn end(&mut self, id: ClaimId, at: Timestamp) -> Result<(), CommandError> {
        match self.known_claim(id)?.stage() {
            ClaimStage::Reserved | ClaimStage::Billable => self.change(id, |claim| claim.billable_until = Some(at)),
            ClaimStage::Ending => Err(CommandError::Ending { claim: id }),
            ClaimStage::Released => Err(CommandError::Released { claim: id }),
        }
    }

    pub(super) fn release(&mut self, id: ClaimId, at: Timestamp) -> Result<(), CommandError> {
        let uid = self.known_claim(id)?.subject.uid.clone();
        if self.known_claim(id)?.stage() != ClaimStage::Ending {
            return Err(CommandError::NotEnding { claim: id });
        }
        self.change(id, |claim| claim.released_at = Some(at))?;
        self.index.by_subject.remove(&uid);
        Ok(())
    }

    pub(super) fn rebind(&mut self, id: ClaimId, uid: &str) -> Result<(), CommandError> {
        self.check_subject_free(uid, id)?;
        let old = self.known_claim(id)?.subject.uid.clone();
        self.change(id, |claim| uid.clone_into(&mut claim.subject.uid))?;
        self.index.by_subject.remove(&old);
        self.index.by_subject.insert(uid.to_owned(), id);
        Ok(())
    }

    /// Changes an open claim, counting it out before and in after.
    pub(super) fn change(&mut self, id: ClaimId, edit: impl FnOnce(&mut Claim)) -> Result<(), CommandError> {
        let claim = self.known_claim(id)?;
        if !claim.is_open() {
            return Err(CommandError::Released { claim: id });
        }
        let before = Arc::clone(claim);
        let mut after = Claim::clone(&before);
        edit(&mut after);
        if before.lines != after.lines || before.stage() != after.stage() {
            self.count(&before, false)?;
            self.count(&after, true)?;
        }
        self.claims.insert(id, Arc::new(after));
        Ok(())
    }

    pub(in super::super) fn check_subject_free(&self, uid: &str, by: ClaimId) -> Result<(), CommandError> {
        match self.index.by_subject.get(uid) {
            Some(claim) if *claim != by => Err(CommandError::SubjectTaken { uid: uid.to_owned(), claim: *claim }),
            _ => Ok(()),
        }
    }

    fn check_lines(&self, claim: ClaimId, lines: &[Line]) -> Result<(), CommandError> {
        match lines.iter().find(|line| !self.pools.contains_key(&line.pool)) {
            Some(line) => Err(CommandError::UnknownPool { claim, pool: line.pool.clone() }),
            None => Ok(()),
        }
    }

    fn count(&mut self, claim: &Claim, add: bool) -> Result<(), CommandError> {
        let path = self.ancestry_ids(Some(&claim.account))?;
        self.index.count(claim, &path, add).map_err(|OutOfRange| CommandError::Counter { claim: claim.id })
    }
}
