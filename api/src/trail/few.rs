//! Of what anybody can cause as often as they like, few are recorded and the rest is counted: nobody fills the disk.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

/// The time in which so many are recorded.
const WINDOW: SignedDuration = SignedDuration::from_mins(1);

/// How many are recorded in a minute, by whose they are.
#[derive(Debug)]
pub struct Few<K> {
    of_one: u32,
    of_all: u32,
    window: Mutex<Window<K>>,
}

#[derive(Debug)]
struct Window<K> {
    began: Option<Timestamp>,
    told: BTreeMap<K, u32>,
    all: u32,
    left_out: u64,
}

impl<K: Ord> Few<K> {
    /// At most so many of one, and of all, in a minute.
    pub const fn new(of_one: u32, of_all: u32) -> Self {
        let window = Window { began: None, told: BTreeMap::new(), all: 0, left_out: 0 };
        Self { of_one, of_all, window: Mutex::new(window) }
    }

    /// Whether one of `whose` is to be recorded `now`; then, how many of anybody's were left out since the last one.
    pub fn tells(&self, whose: K, now: Timestamp) -> Option<u64> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was put back begins a new one, too.
        if window.began.is_none_or(|began| now < began || now.duration_since(began) >= WINDOW) {
            *window = Window { began: Some(now), told: BTreeMap::new(), all: 0, left_out: window.left_out };
        }
        if window.all >= self.of_all || window.told.get(&whose).is_some_and(|told| *told >= self.of_one) {
            window.left_out = window.left_out.saturating_add(1);
            return None;
        }
        window.all += 1;
        *window.told.entry(whose).or_default() += 1;
        Some(std::mem::take(&mut window.left_out))
    }

    /// The record that was to say `left_out` was not written: the next one says it.
    pub fn not_told(&self, left_out: u64) {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.left_out = window.left_out.saturating_add(left_out);
    }
}
