//! May this claim be had? From a state and a request to what to record, or why not.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::{
    account::{Account, AccountState, Limit},
    claim::{Claim, ClaimStage, Line},
    dimensions::Dimensions,
    event::Event,
    meter::Meter,
    placement::{PlacementReport, place},
    refusal::{Refusal, RefusalCode},
    request::{ClaimRequest, RequestError},
    state::State,
};

/// What was decided, after it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The claim is in the book.
    Granted {
        /// As it is in the book now.
        claim: Arc<Claim>,
        /// How it was placed; empty if it was there already. For operators.
        report: PlacementReport,
        /// Whether the book held it before, for the same digest: nothing was recorded.
        existing: bool,
    },
    /// Nothing was recorded.
    Refused(Refusal),
}

/// What is to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing: the claim stands for the same digest.
    Keep(Arc<Claim>),
    /// A grant or an amendment.
    Record(Event, PlacementReport),
    /// Nothing: it may not be had.
    Refuse(Refusal),
}

/// Decides `request` at the moment `at`, in this order: the pools' filter chain and preference, then every limit from
/// the account to the root. The first constraint that binds is named. What shrinks or stays is not asked for again.
pub fn decide(state: &State, request: &ClaimRequest, at: Timestamp) -> Result<Plan, RequestError> {
    request.validate()?;
    let old = state.claim_of_subject(&request.subject.uid);
    if let Some(claim) = old {
        check_amendable(claim, request)?;
        if claim.spec_digest == request.spec_digest {
            return Ok(Plan::Keep(Arc::clone(claim)));
        }
    }
    match weigh(state, request, old.map(Arc::as_ref)) {
        Ok((lines, report)) => Ok(Plan::Record(event(state, request, old.map(Arc::as_ref), lines, at), report)),
        Err(refusal) => Ok(Plan::Refuse(*refusal)),
    }
}

fn check_amendable(claim: &Claim, request: &ClaimRequest) -> Result<(), RequestError> {
    let subject = || format!("{}/{}", request.subject.namespace, request.subject.name);
    if claim.stage() == ClaimStage::Ending {
        return Err(RequestError::Ending { subject: subject(), claim: claim.id });
    }
    let zone = claim.lines.iter().find_map(|line| line.dimensions.zone.as_deref()).unwrap_or(&request.zone);
    let fields = [
        ("account", claim.account.as_str(), request.account.as_str()),
        ("system", &claim.system, &request.system),
        ("zone", zone, &request.zone),
    ];
    match fields.into_iter().find(|(_, granted, asked)| granted != asked) {
        Some((field, granted, asked)) => Err(RequestError::Moved {
            subject: subject(),
            claim: claim.id,
            field,
            granted: granted.to_owned(),
            asked: asked.to_owned(),
        }),
        None => Ok(()),
    }
}

fn weigh(
    state: &State,
    request: &ClaimRequest,
    old: Option<&Claim>,
) -> Result<(Vec<Line>, PlacementReport), Box<Refusal>> {
    let refuse = |code| Refusal::new(code, PlacementReport::default());
    if state.quarantine().is_some() {
        return Err(Box::new(refuse(RefusalCode::Quarantined)));
    }
    let path = state
        .path(&request.account)
        .map_err(|_| Box::new(refuse(RefusalCode::UnknownAccount).with("account", &request.account)))?;
    let (lines, report) = place(state, request, old).map_err(Box::new)?;
    let change = Change::between(old.map(|claim| claim.lines.as_slice()).unwrap_or_default(), &lines);
    let bound = closed(&path, &change).or_else(|| exceeded(state, &path, &change));
    match bound {
        Some(refusal) => Err(Box::new(Refusal { report, ..refusal })),
        None => Ok((lines, report)),
    }
}

/// How much more (or less) of each meter and kind.
struct Change(BTreeMap<(Meter, Dimensions), i128>);

impl Change {
    fn between(old: &[Line], new: &[Line]) -> Self {
        let mut sums: BTreeMap<(Meter, Dimensions), i128> = BTreeMap::new();
        for (lines, sign) in [(old, -1), (new, 1)] {
            for line in lines {
                *sums.entry((line.meter, line.dimensions.clone())).or_default() += sign * i128::from(line.quantity);
            }
        }
        Self(sums)
    }

    fn grows(&self) -> bool {
        self.0.values().any(|more| *more > 0)
    }

    /// The growth that counts against `limit`; none if it stays or shrinks.
    fn growth(&self, limit: &Limit) -> Option<u64> {
        let counted =
            self.0.iter().filter(|((meter, fact), _)| *meter == limit.meter && limit.dimensions.matches(fact));
        let sum: i128 = counted.map(|(_, more)| more).sum();
        (sum > 0).then(|| u64::try_from(sum).unwrap_or(u64::MAX))
    }
}

fn closed(path: &[&Arc<Account>], change: &Change) -> Option<Refusal> {
    let closed = path.iter().find(|account| account.state == AccountState::Closed).filter(|_| change.grows())?;
    Some(Refusal::new(RefusalCode::AccountClosed, PlacementReport::default()).with("account", &closed.id))
}

/// The first limit from leaf to root that the growth would exceed. Of an account above the asker's only its name and
/// what is left are told: its limit as well would tell what its other members use together.
fn exceeded(state: &State, path: &[&Arc<Account>], change: &Change) -> Option<Refusal> {
    for (level, account) in path.iter().enumerate() {
        for limit in &account.limits {
            let Some(requested) = change.growth(limit) else { continue };
            let amount = state.tree_total(&account.id, limit.meter, &limit.dimensions);
            let available = limit.limit.saturating_sub(amount.total());
            if requested <= available {
                continue;
            }
            let refusal = Refusal::new(RefusalCode::ExceedsLimit, PlacementReport::default())
                .with("meter", limit.meter)
                .with("unit", limit.meter.unit())
                .with_some("dimensions", (limit.dimensions.specificity() > 0).then_some(&limit.dimensions))
                .with("available", available)
                .with("requested", requested);
            return Some(if level == 0 {
                // Counted from the limit, not from what is available: an account over its limit lacks more.
                let missing = amount.total().saturating_add(requested).saturating_sub(limit.limit);
                let own = refusal.with("limit", limit.limit).with("used", amount.used).with("held", amount.held);
                own.with("missing", missing)
            } else {
                refusal.with("account", &account.id).with("missing", requested - available)
            });
        }
    }
    None
}

fn event(state: &State, request: &ClaimRequest, old: Option<&Claim>, lines: Vec<Line>, at: Timestamp) -> Event {
    match old {
        Some(claim) => Event::ClaimAmended {
            claim: claim.id,
            item: request.item.clone(),
            lines,
            spec_digest: request.spec_digest.clone(),
            approved_spec: request.approved_spec.clone(),
        },
        None => Event::ClaimGranted {
            claim: Box::new(Claim {
                id: state.next_claim(),
                account: request.account.clone(),
                system: request.system.clone(),
                subject: request.subject.clone(),
                item: request.item.clone(),
                lines,
                spec_digest: request.spec_digest.clone(),
                approved_spec: request.approved_spec.clone(),
                reserved_at: at,
                billable_from: None,
                billable_until: None,
                released_at: None,
                history: Vec::new(),
            }),
        },
    }
}
