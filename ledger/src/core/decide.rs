//! May this claim be had? From a state and a request to what to record, or why not.

use std::{borrow::Cow, sync::Arc};

use jiff::Timestamp;

use super::{
    account::AccountState,
    balance::beyond_guaranteed,
    claim::{Claim, ClaimId, ClaimStage, Hold, Line, Subject},
    dimensions::Dimensions,
    event::Event,
    floor::{Change, beyond_all_floors, beyond_floors, eaten},
    meter::Meter,
    placement::{PlacementReport, place},
    refusal::{Refusal, RefusalCode},
    request::{ClaimRequest, RequestError},
    state::{Standing, State},
    waiting::{Ticket, Unqueued, Waiting, could_ever_lie, passed_by, position},
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
    /// Nothing was granted.
    Refused(Refusal),
}

/// What is to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing: the claim stands for the same digest.
    Keep(Arc<Claim>),
    /// A grant, an amendment or a hold, and what comes with it.
    Record {
        /// Which claim it is about.
        claim: ClaimId,
        /// What to record, in order.
        events: Vec<Event>,
        /// How it is placed.
        report: PlacementReport,
    },
    /// It may not be had, or not now.
    Refuse {
        /// Why.
        refusal: Refusal,
        /// A place in the line, taken or left; mostly nothing.
        events: Vec<Event>,
    },
}

/// Decides `request` at the moment `at`, in this order: the pools' filter chain and preference, then every limit from
/// the account to the root, then floors of others. The first constraint that binds is named. What shrinks or stays is
/// not asked for again.
pub fn decide(state: &State, request: &ClaimRequest, at: Timestamp) -> Result<Plan, RequestError> {
    request.validate()?;
    if let Some(until) = request.hold_until.filter(|until| *until <= at) {
        let subject = request.name();
        return Err(RequestError::PastDeadline { subject, until, now: at });
    }
    let old = state.claim_of_subject(&request.subject.uid);
    let Subject { kind, namespace, name, uid } = &request.subject;
    if let Some(other) = state.claim_of_object(kind, namespace, name).filter(|claim| claim.subject.uid != *uid) {
        return Err(RequestError::Namesake { subject: request.name(), claim: other.id });
    }
    if let Some(claim) = old {
        check_amendable(claim, request)?;
        if stands(claim, request) {
            return Ok(match state.waiting_of(uid) {
                None => Plan::Keep(Arc::clone(claim)),
                // Whoever is content with what it has waits for nothing more.
                Some(waiting) => Plan::Record {
                    claim: claim.id,
                    events: vec![Event::RequestUnqueued { ticket: waiting.ticket, why: Unqueued::Withdrawn }],
                    report: PlacementReport::default(),
                },
            });
        }
    }
    let old = old.map(Arc::as_ref);
    Ok(match weigh(state, request, old) {
        Ok((lines, report)) => granted(state, request, old, lines, report, at),
        Err(refusal) => refused(state, request, *refusal),
    })
}

/// On what condition a request is decided at all: what was true when somebody chose this way to ask may not be by now.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Only {
    /// On none.
    #[default]
    Always,
    /// While its subject holds this claim, as it was read: a change of what it held before must not become a claim of its
    /// own, and one that was worked out from what has changed since would undo that.
    Holding(AsRead),
    /// While the account stays within what is guaranteed to it: beyond that, others have a say.
    WithinGuaranteed,
    /// Both: a change that goes through because it is within the guarantee.
    HoldingWithinGuaranteed(AsRead),
}

/// A claim as somebody has read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsRead {
    claim: ClaimId,
    spec_digest: String,
}

impl From<&Claim> for AsRead {
    fn from(claim: &Claim) -> Self {
        Self { claim: claim.id, spec_digest: claim.spec_digest.clone() }
    }
}

impl Only {
    /// The claim that must be held.
    const fn holding(&self) -> Option<&AsRead> {
        match self {
            Self::Holding(was) | Self::HoldingWithinGuaranteed(was) => Some(was),
            Self::Always | Self::WithinGuaranteed => None,
        }
    }

