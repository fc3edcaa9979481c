//! A department at the edge of its quota: it reserves, holds, resizes and releases, and asks again whoever leads next.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use jiyun_ledger::{ClaimId, Command, Decision, LedgerError, RefusalCode};
use tokio::sync::watch;

use super::{CITY, replica::Term, tally::Tally, verdict::Refused};
use crate::bench::{
    BenchError,
    ledger::{
        ask::{Host, Size},
        city::City,
        random::Random,
    },
};

/// How long to wait when the store refused.
const WAIT: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug)]
struct Open {
    host: Host,
    claim: ClaimId,
    /// Only held until somebody decides.
    held: bool,
}

/// See the module.
pub struct Caller {
    department: usize,
    city: Arc<City>,
    random: Random,
    leaders: watch::Receiver<Option<Term>>,
    left: Arc<AtomicU64>,
    term: Option<Term>,
    open: Vec<Open>,
    next: u64,
    tally: Tally,
}

/// There are no attempts left.
struct Done;

impl Caller {
    /// The caller of one department.
    pub fn new(
        department: usize,
        city: Arc<City>,
        seed: u64,
        leaders: watch::Receiver<Option<Term>>,
        left: Arc<AtomicU64>,
    ) -> Self {
        let random = Random::part(seed, department);
        Self { department, city, random, leaders, left, term: None, open: Vec::new(), next: 0, tally: Tally::default() }
    }

    /// Asks until no attempts are left. What was begun then is ended: what was not answered is asked again.
    ///
    /// # Errors
    /// When nobody leads any more.
    pub async fn run(mut self) -> Result<Tally, BenchError> {
        while self.left.load(Ordering::SeqCst) > 0 {
            if self.step().await.is_err() {
                return Err(BenchError::Nothing("a department's leaders are gone"));
            }
        }
        let standing = self.open.iter().filter(|open| !open.held);
        self.tally.standing = standing.map(|open| (open.host.uid(), open.host.size.vcpu)).collect();
        Ok(self.tally)
    }

    async fn step(&mut self) -> Result<(), Done> {
        let used: u64 = self.open.iter().map(|open| open.host.size.vcpu).sum();
        // Somewhere between 99 % and 101 %, where most attempts lead.
        let target = CITY.cores * self.random.between(990, 1010) / 1000;
        if used + 8 < CITY.cores * 99 / 100 && self.random.chance(70) {
            let vcpu = self.random.between(1, 8);
            return self.reserve(vcpu, false).await;
        }
        let index = self.random.index(self.open.len());
        match (self.random.below(100), self.open.get(index).copied()) {
            (0..30, _) | (_, None) => self.reserve(target.saturating_sub(used).clamp(1, 8), false).await,
            (30..40, _) => self.reserve(target.saturating_sub(used).clamp(1, 8), true).await,
            (_, Some(open)) if open.held => self.conclude(index, open).await,
            (40..75, Some(open)) => {
                let others = used - open.host.size.vcpu;
                let vcpu =
                    if self.random.chance(60) { target.saturating_sub(others) } else { self.random.between(1, 8) };
                self.resize(index, open, vcpu.clamp(1, 16)).await
            }
            (_, Some(open)) => self.release(index, open).await,
        }
    }

    async fn reserve(&mut self, vcpu: u64, held: bool) -> Result<(), Done> {
        self.next += 1;
        let size = Size::of(vcpu, &mut self.random);
        let host = Host { department: self.department, number: self.next, size };
        if let Some(claim) = self.decide(host, held).await? {
            self.tally.granted += 1;
            self.open.push(Open { host, claim, held });
        }
        Ok(())
    }

    async fn resize(&mut self, index: usize, open: Open, vcpu: u64) -> Result<(), Done> {
        let host = Host { size: Size::of(vcpu, &mut self.random), ..open.host };
        if self.decide(host, false).await?.is_some() {
            self.tally.amended += 1;
            if let Some(open) = self.open.get_mut(index) {
                open.host = host;
            }
        }
        Ok(())
    }

