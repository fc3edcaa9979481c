//! `ledger explain`: why an account holds what it holds, claim by claim and unit by unit, up to the row of its balance.

mod replay;
mod rows;
mod show;

use jiyun_ledger::AccountId;

use self::replay::{Moment, Replay};
use super::{BookError, answer, read};
use crate::args::{Explain, Output};

/// Explains what was asked for.
///
/// # Errors
/// When the book cannot be read, or there is no such account or moment in it.
pub async fn run(arguments: &Explain) -> Result<(), BookError> {
    let lines = read::lines(&arguments.source).await?;
    let moment = match (arguments.revision, arguments.at) {
        (Some(revision), _) => Moment::Revision(revision),
        (None, Some(at)) => Moment::At(at),
        (None, None) => Moment::Now,
    };
    let replay = Replay::of(&lines, moment)?;
    let explanation = rows::explain(&replay, &AccountId::new(&arguments.account), arguments.meter)?;
    answer(&match arguments.output {
        Output::Table => show::table(&explanation),
        Output::Json => {
            let mut text = serde_json::to_string_pretty(&explanation).map_err(BookError::Encode)?;
            text.push('\n');
            text
        }
    })
}

#[cfg(test)]
mod tests;
