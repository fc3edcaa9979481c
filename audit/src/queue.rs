//! The line of requests that wait for room: who was passed, and whether that was recorded and still allowed.

use std::collections::BTreeSet;

use crate::{
    book::Book,
    claim::Claim,
    entry::{Placement, Pool, Request},
    finding::{Findings, Rule},
    growth::{self, Growth},
    meter::Meter,
};

/// How often a request that waits may be passed.
pub const MOST_OVERTAKINGS: u32 = 8;

/// A request in the line.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) request: Request,
    pub(crate) overtaken: u32,
}

impl Waiting {
    /// Whether some part of it could lie in `pool` if that were empty, and finds less there of one of `meters` than it
    /// lacks, where `free` is left. A claim does not move: a part that lies somewhere grows there or nowhere.
    fn misses(&self, book: &Book, pool: &Pool, meters: &[Meter], free: impl Fn(Meter) -> Option<u128>) -> bool {
        let Request { zone, protection_level, placements, .. } = &self.request;
        let claim = book.by_uid.get(&self.request.subject.uid).and_then(|id| book.claims.get(id));
        let is = |want: &Option<String>, is: &Option<String>| want.is_none() || want == is;
        pool.is_open()
            && pool.zones.contains(zone)
            && pool.carries(*protection_level)
            && placements.iter().any(|part| {
                let place = claim.and_then(|claim| place_of(book, claim, part));
                let short = |meter: &Meter| {
                    let wants = part.quantities.get(meter).copied().map_or(0, u128::from);
                    let lacks = wants.saturating_sub(claim.map_or(0, |claim| held(book, claim, &pool.id, *meter)));
                    free(*meter).is_some_and(|free| free < lacks)
                };
                let large =
                    |(meter, much): (&_, &u64)| pool.usable(*meter).is_some_and(|usable| u128::from(*much) > usable);
                part.pool_kind == pool.kind
                    && is(&part.architecture, &pool.architecture)
                    && is(&part.tier, &pool.tier)
                    && part.site.as_ref().is_none_or(|site| *site == pool.site)
                    && part.pool.as_ref().is_none_or(|named| *named == pool.id)
                    && place.is_none_or(|place| place == pool.id)
                    && !part.quantities.iter().any(large)
                    && meters.iter().any(short)
            })
    }
}

/// The pool in which `claim` has what `part` asks for, if it has any of it.
fn place_of<'a>(book: &'a Book, claim: &Claim, part: &Placement) -> Option<&'a str> {
    let is = |want: &Option<String>, is: &Option<String>| want.is_none() || want == is;
    claim.taken().filter_map(|(fact, _)| book.facts.get(*fact)).find_map(|fact| {
        let pool = book.pools.get(fact.kind.pool.as_deref()?)?;
        let fits = pool.kind == part.pool_kind
            && is(&part.architecture, &fact.kind.architecture)
            && is(&part.tier, &fact.kind.tier);
        fits.then_some(pool.id.as_str())
    })
}

/// What `claim` takes of `meter` in `pool`.
fn held(book: &Book, claim: &Claim, pool: &str, meter: Meter) -> u128 {
    let here = |fact: usize| {
        book.facts.get(fact).is_some_and(|fact| fact.meter == meter && fact.kind.pool.as_deref() == Some(pool))
    };
    claim.taken().filter(|(fact, _)| here(*fact)).map(|(_, quantity)| u128::from(*quantity)).sum()
}

/// What must be recorded right after a claim was granted, changed or held.
#[derive(Clone, Debug, Default)]
pub(crate) struct Due {
    claim: String,
    /// Its own place in the line, to be left.
    own: Option<u64>,
    /// Those it passed.
    passed: BTreeSet<u64>,
    /// Those it passed unless what it took more of is within a floor.
    perhaps: BTreeSet<u64>,
}

