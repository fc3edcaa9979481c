//! Requests a second, caller by caller, in bounded memory.

use std::{
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use governor::{Quota, RateLimiter, clock::Clock, middleware::NoOpMiddleware, state::keyed::HashMapStateStore};

use tokio::time::Instant;

use super::asker::Asker;

/// The most callers remembered, some 100 bytes each. One is forgotten once its burst is whole again, after 3 s with the
/// usual bounds; so many at once are no callers but an attack.
const MAX_ASKERS: usize = 65_536;

/// How often, at most, all are gone through for those who can be forgotten: it takes a millisecond or so, in which
/// nobody else is counted.
const SWEEP: Duration = Duration::from_secs(1);

/// The runtime's clock, which tests can turn.
#[derive(Clone, Copy, Debug)]
struct RuntimeClock;

impl Clock for RuntimeClock {
    type Instant = std::time::Instant;

    fn now(&self) -> Self::Instant {
        Instant::now().into_std()
    }
}

type Limiter = RateLimiter<Asker, HashMapStateStore<Asker>, RuntimeClock, NoOpMiddleware<std::time::Instant>>;

/// See the module.
#[derive(Debug)]
pub struct Rate {
    limiter: Limiter,
    most: usize,
    swept: Mutex<Option<Instant>>,
}

impl Rate {
    /// `rate` requests a second in the long run, `burst` at once after a pause; none if `rate` is 0.
    pub fn new(rate: u32, burst: u32) -> Option<Self> {
        let quota = Quota::per_second(NonZeroU32::new(rate)?).allow_burst(NonZeroU32::new(burst)?);
        Some(Self {
            limiter: RateLimiter::hashmap_with_clock(quota, RuntimeClock),
            most: MAX_ASKERS,
            swept: Mutex::default(),
        })
    }

    /// Counts a request of `asker`; or says how long to wait for the next one to be let in.
    pub fn check(&self, asker: Asker) -> Result<(), Duration> {
        let asker = if self.has_room() { asker } else { asker.folded() };
        self.limiter.check_key(&asker).map_err(|refused| refused.wait_time_from(RuntimeClock.now()))
    }

    /// Whether one more can be remembered, after those were forgotten who need not be remembered any longer.
    fn has_room(&self) -> bool {
        if self.limiter.len() < self.most {
            return true;
        }
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if swept.is_none_or(|before| now.duration_since(before) >= SWEEP) {
            *swept = Some(now);
            self.limiter.retain_recent();
        }
        self.limiter.len() < self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(number: u32) -> Asker {
        Asker::at(std::net::Ipv4Addr::from_bits(number).into())
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_let_in_and_then_the_rate() {
        let rate = Rate::new(2, 3).unwrap();
        for _ in 0..3 {
            rate.check(asker(1)).unwrap();
        }
        assert_eq!(rate.check(asker(1)).unwrap_err(), Duration::from_millis(500));
        rate.check(asker(2)).unwrap();
        tokio::time::advance(Duration::from_millis(500)).await;
        rate.check(asker(1)).unwrap();
        rate.check(asker(1)).unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_come_memory_is_bounded_and_they_are_bounded_too() {
        let rate = Rate { most: 100, ..Rate::new(1, 1).unwrap() };
        let let_in = (0..100_000).filter(|number| rate.check(asker(*number)).is_ok()).count();
        assert!(rate.limiter.len() <= 100 + 4096, "{}", rate.limiter.len());
        assert!(let_in <= 100 + 4096, "{let_in}");
        tokio::time::advance(Duration::from_secs(2)).await;
        rate.check(asker(1)).unwrap();
        assert_eq!(rate.limiter.len(), 1, "whose burst is whole again is forgotten");
    }
}
