//! A closed loop: so many requests under way at the same time, the next one when one is answered.

use std::time::Instant;

use futures::{StreamExt, TryStreamExt, stream};

use super::{BenchError, number};

/// How fast it went.
#[derive(Clone, Debug)]
pub struct Paced {
    /// Requests a second, from the first sent to the last answered.
    pub rate: f64,
    /// Seconds each took.
    pub waits: Vec<f64>,
}

/// Makes `count` requests, `concurrency` at the same time.
///
/// # Errors
/// The first that a request gives.
pub async fn paced<F>(count: usize, concurrency: usize, request: impl Fn(usize) -> F) -> Result<Paced, BenchError>
where
    F: Future<Output = Result<(), BenchError>>,
{
    let started = Instant::now();
    let timed = |index| {
        let made = request(index);
        async move {
            let sent = Instant::now();
            made.await.map(|()| sent.elapsed().as_secs_f64())
        }
    };
    let waits: Vec<f64> = stream::iter(0..count).map(timed).buffer_unordered(concurrency).try_collect().await?;
    Ok(Paced { rate: number(count) / started.elapsed().as_secs_f64(), waits })
}