impl Due {
    /// What is due after the object `uid` took more of `pools`.
    pub(crate) fn after(book: &Book, claim: &str, uid: &str, growth: &Growth, findings: &mut Findings) -> Self {
        let own = book.waiting.iter().find(|(_, waiting)| waiting.request.subject.uid == uid).map(|(own, _)| *own);
        let misses_out = |waiting: &Waiting, even_within_floors: bool| {
            growth.iter().filter_map(|(pool, meters)| Some((book.pools.get(pool)?, meters))).any(|(pool, meters)| {
                let counted = meters.iter().filter(|(_, floor)| even_within_floors || !**floor);
                let meters: Vec<Meter> = counted.map(|(meter, _)| *meter).collect();
                waiting.misses(book, pool, &meters, |meter| {
                    Some(pool.usable(meter)?.saturating_sub(growth::taken(book, &pool.id, meter)))
                })
            })
        };
        let ahead = book.waiting.iter().filter(|(ticket, _)| own.is_none_or(|own| **ticket < own));
        let (mut passed, mut perhaps) = (BTreeSet::new(), BTreeSet::new());
        for (ticket, waiting) in ahead.filter(|(_, waiting)| misses_out(waiting, true)) {
            perhaps.insert(*ticket);
            if !misses_out(waiting, false) {
                continue;
            }
            passed.insert(*ticket);
            if waiting.overtaken >= MOST_OVERTAKINGS {
                let expected = format!("ticket {ticket} served first, having been passed {MOST_OVERTAKINGS} times");
                findings.add(Rule::Queue, claim, expected, "it is passed once more");
            }
        }
        Self { claim: claim.to_owned(), own, passed, perhaps }
    }

    /// Takes what an unqueueing pays off; false if it is about something else.
    pub(crate) fn left(&mut self, ticket: u64) -> bool {
        self.own.take_if(|own| *own == ticket).is_some()
    }

    /// Compares what is recorded as passed with what was passed.
    pub(crate) fn overtaken(&mut self, tickets: &[u64], findings: &mut Findings) {
        let recorded: BTreeSet<u64> = tickets.iter().copied().collect();
        let (passed, perhaps) = (std::mem::take(&mut self.passed), std::mem::take(&mut self.perhaps));
        let fits = passed.is_subset(&recorded) && recorded.is_subset(&perhaps);
        if !fits || recorded.len() != tickets.len() {
            let claim = if self.claim.is_empty() { "line" } else { &self.claim };
            findings.add(Rule::Queue, claim, format!("tickets {passed:?} passed"), format!("{tickets:?} recorded"));
        }
    }

    /// What is still due when something else follows.
    pub(crate) fn close(self, findings: &mut Findings) {
        if let Some(own) = self.own {
            findings.add(Rule::Queue, &self.claim, format!("ticket {own} to leave the line"), "it still waits");
        }
        if !self.passed.is_empty() {
            findings.add(Rule::Queue, &self.claim, format!("tickets {:?} recorded as passed", self.passed), "none");
        }
    }
}

pub(crate) fn queue(book: &mut Book, ticket: u64, request: &Request, findings: &mut Findings) {
    let uid = &request.subject.uid;
    if ticket <= book.last_ticket {
        findings.add(Rule::Queue, name(ticket), format!("a number above {}", book.last_ticket), ticket);
    }
    if let Some((other, _)) = book.waiting.iter().find(|(_, waiting)| waiting.request.subject.uid == *uid) {
        findings.add(
            Rule::Queue,
            name(ticket),
            format!("one place for object {uid}"),
            format!("ticket {other} as well"),
        );
    }
    book.last_ticket = book.last_ticket.max(ticket);
    book.waiting.insert(ticket, Waiting { request: request.clone(), overtaken: 0 });
}

pub(crate) fn overtake(book: &mut Book, tickets: &[u64], findings: &mut Findings) {
    for ticket in tickets {
        let Some(waiting) = book.waiting.get_mut(ticket) else {
            findings.add(Rule::Queue, name(*ticket), "a request that waits", "none");
            continue;
        };
        waiting.overtaken += 1;
        if waiting.overtaken > MOST_OVERTAKINGS {
            let expected = format!("passed at most {MOST_OVERTAKINGS} times");
            findings.add(Rule::Queue, name(*ticket), expected, format!("{} times", waiting.overtaken));
        }
    }
}

pub(crate) fn unqueue(book: &mut Book, ticket: u64, findings: &mut Findings) {
    if book.waiting.remove(&ticket).is_none() {
        findings.add(Rule::Queue, name(ticket), "a request that waits", "none");
    }
}

fn name(ticket: u64) -> String {
    format!("ticket {ticket}")
}
