//! Fault points: every change a program asks a server for, counted while it runs, and the one it is to die at.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// One change, told apart from others by what it is and how often that was asked for before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// Method and address, or what an entry of the book records.
    pub what: String,
    /// From 1.
    pub nth: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} #{}", self.what, self.nth)
    }
}

/// On which side of a change a program dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// It has asked, and the server was not reached.
    Before,
    /// The server has done it, and the answer was not heard.
    After,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Before, Self::After];
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before",
            Self::After => "after",
        })
    }
}

/// A death.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cut {
    /// Where.
    pub point: Point,
    /// On which side of it.
    pub side: Side,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.side, self.point)
    }
}

#[derive(Debug, Default)]
struct Seen {
    points: Vec<Point>,
    counts: HashMap<String, usize>,
    cut: Option<Cut>,
    /// A name of this run alone.
    own: Option<String>,
}

/// Counts, and says when the cut is reached.
#[derive(Debug)]
pub struct Trace {
    seen: Mutex<Seen>,
    reached: watch::Sender<bool>,
    let_go: watch::Sender<bool>,
}

impl Default for Trace {
    fn default() -> Self {
        Self { seen: Mutex::default(), reached: watch::Sender::new(false), let_go: watch::Sender::new(false) }
    }
}

impl Trace {
    /// Begins to count anew, with a death or without.
    pub fn begin(&self, cut: Option<Cut>) {
        *self.lock() = Seen { cut, ..Seen::default() };
        self.reached.send_replace(false);
        self.let_go.send_replace(false);
    }

    /// This name is another in every run: it is told as `*`.
    pub fn ignore(&self, name: &str) {
        self.lock().own = Some(name.to_owned());
    }

    /// Lets go what was held at the cut: it goes on its way, whoever sent it.
    pub fn let_go(&self) {
        self.let_go.send_replace(true);
    }

    /// What was asked for since the beginning, in the order it was asked.
    pub fn points(&self) -> Vec<Point> {
        self.lock().points.clone()
    }

    /// Whether the cut was reached.
    pub fn is_reached(&self) -> bool {
        *self.reached.borrow()
    }

    /// Waits for the cut.
    pub async fn reached(&self) {
        let mut reached = self.reached.subscribe();
        // The sender lives as long as `self`.
        let _ = reached.wait_for(|reached| *reached).await;
    }

    /// Counts a change that is asked for.
    pub fn count(&self, what: &str) -> Point {
        let mut seen = self.lock();
        let what = seen.own.as_ref().map_or_else(|| what.to_owned(), |own| what.replace(own, "*"));
        let nth = seen.counts.entry(what.clone()).or_default();
        *nth += 1;
        let point = Point { what, nth: *nth };
        seen.points.push(point.clone());
        point
    }

    /// Takes back what was counted: the server refused, so there was no change. The next try is the same change again.
    pub fn discount(&self, point: &Point) {
        let mut seen = self.lock();
        seen.points.retain(|counted| counted != point);
        if let Some(count) = seen.counts.get_mut(&point.what) {
            *count = count.saturating_sub(1);
        }
    }

    /// Passes one side of a change. At the cut it is held until it is let go: whoever asked is killed or frozen now.
    pub async fn pass(&self, point: &Point, side: Side) {
        let here = self.lock().cut.as_ref().is_some_and(|cut| cut.point == *point && cut.side == side);
        if here {
            self.reached.send_replace(true);
            let _ = self.let_go.subscribe().wait_for(|let_go| *let_go).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn the_same_change_is_told_apart_by_its_number_and_only_the_cut_holds() {
        let trace = Trace::default();
        let second = Point { what: "PATCH a".to_owned(), nth: 2 };
        trace.begin(Some(Cut { point: second.clone(), side: Side::After }));
        for _ in 0..2 {
            let point = trace.count("PATCH a");
            assert!(trace.pass(&point, Side::Before).now_or_never().is_some());
            assert_eq!(trace.pass(&point, Side::After).now_or_never().is_none(), point == second);
        }
        assert!(trace.is_reached());
        trace.begin(None);
        assert!(!trace.is_reached() && trace.points().is_empty());
        trace.ignore("unit-7");
        assert_eq!(trace.count("PATCH unit-7").what, "PATCH *");
    }

    #[test]
    fn a_change_that_was_refused_is_none_and_the_next_try_has_its_number() {
        let trace = Trace::default();
        let first = trace.count("PATCH a");
        trace.discount(&first);
        assert!(trace.points().is_empty());
        assert_eq!(trace.count("PATCH a"), first);
    }
}
