//! What the decisions made so far come to: the state machine of an order's approval, as a function of what was required,
//! what was decided, and the time.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{ApprovalDecision, ApprovalMode, CountedDecision, DateTime, RequiredLevel};

use crate::{
    calendar::{Calendar, CalendarError},
    clock::{Turn, Window},
};

/// One `Approval`, as the API server stamped it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Name of the object.
    pub approval: String,
    /// Who.
    pub user: String,
    /// The groups they were in then.
    pub groups: BTreeSet<String>,
    /// The groups they acted for then (授权代理).
    pub delegated: BTreeSet<String>,
    /// UID of the order it names.
    pub order_uid: String,
    /// Digest of what was looked at.
    pub digest: String,
    /// The level it is for.
    pub level: String,
    /// What.
    pub decision: ApprovalDecision,
    /// Why.
    pub reason: String,
    /// When, by the API server's clock.
    pub at: Timestamp,
}

impl Vote {
    /// Whether they decide like a member of `group`.
    fn stands_for(&self, group: &String) -> bool {
        self.groups.contains(group) || self.delegated.contains(group)
    }

    /// Those of `groups` that a decision by one of them is made for by delegation alone: none where they decide in their own
    /// right, and where each group has to agree, those that are not their own.
    fn acts_for<'a>(&self, mode: ApprovalMode, groups: impl Iterator<Item = &'a String>) -> Vec<String> {
        let (own, others): (BTreeSet<&String>, BTreeSet<&String>) =
            groups.filter(|group| self.stands_for(group)).partition(|group| self.groups.contains(*group));
        match mode {
            ApprovalMode::Any if !own.is_empty() => Vec::new(),
            ApprovalMode::Any | ApprovalMode::All => others.into_iter().cloned().collect(),
        }
    }
}

/// What is decided about.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// UID of the order.
    pub order_uid: &'a str,
    /// Its digest.
    pub digest: &'a str,
    /// Who has to agree, in this order.
    pub levels: &'a [RequiredLevel],
    /// Who asks: they do not decide.
    pub applicants: &'a BTreeSet<String>,
    /// When the first level's turn came.
    pub since: Timestamp,
}

/// Why a vote does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
pub enum Ignored {
    /// The order of this name is another one.
    OtherOrder,
    /// Something else was looked at.
    OtherDigest,
    /// The order has no such level.
    NoSuchLevel,
    /// Whoever asks does not decide.
    OwnRequest,
    /// In none of the groups that may.
    NotEntitled,
    /// The same person decided on another level, or on this one.
    DecidedBefore,
    /// The level, or the whole order, was decided already.
    AlreadyDecided,
    /// After the end of the time.
    TooLate,
}

/// How it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Somebody has to decide.
    Open(Turn),
    /// Everybody agreed.
    Approved {
        /// When the last one did.
        at: Timestamp,
    },
    /// Somebody did not.
    Refused {
        /// Who.
        user: String,
        /// At which level.
        level: String,
        /// Why.
        reason: String,
    },
    /// Nobody decided in time.
    Expired {
        /// At which level.
        level: String,
        /// When its time was over.
        at: Timestamp,
    },
}

/// What the votes come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighed {
    /// How it stands.
    pub outcome: Outcome,
    /// What counted, level by level.
    pub decisions: Vec<CountedDecision>,
    /// What did not, by name of the approval.
    pub ignored: Vec<(String, Ignored)>,
}

/// Weighs `votes`. A vote for a level whose turn has not come waits for it.
///
/// # Errors
/// When the working days of a year on the way are not known.
pub fn weigh(case: &Case<'_>, votes: &[Vote], calendar: &Calendar, now: Timestamp) -> Result<Weighed, CalendarError> {
    let mut votes: Vec<&Vote> = votes.iter().collect();
    votes.sort_by(|a, b| (a.at, &a.approval).cmp(&(b.at, &b.approval)));
    let mut count = Count { decisions: Vec::new(), ignored: Vec::new(), decided: BTreeSet::new() };
    votes.retain(|vote| count.is_about(case, vote));

    let mut since = case.since;
    for level in case.levels {
        let window = Window::of(level, since, calendar)?;
        let turn = Turn { level: level.name.clone(), since, window };
        let (of_level, others): (Vec<&Vote>, Vec<&Vote>) = votes.iter().partition(|vote| vote.level == level.name);
        votes = others;
        match count.level(case, level, &turn, &of_level) {
            Some(Ok(agreed)) => since = agreed.max(since),
            Some(Err(refusal)) => {
                count.ignored.extend(votes.iter().map(|vote| (vote.approval.clone(), Ignored::AlreadyDecided)));
                let Vote { user, level, reason, .. } = refusal.clone();
                return Ok(count.come_to(Outcome::Refused { user, level, reason }));
            }
            None if now >= window.end => {
                let outcome = Outcome::Expired { level: level.name.clone(), at: window.end };
                return Ok(count.come_to(outcome));
            }
            None => return Ok(count.come_to(Outcome::Open(turn))),
        }
    }
    Ok(count.come_to(Outcome::Approved { at: since }))
}

