//! Running sums of what claims hold and use, by meter and dimensions.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::super::{dimensions::Dimensions, meter::Meter};

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

/// Sums by meter and dimensions. A sum of zero is not kept, so equal use means equal counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters(BTreeMap<(Meter, Dimensions), Amount>);

/// A sum would leave 0..2^64: the events contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfRange;

impl Counters {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = CounterRow> {
        self.0.iter().map(|((meter, dimensions), amount)| CounterRow {
            meter: *meter,
            dimensions: dimensions.clone(),
            amount: *amount,
        })
    }

    pub(super) fn sum(&self, meter: Meter, selector: &Dimensions) -> Amount {
        let matching = self.0.iter().filter(|((m, fact), _)| *m == meter && selector.matches(fact));
        matching.fold(Amount::default(), |sum, (_, amount)| Amount {
            held: sum.held.saturating_add(amount.held),
            used: sum.used.saturating_add(amount.used),
        })
    }

    pub(super) fn add(&mut self, other: &Self) -> Result<(), OutOfRange> {
        other.0.iter().try_for_each(|((meter, dimensions), amount)| self.add_one(*meter, dimensions, *amount))
    }

    pub(super) fn subtract(&mut self, other: &Self) -> Result<(), OutOfRange> {
        for (key, amount) in &other.0 {
            let left = self.0.get(key).copied().unwrap_or_default().checked_sub(*amount).ok_or(OutOfRange)?;
            if left.is_zero() {
                self.0.remove(key);
            } else {
                self.0.insert(key.clone(), left);
            }
        }
        Ok(())
    }

    pub(super) fn add_one(&mut self, meter: Meter, fact: &Dimensions, amount: Amount) -> Result<(), OutOfRange> {
        if amount.is_zero() {
            return Ok(());
        }
        let sum = self.0.entry((meter, fact.clone())).or_default();
        *sum = sum.checked_add(amount).ok_or(OutOfRange)?;
        Ok(())
    }
}

impl Serialize for Counters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows())
    }
}
