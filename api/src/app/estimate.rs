//! What the ledger makes of a wish, without writing anything: its price, its quota, and whether it could be had now. It is
//! what the ledger decides on its state as this program knows it; by the time somebody asks in earnest it may differ.

mod approvals;
mod change;
mod quota;

use std::sync::Arc;

use jiff::{Timestamp, ToSpan};
use jiyun_approvals::Requirement;
use jiyun_ledger::{
    AccountId, Dimensions, Entry, Event, FiscalMonth, Line, Meter, MoneyError, Placement, Plan, PriceError, Refusal,
    RequestError, State, fen,
};
use rust_decimal::Decimal;

use super::{App, host::Wish};
use crate::{
    extract::DepartmentName,
    model::estimate::{ApprovalsUnknown, Estimate, MonthlyPrice, MonthlyPriceLine, UnpricedMeter},
    problem::{Code, Problem},
    store::{Caller, Reading, Report},
};

/// How long a hold of a preview would last: long enough to be one.
const HOLD_DAYS: i64 = 30;

/// One quantity of one host.
#[derive(Clone, Debug)]
pub(super) struct Quantity {
    resource: String,
    meter: Meter,
    /// What it is, its pool among it where it was placed.
    fact: Dimensions,
    amount: u64,
}

/// Why there is no estimate.
#[derive(Debug, thiserror::Error)]
enum EstimateError {
    #[error("the ledger cannot decide a preview")]
    Request(#[from] RequestError),
    #[error("the ledger cannot record a preview on a copy of its state")]
    Apply(#[from] jiyun_ledger::ApplyError),
    #[error("no single price")]
    Price(#[from] PriceError),
    #[error("no exact amount")]
    Money(#[from] MoneyError),
    #[error("no month")]
    Month(#[from] jiyun_ledger::MonthError),
}

impl App {
    /// What the ledger makes of `wishes` together; none where the caller may not read the department's quota, or the ledger
    /// cannot be read now: a preview does without it. Whether they are `held` first or asked for at once is the route's
    /// business: what is held gets no place in line.
    pub async fn estimate(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        wishes: Vec<Wish>,
        held: bool,
    ) -> Result<Option<Estimate>, Problem> {
        if wishes.is_empty() {
            return Ok(None);
        }
        let Ok(reading) = self.open_book(caller, department, Report::Quota).await else { return Ok(None) };
        let account = AccountId::new(department.as_str());
        if reading.state.account(&account).is_none() {
            return Ok(None);
        }
        let approvals = approvals::needed(caller, department, &reading.state, &wishes).await;
        // What is known to wait for people is held, too.
        let held = held || approvals.as_ref().is_ok_and(|needed| !needed.is_automatic());
        let made = tokio::task::spawn_blocking(move || estimated(&reading, &account, &wishes, held, approvals));
        match made.await.map_err(|error| Problem::bare(Code::Internal).because(error))? {
            // A host of this name is on its way out, or the book and the objects disagree about it: nothing is foretold.
            Err(EstimateError::Request(RequestError::Ending { .. } | RequestError::Namesake { .. })) => Ok(None),
            made => made.map(Some).map_err(|error| Problem::bare(Code::Internal).because(error)),
        }
    }
}

fn estimated(
    reading: &Reading,
    account: &AccountId,
    wishes: &[Wish],
    held: bool,
    approvals: Result<Requirement, ApprovalsUnknown>,
) -> Result<Estimate, EstimateError> {
    let at = reading.as_of.max(reading.state.at());
    let Outcome { before, after, settled, refusal } = decided(&reading.state, account, wishes, held, at)?;
    let is_change = !before.is_empty();
    let price_before = if is_change { price(&reading.state, &before, at)? } else { None };
    Ok(Estimate {
        revision: reading.state.seq(),
        as_of: reading.as_of,
        fits: refusal.is_none(),
        refusal,
        price: price(&reading.state, &settled, at)?,
        price_before,
        quota: quota::rows(&reading.state, account, &grown(&before, after)),
        approvals,
    })
}

/// What would come of wishes.
struct Outcome {
    /// What those hold now that are changes of what was granted.
    before: Vec<Quantity>,
    /// What all of them would hold.
    after: Vec<Quantity>,
    /// The same, once their engines have followed: of a database that is changed it may be less.
    settled: Vec<Quantity>,
    /// Why not.
    refusal: Option<Refusal>,
}

/// How much more `after` takes than `before`.
fn grown(before: &[Quantity], mut after: Vec<Quantity>) -> Vec<Quantity> {
    for quantity in &mut after {
        let same = |had: &&Quantity| had.resource == quantity.resource && had.meter == quantity.meter;
        let had: u64 = before.iter().filter(same).map(|had| had.amount).sum();
        quantity.amount = quantity.amount.saturating_sub(had);
    }
    after
}

/// What the wishes would hold, one after the other, and the first refusal. After one, the others are taken as asked.
fn decided(
    state: &Arc<State>,
    account: &AccountId,
    wishes: &[Wish],
    held: bool,
    at: Timestamp,
) -> Result<Outcome, EstimateError> {
    let until = held.then(|| at.checked_add((24 * HOLD_DAYS).hours()).unwrap_or(Timestamp::MAX));
    // Its maps are shared until written to: a copy costs little.
    let mut state = State::clone(state);
    let (mut before, mut after, mut settled, mut refusal) = (Vec::new(), Vec::new(), Vec::new(), None);
    for wish in wishes {
        let claim = wish.granted(&state).cloned();
        let claim = claim.as_deref();
        before.extend(claim.into_iter().flat_map(|claim| &claim.lines).map(|line| placed(wish, line)));
        let plan = match &refusal {
            None => Some(jiyun_ledger::decide(&state, &wish.request(&state, account, until, claim), at)?),
            Some(_) => None,
        };
        let mut holds: Vec<Quantity> = match plan {
            None => asked(wish, wish.taken(claim)),
            Some(Plan::Keep(kept)) => kept.taken().map(|line| placed(wish, line)).collect(),
            Some(Plan::Record { events, .. }) => {
                let holds = events.iter().flat_map(lines).map(|line| placed(wish, line)).collect();
                let (seq, epoch) = (state.seq() + 1, 0);
                state.apply(&Entry { seq, at, epoch, events })?;
                holds
            }
            Some(Plan::Refuse { refusal: why, .. }) => {
                refusal = Some(why);
                asked(wish, wish.taken(claim))
            }
        };
        after.extend(holds.iter().cloned());
        if claim.is_some() && wish.settles() {
            holds = asked(wish, wish.settled(claim));
        }
        settled.extend(holds);
    }
    Ok(Outcome { before, after, settled, refusal })
}

/// What a claim would hold once this has happened.
fn lines(event: &Event) -> Vec<&Line> {
    match event {
        Event::ClaimGranted { claim } => claim.taken().collect(),
        Event::ClaimAmended { lines, .. } => lines.iter().collect(),
        Event::HoldPlaced { hold, .. } => hold.lines.iter().collect(),
        _ => Vec::new(),
    }
}

fn placed(wish: &Wish, line: &Line) -> Quantity {
    Quantity { resource: wish.name.clone(), meter: line.meter, fact: line.fact(), amount: line.quantity }
}

/// What a wish asks for, out of these `placements`, without pools.
fn asked(wish: &Wish, placements: Vec<Placement>) -> Vec<Quantity> {
    let quantities = placements.into_iter().flat_map(|Placement { architecture, tier, quantities, .. }| {
        let fact = Dimensions { pool: None, architecture, tier, zone: Some(wish.zone().to_owned()) };
        quantities.into_iter().map(move |(meter, amount)| (meter, amount, fact.clone()))
    });
    let quantity = |(meter, amount, fact)| Quantity { resource: wish.name.clone(), meter, fact, amount };
    quantities.map(quantity).collect()
}

/// What a whole month of it costs by the price book in force at `at`; none if none is.
fn price(state: &State, quantities: &[Quantity], at: Timestamp) -> Result<Option<MonthlyPrice>, EstimateError> {
    let Some(book) = state.book_at(at) else { return Ok(None) };
    let seconds = FiscalMonth::of(at)?.seconds();
    let (mut lines, mut unpriced, mut total) = (Vec::new(), Vec::new(), Decimal::new(0, 2));
    for Quantity { resource, meter, fact, amount } in quantities {
        // Prices know no pools.
        let fact = Dimensions { pool: None, ..fact.clone() };
        let Some(rate) = book.rate(*meter, &fact)? else {
            unpriced.push(UnpricedMeter { resource: resource.clone(), meter: (*meter).into() });
            continue;
        };
        let unit_seconds = i128::from(*amount).saturating_mul(seconds);
        let yuan = fen(*meter, unit_seconds, rate.price, rate.unit, seconds)?;
        total =
            total.checked_add(yuan).ok_or(MoneyError::TooLarge { meter: *meter, unit_seconds, price: rate.price })?;
        lines.push(MonthlyPriceLine {
            resource: resource.clone(),
            meter: (*meter).into(),
            quantity: *amount,
            unit: meter.unit(),
            price: rate.price.to_string(),
            price_unit: rate.unit.to_string(),
            amount: yuan.to_string(),
        });
    }
    Ok(Some(MonthlyPrice { price_list: book.id.clone(), currency: "CNY", lines, unpriced, total: total.to_string() }))
}
