//! How events change claims and what is counted of them.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    super::{
        account::AccountId,
        claim::{Claim, ClaimId, ClaimStage, Hold, Line, LineVersion, Subject},
        command::CommandError,
    },
    State,
    counters::OutOfRange,
    floors::Delta,
};

impl State {
    pub(super) fn grant(&mut self, claim: &Arc<Claim>) -> Result<(), CommandError> {
        if claim.id.0 <= self.last_claim {
            return Err(CommandError::ClaimExists { claim: claim.id });
        }
        self.check_subject_free(&claim.subject, claim.id)?;
        self.check_lines(claim.id, &claim.lines)?;
        self.check_lines(claim.id, &claim.held)?;
        self.count(&claim.account, None, Some(claim))?;
        self.index.enter(claim);
        self.last_claim = claim.id.0;
        self.claims.insert(claim.id, Arc::clone(claim));
        Ok(())
    }

    pub(super) fn amend(
        &mut self,
        id: ClaimId,
        at: Timestamp,
        item: &str,
        lines: &[Line],
        spec_digest: &str,
        approved_spec: &Arc<serde_json::Value>,
    ) -> Result<(), CommandError> {
        self.check_lines(id, lines)?;
        if self.known_claim(id)?.stage() == ClaimStage::Ending {
            return Err(CommandError::Ending { claim: id });
        }
        self.change(id, |claim| {
            turn(claim, at, item, lines.to_vec(), Vec::new());
            claim.hold = None;
            spec_digest.clone_into(&mut claim.spec_digest);
            claim.approved_spec = Arc::clone(approved_spec);
        })
    }

    pub(super) fn place_hold(
        &mut self,
        id: ClaimId,
        at: Timestamp,
        hold: &Hold,
        on_top: &[Line],
    ) -> Result<(), CommandError> {
        self.check_lines(id, on_top)?;
        let claim = self.known_claim(id)?;
        match claim.stage() {
            ClaimStage::Ending => return Err(CommandError::Ending { claim: id }),
            ClaimStage::Released => return Err(CommandError::Released { claim: id }),
            ClaimStage::Reserved | ClaimStage::Billable if claim.is_permission() => {
                return Err(CommandError::NothingToHold { claim: id });
            }
            ClaimStage::Held | ClaimStage::Reserved | ClaimStage::Billable => {}
        }
        self.change(id, |claim| {
            let (item, lines) = (claim.item.clone(), claim.lines.clone());
            turn(claim, at, &item, lines, on_top.to_vec());
            claim.hold = Some(hold.clone());
        })
    }

    pub(super) fn confirm_hold(&mut self, id: ClaimId, at: Timestamp) -> Result<(), CommandError> {
        let hold = self.known_claim(id)?.hold.clone().ok_or(CommandError::NoHold { claim: id })?;
        self.check_lines(id, &hold.lines)?;
        self.change(id, |claim| {
            turn(claim, at, &hold.item, hold.lines, Vec::new());
            claim.hold = None;
            claim.spec_digest = hold.spec_digest;
            claim.approved_spec = hold.approved_spec;
        })
    }

    pub(super) fn end_hold(&mut self, id: ClaimId, at: Timestamp) -> Result<(), CommandError> {
        let claim = self.known_claim(id)?;
        if claim.hold.is_none() {
            return Err(CommandError::NoHold { claim: id });
        }
        let (subject, nothing_else) = (claim.subject.clone(), claim.stage() == ClaimStage::Held);
        self.change(id, |claim| {
            if nothing_else {
                // Kept as it was, for the account of time: what was held, and until when.
                claim.released_at = Some(at);
            } else {
                let (item, lines) = (claim.item.clone(), claim.lines.clone());
                turn(claim, at, &item, lines, Vec::new());
            }
            claim.hold = None;
        })?;
        if nothing_else {
            self.index.unbind(&subject, id);
        }
        Ok(())
    }

    pub(super) fn transfer(
        &mut self,
        id: ClaimId,
        at: Timestamp,
        (account, system): (&AccountId, &str),
        subject: &Subject,
        engine_namespace: &str,
    ) -> Result<(), CommandError> {
        self.check_subject_free(subject, id)?;
        self.ancestry_ids(Some(account))?;
        let old = self.known_claim(id)?.subject.clone();
        self.change(id, |claim| {
            claim.history.push(LineVersion {
                until: at,
                item: claim.item.clone(),
                lines: claim.lines.clone(),
                held: claim.held.clone(),
                holder: Some(claim.holder()),
            });
            account.clone_into(&mut claim.account);
            system.clone_into(&mut claim.system);
            claim.subject = subject.clone();
            claim.engine_namespace = Some(engine_namespace.to_owned());
        })?;
        self.index.unbind(&old, id);
        self.index.bind(subject, id);
        self.index.by_account.entry(account.clone()).or_default().insert(id);
        self.keep_place(&old, subject, Some((account, system)));
        Ok(())
    }