    const fn is_within_guaranteed(&self) -> bool {
        match self {
            Self::WithinGuaranteed | Self::HoldingWithinGuaranteed(_) => true,
            Self::Always | Self::Holding(_) => false,
        }
    }
}

/// Whether `request` may be decided.
///
/// # Errors
/// When its condition does not hold.
pub fn check(state: &State, request: &ClaimRequest, only: &Only) -> Result<(), RequestError> {
    let held = state.claim_of_subject(&request.subject.uid);
    if let Some(AsRead { claim, spec_digest }) = only.holding() {
        let (subject, claim) = (|| request.name(), *claim);
        let Some(held) = held.filter(|held| held.id == claim) else {
            return Err(RequestError::NotHolder { subject: subject(), claim });
        };
        // Who asks again because no answer came is told what was done.
        if held.spec_digest != *spec_digest && !stands(held, request) {
            return Err(RequestError::Outdated { subject: subject(), claim });
        }
    }
    // What it has already is not granted again.
    if only.is_within_guaranteed() && !held.is_some_and(|held| stands(held, request)) {
        let asked = request.placements.iter().flat_map(|placement| placement.quantities.clone());
        // Hosts are counted, and never guaranteed: policies look at what a host is made of.
        let asked = asked.filter(|(meter, _)| *meter != Meter::Hosts);
        // It is asked for in place of what it has, and of a hold of its own that is placed anew. What does not grow, such as
        // what a machine keeps until it has become smaller, was decided before.
        let has = |meter| held.map_or(0, |held| held.taken_of(meter));
        let asked = asked.filter(|(meter, quantity)| *quantity > has(*meter));
        if beyond_guaranteed(state, &request.account, asked, has) {
            return Err(RequestError::BeyondGuaranteed { subject: request.name(), account: request.account.clone() });
        }
    }
    Ok(())
}

/// Whether the book holds already what is asked for.
fn stands(claim: &Claim, request: &ClaimRequest) -> bool {
    let is_granted = claim.stage() != ClaimStage::Held && claim.spec_digest == request.spec_digest;
    match (&claim.hold, request.hold_until) {
        (None, _) => is_granted,
        (Some(hold), Some(until)) => hold.spec_digest == request.spec_digest && hold.until == until,
        (Some(_), None) => false,
    }
}

fn check_amendable(claim: &Claim, request: &ClaimRequest) -> Result<(), RequestError> {
    let subject = || request.name();
    if claim.stage() == ClaimStage::Ending {
        return Err(RequestError::Ending { subject: subject(), claim: claim.id });
    }
    if claim.is_permission() != request.is_permission() {
        return Err(RequestError::OtherNature { subject: subject(), claim: claim.id });
    }
    if claim.is_permission() && claim.hold.is_none() && request.hold_until.is_some() {
        return Err(RequestError::NothingToHold { subject: subject(), claim: claim.id });
    }
    let zone = claim.taken().find_map(|line| line.dimensions.zone.as_deref()).unwrap_or(&request.zone);
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
        .standings(&request.account)
        .map_err(|_| Box::new(refuse(RefusalCode::UnknownAccount).with("account", &request.account)))?;
    if request.is_permission() {
        // No pool, no limit: whether the account takes anything new is all there is to ask. A change may allow less, which
        // nobody is kept from; whether it allows more, its spec alone tells.
        let is_new = old.is_none_or(|claim| claim.stage() == ClaimStage::Held);
        let refusal = shut(&path).filter(|_| is_new);
        return refusal.map_or_else(|| Ok((Vec::new(), PlacementReport::default())), |refusal| Err(Box::new(refusal)));
    }
    let (lines, report) = place(state, request, &path, old).map_err(Box::new)?;
    let after = after(request, old, &lines);
    let change = change(old, &after);
    let bound = closed(&path, &change)
        .or_else(|| exceeded(state, &path, &change))
        .or_else(|| kept_for_others(state, request, &path, &change));
    match bound {
        Some(refusal) => Err(Box::new(Refusal { report, ..refusal })),
        None => Ok((lines, report)),
    }
}

