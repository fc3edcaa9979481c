//! What the ledger makes of a wish, without writing anything: its price, its quota, and whether it could be had now. It is
//! what the ledger decides on its state as this program knows it; by the time somebody asks in earnest it may differ.

mod approvals;
mod change;
mod quota;

use std::sync::Arc;

use jiff::{Timestamp, ToSpan};
use jiyun_approvals::Requirement;
use jiyun_crds::v1alpha1::OrderAction;
use jiyun_ledger::{
    AccountId, Dimensions, Entry, Event, FiscalMonth, Meter, MoneyError, Plan, PriceError, Refusal, RequestError,
    State, fen,
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
        let approvals = approvals::needed(caller, department, &reading.state, &wishes, OrderAction::Create).await;
        // What is known to wait for people is held, too.
        let held = held || approvals.as_ref().is_ok_and(|needed| !needed.is_automatic());
        let made = tokio::task::spawn_blocking(move || estimated(&reading, &account, &wishes, held, approvals));
        let made = made.await.map_err(|error| Problem::bare(Code::Internal).because(error))?;
        made.map(Some).map_err(|error| Problem::bare(Code::Internal).because(error))
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
    let (quantities, refusal) = decided(&reading.state, account, wishes, held, at)?;
    Ok(Estimate {
        revision: reading.state.seq(),
        as_of: reading.as_of,
        fits: refusal.is_none(),
        refusal,
        price: price(&reading.state, &quantities, at)?,
        quota: quota::rows(&reading.state, account, &quantities),
        approvals,
    })
}

/// What the wishes would hold, one after the other, and the first refusal. After one, the others are taken as asked.
fn decided(
    state: &Arc<State>,
    account: &AccountId,
    wishes: &[Wish],
    held: bool,
    at: Timestamp,
) -> Result<(Vec<Quantity>, Option<Refusal>), EstimateError> {
    let until = held.then(|| at.checked_add((24 * HOLD_DAYS).hours()).unwrap_or(Timestamp::MAX));
    // Its maps are shared until written to: a copy costs little.
    let mut state = State::clone(state);
    let (mut quantities, mut refusal) = (Vec::new(), None);
    for wish in wishes {
        if refusal.is_some() {
            quantities.extend(asked(wish));
            continue;
        }
        match jiyun_ledger::decide(&state, &wish.request(account, until), at)? {
            Plan::Keep(claim) => quantities.extend(claim.taken().map(|line| placed(wish, line))),
            Plan::Record { events, .. } => {
                let lines = events.iter().filter_map(granted).flat_map(|claim| claim.taken());
                quantities.extend(lines.map(|line| placed(wish, line)));
                let (seq, epoch) = (state.seq() + 1, 0);
                state.apply(&Entry { seq, at, epoch, events })?;
            }
            Plan::Refuse { refusal: why, .. } => {
                quantities.extend(asked(wish));
                refusal = Some(why);
            }
        }
    }
    Ok((quantities, refusal))
}

fn granted(event: &Event) -> Option<&Arc<jiyun_ledger::Claim>> {
    match event {
        Event::ClaimGranted { claim } => Some(claim),
        _ => None,
    }
}

fn placed(wish: &Wish, line: &jiyun_ledger::Line) -> Quantity {
    Quantity { resource: wish.name.clone(), meter: line.meter, fact: line.fact(), amount: line.quantity }
}

/// What a wish asks for, without pools.
fn asked(wish: &Wish) -> impl Iterator<Item = Quantity> {
    wish.placements().iter().flat_map(|placement| {
        placement.quantities.iter().map(|(meter, amount)| Quantity {
            resource: wish.name.clone(),
            meter: *meter,
            fact: Dimensions {
                pool: None,
                architecture: placement.architecture.clone(),
                tier: placement.tier.clone(),
                zone: Some(wish.zone().to_owned()),
            },
            amount: *amount,
        })
    })
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
