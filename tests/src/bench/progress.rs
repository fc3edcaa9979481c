//! What a person waiting for long work sees, on standard error.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

/// Between two lines about the same work.
const EVERY: Duration = Duration::from_secs(5);

/// Says something, with the time since the first thing said.
pub fn say(text: &str) {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let seconds = FIRST.get_or_init(Instant::now).elapsed().as_secs();
    eprintln!("{:3}:{:02} {text}", seconds / 60, seconds % 60);
}

/// Work that is counted while it goes on.
#[derive(Debug)]
pub struct Counted {
    what: String,
    total: usize,
    said: Instant,
}

impl Counted {
    /// Work of `total` pieces.
    pub fn new(what: impl Into<String>, total: usize) -> Self {
        Self { what: what.into(), total, said: Instant::now() }
    }

    /// Says how far it is, if that was not said a moment ago.
    pub fn at(&mut self, done: usize) {
        if self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            say(&format!("{}: {done} of {}", self.what, self.total));
        }
    }
}
