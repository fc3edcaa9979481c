//! Requests that were not allowed: recorded, but so few of each user's that nobody fills the disk with them.

use jiff::Timestamp;

use crate::trail::Few;

/// The most of one user in a minute.
const OF_ONE: u32 = 10;

/// The most of all users in that time: with 1 KB each, some 170 MB a day if somebody with many names tries all day.
const OF_ALL: u32 = 120;

/// Who was recorded of late.
#[derive(Debug)]
pub struct Forbidden(Few<String>);

impl Default for Forbidden {
    fn default() -> Self {
        Self(Few::new(OF_ONE, OF_ALL))
    }
}

impl Forbidden {
    /// Whether what `user` may not do is to be recorded `now`; then, how many of anybody's were left out since the last one.
    pub fn tells(&self, user: &str, now: Timestamp) -> Option<u64> {
        self.0.tells(user.to_owned(), now)
    }

    /// The record that was to say `left_out` was not written: the next one says it.
    pub fn not_told(&self, left_out: u64) {
        self.0.not_told(left_out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_user_is_recorded_some_times_a_minute_and_the_rest_is_counted() {
        let forbidden = Forbidden::default();
        let told = (0..100).filter(|_| forbidden.tells("wang", at(0)).is_some()).count();
        assert_eq!(told, usize::try_from(OF_ONE).unwrap());
        assert_eq!(forbidden.tells("li", at(59)), Some(90));
        assert_eq!(forbidden.tells("wang", at(59)), None);
        assert_eq!(forbidden.tells("wang", at(60)), Some(1));
        forbidden.not_told(1);
        assert_eq!(forbidden.tells("wang", at(61)), Some(1));
    }

    #[test]
    fn many_users_do_not_fill_the_disk() {
        let forbidden = Forbidden::default();
        let told = (0..10_000).filter(|number| forbidden.tells(&format!("user-{number}"), at(0)).is_some()).count();
        assert_eq!(told, usize::try_from(OF_ALL).unwrap());
        assert_eq!(forbidden.tells("wang", at(60)), Some(10_000 - u64::from(OF_ALL)));
    }
}
