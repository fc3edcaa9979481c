//! The moments that wishes are written with.

use jiff::{SignedDuration, Timestamp};
use jiyun_crds::v1alpha1::DateTime;

/// The next whole second: what happened in the same second as `moment` would not be older than that second.
pub(super) fn just_after(moment: Timestamp) -> DateTime {
    DateTime::from(moment.checked_add(SignedDuration::from_secs(1)).unwrap_or(moment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_started_up_to_now_is_older_and_what_is_started_a_second_later_is_not() {
        for now in ["2026-03-01T08:00:00Z", "2026-03-01T08:00:00.000000001Z", "2026-03-01T08:00:00.999999999Z"] {
            assert_eq!(just_after(now.parse().unwrap()).as_str(), "2026-03-01T08:00:01Z", "{now}");
        }
        assert_eq!(just_after(Timestamp::MAX).timestamp().unwrap().as_second(), Timestamp::MAX.as_second());
    }
}
