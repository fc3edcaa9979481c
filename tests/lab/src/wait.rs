//! Waiting for a condition with a deadline, and saying what was seen last when it does not come.

use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

/// The condition did not come in time.
#[derive(Debug, Clone, thiserror::Error)]
#[error("waited {waited:.1?} for {what}; last seen: {seen}")]
pub struct NotInTime {
    /// What was waited for.
    pub what: String,
    /// How long.
    pub waited: Duration,
    /// The last state seen.
    pub seen: String,
}

/// Between two looks. Short, since most conditions of a lab come within a tenth of a second.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks `condition` again and again until it answers `Ok`, for at most `deadline`.
///
/// An `Err` is not a failure but the state seen instead; the last one is reported. A condition that does not answer at
/// all is given up at the deadline as well.
pub async fn wait_for<T, S, F>(
    what: impl Display,
    deadline: Duration,
    mut condition: impl FnMut() -> F,
) -> Result<T, NotInTime>
where
    S: Display,
    F: Future<Output = Result<T, S>>,
{
    let started = Instant::now();
    let mut seen = String::from("nothing: the question was not answered");
    loop {
        let left = deadline.saturating_sub(started.elapsed());
        match tokio::time::timeout(left, condition()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(state)) => seen = state.to_string(),
            // Not answered: the state seen before is the last one.
            Err(_) => {}
        }
        if started.elapsed() >= deadline {
            return Err(NotInTime { what: what.to_string(), waited: started.elapsed(), seen });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_state_seen_is_reported() {
        let mut asked = 0;
        let answer: Result<(), _> = wait_for("the moon", Duration::from_millis(200), || {
            asked += 1;
            let seen = format!("look {asked}");
            async move { Err(seen) }
        })
        .await;
        let error = answer.expect_err("never comes").to_string();
        assert!(error.contains("the moon") && error.contains("last seen: look "), "{error}");
    }

    #[tokio::test]
    async fn a_condition_that_never_answers_is_given_up() {
        let answer: Result<(), _> =
            wait_for("an answer", Duration::from_millis(100), std::future::pending::<Result<(), String>>).await;
        assert!(answer.expect_err("never comes").seen.contains("not answered"));
    }

    #[tokio::test]
    async fn a_value_is_handed_on() {
        let value = wait_for("a value", Duration::from_secs(1), || async { Ok::<_, String>(7) }).await;
        assert_eq!(value.expect("comes at once"), 7);
    }
}
