//! Price books (价目表): what a unit costs, from when.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{dimensions::Dimensions, meter::Meter};

/// What a price is for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, strum::Display, strum::EnumString,
)]
pub enum PriceUnit {
    /// One core for one whole calendar month.
    CoreMonth,
    /// One GiB for one whole calendar month.
    GiBMonth,
    /// One host for one whole calendar month.
    HostMonth,
    /// One card for one whole calendar month.
    GpuMonth,
    /// One database instance for one whole calendar month.
    InstanceMonth,
    /// One Mbit/s for one whole calendar month.
    MbpsMonth,
    /// One address for one whole calendar month.
    AddressMonth,
}

impl PriceUnit {
    /// How many of `meter`'s units make one of this; none if they do not go together.
    pub const fn size(self, meter: Meter) -> Option<u64> {
        let (unit, size) = Self::of(meter);
        if self as u8 == unit as u8 { Some(size) } else { None }
    }

    /// The unit a meter is sold by, and how many of the meter's units make one.
    pub const fn of(meter: Meter) -> (Self, u64) {
        match meter {
            Meter::Hosts => (Self::HostMonth, 1),
            Meter::Vcpu => (Self::CoreMonth, 1),
            Meter::Gpus => (Self::GpuMonth, 1),
            Meter::Memory
            | Meter::BlockStorage
            | Meter::FileStorage
            | Meter::ObjectStorage
            | Meter::BackupStorage
            | Meter::ProtectedCapacity => (Self::GiBMonth, 1024),
            Meter::DatabaseInstances => (Self::InstanceMonth, 1),
            Meter::Bandwidth => (Self::MbpsMonth, 1),
            Meter::PublicIps => (Self::AddressMonth, 1),
        }
    }
}

/// The price of one meter, where its selector matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rate {
    /// What is priced.
    pub meter: Meter,
    /// Which lines it is for; the most specific matching rate wins.
    #[serde(default)]
    pub dimensions: Dimensions,
    /// What the price is for.
    pub unit: PriceUnit,
    /// Yuan (元) per unit; not negative, below 10^9, at most 4 places.
    pub price: Decimal,
}

/// A complete list of prices. The book with the latest `valid_from` not after a moment is the one in force then; it
/// replaces the book before it whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PriceBook {
    /// Its name.
    pub id: String,
    /// When it comes into force.
    pub valid_from: Timestamp,
    /// Its prices.
    pub rates: Vec<Rate>,
}

/// A price book that cannot be used, or a line two rates fit equally well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Two rates of one book fit the same lines equally well.
    #[error(
        "price book {book}: two rates for {meter} ({first}; {second}) fit the same line equally well; make one more specific"
    )]
    Ambiguous {
        /// The book.
        book: String,
        /// The meter both are for.
        meter: Meter,
        /// One selector.
        first: String,
        /// The other.
        second: String,
    },
    /// The unit is of another meter.
    #[error("price book {book}: {meter} is not sold by {unit}")]
    Unit {
        /// The book.
        book: String,
        /// The meter priced.
        meter: Meter,
        /// The unit given.
        unit: PriceUnit,
    },
    /// The price is negative, too large or too fine.
    #[error("price book {book}: price {price} of {meter} is not within 0..10^9 yuan with at most 4 places")]
    Price {
        /// The book.
        book: String,
        /// The meter priced.
        meter: Meter,
        /// The price given.
        price: Decimal,
    },
}

impl PriceBook {
    /// Checks that every rate makes sense and that no line could fit two rates equally well.
    pub fn validate(&self) -> Result<(), PriceError> {
        let book = || self.id.clone();
        for (index, rate) in self.rates.iter().enumerate() {
            let (meter, price) = (rate.meter, rate.price);
            if rate.unit.size(meter).is_none() {
                return Err(PriceError::Unit { book: book(), meter, unit: rate.unit });
            }
            let sane = price >= Decimal::ZERO && price < Decimal::from(1_000_000_000_u64);
            if !sane || price.normalize().scale() > 4 {
                return Err(PriceError::Price { book: book(), meter, price });
            }
            for other in self.rates.iter().skip(index + 1).filter(|other| other.meter == meter) {
                let (first, second) = (&rate.dimensions, &other.dimensions);
                if first.specificity() == second.specificity() && first.compatible(second) {
                    let (first, second) = (first.to_string(), second.to_string());
                    return Err(PriceError::Ambiguous { book: book(), meter, first, second });
                }
            }
        }
        Ok(())
    }

    /// The most specific rate for a line of `meter` with `fact`; none if the book has no price for it.
    pub fn rate(&self, meter: Meter, fact: &Dimensions) -> Result<Option<&Rate>, PriceError> {
        let mut best: Option<&Rate> = None;
        for rate in self.rates.iter().filter(|rate| rate.meter == meter && rate.dimensions.matches(fact)) {
            match best {
                Some(other) if other.dimensions.specificity() == rate.dimensions.specificity() => {
                    let (first, second) = (other.dimensions.to_string(), rate.dimensions.to_string());
                    return Err(PriceError::Ambiguous { book: self.id.clone(), meter, first, second });
                }
                Some(other) if other.dimensions.specificity() > rate.dimensions.specificity() => {}
                _ => best = Some(rate),
            }
        }
        Ok(best)
    }
}
