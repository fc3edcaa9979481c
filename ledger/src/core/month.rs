//! The fiscal month (账期): a calendar month in Asia/Shanghai, as a half-open period in UTC.

use jiff::{SignedDuration, Timestamp, civil};
use serde::{Deserialize, Serialize};

/// China keeps UTC+8 without summer time since 15 September 1991 (IANA tz database, file `asia`, zone Asia/Shanghai).
/// A constant needs no time-zone files on the machine that closes the books.
const SHANGHAI_AHEAD_OF_UTC: SignedDuration = SignedDuration::from_hours(8);

/// From `from` up to but not including `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// First moment inside.
    pub from: Timestamp,
    /// First moment after.
    pub to: Timestamp,
}

impl Period {
    /// The part of `from..to` inside this period; none if empty.
    pub fn clip(&self, from: Timestamp, to: Timestamp) -> Option<Self> {
        let clipped = Self { from: from.max(self.from), to: to.min(self.to) };
        (clipped.from < clipped.to).then_some(clipped)
    }

    /// Its length in whole seconds; zero if it is empty or upside down.
    pub fn seconds(&self) -> i128 {
        i128::from(self.to.as_second().saturating_sub(self.from.as_second()).max(0))
    }
}

/// A text or number that names no fiscal month.
#[derive(Debug, thiserror::Error)]
pub enum MonthError {
    /// Not `YYYY-MM`.
    #[error("month {text:?} is not of the form 2026-11")]
    Form {
        /// What was given.
        text: String,
    },
    /// Before the calendar rule this module relies on, or beyond the calendar.
    #[error("month {year}-{month:02} is outside 2000-01..=9998-12")]
    Range {
        /// Year given.
        year: i16,
        /// Month given.
        month: i8,
    },
    /// The calendar refused it.
    #[error("month {year}-{month:02} has no period in UTC")]
    Calendar {
        /// Year given.
        year: i16,
        /// Month given.
        month: i8,
        /// Why.
        #[source]
        source: jiff::Error,
    },
}

/// A month of the fiscal calendar, 2000-01..=9998-12, with its period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FiscalMonth {
    year: i16,
    month: i8,
    period: Period,
}

impl FiscalMonth {
    /// Month `month` (1..=12) of `year`.
    pub fn new(year: i16, month: i8) -> Result<Self, MonthError> {
        if !(2000..=9998).contains(&year) || !(1..=12).contains(&month) {
            return Err(MonthError::Range { year, month });
        }
        let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        let midnight = |y, m| -> Result<Timestamp, jiff::Error> {
            let utc = civil::DateTime::new(y, m, 1, 0, 0, 0, 0)?.checked_sub(SHANGHAI_AHEAD_OF_UTC)?;
            jiff::tz::Offset::UTC.to_timestamp(utc)
        };
        let bounds = midnight(year, month).and_then(|from| Ok(Period { from, to: midnight(next_year, next_month)? }));
        let period = bounds.map_err(|source| MonthError::Calendar { year, month, source })?;
        Ok(Self { year, month, period })
    }

    /// The month `at` lies in.
    pub fn of(at: Timestamp) -> Result<Self, MonthError> {
        let local = jiff::tz::Offset::UTC.to_datetime(at);
        let calendar = |source| MonthError::Calendar { year: local.year(), month: local.month(), source };
        let local = local.checked_add(SHANGHAI_AHEAD_OF_UTC).map_err(calendar)?;
        Self::new(local.year(), local.month())
    }

    /// Its bounds in UTC.
    pub const fn period(&self) -> Period {
        self.period
    }

    /// Its length in seconds: 2,419,200 (28 days) to 2,678,400 (31 days).
    pub fn seconds(&self) -> i128 {
        self.period.seconds()
    }
}

impl std::fmt::Display for FiscalMonth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl std::str::FromStr for FiscalMonth {
    type Err = MonthError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || MonthError::Form { text: text.to_owned() };
        let (year, month) = text.split_once('-').ok_or_else(form)?;
        let digits = |part: &str, len| part.len() == len && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(year, 4) || !digits(month, 2) {
            return Err(form());
        }
        Self::new(year.parse().map_err(|_| form())?, month.parse().map_err(|_| form())?)
    }
}

impl TryFrom<String> for FiscalMonth {
    type Error = MonthError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<FiscalMonth> for String {
    fn from(month: FiscalMonth) -> Self {
        month.to_string()
    }
}
