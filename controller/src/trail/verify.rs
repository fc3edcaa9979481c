//! `trail verify`: proves the chains, or names what is broken.

use std::{fmt::Write, io, path::Path, process::ExitCode};

use jiff::Timestamp;
use jiyun_messages::bilingual;
use jiyun_trail::{
    core::verify::{Fault, Report},
    heads::Heads,
    store::{
        check,
        folder::{Folder, writers},
    },
};

use super::{
    FINDINGS,
    error::TrailError,
    expected::{self, Chains},
    heads,
};
use crate::{
    args::{Output, TrailVerify},
    book::{answer, table::Table},
};

/// So many findings are printed as a table; JSON has all that are kept.
const SHOWN: usize = 200;

/// Verifies; the exit code says whether the trail is whole.
///
/// # Errors
/// When files or heads cannot be read.
pub async fn run(arguments: &TrailVerify) -> Result<ExitCode, TrailError> {
    let mut chains = Chains::new();
    for file in &arguments.head {
        expected::add(&mut chains, expected::from_file(file)?);
    }
    let etcd = match arguments.etcd() {
        Some(etcd) => Some(heads(&etcd).await?),
        None => None,
    };
    let reports = match (&arguments.input, &arguments.trail_dir) {
        (Some(file), _) => {
            // An export ends where it was taken: etcd's head, if it is not the only one, is of later.
            if let Some(etcd) = etcd.as_ref().filter(|_| arguments.head.is_empty()) {
                expected::add(&mut chains, expected::kept(etcd).await?);
            }
            check::exported(file, chains, Timestamp::now())?
        }
        (None, folder) => {
            let folder = folder.as_deref().unwrap_or(Path::new("."));
            of_folder(folder, chains, etcd.as_ref(), Timestamp::now(), io::sink()).await?
        }
    };
    answer(&match arguments.output {
        Output::Table => table(&reports),
        Output::Json => json(&reports)?,
    })?;
    Ok(code(&reports))
}

/// The exit code of these reports.
pub fn code(reports: &[Report]) -> ExitCode {
    if reports.iter().all(Report::is_sound) { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) }
}

/// Verifies every chain of a folder, and those that should be there; whole lines are written to `copy`.
pub async fn of_folder(
    folder: &Path,
    mut chains: Chains,
    etcd: Option<&impl Heads>,
    now: Timestamp,
    mut copy: impl io::Write,
) -> Result<Vec<Report>, TrailError> {
    // In this order a trail that is written and pruned meanwhile does not look broken: heads, files, marks of pruning.
    if let Some(etcd) = etcd {
        expected::add(&mut chains, expected::kept(etcd).await?);
    }
    for writer in writers(folder)? {
        chains.entry(writer).or_default();
    }
    if chains.is_empty() {
        return Err(TrailError::Nothing { folder: folder.to_owned() });
    }
    let mut reports = Vec::new();
    for (writer, mut expected) in chains {
        let segments = Folder::of(folder, &writer).segments()?;
        if let Some(etcd) = etcd {
            expected.pruned = etcd.read(&writer).await?.pruned.or(expected.pruned);
        }
        reports.push(check::segments(&writer, &segments, expected, now, &mut copy)?);
    }
    Ok(reports)
}

fn json(reports: &[Report]) -> Result<String, TrailError> {
    let mut text = serde_json::to_string_pretty(reports).map_err(TrailError::Encode)?;
    text.push('\n');
    Ok(text)
}

/// A fault in both languages.
pub fn sentence(fault: &Fault) -> String {
    bilingual(&format!("Trail{}", fault.code()), &jiyun_messages::parameters(fault.parameters()))
}

fn table(reports: &[Report]) -> String {
    let mut table = Table::new(&[("链", "chain"), ("位置", "place"), ("问题", "finding")]);
    let all = reports.iter().flat_map(|report| report.findings.iter().map(move |finding| (report, finding)));
    for (report, finding) in all.clone().take(SHOWN) {
        table.row(vec![report.writer.to_string(), finding.place.to_string(), sentence(&finding.fault)]);
    }
    let count = all.count() as u64 + reports.iter().map(|report| report.more).sum::<u64>();
    let mut text = String::new();
    // Writing into a text cannot fail.
    if count > 0 {
        let _ = writeln!(text, "{table}");
    }
    if count > SHOWN as u64 {
        let _ = writeln!(text, "and {} more\n", count - SHOWN as u64);
    }
    for Report { writer, looked, .. } in reports {
        let moment = |at: Option<Timestamp>| at.map_or_else(|| "never".to_owned(), |at| at.to_string());
        let last = looked.head.as_ref().map_or(0, |head| head.sequence);
        let _ = writeln!(
            text,
            "{writer}: looked at {} segments with {} records, {} to {last}, from {} to {}",
            looked.segments,
            looked.records,
            looked.first,
            moment(looked.from),
            moment(looked.until),
        );
        if looked.torn {
            let _ = writeln!(
                text,
                "{writer}: the last line is not whole; it was never acknowledged, and goes with the next start"
            );
        }
        if let Some(head) = &looked.head {
            let _ = writeln!(text, "{writer}: head {}:{}", head.sequence, head.hash);
        }
    }
    let _ = match count {
        0 => writeln!(text, "no findings: the trail is whole (留痕完整)"),
        1 => writeln!(text, "1 finding (发现 1 处问题)"),
        many => writeln!(text, "{many} findings (发现 {many} 处问题)"),
    };
    text
}
