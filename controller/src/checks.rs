//! Whether the account book's invariants hold while it is in use, as figures to page on.
//!
//! I1 to I3 are rules for growth and I7 one for price entries, which a state alone does not show: they are read along with
//! the entries (`auditing.rs`). I4 is compared where both stores are read (`orphans.rs`).

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use jiyun_ledger::{FiscalMonth, Period, State, tie};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::context::Context;

/// How often: a look counts every claim again, some tenths of a second at 50,000 of them.
const EVERY: Duration = Duration::from_mins(10);

/// The first look comes sooner: what a fault left behind should not be found ten minutes later.
const FIRST: Duration = Duration::from_secs(30);

/// Looks until `stop`.
pub async fn keep(context: Context, stop: CancellationToken) {
    let mut pause = FIRST;
    while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
        pause = EVERY;
        let state = context.ledger.snapshot();
        // It would keep others from running where it stands.
        let Ok(broken) = tokio::task::spawn_blocking(move || look(&state, Timestamp::now())).await else { continue };
        for (invariant, count) in broken {
            context.metrics.set_broken(invariant, count);
            if count > 0 {
                error!(invariant, count, "an invariant of the account book does not hold; run ledger verify");
            }
        }
    }
}

/// How often each of the invariants that a state shows is broken.
fn look(state: &Arc<State>, now: Timestamp) -> [(&'static str, usize); 2] {
    let this_month = FiscalMonth::of(now).ok().map(|month| month.period());
    let so_far = this_month.map(|month| Period { from: month.from, to: now.max(month.from) });
    let untied = so_far.map_or(0, |period| tie(state, period).iter().filter(|tie| !tie.holds()).count());
    [("I5", untied), ("I6", state.verify().len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_book_breaks_nothing() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        assert_eq!(look(&Arc::new(State::default()), now), [("I5", 0), ("I6", 0)]);
    }
}
