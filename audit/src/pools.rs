//! Pools: what they give out, and whether what is recorded of them makes sense.

use crate::{
    book::{Book, push_step},
    entry::Pool,
    finding::{Findings, Rule},
    kind::Kind,
    meter::Meter,
};

/// The protection level whose systems are kept among themselves.
const APART: u8 = 4;
/// The largest quantity anything may state.
pub(crate) const MOST: u64 = 1_000_000_000_000;

impl Pool {
    pub(crate) fn is_open(&self) -> bool {
        self.state == "Open"
    }

    /// Capacity with over-commit; none where this meter is not bounded here.
    pub(crate) fn gross(&self, meter: Meter) -> Option<u128> {
        match self.capacity.get(&meter) {
            Some(capacity) => {
                let percent = self.overcommit_percent.get(&meter).copied().unwrap_or(100);
                Some(u128::from(*capacity) * u128::from(percent) / 100)
            }
            None => meter.is_stocked().then_some(0),
        }
    }

    /// What claims may take in all; none where this meter is not bounded here.
    pub(crate) fn usable(&self, meter: Meter) -> Option<u128> {
        let reserve = u128::from(self.reserve.get(&meter).copied().unwrap_or(0));
        Some(self.gross(meter)?.saturating_sub(reserve))
    }

    /// Whether it may carry a system of this protection level.
    pub(crate) const fn carries(&self, level: u8) -> bool {
        let (highest, apart) = (self.max_protection_level, level == APART);
        level <= highest && apart == (highest == APART)
    }

    /// Whether it is kept apart for the systems of the highest level.
    pub(crate) fn is_apart(&self) -> bool {
        self.max_protection_level == APART
    }

    /// Whether something in it could be selected.
    pub(crate) fn can_hold(&self, selector: &Kind) -> bool {
        let fits = |want: &Option<String>, is: Option<&String>| want.as_ref().is_none_or(|want| Some(want) == is);
        fits(&selector.pool, Some(&self.id))
            && fits(&selector.architecture, self.architecture.as_ref())
            && fits(&selector.tier, self.tier.as_ref())
            && selector.zone.as_ref().is_none_or(|zone| self.zones.contains(zone))
    }
}

pub(crate) fn set(book: &mut Book, pool: Pool, findings: &mut Findings) {
    check(book, &pool, findings);
    let before = book.pools.get(&pool.id).map(|before| before.capacity.keys().copied().collect::<Vec<_>>());
    let meters = before.into_iter().flatten().chain(pool.capacity.keys().copied());
    for meter in meters.filter(|_| !book.present_only) {
        let place = book.facts.place(&pool.id, meter);
        let gross = if pool.capacity.contains_key(&meter) { pool.gross(meter).unwrap_or(0) } else { 0 };
        push_step(book.gross.entry(place).or_default(), book.at, gross);
    }
    book.pools.insert(pool.id.clone(), pool);
}

fn check(book: &Book, pool: &Pool, findings: &mut Findings) {
    let mut wrong = |expected: String, found: String| findings.add(Rule::Pool, &pool.id, expected, found);
    if !(1..=APART).contains(&pool.max_protection_level) {
        wrong("a protection level of 1 to 4".to_owned(), pool.max_protection_level.to_string());
    }
    for (what, quantities) in [("capacity", &pool.capacity), ("reserve", &pool.reserve)] {
        for (meter, quantity) in quantities {
            if meter.pool_kind() != pool.kind {
                wrong(format!("{what} of what a {} pool gives out", pool.kind), meter.to_string());
            }
            if *quantity > MOST {
                wrong(format!("at most {MOST} of {meter}"), quantity.to_string());
            }
        }
    }
    for (meter, percent) in &pool.overcommit_percent {
        if !(100..=1000).contains(percent) {
            wrong(format!("over-commit of {meter} within 100 to 1000 percent"), percent.to_string());
        }
    }
    let Some(before) = book.pools.get(&pool.id) else { return };
    let fields = [
        ("kind", Some(&before.kind), Some(&pool.kind)),
        ("site", Some(&before.site), Some(&pool.site)),
        ("architecture", before.architecture.as_ref(), pool.architecture.as_ref()),
        ("tier", before.tier.as_ref(), pool.tier.as_ref()),
    ];
    for (field, was, is) in fields.into_iter().filter(|(_, was, is)| was != is) {
        wrong(format!("its {field} unchanged, {was:?}"), format!("{is:?}"));
    }
}
