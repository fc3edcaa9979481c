//! The figure `hostile_successes`: one count of all that these tests try, and of what succeeded.

use std::{
    cell::Cell,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiyun_lab::wait_for;
use jiyun_tests::{World, WorldError};

/// Tests that count here.
const TESTS: usize = 11;

/// What all of them try at the least.
const AT_LEAST: usize = 9_000;

/// How long the others may take once this one has begun.
const PATIENCE: Duration = Duration::from_mins(5);

struct Count {
    attempts: usize,
    successes: Vec<String>,
    begun: usize,
    under_way: usize,
}

static COUNT: Mutex<Count> = Mutex::new(Count { attempts: 0, successes: Vec::new(), begun: 0, under_way: 0 });

fn count() -> MutexGuard<'static, Count> {
    // A test that fails may have been counting: the figures are whole all the same.
    COUNT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one test tries. It is under way until this is dropped, however the test ends.
pub struct Attempts {
    made: Cell<usize>,
    succeeded: Cell<usize>,
}

impl Attempts {
    pub fn begin() -> Self {
        let mut count = count();
        count.begun += 1;
        count.under_way += 1;
        Self { made: Cell::new(0), succeeded: Cell::new(0) }
    }

    /// One attempt, which was refused or was not; `what` tells of one that was not.
    pub fn refused(&self, refused: bool, what: impl FnOnce() -> String) {
        self.made.set(self.made.get() + 1);
        let mut count = count();
        count.attempts += 1;
        if !refused {
            self.succeeded.set(self.succeeded.get() + 1);
            count.successes.push(what());
        }
    }

    /// The test's own end: so many were made at the least, and none succeeded.
    pub fn over(self, at_least: usize) {
        let (made, succeeded) = (self.made.get(), self.succeeded.get());
        assert!(succeeded == 0, "{succeeded} of {made} attempts succeeded; of all there are: {:#?}", count().successes);
        assert!(made >= at_least, "{made} attempts, fewer than {at_least}: not everything was tried");
    }
}

impl Drop for Attempts {
    fn drop(&mut self) {
        count().under_way -= 1;
    }
}

#[tokio::test]
async fn hostile_successes_are_none() -> Result<(), WorldError> {
    World::shared().await?;
    // Tests begin in the order of their names, and this one's is the last here: the others are over or under way. Where
    // some were left out or came in another order, the figure is of those that were not.
    wait_for("the other attacks to be over", PATIENCE, || async {
        let under_way = count().under_way;
        if under_way == 0 { Ok(()) } else { Err(format!("{under_way} are under way")) }
    })
    .await?;
    let figure = count();
    println!("hostile_successes {} of {} attempts", figure.successes.len(), figure.attempts);
    assert!(figure.successes.is_empty(), "{:#?}", figure.successes);
    let whole = figure.begun >= TESTS;
    assert!(!whole || figure.attempts >= AT_LEAST, "{} attempts, fewer than {AT_LEAST}", figure.attempts);
    Ok(())
}
