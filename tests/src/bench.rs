//! The benchmarks: what is measured, against what in the same run, and how it is told.

mod admissions;
pub mod audit;
mod bringup;
mod callers;
mod edge;
mod error;
mod failover;
pub mod figure;
mod idle;
mod ledger;
pub mod machine;
mod memory;
mod node;
mod observer;
mod options;
pub mod plan;
mod points;
mod progress;
mod replay;
pub mod requests;
mod rest;
pub mod results;
pub mod statistics;
pub mod table;
mod town;
mod writes;

pub use error::BenchError;
pub use figure::{Figure, Name};
pub use options::Options;

/// Measures every figure asked for. Each is recorded as soon as it is known, so that an interruption loses only the
/// one under way.
///
/// # Errors
/// When something could not be measured; a goal that was missed is no error.
pub async fn run(options: &Options) -> Result<Vec<Figure>, BenchError> {
    let file = jiyun_lab::target_folder().join("bench/results.jsonl");
    let mut figures = Vec::new();
    let (mut storm, mut asked, mut booted) = (None, None, None);
    for name in options.figures() {
        let missing = if name.needs_node() { node::missing() } else { Vec::new() };
        if !missing.is_empty() {
            let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
            progress::say(&format!("{name} is LEFT OUT, this machine cannot run a node: {}", missing.join("; ")));
            continue;
        }
        let load = machine::look_around().await?;
        progress::say(&format!("{name}: {load}"));
        if let Some(warning) = load.warning() {
            progress::say(&format!("WARNING: {warning}"));
        }
        let mut figure = match name {
            Name::BringupVsRoofline => Box::pin(bringup::measure(options)).await?,
            Name::WritesPerHost => Box::pin(writes::measure(options)).await?,
            Name::IdleWrites => Box::pin(idle::measure(options)).await?,
            Name::MemoryPerHost => Box::pin(memory::measure(options)).await?,
            Name::DecisionsPerSecond => Box::pin(ledger::decisions(options)).await?,
            Name::LedgerVsEtcd => Box::pin(ledger::throughput(options)).await?,
            Name::BytesPerClaim => ledger::resident(options).await?,
            Name::FailoverFirstWrite => Box::pin(failover::measure(options)).await?,
            Name::AdmissionsPerSecond => Box::pin(admissions::measure(options)).await?,
            Name::FaultPoints => Box::pin(points::measure()).await?,
            Name::OvercommitUnits => {
                let edge = Box::pin(edge::measure(options)).await?;
                stormed(&mut storm, options).await?.overcommit(&edge)
            }
            Name::FalseRefusals => stormed(&mut storm, options).await?.false_refusals(),
            Name::BytesPerGrantGrowth => Box::pin(ledger::growth(options)).await?,
            Name::RestVsEqualWrites => Box::pin(rest::equal_writes(options)).await?,
            Name::RestVsRawCreate => over_rest(&mut asked, options).await?.throughput()?,
            Name::RestP99VsRaw => over_rest(&mut asked, options).await?.tail()?,
            Name::RestCpuMs => over_rest(&mut asked, options).await?.processor()?,
            Name::WritesPerOrder => Box::pin(rest::writes_per_order(options)).await?,
            Name::AbuseP99 => Box::pin(rest::abuse(options)).await?,
            Name::InstallToReadyS => on_node(&mut booted, options).await?.install(),
            Name::OrderToHttpS => on_node(&mut booted, options).await?.order()?,
            Name::ApiPodRssMb | Name::ControllerPodRssMb => on_node(&mut booted, options).await?.memory(name),
        };
        figure.notes.push(format!("at the start: {load}"));
        figure.notes.extend(load.warning());
        results::record(&file, &figure)?;
        figures.push(figure);
    }
    progress::say(&format!("recorded in {}", file.display()));
    Ok(figures)
}

/// Fills an account book, and tells what that took as a line of JSON.
///
/// # Errors
/// When it cannot be filled.
pub fn fill(claims: u32) -> Result<String, BenchError> {
    ledger::fill(claims)
}

/// Two figures are told of the same storm.
async fn stormed<'a>(storm: &'a mut Option<ledger::Storm>, options: &Options) -> Result<&'a ledger::Storm, BenchError> {
    let raged = match storm.take() {
        Some(raged) => raged,
        None => Box::pin(ledger::storm(options)).await?,
    };
    Ok(storm.insert(raged))
}

/// Three figures are told of the same orders.
async fn over_rest<'a>(asked: &'a mut Option<rest::Rest>, options: &Options) -> Result<&'a rest::Rest, BenchError> {
    let measured = match asked.take() {
        Some(measured) => measured,
        None => Box::pin(rest::measure(options)).await?,
    };
    Ok(asked.insert(measured))
}

/// Four figures are told of the same node.
async fn on_node<'a>(
    booted: &'a mut Option<node::Measured>,
    options: &Options,
) -> Result<&'a node::Measured, BenchError> {
    let measured = match booted.take() {
        Some(measured) => measured,
        None => Box::pin(node::measure(options)).await?,
    };
    Ok(booted.insert(measured))
}
