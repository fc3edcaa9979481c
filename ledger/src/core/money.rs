//! Exact money: one division, rounded once, half up to the fen (分).

use rust_decimal::Decimal;

use super::{meter::Meter, price::PriceUnit};

/// An amount that has no exact value here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The unit is of another meter, or the month has no length.
    #[error("{meter} cannot be priced by {unit} over {month_seconds} seconds")]
    Unit {
        /// The meter priced.
        meter: Meter,
        /// The unit of the price.
        unit: PriceUnit,
        /// The length of the month.
        month_seconds: i128,
    },
    /// The amount is beyond 128 bits or beyond what a decimal holds.
    #[error("amount of {unit_seconds} unit-seconds of {meter} at {price} is too large to hold")]
    TooLarge {
        /// The meter priced.
        meter: Meter,
        /// Quantity times seconds.
        unit_seconds: i128,
        /// The price.
        price: Decimal,
    },
}

/// `unit_seconds` of `meter` at `price` per `unit`, in yuan with two places, in a month of `month_seconds`.
///
/// amount = `unit_seconds` x price / (unit size x seconds of the month), computed in integers of fen and rounded half
/// up once. Neither `unit_seconds` nor `price` is negative.
pub fn fen(
    meter: Meter,
    unit_seconds: i128,
    price: Decimal,
    unit: PriceUnit,
    month_seconds: i128,
) -> Result<Decimal, MoneyError> {
    let size = unit.size(meter).filter(|_| month_seconds > 0).ok_or(MoneyError::Unit { meter, unit, month_seconds })?;
    let too_large = || MoneyError::TooLarge { meter, unit_seconds, price };
    let price = price.normalize();
    let scale = 10_i128.checked_pow(price.scale()).ok_or_else(too_large)?;
    let numerator =
        unit_seconds.checked_mul(price.mantissa()).and_then(|n| n.checked_mul(100)).ok_or_else(too_large)?;
    let denominator =
        i128::from(size).checked_mul(month_seconds).and_then(|d| d.checked_mul(scale)).ok_or_else(too_large)?;
    // Half up of a non-negative quotient: floor((2n + d) / 2d).
    let doubled = numerator.checked_mul(2).and_then(|n| n.checked_add(denominator)).ok_or_else(too_large)?;
    let fen = doubled / denominator.checked_mul(2).ok_or_else(too_large)?;
    Decimal::try_from_i128_with_scale(fen, 2).map_err(|_| too_large())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dec(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn half_a_fen_is_rounded_up_and_less_is_not() {
        // 0.01 yuan per core-month over half of a 30-day month is exactly half a fen.
        let month = 2_592_000;
        assert_eq!(fen(Meter::Vcpu, month / 2, dec("0.01"), PriceUnit::CoreMonth, month), Ok(dec("0.01")));
        assert_eq!(fen(Meter::Vcpu, month / 2 - 1, dec("0.01"), PriceUnit::CoreMonth, month), Ok(dec("0.00")));
    }

    #[test]
    fn a_unit_of_another_meter_is_an_error() {
        let error = fen(Meter::Vcpu, 1, dec("1"), PriceUnit::GiBMonth, 2_592_000).unwrap_err();
        assert!(matches!(error, MoneyError::Unit { .. }));
    }

    #[test]
    fn an_amount_beyond_128_bits_is_an_error_not_a_wrong_sum() {
        let error = fen(Meter::Vcpu, i128::MAX / 10, dec("45"), PriceUnit::CoreMonth, 2_592_000).unwrap_err();
        assert!(matches!(error, MoneyError::TooLarge { .. }));
    }
}
