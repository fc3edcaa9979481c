//! `bytes_per_grant_growth`: what a grant makes the book write, in a full book against an almost empty one.

use futures::{StreamExt, TryStreamExt, stream};
use jiyun_ledger::{Decision, Ledger, Lineage, OpenOptions, store::memory::MemoryStore};
use tokio_util::sync::CancellationToken;

use super::{
    ask::{Host, Size},
    book::BATCH,
    city::{City, Shape},
    random::Random,
    scales::{Scales, Weight},
};
use crate::bench::{
    BenchError, Figure, Name, Options,
    figure::{Better, Comparison, Goal, Judged},
    progress::say,
    statistics::number,
};

/// Only numbers may become longer: of claims and of entries.
const GOAL: Goal = Goal { value: 1.05, better: Better::Lower, judged: Judged::Ratio };

/// Claims in the almost empty book.
const FEW: usize = 100;

/// Grants weighed, one in an entry, then the same number together.
const WEIGHED: usize = 2 * BATCH;

/// Departments that ask.
const DEPARTMENTS: usize = 200;

const SEED: u64 = 1;

struct Filling {
    city: City,
    ledger: Ledger,
    scales: Scales<MemoryStore>,
    claims: usize,
}

impl Filling {
    async fn open(claims: usize) -> Result<Self, BenchError> {
        let each = (claims + 4 * WEIGHED).div_ceil(DEPARTMENTS) as u64;
        // Ten cores a host, of which none takes more: nothing is refused.
        let city = City::new(Shape { departments: DEPARTMENTS, cores: each * 10, above: 200 });
        let memory = MemoryStore::default();
        let fence = memory.elect(1);
        let scales = Scales::new(memory);
        let options = OpenOptions::new(Lineage::new("bench"), Lineage::new("hub"));
        let opened = Ledger::open(scales.clone(), fence, CancellationToken::new(), options).await;
        let (ledger, _) = opened.map_err(BenchError::ledger("the book"))?;
        for command in city.commands() {
            ledger.record(command).await.map_err(BenchError::ledger("a command"))?;
        }
        Ok(Self { city, ledger, scales, claims: 0 })
    }

    /// Grants `count` more claims, `together` of them asked for at the same time, and says what was written.
    async fn grant(&mut self, count: usize, together: usize) -> Result<Weight, BenchError> {
        let before = self.scales.weight();
        // The same sizes every time: what is compared are the same hosts.
        let mut random = Random::new(SEED);
        let hosts: Vec<Host> = (self.claims..self.claims + count)
            .map(|number| Host {
                department: number % DEPARTMENTS,
                number: number as u64,
                size: Size::any(&mut random),
            })
            .collect();
        stream::iter(hosts)
            .map(|host| {
                let (ledger, request) = (self.ledger.clone(), host.request(&self.city, None));
                async move {
                    match ledger.decide(request).await.map_err(BenchError::ledger("a request"))? {
                        Decision::Granted { .. } => Ok(()),
                        Decision::Refused(_) => Err(BenchError::Nothing("the book refused where there was room")),
                    }
                }
            })
            .buffer_unordered(together)
            .try_collect::<()>()
            .await?;
        self.claims += count;
        Ok(self.scales.weight().since(before))
    }
}

/// Measures it.
///
/// # Errors
/// See [`BenchError`].
pub async fn measure(options: &Options) -> Result<Figure, BenchError> {
    let many = usize::try_from(options.claims).unwrap_or(usize::MAX);
    let mut filling = Filling::open(many).await?;
    filling.grant(FEW, BATCH).await?;
    let few_alone = filling.grant(WEIGHED, 1).await?;
    let few_together = filling.grant(WEIGHED, BATCH).await?;
    say(&format!("growth: filling the book with {many} claims"));
    filling.grant(many.saturating_sub(filling.claims), BATCH).await?;
    let many_alone = filling.grant(WEIGHED, 1).await?;
    let many_together = filling.grant(WEIGHED, BATCH).await?;
    filling.ledger.shutdown().await;

    let each = |weight: Weight| bytes(weight.bytes) / number(WEIGHED);
    let comparison = Comparison {
        ours: each(many_alone),
        reference: each(few_alone),
        what_reference_is: format!("the same grants in a book with {FEW} open claims"),
        unit: "bytes/grant".into(),
        runs: 1,
        notes: vec![
            format!(
                "ours: with {many} open claims of {DEPARTMENTS} departments; counted, not timed: exact on any machine"
            ),
            format!(
                "{WEIGHED} together, in {} entries: {:.0} bytes a grant, against {:.0}",
                many_together.entries,
                each(many_together),
                each(few_together)
            ),
            "keys and values as the store in etcd writes them; what etcd itself adds (index, log) is not counted, nor are snapshots, which grow with the book"
                .into(),
        ],
    };
    Ok(Figure::new(Name::BytesPerGrantGrowth, comparison, GOAL))
}

#[allow(clippy::cast_precision_loss, reason = "a book has fewer than 2^52 bytes")]
fn bytes(count: u64) -> f64 {
    count as f64
}
