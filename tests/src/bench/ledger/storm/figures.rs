//! The two figures a storm is told in.

use super::{REPLICAS, Storm};
use crate::bench::{
    Figure, Name,
    edge::Edge,
    figure::{Better, Comparison, Goal, Judged},
    statistics::number,
};

/// Nobody is ever given what is not there.
const NO_UNIT: Goal = Goal { value: 0.0, better: Better::Lower, judged: Judged::Ours };
/// One refusal in a thousand.
const FEW: Goal = Goal { value: 0.001, better: Better::Lower, judged: Judged::Ratio };

impl Storm {
    fn notes(&self) -> Vec<String> {
        let Self { verdict, tally, fates: [crashed, expired, deposed, resigned], seconds, entries, seed } = self;
        vec![
            format!(
                "seed {seed}: {} attempts in {seconds:.0} s, {entries} entries; {} granted, {} amended, {} released, {} \
                 refused; {} of {} at a ceiling, the rest for want of room",
                tally.attempts,
                tally.granted,
                tally.amended,
                tally.released,
                verdict.refusals,
                verdict.at_ceilings,
                verdict.refusals
            ),
            format!(
                "{REPLICAS} replicas; terms ended: {crashed} crashed, {expired} crashed and left to run out, {deposed} \
                 deposed while writing, {resigned} resigned; {} attempts were not answered and asked again",
                tally.unanswered
            ),
            format!(
                "afterwards: {} claims in the book that nobody was told of, {} told of that are not in it; {} answers \
                 that should not be{}",
                verdict.unknown,
                verdict.missing,
                tally.unexpected.len(),
                tally.unexpected.first().map(|first| format!(", the first: {first}")).unwrap_or_default()
            ),
        ]
    }

    /// Units above what there is, over all revisions: of this storm at the book, or of the orders through the API server.
    pub fn overcommit(&self, edge: &Edge) -> Figure {
        let mut notes = self.notes();
        notes.push(edge.note());
        if let Some(revision) = edge.first_over {
            notes.push(format!("FIRST OVER through the API server at revision {revision}"));
        }
        if let Some(revision) = self.verdict.first_over {
            notes.push(format!("FIRST OVER at revision {revision}"));
        }
        let comparison = Comparison {
            ours: units(self.verdict.over.max(edge.over)),
            reference: units(self.verdict.refused_units + edge.refused_units),
            what_reference_is: "units the refused attempts asked for: what would have been given besides".into(),
            unit: "units".into(),
            runs: 1,
            notes,
        };
        Figure::new(Name::OvercommitUnits, comparison, NO_UNIT)
    }

    /// Refusals of what would have fitted.
    pub fn false_refusals(&self) -> Figure {
        let mut notes = self.notes();
        notes.push(format!(
            "of the true refusals {} were for a bound that was not there yet when asked, but when decided",
            self.verdict.later
        ));
        notes.extend(self.verdict.examples.iter().cloned());
        let comparison = Comparison {
            ours: number(self.verdict.untrue),
            reference: number(self.verdict.refusals),
            what_reference_is: "all refusals for a limit or for want of room".into(),
            unit: "refusals".into(),
            runs: 1,
            notes,
        };
        Figure::new(Name::FalseRefusals, comparison, FEW)
    }
}

#[allow(clippy::cast_precision_loss, reason = "a share of a percent does not matter where zero is the goal")]
fn units(count: u64) -> f64 {
    count as f64
}
