//! Numbers that look like chance and are the same for the same seed.

use std::time::{SystemTime, UNIX_EPOCH};

/// Says which moments to choose again: the seed a failure has shown.
const VARIABLE: &str = "JIYUN_TEST_SEED";

/// A generator (`splitmix64`, Steele, Lea, Flood 2014): short, and good enough to choose moments.
#[derive(Clone, Debug)]
pub struct Dice {
    /// What it started from.
    pub seed: u64,
    state: u64,
}

impl Dice {
    /// From the environment's seed, or from the clock.
    pub fn thrown() -> Self {
        let given = std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok());
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos().into());
        let seed = given.unwrap_or_else(clock);
        Self { seed, state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 on, below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

/// How to tell the story again as it was told.
impl std::fmt::Display for Dice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{VARIABLE}={}", self.seed)
    }
}
