//! The judgement: every revision recounted, and every refusal held against the moments it may have been decided at.

use std::collections::BTreeMap;

use jiyun_ledger::{Entry, RefusalCode};

use crate::bench::{
    BenchError,
    ledger::{
        ask::Host,
        city::City,
        recount::{Recount, Wish},
    },
};

/// How many false refusals are told.
const EXAMPLES: usize = 3;
/// The sums of the recount itself are checked against the claims so often.
const CHECK: u64 = 500;

/// A refusal as it was told.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// What was asked for.
    pub host: Host,
    /// Why.
    pub code: RefusalCode,
    /// The last revision when it was asked: it was decided then or later.
    pub from: u64,
    /// The last revision when it was answered: it was decided then or earlier.
    pub to: u64,
}

/// What came out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The most units above ceilings and capacities at any revision.
    pub over: u64,
    /// The first revision with any.
    pub first_over: Option<u64>,
    /// All refusals.
    pub refusals: usize,
    /// Those that named a limit.
    pub at_ceilings: usize,
    /// Units that refusals were about.
    pub refused_units: u64,
    /// Refusals of what would have fitted at every moment from asking to answer.
    pub untrue: usize,
    /// Refusals of what would have fitted when it was asked, but no longer at a later moment before the answer.
    pub later: usize,
    /// Some of the untrue ones.
    pub examples: Vec<String>,
    /// Open claims nobody was told of.
    pub unknown: usize,
    /// Claims told of that the book has not, or of another size.
    pub missing: usize,
}

struct Pending {
    refused: Refused,
    wish: Wish,
}

/// Recounts `entries` and judges.
///
/// # Errors
/// When they cannot be recounted.
pub fn judge(
    city: &City,
    entries: &[Entry],
    mut refused: Vec<Refused>,
    standing: &BTreeMap<String, u64>,
) -> Result<Verdict, BenchError> {
    let mut verdict = Verdict { refusals: refused.len(), ..Verdict::default() };
    verdict.at_ceilings = refused.iter().filter(|refused| refused.code == RefusalCode::ExceedsLimit).count();
    verdict.refused_units = refused.iter().flat_map(|refused| Wish::of(city, &refused.host).amounts).sum();
    refused.sort_by_key(|refused| refused.from);
    let mut coming = refused.into_iter().peekable();
    let (mut recount, mut pending) = (Recount::default(), Vec::<Pending>::new());
    for entry in entries {
        for event in &entry.events {
            recount.apply(event).map_err(BenchError::ledger("a recount"))?;
            // The refusals of this entry's batch were decided between its events.
            let before = pending.len();
            pending.retain(|pending| recount.fits(&pending.wish));
            verdict.later += before - pending.len();
        }
        let over = recount.over();
        if over > 0 {
            verdict.over = verdict.over.max(over);
            verdict.first_over = verdict.first_over.or(Some(entry.seq));
        }
        if entry.seq.is_multiple_of(CHECK) && !recount.adds_up() {
            return Err(BenchError::Nothing("the recount's own sums do not add up"));
        }
        while let Some(refused) = coming.next_if(|refused| refused.from <= entry.seq) {
            let wish = Wish::of(city, &refused.host);
            if recount.fits(&wish) {
                pending.push(Pending { refused, wish });
            }
        }
        pending.retain(|pending| {
            let open = pending.refused.to > entry.seq;
            if !open {
                verdict.untrue += 1;
                if verdict.examples.len() < EXAMPLES {
                    verdict.examples.push(format!("FALSE: {:?}", pending.refused));
                }
            }
            open
        });
    }
    verdict.untrue += pending.len() + coming.count();
    verdict.missing = standing.iter().filter(|(uid, cores)| recount.cores_of(uid) != Some(**cores)).count();
    let granted = |uid: &&str| recount.cores_of(uid).is_some_and(|cores| cores > 0);
    verdict.unknown = recount.open().filter(granted).filter(|uid| !standing.contains_key(*uid)).count();
    Ok(verdict)
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
