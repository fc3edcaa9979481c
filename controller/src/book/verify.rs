//! `ledger verify`: the audit's findings, and how much it looked at.

use std::{fmt::Write, process::ExitCode};

use jiyun_audit::{Expected, Report, audit};
use serde::Deserialize;

use super::{BookError, FINDINGS, answer, compare::compare, read, table::Table};
use crate::args::{Output, Verify};

/// So many findings are printed as a table; JSON has all.
const SHOWN: usize = 200;

/// Verifies the book; the exit code says whether it is sound.
///
/// # Errors
/// When it cannot be read from its beginning.
pub async fn run(arguments: &Verify) -> Result<ExitCode, BookError> {
    let expected = arguments.expect.as_deref().map(expected).transpose()?;
    let lines = read::lines(&arguments.source).await?;
    from_the_beginning(&lines)?;
    let mut report = audit(lines.iter().map(String::as_str), expected);
    // A book that contradicts itself is not compared: one fault would be told many times over.
    if report.findings.is_empty() {
        report.findings = compare(&lines, &report);
    }
    answer(&match arguments.output {
        Output::Table => table(&report),
        Output::Json => json(&report)?,
    })?;
    Ok(if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}

/// A part of a book cannot be verified: what claims hold at its beginning is not in it.
fn from_the_beginning(lines: &[String]) -> Result<(), BookError> {
    #[derive(Deserialize)]
    struct Head {
        seq: u64,
    }
    match lines.first().map(|line| serde_json::from_str::<Head>(line)) {
        None => Err(BookError::NoEntry { from: 1, last: 0 }),
        Some(Ok(Head { seq })) if seq > 1 => Err(BookError::NotFromTheBeginning { first: seq }),
        Some(_) => Ok(()),
    }
}

fn expected(text: &str) -> Result<Expected, BookError> {
    let parsed = text.split_once(':').and_then(|(seq, fingerprint)| {
        let is_digest = fingerprint.len() == 64 && fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit());
        let fingerprint = fingerprint.to_ascii_lowercase();
        Some(Expected { seq: seq.parse().ok()?, fingerprint }).filter(|_| is_digest)
    });
    parsed.ok_or_else(|| BookError::Expect { text: text.to_owned() })
}

fn json(report: &Report) -> Result<String, BookError> {
    let mut text = serde_json::to_string_pretty(report).map_err(BookError::Encode)?;
    text.push('\n');
    Ok(text)
}

fn table(report: &Report) -> String {
    let mut text = String::new();
    let mut table = Table::new(&[
        ("规则", "rule"),
        ("条目", "entry"),
        ("对象", "subject"),
        ("应为", "expected"),
        ("实为", "found"),
    ]);
    for finding in report.findings.iter().take(SHOWN) {
        table.row(vec![
            finding.rule.to_string(),
            finding.seq.to_string(),
            finding.subject.clone(),
            finding.expected.clone(),
            finding.found.clone(),
        ]);
    }
    // Writing into a text cannot fail.
    if !table.is_empty() {
        let _ = writeln!(text, "{table}");
    }
    if report.findings.len() > SHOWN {
        let _ = writeln!(text, "and {} more; --output json has all\n", report.findings.len() - SHOWN);
    }
    let looked = &report.looked;
    let moment = |at: Option<jiff::Timestamp>| at.map_or_else(|| "never".to_owned(), |at| at.to_string());
    let _ = writeln!(
        text,
        "looked at {} entries with {} events, from {} to {}:\n{} claims ({} open), {} accounts, {} pools, {} requests in line",
        looked.entries,
        looked.events,
        moment(looked.from),
        moment(looked.to),
        looked.claims,
        looked.open_claims,
        looked.accounts,
        looked.pools,
        looked.waiting,
    );
    if !looked.adopted.is_empty() {
        let adopted: Vec<_> = looked.adopted.iter().map(|claim| format!("claim-{claim}")).collect();
        let _ = writeln!(text, "adopted in quarantine, compare with the reviewed plans: {}", adopted.join(", "));
    }
    let _ = writeln!(text, "fingerprint {}:{}", looked.seq, report.fingerprint);
    let _ = match report.findings.len() {
        0 => writeln!(text, "no findings: the book is sound (账本无误)"),
        1 => writeln!(text, "1 finding (发现 1 处问题)"),
        many => writeln!(text, "{many} findings (发现 {many} 处问题)"),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENED: &str = r#"{"seq":1,"at":"2026-11-01T00:00:00Z","epoch":1,"events":[{"type":"Opened","lineage":"book","peerLineage":"hub"}]}"#;

    fn report(lines: &[&str]) -> Report {
        audit(lines.iter().copied(), None)
    }

    #[test]
    fn a_sound_book_is_said_to_be_sound_and_what_was_looked_at() {
        let text = table(&report(&[OPENED]));
        assert!(text.starts_with("looked at 1 entries with 1 events, from 2026-11-01T00:00:00Z"), "{text}");
        assert!(text.contains("fingerprint 1:") && text.ends_with("(账本无误)\n"), "{text}");
    }

    #[test]
    fn a_finding_is_a_row_with_rule_entry_and_both_sides() {
        let text = table(&report(&[OPENED, OPENED]));
        let row = text.lines().nth(1).unwrap();
        assert!(row.starts_with("Sequence") && row.contains("number 2"), "{text}");
        assert!(text.ends_with("1 finding (发现 1 处问题)\n"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&json(&report(&[OPENED, OPENED])).unwrap()).unwrap();
        assert_eq!(json["findings"][0]["rule"], "Sequence");
        assert_eq!(json["looked"]["entries"], 2);
    }

    #[test]
    fn a_part_of_a_book_is_not_taken_for_a_book() {
        let error = from_the_beginning(&[OPENED.replace("\"seq\":1", "\"seq\":500")]).unwrap_err();
        assert!(error.to_string().contains("without --from"), "{error}");
        from_the_beginning(&["not json".to_owned()]).unwrap();
    }

    #[test]
    fn an_expectation_is_an_entry_and_a_digest() {
        let digest = "ab".repeat(32);
        assert_eq!(expected(&format!("12:{digest}")).unwrap(), Expected { seq: 12, fingerprint: digest });
        for wrong in ["12", "12:ab", "x:abababababababababababababababababababababababababababababababab"] {
            assert!(expected(wrong).is_err(), "{wrong}");
        }
    }
}
