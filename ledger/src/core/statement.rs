//! The monthly statement (账单) of one account: lines that can each be recomputed by hand, and their sum.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Serialize;

use super::{
    account::AccountId,
    claim::{ClaimId, Holder},
    dimensions::Dimensions,
    meter::Meter,
    money::{MoneyError, fen},
    month::{FiscalMonth, Period},
    pool::PoolId,
    price::{PriceBook, PriceError, PriceUnit},
    state::State,
    usage::{Payer, UsageFilter, UsageRow, usage},
};

/// One claim and meter at one quantity and one price. `amount` = `unit_seconds` x price / (unit size x seconds of the
/// month), where `unit_seconds` = quantity x seconds from `from` to `to`, rounded half up to the fen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatementLine {
    /// Which claim.
    pub claim: ClaimId,
    /// The information system.
    pub system: String,
    /// The name of the object.
    pub resource: String,
    /// What it was called, e.g. the host class.
    pub item: String,
    /// What was counted.
    pub meter: Meter,
    /// Where.
    pub pool: PoolId,
    /// Of which kind.
    pub dimensions: Dimensions,
    /// From this second on.
    pub from: Timestamp,
    /// Up to but not including this second.
    pub to: Timestamp,
    /// How much throughout, in the meter's unit.
    pub quantity: u64,
    /// Quantity times seconds.
    pub unit_seconds: i128,
    /// The price book in force at `from`.
    pub book: String,
    /// Who had it before it was handed to this account; none if nobody had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_from: Option<Holder>,
    /// Who got it at the end of this line, where that is why it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed_to: Option<Holder>,
    /// What the price is for.
    pub unit: PriceUnit,
    /// Yuan per unit.
    pub price: Decimal,
    /// Yuan, two places.
    pub amount: Decimal,
}

/// Use for which no price was in force. It is in no sum; a statement with such rows is not complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnpricedRow {
    /// The use.
    #[serde(flatten)]
    pub usage: UsageRow,
    /// The price book in force that has no rate for it; none if no book was in force.
    pub book: Option<String>,
}

/// What one account owes for one month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// Whose.
    pub account: AccountId,
    /// The department's name.
    pub display_name: String,
    /// The fiscal unit it is addressed to.
    pub billing_account: String,
    /// The month.
    pub month: FiscalMonth,
    /// Its bounds in UTC.
    pub period: Period,
    /// Its length in seconds: what a whole month's price is divided by.
    pub month_seconds: i128,
    /// Up to when use is counted.
    pub as_of: Timestamp,
    /// Whether the month was not over then.
    pub provisional: bool,
    /// The ledger's entry it was read at.
    pub revision: u64,
    /// Always `CNY`.
    pub currency: &'static str,
    /// The lines, by claim, meter and time.
    pub lines: Vec<StatementLine>,
    /// What could not be priced.
    pub unpriced: Vec<UnpricedRow>,
    /// The sum of the lines' amounts.
    pub total: Decimal,
}

/// Why there is no statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// No such account.
    #[error("account {account} is not in the book")]
    UnknownAccount {
        /// The account asked for.
        account: AccountId,
    },
    /// Two rates fit a line equally well.
    #[error("statement of {account}: no single price")]
    Price {
        /// Whose statement.
        account: AccountId,
        /// Which rates.
        #[source]
        source: PriceError,
    },
    /// An amount is too large to hold.
    #[error("statement of {account}: no exact amount")]
    Money {
        /// Whose statement.
        account: AccountId,
        /// Which amount.
        #[source]
        source: MoneyError,
    },
}

/// The statement of `account`'s own claims for `month`, counting use up to `as_of`.
pub fn statement(
    state: &State,
    account: &AccountId,
    month: FiscalMonth,
    as_of: Timestamp,
) -> Result<Statement, StatementError> {
    let holder = state.account(account).ok_or_else(|| StatementError::UnknownAccount { account: account.clone() })?;
    let period = month.period();
    let counted = Period { from: period.from, to: period.to.min(as_of.max(period.from)) };
    let filter = UsageFilter { account: Some(account.clone()), payer: Some(Payer::Department) };

    let mut lines = Vec::new();
    let mut unpriced = Vec::new();
    let mut total = Decimal::new(0, 2);
    for row in usage(state, counted, &filter).into_iter().flat_map(|row| split(state, &row)) {
        match charge(state, row, month.seconds()).map_err(|error| error.of(account))? {
            Charged::Line(line) => {
                let sum = total.checked_add(line.amount).ok_or(MoneyError::TooLarge {
                    meter: line.meter,
                    unit_seconds: line.unit_seconds,
                    price: line.price,
                });
                total = sum.map_err(|source| StatementError::Money { account: account.clone(), source })?;
                lines.push(*line);
            }
            Charged::Unpriced(row) => unpriced.push(*row),
        }
    }
    Ok(Statement {
        account: account.clone(),
        display_name: holder.display_name.clone(),
        billing_account: holder.billing_account.clone(),
        month,
        period,
        month_seconds: month.seconds(),
        as_of: counted.to,
        provisional: as_of < period.to,
        revision: state.seq(),
        currency: "CNY",
        lines,
        unpriced,
        total,
    })
}

/// `row` in parts, each within the time of one price book.
fn split(state: &State, row: &UsageRow) -> Vec<UsageRow> {
    let inside = state.books().map(|book| book.valid_from).filter(|at| row.from < *at && *at < row.to);
    let ends = inside.chain(std::iter::once(row.to));
    let parts = ends.scan(row.from, |from, to| {
        let part = Period { from: *from, to };
        *from = to;
        Some(part)
    });
    parts
        .map(|part| UsageRow {
            from: part.from,
            to: part.to,
            unit_seconds: i128::from(row.quantity).saturating_mul(part.seconds()),
            passed_to: row.passed_to.clone().filter(|_| part.to == row.to),
            ..row.clone()
        })
        .collect()
}

enum Charged {
    Line(Box<StatementLine>),
    Unpriced(Box<UnpricedRow>),
}

enum ChargeError {
    Price(PriceError),
    Money(MoneyError),
}

impl ChargeError {
    fn of(self, account: &AccountId) -> StatementError {
        let account = account.clone();
        match self {
            Self::Price(source) => StatementError::Price { account, source },
            Self::Money(source) => StatementError::Money { account, source },
        }
    }
}

fn charge(state: &State, row: UsageRow, month_seconds: i128) -> Result<Charged, ChargeError> {
    let book: Option<&PriceBook> = state.book_at(row.from).map(std::sync::Arc::as_ref);
    let rate = match book {
        Some(book) => book.rate(row.meter, &row.dimensions).map_err(ChargeError::Price)?.map(|rate| (book, rate)),
        None => None,
    };
    let Some((book, rate)) = rate else {
        return Ok(Charged::Unpriced(Box::new(UnpricedRow { book: book.map(|book| book.id.clone()), usage: row })));
    };
    let amount = fen(row.meter, row.unit_seconds, rate.price, rate.unit, month_seconds).map_err(ChargeError::Money)?;
    Ok(Charged::Line(Box::new(StatementLine {
        claim: row.claim,
        system: row.system,
        resource: row.resource,
        item: row.item,
        meter: row.meter,
        pool: row.pool,
        dimensions: row.dimensions,
        from: row.from,
        to: row.to,
        quantity: row.quantity,
        unit_seconds: row.unit_seconds,
        received_from: row.received_from,
        passed_to: row.passed_to,
        book: book.id.clone(),
        unit: rate.unit,
        price: rate.price,
        amount,
    })))
}
