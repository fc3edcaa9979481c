//! `bytes_per_claim`: memory of the book for each open claim, in a process that does nothing else.

use std::process::Stdio;

use serde::{Deserialize, Serialize};

use super::{
    ask::{Host, Size},
    book::Book,
    city::{City, Shape},
    random::Random,
};
use crate::bench::{
    BenchError, Figure, Name, Options,
    figure::{Better, Comparison, Goal, Judged},
    machine,
    statistics::{median, number},
};

/// 50,000 hosts are to fit into the 1 GiB the chart lets the controller have: 21,474 bytes each. Of a host the controller
/// keeps four things, the host, its disk, its machine and its claim: a quarter for the claim.
const GOAL: Goal = Goal { value: 5368.0, better: Better::Lower, judged: Judged::Ours };

const DEPARTMENTS: usize = 200;
const SEED: u64 = 3;

/// What the process that filled a book found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Found {
    /// Resident before.
    empty: u64,
    /// Resident after.
    full: u64,
    /// JSON of all claims.
    json: usize,
}

/// Fills a book in this process, and prints what that took.
///
/// # Errors
/// When it cannot be filled.
pub fn fill(claims: u32) -> Result<String, BenchError> {
    let each = u64::from(claims).div_ceil(DEPARTMENTS as u64);
    let city = City::new(Shape { departments: DEPARTMENTS, cores: each * 10, above: 200 });
    let mut book = Book::open(&city)?;
    let (empty, mut random) = (resident()?, Random::new(SEED));
    for number in 0..usize::try_from(claims).unwrap_or(usize::MAX) {
        let host = Host { department: number, number: number as u64, size: Size::any(&mut random) };
        if book.decide(&host.request(&city, None))?.is_none() {
            return Err(BenchError::Nothing("the book refused where there was room"));
        }
    }
    let full = resident()?;
    let mut json = 0;
    for claim in book.state().claims() {
        json += serde_json::to_vec(claim.as_ref())?.len();
    }
    Ok(serde_json::to_string(&Found { empty, full, json })?)
}

fn resident() -> Result<u64, BenchError> {
    Ok(machine::memory(std::process::id())?.resident)
}

/// Measures it, in a process of its own for each run.
///
/// # Errors
/// See [`BenchError`].
pub async fn measure(options: &Options) -> Result<Figure, BenchError> {
    let program = std::env::current_exe().map_err(BenchError::file("this program"))?;
    let claims = usize::try_from(options.claims).unwrap_or(usize::MAX);
    let mut found: Vec<Found> = Vec::new();
    for _ in 0..options.runs {
        let child = tokio::process::Command::new(&program)
            .arg(format!("--fill={claims}"))
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .output();
        let output = child.await.map_err(BenchError::file(&program))?;
        found.push(serde_json::from_slice(&output.stdout)?);
    }
    let each = |read: fn(&Found) -> u64| -> Result<f64, BenchError> {
        let bytes: Vec<f64> = found.iter().filter_map(|found| usize::try_from(read(found)).ok()).map(number).collect();
        Ok(median(&bytes).ok_or(BenchError::Nothing("nothing was filled"))? / number(claims))
    };
    let json = each(|found| found.json as u64)?;
    let comparison = Comparison {
        ours: each(|found| found.full)?,
        reference: json,
        what_reference_is: "JSON of one claim".into(),
        unit: "bytes/claim".into(),
        runs: found.len(),
        notes: vec![
            format!(
                "{claims} open claims of {DEPARTMENTS} departments, the whole process: {:.0} MiB, of which {:.0} MiB were \
                 there before the first claim",
                each(|found| found.full)? * number(claims) / f64::from(1 << 20),
                each(|found| found.empty)? * number(claims) / f64::from(1 << 20)
            ),
            "ours holds accounts, pools, indices and sums besides, and the copy readers have; claims that were given back \
             are kept as well, and take as much again"
                .into(),
            "the goal is ours: a quarter of what 1 GiB leaves for each of 50,000 hosts; the host, its disk and its machine \
             have the rest"
                .into(),
        ],
    };
    Ok(Figure::new(Name::BytesPerClaim, comparison, GOAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_child_prints_is_understood() {
        let found: Found = serde_json::from_str(&fill(1000).unwrap()).unwrap();
        assert!(found.full >= found.empty && found.json > 1000 * 500, "{found:?}");
    }
}
