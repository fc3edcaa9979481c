//! Running sums of what claims hold and use, by meter and dimensions.

use serde::Serialize;

use super::{
    super::{dimensions::Dimensions, meter::Meter},
    kinds::{Kind, Kinds},
};

/// How much is held and used, in the meter's unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// Reserved, not yet handed over.
    pub held: u64,
    /// Handed over, or ending.
    pub used: u64,
}

impl Amount {
    /// Held and used together: what counts against a limit.
    pub const fn total(self) -> u64 {
        self.held.saturating_add(self.used)
    }

    /// Whether nothing is held or used.
    pub const fn is_zero(self) -> bool {
        self.held == 0 && self.used == 0
    }

    const fn saturating_add(self, other: Self) -> Self {
        Self { held: self.held.saturating_add(other.held), used: self.used.saturating_add(other.used) }
    }

    fn checked_add(self, other: Self) -> Option<Self> {
        Some(Self { held: self.held.checked_add(other.held)?, used: self.used.checked_add(other.used)? })
    }

    fn checked_sub(self, other: Self) -> Option<Self> {
        Some(Self { held: self.held.checked_sub(other.held)?, used: self.used.checked_sub(other.used)? })
    }
}

/// One sum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CounterRow {
    /// What is counted.
    pub meter: Meter,
    /// Of which kind.
    pub dimensions: Dimensions,
    /// How much.
    pub amount: Amount,
}

/// How much of which kind: what is added to sums, and the sums themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) meter: Meter,
    pub(super) kind: Kind,
    pub(super) amount: Amount,
}

/// Sums by kind. A sum of zero is not kept, so equal use means equal counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    /// By kind, in the order of their numbers.
    sums: Vec<Sum>,
    /// The same over all kinds of a meter, in the order of meters: most limits ask for no more.
    meters: Vec<(Meter, Amount)>,
}

/// A sum would leave 0..2^64: the events contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfRange;

impl Counters {
    pub(super) fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }

    /// The sums by kind.
    pub(super) fn sums(&self) -> &[Sum] {
        &self.sums
    }

    /// The sums with what they are of, by meter and dimensions.
    pub(super) fn rows(&self, kinds: &Kinds) -> Vec<CounterRow> {
        let row = |sum: &Sum| {
            let (meter, dimensions) = kinds.fact(sum.kind)?;
            Some(CounterRow { meter: *meter, dimensions: dimensions.clone(), amount: sum.amount })
        };
        let mut rows: Vec<CounterRow> = self.sums.iter().filter_map(row).collect();
        rows.sort_by(|a, b| (a.meter, &a.dimensions).cmp(&(b.meter, &b.dimensions)));
        rows
    }

    /// The sum of what `selector` matches.
    pub(super) fn sum(&self, kinds: &Kinds, meter: Meter, selector: &Dimensions) -> Amount {
        if selector.is_any() {
            let whole = self.meters.iter().find(|(of, _)| *of == meter);
            return whole.map(|(_, amount)| *amount).unwrap_or_default();
        }
        let matching = self.sums.iter().filter(|sum| sum.meter == meter && kinds.selected(sum.kind, selector));
        matching.fold(Amount::default(), |whole, sum| whole.saturating_add(sum.amount))
    }

    pub(super) fn add(&mut self, more: &Sum) -> Result<(), OutOfRange> {
        self.change(more, |is| is.checked_add(more.amount))
    }

    pub(super) fn subtract(&mut self, less: &Sum) -> Result<(), OutOfRange> {
        self.change(less, |is| is.checked_sub(less.amount))
    }

    fn change(&mut self, of: &Sum, to: impl Fn(Amount) -> Option<Amount>) -> Result<(), OutOfRange> {
        let place = self.sums.binary_search_by_key(&of.kind, |sum| sum.kind);
        let is = place.ok().and_then(|place| self.sums.get(place)).map(|sum| sum.amount).unwrap_or_default();
        let amount = to(is).ok_or(OutOfRange)?;
        settle(&mut self.sums, place, Sum { amount, ..*of }, amount);

        let place = self.meters.binary_search_by_key(&of.meter, |(meter, _)| *meter);
        let is = place.ok().and_then(|place| self.meters.get(place)).map(|(_, amount)| *amount).unwrap_or_default();
        let amount = to(is).ok_or(OutOfRange)?;
        settle(&mut self.meters, place, (of.meter, amount), amount);
        Ok(())
    }
}

/// Puts `entry` where it was found or where it belongs; one whose amount is zero goes.
fn settle<T>(entries: &mut Vec<T>, place: Result<usize, usize>, entry: T, amount: Amount) {
    match place {
        Ok(place) if amount.is_zero() => drop(entries.remove(place)),
        Ok(place) => {
            if let Some(there) = entries.get_mut(place) {
                *there = entry;
            }
        }
        Err(_) if amount.is_zero() => {}
        Err(place) => entries.insert(place, entry),
    }
}
