//! How large segments get and how long they are kept.

use jiff::SignedDuration;

use crate::core::verify::SHORTEST_RETENTION;

/// A segment is closed when it is larger than this, in bytes: what is read at a start stays below it and a batch.
pub const DEFAULT_SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// How long records are kept. Never shorter than 180 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention(SignedDuration);

/// A retention below what the law asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("records must be kept for at least 180 days, and {days} were asked for")]
pub struct RetentionError {
    days: u32,
}

impl Retention {
    /// So many days, from 180 on.
    pub fn days(days: u32) -> Result<Self, RetentionError> {
        let duration = SignedDuration::from_hours(24 * i64::from(days));
        if duration < SHORTEST_RETENTION { Err(RetentionError { days }) } else { Ok(Self(duration)) }
    }

    /// As a duration.
    pub const fn duration(self) -> SignedDuration {
        self.0
    }
}

impl Default for Retention {
    /// 180 days.
    fn default() -> Self {
        Self(SHORTEST_RETENTION)
    }
}

impl std::str::FromStr for Retention {
    type Err = RetentionTextError;

    /// A number of days.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::days(text.parse()?)?)
    }
}

/// A text that is no retention.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RetentionTextError {
    /// No number.
    #[error("a number of days is expected, from 180 on")]
    Number(#[from] std::num::ParseIntError),
    /// Too short.
    #[error(transparent)]
    Short(#[from] RetentionError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_than_180_days_are_refused() {
        assert_eq!(Retention::days(179), Err(RetentionError { days: 179 }));
        assert_eq!(Retention::days(180), Ok(Retention::default()));
        assert!("400".parse::<Retention>().is_ok());
        assert!("30".parse::<Retention>().unwrap_err().to_string().contains("180"));
    }
}
