//! Requests under way at the same time, caller by caller. Only who has one under way is remembered.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::asker::Asker;

type Counts = Arc<Mutex<HashMap<Asker, u32>>>;

/// See the module.
#[derive(Debug)]
pub struct UnderWay {
    most: u32,
    counts: Counts,
}

/// The place of one request; dropping it gives it back.
#[derive(Debug)]
pub struct Place {
    asker: Asker,
    counts: Counts,
}

impl UnderWay {
    /// At most `most` of each.
    pub fn new(most: u32) -> Self {
        Self { most, counts: Counts::default() }
    }

    /// A place for a request of `asker`; none if all of its places are taken.
    pub fn take(&self, asker: Asker) -> Option<Place> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = counts.get(&asker).copied().unwrap_or_default();
        if taken >= self.most {
            return None;
        }
        counts.insert(asker, taken + 1);
        Some(Place { asker, counts: Arc::clone(&self.counts) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(&self.asker) {
            Some(taken) if *taken > 1 => *taken -= 1,
            _ => drop(counts.remove(&self.asker)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_each_callers_own_and_come_back() {
        let under_way = UnderWay::new(2);
        let [one, other] = ["10.0.0.1", "10.0.0.2"].map(|address| Asker::at(address.parse().unwrap()));
        let held = [under_way.take(one).unwrap(), under_way.take(one).unwrap()];
        assert!(under_way.take(one).is_none());
        drop(under_way.take(other).unwrap());
        drop(held);
        assert!(under_way.counts.lock().unwrap().is_empty(), "nobody is remembered who has nothing under way");
        under_way.take(one).unwrap();
    }
}
