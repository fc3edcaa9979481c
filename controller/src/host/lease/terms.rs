//! How long each step of a lease takes: settings of the platform, with defaults that are no more than that.

use clap::Args;
use jiff::SignedDuration;

/// The longest period there can be: ten years.
const LONGEST_DAYS: i64 = 3653;

/// Periods of leases. A lease that has ended keeps the times it was promised then.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Terms {
    /// How long before the end of a lease (租期), and before the release of what is archived, people are told, each once:
    /// periods such as 30d, 12h, 10m or 90s, comma-separated.
    #[arg(
        id = "lease_warnings",
        long = "lease-warnings",
        env = "JIYUN_LEASE_WARNINGS",
        default_value = "30d,7d,1d",
        value_delimiter = ',',
        value_name = "PERIODS",
        value_parser = period
    )]
    pub warnings: Vec<SignedDuration>,

    /// How long a host whose lease has ended is kept switched off before its machine is taken down.
    #[arg(
        id = "lease_grace",
        long = "lease-grace",
        env = "JIYUN_LEASE_GRACE",
        default_value = "7d",
        value_name = "PERIOD",
        value_parser = period
    )]
    pub grace: SignedDuration,

    /// How long the disk of such a host is kept after that. One that is protected from deletion is kept as long as it is.
    #[arg(
        id = "lease_kept",
        long = "lease-kept",
        env = "JIYUN_LEASE_KEPT",
        default_value = "30d",
        value_name = "PERIOD",
        value_parser = period
    )]
    pub kept: SignedDuration,
}

impl Terms {
    /// How long before its end a lease is told of first.
    pub fn first_warning(&self) -> SignedDuration {
        self.warnings.iter().copied().max().unwrap_or_default()
    }
}

/// Reads a period: a whole number above zero and its unit, `d`, `h`, `m` or `s`.
fn period(text: &str) -> Result<SignedDuration, String> {
    let what = || format!("{text:?} is no period; write a whole number and a unit, as in 30d, 12h, 10m or 90s");
    let (at, unit) = text.char_indices().next_back().ok_or_else(what)?;
    let seconds: i64 = match unit {
        'd' => 86_400,
        'h' => 3600,
        'm' => 60,
        's' => 1,
        _ => return Err(what()),
    };
    let digits = text.get(..at).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())).ok_or_else(what)?;
    let seconds = digits.parse::<i64>().ok().and_then(|number| number.checked_mul(seconds)).ok_or_else(what)?;
    if !(1..=LONGEST_DAYS * 86_400).contains(&seconds) {
        return Err(format!("{text:?} is too short or too long; from 1s to {LONGEST_DAYS}d"));
    }
    Ok(SignedDuration::from_secs(seconds))
}

/// The periods of a platform that sets none.
#[cfg(test)]
pub fn defaults() -> Terms {
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    Terms { warnings: vec![days(30), days(7), days(1)], grace: days(7), kept: days(30) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_has_a_number_and_a_unit_and_is_neither_nothing_nor_for_ever() {
        for (text, seconds) in [("30d", 2_592_000), ("12h", 43_200), ("10m", 600), ("90s", 90), ("3653d", 315_619_200)]
        {
            assert_eq!(period(text), Ok(SignedDuration::from_secs(seconds)), "{text}");
        }
        for text in ["", "d", "30", "-1d", "+1d", "1.5h", "0s", "3654d", "99999999999999999999s", "1w", "一d", "1 d"] {
            assert!(period(text).is_err(), "{text}");
        }
    }
}
