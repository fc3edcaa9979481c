//! Kubernetes quantities (`4`, `500m`, `8Gi`) and their exact, whole-number readings for the account book.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Bytes of one mebibyte (MiB), the account book's unit of memory and storage.
const MEBIBYTE: u128 = 1 << 20;

/// An amount in Kubernetes' notation: decimal number with an optional suffix (`Ki Mi Gi Ti Pi Ei`, `n u m k M G T P E`
/// or an exponent such as `3e6`).
///
/// Kept as written, so that an object that holds nonsense can still be read and reported on; [`Quantity::whole`] and
/// [`Quantity::mebibytes`] are the readings the books use. What people wrote is never rounded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quantity(String);

/// Why a quantity has no whole-number reading.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuantity {
    /// Not in the notation of Kubernetes quantities.
    #[error("quantity {0:?} is not a number with an optional suffix such as Mi, Gi or Ti")]
    Syntax(String),
    /// Below zero.
    #[error("quantity {0:?} is negative; amounts start at 0")]
    Negative(String),
    /// A fraction where only whole units are counted.
    #[error("quantity {value:?} is not a whole number of {unit}; write a multiple of 1 {unit}")]
    Fraction {
        /// The quantity as written.
        value: String,
        /// The unit of which only whole numbers are counted.
        unit: &'static str,
    },
    /// More than any data centre has.
    #[error("quantity {0:?} is too large; amounts end below 2^64 units")]
    TooLarge(String),
}

impl Quantity {
    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A plain count, e.g. of vCPUs or hosts: `from_whole(4)` is `4`.
    pub fn from_whole(count: u64) -> Self {
        Self(count.to_string())
    }

    /// An amount of memory or storage, in the largest unit that keeps it whole: `from_mebibytes(8192)` is `8Gi`.
    pub fn from_mebibytes(mebibytes: u64) -> Self {
        let (mut amount, mut suffix) = (mebibytes, "Mi");
        for larger in ["Gi", "Ti", "Pi", "Ei"] {
            if amount == 0 || !amount.is_multiple_of(1024) {
                break;
            }
            (amount, suffix) = (amount / 1024, larger);
        }
        if amount == 0 { Self::default() } else { Self(format!("{amount}{suffix}")) }
    }

    /// Reads a count of whole things: vCPUs or hosts. `4` and `4000m` are 4; `500m` is an error.
    pub fn whole(&self) -> Result<u64, InvalidQuantity> {
        self.in_units_of(1, "1")
    }

    /// Reads an amount of memory or storage in whole MiB (2^20 bytes). `8Gi` is 8192; `8G` is an error, since
    /// 8 × 10^9 bytes are not a whole number of MiB.
    pub fn mebibytes(&self) -> Result<u64, InvalidQuantity> {
        self.in_units_of(MEBIBYTE, "Mi")
    }

    /// The whole things in an amount that a machine reported: `7910m` are 7. What is left over cannot be given out.
    ///
    /// # Errors
    /// When it is no amount.
    pub fn whole_down(&self) -> Result<u64, InvalidQuantity> {
        self.divided(1).map(|(whole, _)| whole)
    }

    /// The whole MiB in an amount that a machine reported: `16384Ki` are 16, `1100Ki` is 1.
    ///
    /// # Errors
    /// When it is no amount.
    pub fn mebibytes_down(&self) -> Result<u64, InvalidQuantity> {
        self.divided(MEBIBYTE).map(|(whole, _)| whole)
    }

    fn in_units_of(&self, unit: u128, name: &'static str) -> Result<u64, InvalidQuantity> {
        match self.divided(unit)? {
            (whole, 0) => Ok(whole),
            _ => Err(InvalidQuantity::Fraction { value: self.0.clone(), unit: name }),
        }
    }

    /// How many whole units, and what is left over (in no particular unit; 0 if nothing is).
    fn divided(&self, unit: u128) -> Result<(u64, u128), InvalidQuantity> {
        let syntax = || InvalidQuantity::Syntax(self.0.clone());
        let too_large = || InvalidQuantity::TooLarge(self.0.clone());
        let parts = Parts::of(&self.0).ok_or_else(syntax)?;
        if parts.negative && parts.digits != 0 {
            return Err(InvalidQuantity::Negative(self.0.clone()));
        }
        let numerator = parts.digits.checked_mul(parts.factor).ok_or_else(too_large)?;
        let divisor = parts.divisor.checked_mul(unit).ok_or_else(too_large)?;
        let whole = u64::try_from(numerator / divisor).map_err(|_| too_large())?;
        Ok((whole, numerator % divisor))
    }
}

/// A quantity as an exact fraction: `digits × factor / divisor`.
struct Parts {
    negative: bool,
    digits: u128,
    factor: u128,
    divisor: u128,
}

impl Parts {
    fn of(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at_checked(end)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return None;
        }
        let digits = format!("{whole}{fraction}").parse().ok()?;
        let places = u32::try_from(fraction.len()).ok()?;
        let (factor, suffix_divisor) = scale(suffix)?;
        Some(Self { negative, digits, factor, divisor: 10_u128.checked_pow(places)?.checked_mul(suffix_divisor)? })
    }
}

