//! Tokens nobody accepts: recorded, but so few of them that no stranger fills the disk.

use std::net::{IpAddr, Ipv6Addr};

use jiff::Timestamp;

use super::few::Few;

/// The most addresses recorded in a minute, once each: with 400 bytes each, some 35 MB a day if somebody tries all day.
const MOST: u32 = 60;

/// Who was recorded of late.
#[derive(Debug)]
pub struct Strangers(Few<Option<IpAddr>>);

impl Default for Strangers {
    fn default() -> Self {
        Self(Few::new(1, MOST))
    }
}

impl Strangers {
    /// Whether somebody's failure at `source` is to be recorded `now`; then, how many were left out since the last one.
    pub fn tells(&self, source: Option<IpAddr>, now: Timestamp) -> Option<u64> {
        self.0.tells(source.map(network), now)
    }
}

/// The address; of IPv6 the network (64 bits), since the rest is each machine's own choice.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_address_is_recorded_once_a_minute_and_the_rest_is_counted() {
        let strangers = Strangers::default();
        let (one, other) = (Some("10.0.0.1".parse().unwrap()), Some("2001:db8::1".parse().unwrap()));
        assert_eq!(strangers.tells(one, at(0)), Some(0));
        assert_eq!(strangers.tells(one, at(1)), None);
        assert_eq!(strangers.tells(one, at(59)), None);
        assert_eq!(strangers.tells(other, at(59)), Some(2));
        assert_eq!(strangers.tells(Some("2001:db8::ffff".parse().unwrap()), at(59)), None, "of the same network");
        assert_eq!(strangers.tells(one, at(60)), Some(1));
    }

    #[test]
    fn many_addresses_do_not_fill_the_disk() {
        let strangers = Strangers::default();
        let told =
            (0..10_000_u32).filter(|number| strangers.tells(Some(IpAddr::from(number.to_be_bytes())), at(0)).is_some());
        assert_eq!(told.count(), usize::try_from(MOST).unwrap());
        assert_eq!(strangers.tells(None, at(60)), Some(10_000 - 60));
    }
}
