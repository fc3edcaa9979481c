//! How many consoles are open, of each caller and of all: each holds two connections.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::bounds::{Asker, Place as CallerPlace, UnderWay};

/// See the module.
#[derive(Debug)]
pub struct Places {
    of_caller: Option<(UnderWay, u32)>,
    of_all: Option<(Arc<Semaphore>, u32)>,
}

/// How many there may be, where all of them are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// Of one caller.
    OfCaller(u32),
    /// Of all.
    OfAll(u32),
}

/// The place of one console; dropping it gives it back.
#[derive(Debug)]
pub struct Place {
    _of_caller: Option<CallerPlace>,
    _of_all: Option<OwnedSemaphorePermit>,
}

impl Places {
    /// At most so many of one caller and of all; 0: any number.
    pub fn new(of_caller: u32, of_all: u32) -> Self {
        let all = || (Arc::new(Semaphore::new(usize::try_from(of_all).unwrap_or(Semaphore::MAX_PERMITS))), of_all);
        Self {
            of_caller: (of_caller > 0).then(|| (UnderWay::new(of_caller), of_caller)),
            of_all: (of_all > 0).then(all),
        }
    }

    /// A place for a console of `asker`.
    ///
    /// # Errors
    /// Where all of them are open.
    pub fn take(&self, asker: Asker) -> Result<Place, Full> {
        let of_caller = self.of_caller.as_ref();
        let of_caller = of_caller.map(|(taken, most)| taken.take(asker).ok_or(Full::OfCaller(*most))).transpose()?;
        let of_all = self.of_all.as_ref();
        let of_all = of_all.map(|(all, most)| Arc::clone(all).try_acquire_owned().map_err(|_| Full::OfAll(*most)));
        Ok(Place { _of_caller: of_caller, _of_all: of_all.transpose()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_has_so_many_and_all_together_so_many_and_places_come_back() {
        let places = Places::new(2, 3);
        let [one, other] = ["10.0.0.1", "10.0.0.2"].map(|address| Asker::at(address.parse().unwrap()));
        let of_one = [places.take(one).unwrap(), places.take(one).unwrap()];
        assert_eq!(places.take(one).unwrap_err(), Full::OfCaller(2));
        let of_other = places.take(other).unwrap();
        assert_eq!(places.take(other).unwrap_err(), Full::OfAll(3));
        drop((of_one, of_other));
        drop([places.take(other).unwrap(), places.take(other).unwrap()]);
        assert!((0..9).all(|_| Places::new(0, 0).take(one).is_ok()), "0 is any number");
    }
}