/// What a suffix multiplies and divides by.
fn scale(suffix: &str) -> Option<(u128, u128)> {
    let up = |power: u32| 10_u128.checked_pow(power).map(|factor| (factor, 1));
    let down = |power: u32| 10_u128.checked_pow(power).map(|divisor| (1, divisor));
    match suffix {
        "" => Some((1, 1)),
        "Ki" => Some((1 << 10, 1)),
        "Mi" => Some((1 << 20, 1)),
        "Gi" => Some((1 << 30, 1)),
        "Ti" => Some((1 << 40, 1)),
        "Pi" => Some((1 << 50, 1)),
        "Ei" => Some((1 << 60, 1)),
        "n" => down(9),
        "u" => down(6),
        "m" => down(3),
        "k" => up(3),
        "M" => up(6),
        "G" => up(9),
        "T" => up(12),
        "P" => up(15),
        "E" => up(18),
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            if power < 0 { down(power.unsigned_abs()) } else { up(power.unsigned_abs()) }
        }
    }
}

impl Default for Quantity {
    /// Zero.
    fn default() -> Self {
        Self("0".to_owned())
    }
}

impl From<&str> for Quantity {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for Quantity {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // 2^63 has 19 digits; more than 32 characters is no quantity. The range is each field's own rule.
        json_schema!({ "type": "string", "maxLength": 32 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mebibytes(text: &str) -> Result<u64, InvalidQuantity> {
        Quantity::from(text).mebibytes()
    }

    #[test]
    fn sizes_are_read_in_whole_mebibytes() {
        assert_eq!(mebibytes("0"), Ok(0));
        assert_eq!(mebibytes("8Gi"), Ok(8192));
        assert_eq!(mebibytes("1.5Gi"), Ok(1536));
        assert_eq!(mebibytes("4Ti"), Ok(4 << 20));
        assert_eq!(mebibytes("1048576"), Ok(1));
        assert_eq!(mebibytes("2Ei"), Ok(2 << 40));
    }

    #[test]
    fn what_a_machine_reports_is_rounded_down() {
        let whole = |text: &str| Quantity::from(text).whole_down().unwrap();
        let mebibytes = |text: &str| Quantity::from(text).mebibytes_down().unwrap();
        assert_eq!((whole("7910m"), whole("64"), whole("999m")), (7, 64, 0));
        assert_eq!(
            (mebibytes("16384Ki"), mebibytes("1100Ki"), mebibytes("16Gi"), mebibytes("1000000")),
            (16, 1, 16384, 0)
        );
        assert!(Quantity::from("-1").whole_down().is_err());
    }

    #[test]
    fn a_size_that_is_no_whole_mebibyte_is_refused_and_never_rounded() {
        for text in ["1", "8G", "1.0000001Gi", "1023Ki", "500m"] {
            assert!(matches!(mebibytes(text), Err(InvalidQuantity::Fraction { unit: "Mi", .. })), "{text}");
        }
    }

    #[test]
    fn counts_are_whole() {
        assert_eq!(Quantity::from("4").whole(), Ok(4));
        assert_eq!(Quantity::from("4000m").whole(), Ok(4));
        assert_eq!(Quantity::from("2k").whole(), Ok(2000));
        assert_eq!(Quantity::from("3e2").whole(), Ok(300));
        assert_eq!(Quantity::from("3E").whole(), Ok(3_000_000_000_000_000_000));
        assert_eq!(
            Quantity::from("500m").whole(),
            Err(InvalidQuantity::Fraction { value: "500m".to_owned(), unit: "1" })
        );
    }

    #[test]
    fn nonsense_is_an_error_and_not_a_panic() {
        for text in ["", ".", "Gi", "1..2", "1.2.3", "one", "1 Gi", "1GiB", "--1", "1e", "1e+", "１", "内存", "0x10"]
        {
            assert_eq!(mebibytes(text), Err(InvalidQuantity::Syntax(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn negative_and_huge_amounts_are_told_apart() {
        assert_eq!(mebibytes("-1Gi"), Err(InvalidQuantity::Negative("-1Gi".to_owned())));
        assert_eq!(mebibytes("-0"), Ok(0));
        let huge = format!("{}Ei", u64::MAX);
        assert_eq!(mebibytes(&huge), Err(InvalidQuantity::TooLarge(huge.clone())));
    }

    #[test]
    fn what_is_written_is_what_is_read_back() {
        for amount in [0, 1, 512, 1024, 1536, 8192, 1 << 20, 3 << 30, u64::from(u32::MAX)] {
            assert_eq!(Quantity::from_mebibytes(amount).mebibytes(), Ok(amount));
            assert_eq!(Quantity::from_whole(amount).whole(), Ok(amount));
        }
        assert_eq!(Quantity::from_mebibytes(8192).as_str(), "8Gi");
        assert_eq!(Quantity::from_mebibytes(1536).as_str(), "1536Mi");
    }
}
