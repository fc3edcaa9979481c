//! Numbers for what lines are of: a meter, a pool and its facts. The counters of accounts are kept by them.
//!
//! A number is given when such a line is counted first. It is good within one state and its clones, says nothing of
//! order, and is never written: whatever leaves the state tells meter and facts.

use std::sync::Arc;

use super::super::{
    claim::Line,
    dimensions::{Dimensions, Facts},
    meter::Meter,
};

/// The number of a meter with its facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind(usize);

#[derive(Clone, Debug, Default)]
struct Table {
    /// What each number stands for; the pool is always named.
    facts: Vec<(Meter, Dimensions)>,
    /// The numbers in the order of what they stand for.
    sorted: Vec<Kind>,
}

impl Table {
    fn facts(&self, kind: Kind) -> Option<(Meter, Facts<'_>)> {
        let (meter, dimensions) = self.facts.get(kind.0)?;
        Some((*meter, Facts::new(dimensions.pool.as_ref()?, dimensions)))
    }

    /// The place of such a line among the sorted, or where it belongs.
    fn find(&self, line: &Line) -> Result<usize, usize> {
        let wanted = Some((line.meter, line.facts()));
        self.sorted.binary_search_by(|kind| self.facts(*kind).cmp(&wanted))
    }
}

/// All numbers given so far. Clones share them until one gives another.
#[derive(Clone, Debug, Default)]
pub(super) struct Kinds(Arc<Table>);

impl Kinds {
    /// The number of lines like this one, given now if there is none yet.
    pub(super) fn of(&mut self, line: &Line) -> Kind {
        let place = match self.0.find(line) {
            Ok(place) => place,
            Err(place) => {
                let table = Arc::make_mut(&mut self.0);
                table.sorted.insert(place, Kind(table.facts.len()));
                table.facts.push((line.meter, line.fact()));
                place
            }
        };
        self.0.sorted.get(place).copied().unwrap_or(Kind(usize::MAX))
    }

    /// What a number stands for.
    pub(super) fn fact(&self, kind: Kind) -> Option<&(Meter, Dimensions)> {
        self.0.facts.get(kind.0)
    }

    /// Whether `selector` matches lines of this kind.
    pub(super) fn selected(&self, kind: Kind, selector: &Dimensions) -> bool {
        self.0.facts(kind).is_some_and(|(_, facts)| selector.select(facts))
    }
}