    pub(super) fn hand_over(&mut self, id: ClaimId, at: Timestamp) -> Result<(), CommandError> {
        match self.known_claim(id)?.stage() {
            ClaimStage::Reserved => self.change(id, |claim| claim.billable_from = Some(at)),
            ClaimStage::Held => Err(CommandError::OnlyHeld { claim: id }),
            ClaimStage::Billable => Err(CommandError::Billable { claim: id }),
            ClaimStage::Ending => Err(CommandError::Ending { claim: id }),
            ClaimStage::Released => Err(CommandError::Released { claim: id }),
        }
    }

    pub(super) fn end(&mut self, id: ClaimId, at: Timestamp) -> Result<(), CommandError> {
        match self.known_claim(id)?.stage() {
            ClaimStage::Reserved | ClaimStage::Billable => self.change(id, |claim| {
                // What was held for more is of no use to a claim that ends.
                if !claim.held.is_empty() {
                    let (item, lines) = (claim.item.clone(), claim.lines.clone());
                    turn(claim, at, &item, lines, Vec::new());
                }
                claim.hold = None;
                claim.billable_until = Some(at);
            }),
            ClaimStage::Held => Err(CommandError::OnlyHeld { claim: id }),
            ClaimStage::Ending => Err(CommandError::Ending { claim: id }),
            ClaimStage::Released => Err(CommandError::Released { claim: id }),
        }
    }

    pub(super) fn release(&mut self, id: ClaimId, at: Timestamp) -> Result<(), CommandError> {
        let ending = Arc::clone(self.known_claim(id)?);
        if ending.stage() != ClaimStage::Ending {
            return Err(CommandError::NotEnding { claim: id });
        }
        self.change(id, |claim| claim.released_at = Some(at))?;
        self.index.unbind(&ending.subject, id);
        Ok(())
    }

    pub(super) fn rebind(&mut self, id: ClaimId, uid: &str) -> Result<(), CommandError> {
        let old = self.known_claim(id)?.subject.clone();
        let new = Subject { uid: uid.to_owned(), ..old.clone() };
        self.check_subject_free(&new, id)?;
        self.change(id, |claim| claim.subject = new.clone())?;
        self.index.unbind(&old, id);
        self.index.bind(&new, id);
        self.keep_place(&old, &new, None);
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
        if before.account != after.account {
            self.count(&before.account, Some(&before), None)?;
            self.count(&after.account, None, Some(&after))?;
        } else if before.stage() != after.stage() || before.lines != after.lines || before.held != after.held {
            self.count(&before.account, Some(&before), Some(&after))?;
        }
        self.index.note_hold(&before, false);
        self.index.note_hold(&after, true);
        self.claims.insert(id, Arc::new(after));
        Ok(())
    }

    /// Whether neither this very object nor a namesake holds another open claim.
    pub(in super::super) fn check_subject_free(&self, subject: &Subject, by: ClaimId) -> Result<(), CommandError> {
        let Subject { kind, namespace, name, uid } = subject;
        let holds = [self.claim_of_subject(uid), self.claim_of_object(kind, namespace, name)];
        match holds.into_iter().flatten().find(|claim| claim.id != by) {
            Some(claim) => Err(CommandError::SubjectTaken { uid: uid.clone(), claim: claim.id }),
            None => Ok(()),
        }
    }

    fn check_lines(&self, claim: ClaimId, lines: &[Line]) -> Result<(), CommandError> {
        match lines.iter().find(|line| !self.pools.contains_key(&line.pool)) {
            Some(line) => Err(CommandError::UnknownPool { claim, pool: line.pool.clone() }),
            None => Ok(()),
        }
    }

    /// Counts out what an account had of a claim, and in what it has.
    fn count(&mut self, account: &AccountId, was: Option<&Claim>, is: Option<&Claim>) -> Result<(), CommandError> {
        let path = self.ancestry_ids(Some(account))?;
        let claim = is.or(was).map_or(self.next_claim(), |claim| claim.id);
        self.index.count(&path, was, is).map_err(|OutOfRange| CommandError::Counter { claim })?;
        self.keep_along(&path, Delta::new());
        Ok(())
    }
}

/// Turns a claim to other lines from `at` on, with what it was kept as a version, where anything differs.
fn turn(claim: &mut Claim, at: Timestamp, item: &str, lines: Vec<Line>, held: Vec<Line>) {
    if claim.lines == lines && claim.held == held && claim.item == item {
        return;
    }
    let version = LineVersion {
        until: at,
        item: std::mem::replace(&mut claim.item, item.to_owned()),
        lines: std::mem::replace(&mut claim.lines, lines),
        held: std::mem::replace(&mut claim.held, held),
        holder: None,
    };
    claim.history.push(version);
}
