//! `fault_points`: at how many of all fault points somebody died with nothing to be seen of it in the end.

use std::sync::Arc;

use jiyun_lab::{Lab, LabOptions, LedgerUser};
use tokio::runtime::Builder;

use super::{
    BenchError, Figure, Name,
    figure::{Better, Comparison, Goal, Judged},
    progress::say,
    statistics::number,
};
use crate::faults::{
    FaultError,
    explore::{All, Explored, book_in_etcd, book_in_memory, controller},
    play::Play,
};

/// All of them.
const GOAL: Goal = Goal { value: 1.0, better: Better::Higher, judged: Judged::Ratio };

/// Explores all there are.
///
/// # Errors
/// When the runs without a fault do not work.
pub async fn measure() -> Result<Figure, BenchError> {
    let in_memory = on_one_thread(|| async { book_in_memory(&mut All).await }).await?;
    say(&format!("fault points, the book in memory: {in_memory}"));
    let lab = Arc::new(Lab::start(LabOptions::bare()).await?);
    let there = Arc::clone(&lab);
    let in_etcd = on_one_thread(|| async move {
        let client = there.ledger_client(LedgerUser::Root).await?;
        book_in_etcd(&client, &mut All).await
    });
    let in_etcd = in_etcd.await?;
    say(&format!("fault points, the book in etcd: {in_etcd}"));
    if let Some(lab) = Arc::into_inner(lab) {
        lab.stop().await?;
    }
    let told = |number: usize, explored: &Explored| {
        say(&format!("fault points, the controller, death {}: {explored}", number + 1));
    };
    let killed = Box::pin(controller(&Play::ALL, &mut All, told)).await?;

    let notes = [("writer in memory", &in_memory), ("writer on etcd", &in_etcd), ("controller, SIGKILL", &killed)];
    let mut notes: Vec<String> = notes.iter().map(|(who, explored)| format!("{who}: {explored}")).collect();
    let mut all = Explored::default();
    for explored in [in_memory, in_etcd, killed] {
        all.add(explored);
    }
    notes.extend(all.violations.iter().map(|violation| format!("VIOLATION: {violation}")));
    let comparison = Comparison {
        ours: number(all.explored),
        reference: number(all.possible),
        what_reference_is:
            "all calls of the store, and all changes the controller asks its servers for, in runs without a \
                            fault; before and after each"
                .into(),
        unit: "fault points".into(),
        runs: 1,
        notes,
    };
    Ok(Figure::new(Name::FaultPoints, comparison, GOAL))
}

/// Works on a runtime of one thread: what is asked of a book at once is gathered into entries in the same way every time.
async fn on_one_thread<F>(work: impl FnOnce() -> F + Send + 'static) -> Result<Explored, BenchError>
where
    F: Future<Output = Result<Explored, FaultError>>,
{
    let done = tokio::task::spawn_blocking(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.map_err(FaultError::line)?.block_on(work())
    });
    Ok(done.await??)
}
