//! Months of the fiscal calendar: calendar months in UTC+8.

use jiff::{SignedDuration, Timestamp, civil, tz::Offset};

/// Asia/Shanghai is UTC+8 throughout.
const AHEAD: SignedDuration = SignedDuration::from_hours(8);

/// A month and its bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Month {
    /// As `2026-11`.
    pub(crate) name: String,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// The months of which something lies in `from..to`, the first and last cut off there.
pub(crate) fn months(from: Timestamp, to: Timestamp) -> Vec<Month> {
    let mut months = Vec::new();
    let Ok(local) = Offset::UTC.to_datetime(from).checked_add(AHEAD) else { return months };
    let (mut year, mut month) = (local.year(), local.month());
    let mut start = from;
    while start < to {
        let name = format!("{year:04}-{month:02}");
        (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        let end = first_second(year, month).unwrap_or(to).min(to);
        months.push(Month { name, from: start, to: end });
        start = end;
    }
    months
}

fn first_second(year: i16, month: i8) -> Option<Timestamp> {
    let local = civil::DateTime::new(year, month, 1, 0, 0, 0, 0).ok()?;
    Offset::UTC.to_timestamp(local.checked_sub(AHEAD).ok()?).ok()
}