/// What the claim takes afterwards, less what it takes now.
fn change<'a>(old: Option<&'a Claim>, after: &'a [Line]) -> Change<'a> {
    Change::between(old.into_iter().flat_map(Claim::taken), after.iter())
}

/// What the claim takes once it has what was asked for. A hold comes on top of what there is, even where less or something
/// else is asked for.
fn after<'a>(request: &ClaimRequest, old: Option<&Claim>, lines: &'a [Line]) -> Cow<'a, [Line]> {
    match old.filter(|_| request.hold_until.is_some()) {
        Some(claim) => claim.lines.iter().cloned().chain(beyond(lines, &claim.lines)).collect(),
        None => Cow::Borrowed(lines),
    }
}

fn closed(path: &[Standing<'_>], change: &Change<'_>) -> Option<Refusal> {
    if change.grows() { shut(path) } else { None }
}

/// That the account, or one above it, takes nothing new.
fn shut(path: &[Standing<'_>]) -> Option<Refusal> {
    let closed = path.iter().map(|unit| unit.account).find(|account| account.state == AccountState::Closed)?;
    Some(Refusal::new(RefusalCode::AccountClosed, PlacementReport::default()).with("account", &closed.id))
}

/// The first limit from leaf to root that the growth would exceed. What a floor on the way keeps free for the asker is
/// not asked of the accounts above: it is theirs already. Of an account above the asker's only its name and what is
/// left are told: its limit as well would tell what its other members use together.
fn exceeded(state: &State, path: &[Standing<'_>], change: &Change<'_>) -> Option<Refusal> {
    for (level, Standing { account, load }) in path.iter().enumerate() {
        for limit in &account.limits {
            let Some(ceiling) = limit.limit else { continue };
            let change = beyond_floors(path.get(..level).unwrap_or_default(), change, limit);
            let requested = u64::try_from(change.sum(limit.meter, &limit.dimensions)).unwrap_or(0);
            let occupied = load.occupied(limit.meter, &limit.dimensions);
            let available = ceiling.saturating_sub(occupied);
            if requested <= available {
                continue;
            }
            let refusal = Refusal::new(RefusalCode::ExceedsLimit, PlacementReport::default())
                .with("meter", limit.meter)
                .with("unit", limit.meter.unit())
                .with_some("dimensions", (limit.dimensions.specificity() > 0).then_some(&limit.dimensions))
                .with("available", available)
                .with("requested", requested)
                .with_some("nextRelease", next_release(state, path, limit.meter, &limit.dimensions))
                .with("raisedBy", raised_by(path, level));
            return Some(if level == 0 {
                // Counted from the limit, not from what is available: an account over its limit lacks more.
                let missing = occupied.saturating_add(requested).saturating_sub(ceiling);
                let amount = load.used(limit.meter, &limit.dimensions);
                let own = refusal.with("limit", ceiling).with("used", amount.used).with("held", amount.held);
                own.with("missing", missing)
            } else {
                refusal.with("account", &account.id).with("missing", requested - available)
            });
        }
    }
    None
}

/// Who can raise the limit that bound: the account above it hands out its share; a root's is the platform's.
fn raised_by(path: &[Standing<'_>], level: usize) -> String {
    path.get(level + 1).map_or_else(|| "platform".to_owned(), |above| above.account.id.to_string())
}

/// When the first hold of the asker's own account ends that sets aside some of what is short.
fn next_release(state: &State, path: &[Standing<'_>], meter: Meter, selector: &Dimensions) -> Option<Timestamp> {
    let own = path.first()?.account;
    let counts = |line: &Line| line.meter == meter && selector.select(line.facts());
    let mut holds = state.holds().filter_map(|(until, id)| Some((until, state.claim(id)?)));
    holds.find(|(_, claim)| claim.account == own.id && claim.held.iter().any(counts)).map(|(until, _)| until)
}

/// Whether the growth would eat what pools keep free for floors of others. Placement has looked at each pool alone; here
/// all parts are looked at together.
fn kept_for_others(
    state: &State,
    request: &ClaimRequest,
    path: &[Standing<'_>],
    change: &Change<'_>,
) -> Option<Refusal> {
    let meter = eaten(state, path, change)?;
    let refusal = Refusal::new(RefusalCode::PoolExhausted, PlacementReport::default());
    let requested = u64::try_from(change.sum(meter, &Dimensions::default())).unwrap_or(0);
    Some(
        refusal
            .with("zone", &request.zone)
            .with("protectionLevel", request.protection_level)
            .with("poolKind", meter.pool_kind())
            .with("meter", meter)
            .with("unit", meter.unit())
            .with("requested", requested),
    )
}

fn granted(
    state: &State,
    request: &ClaimRequest,
    old: Option<&Claim>,
    lines: Vec<Line>,
    report: PlacementReport,
    at: Timestamp,
) -> Plan {
    let tickets = if state.somebody_waits() {
        overtaken(state, request, &change(old, &after(request, old, &lines)))
    } else {
        Vec::new()
    };
    let claim = old.map_or(state.next_claim(), |claim| claim.id);
    let mut events = vec![match old {
        Some(claim) => amended(claim, request, lines),
        None => first(state, request, lines, at),
    }];
    if let Some(waiting) = state.waiting_of(&request.subject.uid) {
        events.push(Event::RequestUnqueued { ticket: waiting.ticket, why: Unqueued::Granted });
    }
    if !tickets.is_empty() {
        events.push(Event::RequestsOvertaken { tickets });
    }
    Plan::Record { claim, events, report }
}

/// Requests that came earlier and find less than they need in one of these pools: they are passed. Not by what is within
/// the asker's own floor.
fn overtaken(state: &State, request: &ClaimRequest, change: &Change<'_>) -> Vec<Ticket> {
    let path = state.standings(&request.account).unwrap_or_default();
    let beyond = beyond_all_floors(&path, change);
    let mut tickets = Vec::new();
    for (pool, growth) in beyond.growth_by_pool() {
        let Some(pool) = state.pool(pool) else { continue };
        tickets.extend(passed_by(state, &request.subject.uid, pool, &growth).map(|waiting| waiting.ticket));
    }
    tickets.sort();
    tickets.dedup();
    tickets
}

fn hold_of(request: &ClaimRequest, lines: &[Line]) -> Option<Hold> {
    Some(Hold {
        until: request.hold_until?,
        item: request.item.clone(),
        lines: lines.to_vec(),
        spec_digest: request.spec_digest.clone(),
        approved_spec: Arc::clone(&request.approved_spec),
    })
}

fn amended(claim: &Claim, request: &ClaimRequest, lines: Vec<Line>) -> Event {
    match hold_of(request, &lines) {
        Some(hold) => {
            let on_top = beyond(&lines, &claim.lines);
            Event::HoldPlaced { claim: claim.id, hold: Box::new(hold), held: on_top }
        }
        None => Event::ClaimAmended {
            claim: claim.id,
            item: request.item.clone(),
            lines,
            spec_digest: request.spec_digest.clone(),
            approved_spec: Arc::clone(&request.approved_spec),
        },
    }
}

/// What `lines` have beyond `present`, line by line.
fn beyond(lines: &[Line], present: &[Line]) -> Vec<Line> {
    let same = |line: &Line, other: &Line| {
        (line.meter, &line.pool, &line.dimensions) == (other.meter, &other.pool, &other.dimensions)
    };
    let more = lines.iter().map(|line| {
        let has: u64 = present.iter().filter(|other| same(line, other)).map(|other| other.quantity).sum();
        Line { quantity: line.quantity.saturating_sub(has), ..line.clone() }
    });
    more.filter(|line| line.quantity > 0).collect()
}

fn first(state: &State, request: &ClaimRequest, lines: Vec<Line>, at: Timestamp) -> Event {
    let hold = hold_of(request, &lines);
    let (lines, set_aside) = if hold.is_some() { (Vec::new(), lines) } else { (lines, Vec::new()) };
    Event::ClaimGranted {
        claim: Arc::new(Claim {
            id: state.next_claim(),
            account: request.account.clone(),
            system: request.system.clone(),
            engine_namespace: None,
            subject: request.subject.clone(),
            item: request.item.clone(),
            lines,
            held: set_aside,
            hold,
            spec_digest: request.spec_digest.clone(),
            approved_spec: Arc::clone(&request.approved_spec),
            adopted: false,
            reserved_at: at,
            billable_from: None,
            billable_until: None,
            released_at: None,
            history: Vec::new(),
        }),
    }
}

/// A refusal for want of room becomes a place in the line, where that was asked for and room can ever come. A place is
/// lost when something else is asked for, or when the request is decided against for a reason of the asker's own.
fn refused(state: &State, request: &ClaimRequest, refusal: Refusal) -> Plan {
    let waiting = state.waiting_of(&request.subject.uid);
    // What the catalogue says of an image or a class today makes no other request of it.
    let same = |waiting: &&Waiting| {
        waiting.request.spec_digest == request.spec_digest && waiting.request.placements == request.placements
    };
    // A request that would not stand in line takes no other one's place: that of a start, where a stopped host is to grow.
    let own = waiting.filter(|waiting| request.wait || same(waiting));
    let leave = |why| own.map(|waiting| Event::RequestUnqueued { ticket: waiting.ticket, why });
    // Nobody stands in line, and has room kept, for what limits or the pools themselves would never allow.
    let one_day = (refusal.code == RefusalCode::PoolExhausted).then(|| could_ever_lie(state, request)).flatten();
    let forbidden = one_day.as_ref().and_then(|lines| {
        let path = state.standings(&request.account).ok()?;
        let old = state.claim_of_subject(&request.subject.uid).map(Arc::as_ref);
        let after = after(request, old, lines);
        let change = change(old, &after);
        closed(&path, &change).or_else(|| exceeded(state, &path, &change))
    });
    if let Some(forbidden) = forbidden {
        let events = leave(Unqueued::Refused).into_iter().collect();
        return Plan::Refuse { refusal: Refusal { report: refusal.report, ..forbidden }, events };
    }
    // A pool may be smaller for a day, while machines are out for repair: whoever stands in line stays there.
    let stays = waiting.filter(same);
    let may_wait = request.wait && request.hold_until.is_none() && (one_day.is_some() || stays.is_some());
    match refusal.code {
        RefusalCode::PoolExhausted if may_wait => {
            let mut events = Vec::new();
            let ahead = if let Some(waiting) = stays {
                position(state, waiting.ticket, &waiting.request)
            } else {
                let ticket = state.next_ticket();
                events.extend(leave(Unqueued::Withdrawn));
                events.push(Event::RequestQueued { ticket, request: Box::new(request.clone()) });
                position(state, ticket, request)
            };
            let code = RefusalCode::WaitingForCapacity;
            Plan::Refuse { refusal: Refusal { code, ..refusal }.with("ahead", ahead), events }
        }
        // The book is only being checked, or the pool may be on its way back.
        RefusalCode::Quarantined | RefusalCode::NoMatchingPool => Plan::Refuse { refusal, events: Vec::new() },
        RefusalCode::PoolExhausted
        | RefusalCode::WaitingForCapacity
        | RefusalCode::ExceedsLimit
        | RefusalCode::UnknownAccount
        | RefusalCode::AccountClosed => {
            Plan::Refuse { refusal, events: leave(Unqueued::Refused).into_iter().collect() }
        }
    }
}