    /// Confirms or gives up what is held. Either may come after its deadline.
    async fn conclude(&mut self, index: usize, open: Open) -> Result<(), Done> {
        let command = if self.random.chance(70) {
            Command::Confirm(open.claim, open.host.request(&self.city, None).spec_digest)
        } else {
            Command::Withdraw(open.claim)
        };
        let confirms = matches!(command, Command::Confirm(..));
        let took = self.record(command, confirms).await?;
        match self.open.get_mut(index) {
            Some(open) if took && confirms => open.held = false,
            _ => drop(self.open.swap_remove(index)),
        }
        Ok(())
    }

    async fn release(&mut self, index: usize, open: Open) -> Result<(), Done> {
        if self.random.chance(50) {
            // Handed over before, or never: both are counted. Twice is harmless.
            self.record(Command::Billable(open.claim), false).await?;
        }
        self.record(Command::End(open.claim), false).await?;
        self.record(Command::Release(open.claim), false).await?;
        self.tally.released += 1;
        self.open.swap_remove(index);
        Ok(())
    }

    /// Asks until there is an answer; the claim, unless it was refused.
    async fn decide(&mut self, host: Host, held: bool) -> Result<Option<ClaimId>, Done> {
        let seconds = SignedDuration::from_secs(i64::try_from(self.random.between(2, 20)).unwrap_or(2));
        let until = held.then(|| Timestamp::now().saturating_add(seconds).unwrap_or(Timestamp::MAX));
        let until = until.and_then(|until| Timestamp::from_second(until.as_second()).ok());
        let request = host.request(&self.city, until);
        loop {
            let term = self.term().await?;
            self.count();
            let from = term.ledger.revision();
            match term.ledger.decide(request.clone()).await {
                Ok(Decision::Granted { claim, .. }) => return Ok(Some(claim.id)),
                Ok(Decision::Refused(refusal)) => {
                    let to = term.ledger.revision();
                    let code = refusal.code;
                    if matches!(code, RefusalCode::ExceedsLimit | RefusalCode::PoolExhausted) {
                        self.tally.refused.push(Refused { host, code, from, to });
                    } else {
                        self.tally.unexpected.push(format!("{refusal:?}"));
                    }
                    return Ok(None);
                }
                // It was held before the leader went, and the deadline has passed since.
                Err(LedgerError::Request(_)) if held => return Ok(None),
                Err(error) => {
                    if self.trouble(&error, true).await? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Asks until it is recorded, or cannot be: then false.
    async fn record(&mut self, command: Command, may_fail: bool) -> Result<bool, Done> {
        loop {
            let term = self.term().await?;
            self.count();
            match term.ledger.record(command.clone()).await {
                Ok(_) => return Ok(true),
                Err(LedgerError::Command(_)) if may_fail => return Ok(false),
                Err(error) => {
                    if self.trouble(&error, false).await? {
                        return Ok(false);
                    }
                }
            }
        }
    }

    fn count(&mut self) {
        self.tally.attempts += 1;
        // Those that end what was begun come on top.
        let _ = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    }

    /// Notes an error; whether asking again is of no use. A leader is asked until it is gone.
    async fn trouble(&mut self, error: &LedgerError, request: bool) -> Result<bool, Done> {
        match error {
            error if error.is_fatal() => {
                self.tally.unanswered += 1;
                let gone = self.term.take().map(|term| term.epoch);
                let other = self.leaders.wait_for(|term| term.as_ref().map(|term| term.epoch) != gone).await;
                other.map(|_| false).map_err(|_| Done)
            }
            LedgerError::Store(_) => {
                tokio::time::sleep(WAIT).await;
                Ok(false)
            }
            error => {
                let what = if request { "request" } else { "command" };
                self.tally.unexpected.push(format!("{what}: {error:?}"));
                Ok(true)
            }
        }
    }

    async fn term(&mut self) -> Result<Term, Done> {
        if let Some(term) = &self.term {
            return Ok(term.clone());
        }
        let term = self.leaders.wait_for(Option::is_some).await.map_err(|_| Done)?.clone().ok_or(Done)?;
        self.term = Some(term.clone());
        Ok(term)
    }
}
