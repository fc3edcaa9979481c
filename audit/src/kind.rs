//! Kinds: the facts a quantity is told apart by, and what selects by them.

use serde::Deserialize;

use crate::meter::Meter;

/// As a fact: what a line is. As a selector: what it must be; what is not named may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(default)]
pub struct Kind {
    /// The pool.
    pub pool: Option<String>,
    /// Processor architecture.
    pub architecture: Option<String>,
    /// Storage tier.
    pub tier: Option<String>,
    /// Network zone.
    pub zone: Option<String>,
}

impl Kind {
    fn parts(&self) -> [(&'static str, Option<&String>); 4] {
        [
            ("pool", self.pool.as_ref()),
            ("architecture", self.architecture.as_ref()),
            ("tier", self.tier.as_ref()),
            ("zone", self.zone.as_ref()),
        ]
    }

    /// Whether all that these name is so in `other`. Between two selectors: whether `other` selects nothing else.
    pub fn selects(&self, other: &Self) -> bool {
        self.parts().iter().zip(other.parts()).all(|((_, want), (_, is))| want.is_none() || *want == is)
    }

    /// Whether something could be selected by both.
    pub fn meets(&self, other: &Self) -> bool {
        let both = self.parts().into_iter().zip(other.parts());
        both.into_iter().all(|((_, one), (_, two))| one.is_none() || two.is_none() || one == two)
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let named: Vec<_> =
            self.parts().iter().filter_map(|(name, value)| value.map(|value| format!("{name}={value}"))).collect();
        f.write_str(if named.is_empty() { "any kind".to_owned() } else { named.join(",") }.as_str())
    }
}

/// A meter in a pool and of a kind, by a small number: sums are kept by these.
pub(crate) type FactNo = usize;
/// A meter in a pool, by a small number.
pub(crate) type PlaceNo = usize;

/// One meter and kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fact {
    pub(crate) meter: Meter,
    /// With the pool.
    pub(crate) kind: Kind,
    pub(crate) place: PlaceNo,
}

/// All meters and kinds that occur, numbered as they come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    all: Vec<Fact>,
    numbers: std::collections::BTreeMap<(Meter, Kind), FactNo>,
    places: Vec<(String, Meter)>,
}

impl Facts {
    /// The number of `meter` of `kind`, which names its pool.
    pub(crate) fn number(&mut self, meter: Meter, kind: &Kind) -> FactNo {
        if let Some(number) = self.numbers.get(&(meter, kind.clone())) {
            return *number;
        }
        let number = self.all.len();
        let place = self.place(kind.pool.as_deref().unwrap_or_default(), meter);
        self.numbers.insert((meter, kind.clone()), number);
        self.all.push(Fact { meter, kind: kind.clone(), place });
        number
    }

    /// The number of `meter` in `pool`.
    pub(crate) fn place(&mut self, pool: &str, meter: Meter) -> PlaceNo {
        if let Some(number) = self.find_place(pool, meter) {
            return number;
        }
        self.places.push((pool.to_owned(), meter));
        self.places.len() - 1
    }

    /// The number of `meter` in `pool`, if it has one.
    pub(crate) fn find_place(&self, pool: &str, meter: Meter) -> Option<PlaceNo> {
        self.places.iter().position(|(name, of)| name == pool && *of == meter)
    }

    pub(crate) fn get(&self, number: FactNo) -> Option<&Fact> {
        self.all.get(number)
    }

    pub(crate) fn place_of(&self, fact: FactNo) -> Option<PlaceNo> {
        self.all.get(fact).map(|fact| fact.place)
    }

    pub(crate) fn place_name(&self, place: PlaceNo) -> Option<(&str, Meter)> {
        self.places.get(place).map(|(pool, meter)| (pool.as_str(), *meter))
    }

    /// The meters that occur.
    pub(crate) fn meters(&self) -> impl Iterator<Item = Meter> {
        self.all.iter().map(|fact| fact.meter)
    }

    /// All places, by number.
    pub(crate) fn places(&self) -> impl Iterator<Item = (&str, Meter)> {
        self.places.iter().map(|(pool, meter)| (pool.as_str(), *meter))
    }

    /// Which facts `meter` and `selector` select: by number, yes or no.
    pub(crate) fn selected(&self, meter: Meter, selector: &Kind) -> Vec<bool> {
        self.all.iter().map(|fact| fact.meter == meter && selector.selects(&fact.kind)).collect()
    }
}
