//! How fast simulators go.

use std::time::Duration;

/// Percent of the time an engine usually takes: 0 is instantly, 100 as the engine, 10 ten times as fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace(u32);

impl Pace {
    /// Every transition at once, intermediate states left out: one write per object.
    pub const INSTANT: Self = Self(0);
    /// As the engine.
    pub const NATURAL: Self = Self(100);

    /// A pace in percent of the engine's usual time.
    pub const fn percent(percent: u32) -> Self {
        Self(percent)
    }

    /// Whether intermediate states are left out.
    pub const fn is_instant(self) -> bool {
        self.0 == 0
    }

    /// The time a transition takes that usually takes `natural`.
    pub fn of(self, natural: Duration) -> Duration {
        natural * self.0 / 100
    }

    /// The time it takes under the fault `slow`: ten times as long, and never less than the engine's usual time.
    pub fn slow(self, natural: Duration) -> Duration {
        (self.of(natural) * 10).max(natural)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_engine_takes_time_even_in_an_instant_lab() {
        let second = Duration::from_secs(1);
        assert_eq!(Pace::INSTANT.of(second), Duration::ZERO);
        assert_eq!(Pace::INSTANT.slow(second), second);
        assert_eq!(Pace::NATURAL.slow(second), second * 10);
        assert_eq!(Pace::percent(10).of(second), Duration::from_millis(100));
    }
}
