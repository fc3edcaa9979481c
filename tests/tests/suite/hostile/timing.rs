//! Existence by timing: how long an answer takes does not tell what the answer keeps to itself.

use std::time::{Duration, Instant};

use http::StatusCode;
use jiyun_tests::{World, WorldError, world::Quota};

use super::{
    total::Attempts,
    victim::{HOST, Victim},
};

/// Looks at each address.
const LOOKS: usize = 200;

/// A difference that nobody reads off a busy machine.
const NOISE: Duration = Duration::from_millis(25);

/// The quarter, the half and the three quarters of what was measured.
fn quartiles(mut taken: Vec<Duration>) -> [Duration; 3] {
    taken.sort_unstable();
    [1, 2, 3].map(|quarter| taken[taken.len() * quarter / 4])
}

/// It shows that no way through the program is longer by a call, a wait or a retry where something is there. It cannot show
/// that there is no difference at all: whoever measures from nearby, often enough and on a quiet machine may tell apart what
/// these bounds do not.
#[tokio::test]
async fn an_answer_takes_no_longer_where_something_is_there_than_where_nothing_is() -> Result<(), WorldError> {
    let attempts = Attempts::begin();
    let world = World::shared().await?;
    let (victim, attacker) = (Victim::of(world).await?, world.department(Quota::AMPLE).await?);
    let paths = [
        victim.bureau().host_path(HOST),
        victim.bureau().host_path("no-such-host"),
        format!("/v1/departments/no-such-unit/hosts/{HOST}"),
    ];
    let mut taken = paths.clone().map(|_| Vec::with_capacity(LOOKS));
    for look in 0..LOOKS {
        // One after the other, each as often first as last: what else the machine does falls on all alike.
        for turn in 0..paths.len() {
            let which = (look + turn) % paths.len();
            let begun = Instant::now();
            let answer = attacker.caller.get(&paths[which]).await?;
            taken[which].push(begun.elapsed());
            attempts.refused(answer.status == StatusCode::NOT_FOUND, || format!("{}: {answer:?}", paths[which]));
        }
    }
    let [there, host_absent, unit_absent] = taken.map(quartiles);
    for (what, absent) in [("host", host_absent), ("department", unit_absent)] {
        let spread = there[2].abs_diff(there[0]).max(absent[2].abs_diff(absent[0]));
        let apart = there[1].abs_diff(absent[1]);
        println!("a {what} that is there {:?}, one that is not {:?}; spread {spread:?}", there[1], absent[1]);
        assert!(apart <= spread.max(NOISE), "{what}: {apart:?} apart, spread {spread:?}");
    }
    attempts.over(3 * LOOKS);
    Ok(())
}
