//! Writes the example and does with it what the document says.

use std::{fs, path::Path, process::Command};

use jiff::Timestamp;
use jiyun_trail::core::{
    action::Action,
    actor::{Actor, Authentication},
    chain::Chain,
    content::Content,
    hash::{Digest, Sha256},
    object::Object,
    outcome::Outcome,
    record::Record,
    verify::{Fault, Verifier},
    writer::Writer,
};
use serde_json::json;
use strum::{IntoEnumIterator, VariantNames};

fn document() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/audit-trail.md")).unwrap()
}

/// The fenced block below a heading.
fn block(heading: &str) -> String {
    let document = document();
    let below = document.split_once(heading).unwrap().1;
    let fenced = below.split_once("```text\n").unwrap().1;
    fenced.split_once("```").unwrap().0.to_owned()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Two records, as a quota was raised and a machine deleted, in a segment that was closed.
fn written() -> (Writer, String, Chain) {
    let writer: Writer = "controller-0".parse().unwrap();
    let mut quota = Record::new(
        at("2026-11-02T01:15:30.25Z"),
        Actor {
            groups: vec!["platform-operators".to_owned()],
            authentication: Some(Authentication::Token),
            ..Actor::new("wang")
        },
        Action::QuotaChanged,
        Object::new("Department", "finance"),
        Outcome::Succeeded,
    );
    quota.department = Some("finance".to_owned());
    quota.role = Some("platform-operator".to_owned());
    quota.source = Some("10.20.0.7".to_owned());
    quota.request = Some("6f1c".to_owned());
    quota.order = Some("GD-2026-0117".to_owned());
    quota.before = Some(Content::of(json!({"Vcpu": 16})));
    quota.after = Some(Content::of(json!({"Vcpu": 32})));
    let mut machine = Record::new(
        at("2026-11-02T01:16:02Z"),
        Actor::platform("jiyun-controller"),
        Action::MachineDeleted,
        Object::new("VirtualMachine", "web").within("dept-finance-engines").with_uid("0b7e"),
        Outcome::failed("the engine is silent"),
    );
    machine.department = Some("finance".to_owned());
    let (mut chain, mut text) = (Chain::after(writer.clone(), &Sha256, 0, Digest::default()), Vec::new());
    chain.open(&mut text, at("2026-11-02T01:15:30.25Z")).unwrap();
    chain.append(&mut text, quota).unwrap();
    chain.append(&mut text, machine).unwrap();
    chain.close(&mut text).unwrap();
    (writer, String::from_utf8(text).unwrap(), chain)
}

#[test]
fn the_example_is_what_is_written_and_is_sound() {
    let (writer, text, chain) = written();
    assert_eq!(block("## A worked example"), text);
    let mut verifier = Verifier::new(writer).expecting(chain.head().unwrap().clone());
    verifier.text("example", text.as_bytes());
    let report = verifier.finish();
    assert!(report.is_sound(), "{report:?}");
}

#[test]
fn the_commands_of_the_example_compute_its_hashes() {
    let (_, text, _) = written();
    let folder = tempfile::tempdir().unwrap();
    let file = "00000000000000000001.jsonl";
    fs::write(folder.path().join(file), &text).unwrap();
    let commands = block("### By hand");
    assert!(commands.contains(file), "{commands}");
    let output = Command::new("bash").args(["-euo", "pipefail", "-c", &commands]).current_dir(folder.path()).output();
    let output = output.unwrap();
    let hashes = text.lines().map(|line| line.rsplit('"').nth(1).unwrap());
    let expected: Vec<_> = hashes.collect();
    let computed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(computed.lines().collect::<Vec<_>>(), expected, "{:?}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_action_and_every_finding_is_explained() {
    let document = document();
    for action in Action::iter() {
        assert!(document.contains(&format!("`{action}`")), "{action} is not in docs/audit-trail.md");
    }
    for fault in Fault::VARIANTS {
        assert!(document.contains(&format!("| `{fault}` |")), "{fault} is not in docs/audit-trail.md");
    }
}
