//! `trail export`: every line for an auditor, and the heads to be kept elsewhere.

use std::process::ExitCode;

use jiff::Timestamp;
use jiyun_trail::core::head::KeptHead;

use super::{
    error::TrailError,
    expected::Chains,
    head::lines,
    heads,
    verify::{code, of_folder, sentence},
};
use crate::{args::TrailExport, book::export::Target};

/// Exports, and verifies on the way.
///
/// # Errors
/// When something cannot be read, or a file cannot be written; a file of that name is then as it was.
pub async fn run(arguments: &TrailExport) -> Result<ExitCode, TrailError> {
    let etcd = heads(&arguments.ledger).await?;
    let mut target = Target::open(&arguments.output)?;
    let checked = of_folder(&arguments.folder.path, Chains::new(), Some(&etcd), Timestamp::now(), &mut target).await;
    let reports = match checked {
        Ok(reports) => reports,
        Err(error) => {
            target.discard();
            return Err(error);
        }
    };
    // Heads of what was written here, not of what came while it was written.
    let mut kept = Vec::new();
    for report in &reports {
        let pruned = jiyun_trail::heads::Heads::read(&etcd, &report.writer).await?.pruned;
        kept.extend(report.looked.head.clone().map(|head| KeptHead { writer: report.writer.clone(), head, pruned }));
    }
    target.finish()?;
    let mut target = Target::open(&arguments.head)?;
    target.line(lines(&kept)?.trim_end().as_bytes())?;
    target.finish()?;
    let records: u64 = reports.iter().map(|report| report.looked.records).sum();
    eprintln!("{records} records of {} chains exported; keep {} elsewhere", reports.len(), arguments.head.display());
    for report in &reports {
        if let Some(finding) = report.findings.first() {
            eprintln!("{}: {}: {}", report.writer, finding.place, sentence(&finding.fault));
        }
    }
    Ok(code(&reports))
}
