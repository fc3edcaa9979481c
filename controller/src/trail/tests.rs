//! The commands on trails in temporary folders.

use std::{collections::BTreeMap, fs, io, path::Path};

use jiff::Timestamp;
use jiyun_trail::{
    Options, Trail,
    core::{
        action::Action, actor::Actor, head::KeptHead, object::Object, outcome::Outcome, record::Record, verify::Report,
        writer::Writer,
    },
    figures::Figures,
    heads::memory::MemoryHeads,
    store::disk::RealDisk,
};
use prometheus::Registry;
use strum::VariantNames;

use super::{
    expected::{self, Chains, kept},
    head::lines,
    verify::{of_folder, sentence},
};

fn writer() -> Writer {
    "controller-0".parse().unwrap()
}

/// A trail of so many records of `who`, and its heads.
async fn written(folder: &Path, who: &str, records: u64) -> MemoryHeads {
    let heads = MemoryHeads::default();
    let figures = Figures::new(&Registry::new()).unwrap();
    let (trail, task) = Trail::start(Options::new(folder, writer()), heads.clone(), RealDisk, figures);
    trail.writable().await.unwrap();
    for n in 0..records {
        let object = Object::new("CloudHost", format!("web-{n}"));
        let record = Record::new(Timestamp::now(), Actor::new(who), Action::Create, object, Outcome::Succeeded);
        trail.append(record).await.unwrap();
    }
    drop(trail);
    task.await.unwrap();
    heads
}

async fn verified(folder: &Path, kept: Vec<KeptHead>, etcd: Option<&MemoryHeads>) -> Vec<Report> {
    let mut chains = Chains::new();
    expected::add(&mut chains, kept);
    of_folder(folder, chains, etcd, Timestamp::now(), io::sink()).await.unwrap()
}

fn codes(reports: &[Report]) -> Vec<&'static str> {
    reports.iter().flat_map(|report| &report.findings).map(|finding| finding.fault.code()).collect()
}

#[tokio::test]
async fn a_trail_is_proven_by_etcd_and_a_chain_written_anew_only_by_a_head_kept_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let heads = written(folder.path(), "wang", 5).await;
    let exported = kept(&heads).await.unwrap();
    assert!(codes(&verified(folder.path(), Vec::new(), Some(&heads)).await).is_empty());
    assert!(codes(&verified(folder.path(), exported.clone(), None).await).is_empty());

    // Somebody with both the files and etcd in hand writes history anew.
    fs::remove_dir_all(folder.path().join("controller-0")).unwrap();
    let anew = written(folder.path(), "li", 7).await;
    assert!(codes(&verified(folder.path(), Vec::new(), Some(&anew)).await).is_empty());
    let reports = verified(folder.path(), exported, Some(&anew)).await;
    assert_eq!(codes(&reports), ["Rewritten"]);
    let told = sentence(&reports[0].findings[0].fault);
    assert!(told.contains("record 5 is not the one") && told.contains("整条链被重写过"), "{told}");
}

#[tokio::test]
async fn heads_are_read_from_the_file_they_were_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let heads = kept(&written(folder.path(), "wang", 2).await).await.unwrap();
    let file = folder.path().join("heads.jsonl");
    fs::write(&file, lines(&heads).unwrap() + "\n").unwrap();
    assert_eq!(expected::from_file(&file).unwrap(), heads);
    fs::write(&file, "{\"sequence\":1}").unwrap();
    let error = expected::from_file(&file).unwrap_err();
    assert!(error.to_string().contains("line 1") && error.to_string().contains("no head"), "{error}");
}

#[tokio::test]
async fn a_chain_whose_folder_is_gone_and_a_chain_without_a_head_are_findings() {
    let folder = tempfile::tempdir().unwrap();
    let heads = written(folder.path(), "wang", 2).await;
    assert_eq!(codes(&verified(folder.path(), Vec::new(), Some(&MemoryHeads::default())).await), ["NoHead"]);
    fs::remove_dir_all(folder.path().join("controller-0")).unwrap();
    assert_eq!(codes(&verified(folder.path(), Vec::new(), Some(&heads)).await), ["CutOff"]);
    let nothing = of_folder(folder.path(), BTreeMap::new(), None::<&MemoryHeads>, Timestamp::now(), io::sink()).await;
    assert!(nothing.unwrap_err().to_string().contains("there is no trail"));
}

#[test]
fn every_fault_has_a_sentence() {
    for code in jiyun_trail::core::verify::Fault::VARIANTS {
        let message = format!("Trail{code}");
        assert!(jiyun_messages::codes().any(|known| known == message), "{message}");
    }
}