struct Count {
    decisions: Vec<CountedDecision>,
    ignored: Vec<(String, Ignored)>,
    decided: BTreeSet<String>,
}

impl Count {
    fn come_to(self, outcome: Outcome) -> Weighed {
        Weighed { outcome, decisions: self.decisions, ignored: self.ignored }
    }

    fn ignore(&mut self, vote: &Vote, why: Ignored) {
        self.ignored.push((vote.approval.clone(), why));
    }

    /// Whether a vote is about this very order.
    fn is_about(&mut self, case: &Case<'_>, vote: &Vote) -> bool {
        let why = if vote.order_uid != case.order_uid {
            Ignored::OtherOrder
        } else if vote.digest != case.digest {
            Ignored::OtherDigest
        } else if !case.levels.iter().any(|level| level.name == vote.level) {
            Ignored::NoSuchLevel
        } else {
            return true;
        };
        self.ignore(vote, why);
        false
    }

    /// When the level agreed, or the vote that refused; nothing while neither has happened.
    fn level<'a>(
        &mut self,
        case: &Case<'_>,
        level: &RequiredLevel,
        turn: &Turn,
        votes: &[&'a Vote],
    ) -> Option<Result<Timestamp, &'a Vote>> {
        let mut agreed: Vec<&Vote> = Vec::new();
        let mut outcome = None;
        for vote in votes {
            if let Some(why) = self.objection(case, level, turn, vote, outcome.is_some()) {
                self.ignore(vote, why);
                continue;
            }
            self.decided.insert(vote.user.clone());
            self.decisions.push(CountedDecision {
                approval: vote.approval.clone(),
                level: vote.level.clone(),
                user: vote.user.clone(),
                decision: vote.decision,
                at: DateTime::from(vote.at),
                on_behalf_of: vote.acts_for(level.mode, turn.groups(level, vote.at)),
            });
            match vote.decision {
                ApprovalDecision::Refuse => outcome = Some(Err(*vote)),
                ApprovalDecision::Approve => {
                    agreed.push(vote);
                    if is_enough(level, turn, &agreed) {
                        outcome = Some(Ok(vote.at));
                    }
                }
            }
        }
        outcome
    }

    fn objection(
        &self,
        case: &Case<'_>,
        level: &RequiredLevel,
        turn: &Turn,
        vote: &Vote,
        done: bool,
    ) -> Option<Ignored> {
        if done {
            Some(Ignored::AlreadyDecided)
        } else if case.applicants.contains(&vote.user) {
            Some(Ignored::OwnRequest)
        } else if self.decided.contains(&vote.user) {
            Some(Ignored::DecidedBefore)
        } else if vote.at >= turn.window.end {
            Some(Ignored::TooLate)
        } else if !turn.groups(level, vote.at).any(|group| vote.stands_for(group)) {
            Some(Ignored::NotEntitled)
        } else {
            None
        }
    }
}

/// Whether those who agreed are enough. Whoever stepped in after the deadline stands for any group.
fn is_enough(level: &RequiredLevel, turn: &Turn, agreed: &[&Vote]) -> bool {
    match level.mode {
        ApprovalMode::Any => !agreed.is_empty(),
        ApprovalMode::All => {
            let stands_for = |vote: &Vote, group: &String| {
                let stepped_in = vote.at >= turn.window.deadline
                    && level.escalate_to.iter().any(|escalated| vote.stands_for(escalated));
                vote.stands_for(group) || stepped_in
            };
            let mut seats: Vec<Option<usize>> = vec![None; agreed.len()];
            (0..level.groups.len()).all(|group| {
                let mut seen = vec![false; agreed.len()];
                seat(
                    group,
                    &|person: usize, group: usize| {
                        agreed
                            .get(person)
                            .zip(level.groups.get(group))
                            .is_some_and(|(vote, group)| stands_for(vote, group))
                    },
                    &mut seats,
                    &mut seen,
                )
            })
        }
    }
}

/// Gives `group` a person of its own, moving others where they can stand for another group: augmenting paths (Kuhn).
fn seat(
    group: usize,
    stands_for: &impl Fn(usize, usize) -> bool,
    seats: &mut [Option<usize>],
    seen: &mut [bool],
) -> bool {
    for person in 0..seats.len() {
        if !stands_for(person, group) || std::mem::replace(&mut seen[person], true) {
            continue;
        }
        let free = match seats[person] {
            None => true,
            Some(other) => seat(other, stands_for, seats, seen),
        };
        if free {
            seats[person] = Some(group);
            return true;
        }
    }
    false
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
