//! A finding says what was done and where.

use jiff::SignedDuration;
use jiyun_trail::core::{
    chain::Chain,
    content::Content,
    hash::{Digest, Sha256},
    head::{Head, Pruned},
    line::{Line, MOST_BYTES, Said},
    object::Object,
    outcome::Outcome,
    verify::{Fault, Verifier},
};
use serde_json::json;

use super::support::{at, lines, plain, record, verify, write, writer};

/// The first fault with its file and line.
fn first(segments: &[Vec<u8>], head: &Head) -> (Fault, String) {
    let finding = verify(segments, head).findings.into_iter().next().unwrap();
    (finding.fault, finding.place.to_string())
}

#[test]
fn a_changed_record_is_named_by_its_number_and_place() {
    let mut written = plain(&[4, 2]);
    let text = String::from_utf8(written.segments[0].clone()).unwrap().replacen("web-3", "web-9", 1);
    written.segments[0] = text.into_bytes();
    assert_eq!(first(&written.segments, &written.head), (Fault::Changed { sequence: Some(3) }, "1.jsonl:4".to_owned()));
    assert_eq!(verify(&written.segments, &written.head).findings.len(), 1, "one change is one finding");
}

#[test]
fn missing_records_are_named_from_the_first_to_the_last() {
    let mut written = plain(&[6]);
    let mut all = lines(&written.segments[0]);
    all.drain(2..4);
    written.segments[0] = all.concat();
    assert_eq!(first(&written.segments, &written.head), (Fault::Missing { from: 2, to: 3 }, "1.jsonl:3".to_owned()));
}

#[test]
fn a_missing_segment_is_named_by_the_records_it_held() {
    let mut written = plain(&[2, 3, 2]);
    written.segments.remove(1);
    assert_eq!(first(&written.segments, &written.head).0, Fault::SegmentMissing { from: 3, to: 5 });
}

#[test]
fn an_end_that_is_cut_off_and_a_chain_that_is_gone_are_told_by_the_head() {
    let mut written = plain(&[4]);
    let mut all = lines(&written.segments[0]);
    all.pop();
    written.segments[0] = all.concat();
    assert_eq!(first(&written.segments, &written.head), (Fault::CutOff { last: 3, head: 4 }, "-".to_owned()));
    assert_eq!(first(&[], &written.head).0, Fault::CutOff { last: 0, head: 4 });
}

#[test]
fn swapped_records_are_out_of_order() {
    let mut written = plain(&[4]);
    let mut all = lines(&written.segments[0]);
    all.swap(2, 3);
    written.segments[0] = all.concat();
    let faults: Vec<_> = verify(&written.segments, &written.head).findings.into_iter().map(|f| f.fault).collect();
    assert!(faults.contains(&Fault::OutOfOrder { expected: 4, found: 2 }), "{faults:?}");
}

#[test]
fn a_chain_written_anew_is_told_at_the_record_of_the_head() {
    let (written, anew) = (plain(&[4]), write(&[6], "b", &Sha256));
    let findings = verify(&anew.segments, &written.head).findings;
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].fault, Fault::Rewritten { sequence: 4 });
    assert_eq!(findings[0].place.to_string(), "1.jsonl:5");
}

#[test]
fn a_record_that_was_sealed_again_does_not_fit_its_neighbour() {
    let (written, other) = (plain(&[4]), write(&[4], "b", &Sha256));
    let mut all = lines(&written.segments[0]);
    all[2] = lines(&other.segments[0])[2].clone();
    let findings = verify(&[all.concat()], &written.head).findings;
    assert_eq!(findings[0].fault, Fault::Replaced { sequence: Some(2) });
    assert_eq!(findings[1].fault, Fault::Replaced { sequence: Some(3) });
}

#[test]
fn a_beginning_may_be_gone_only_if_the_mark_of_pruning_fits_and_is_old_enough() {
    let written = plain(&[2, 2]);
    let closing = Line::parse(lines(&written.segments[0]).last().unwrap().trim_ascii_end()).unwrap();
    assert!(matches!(closing.said, Said::Closing(_)));
    let kept = &written.segments[1..];
    assert_eq!(first(kept, &written.head).0, Fault::BeginningMissing { first: 3 });

    let mark = Pruned { sequence: 2, hash: closing.hash, until: at(2) };
    let after = |days: i64| {
        let now = at(2) + SignedDuration::from_hours(24 * days);
        let mut verifier = Verifier::new(writer()).expecting(written.head.clone()).pruned(mark.clone(), now);
        verifier.text("2.jsonl", &kept[0]);
        verifier.finish()
    };
    assert!(after(181).is_sound(), "{:?}", after(181));
    assert_eq!(after(100).findings[0].fault, Fault::PrunedEarly { until: at(2) });
}

#[test]
fn a_head_from_before_the_beginning_proves_nothing_and_says_so() {
    let written = plain(&[2, 2]);
    let old = Head { sequence: 1, hash: written.head.hash, at: at(1) };
    let faults: Vec<_> = verify(&written.segments[1..], &old).findings.into_iter().map(|f| f.fault).collect();
    assert!(faults.contains(&Fault::HeadTooOld { head: 1, first: 3 }), "{faults:?}");
}

#[test]
fn the_largest_record_is_still_a_line() {
    // Every text as long as it gets, of what JSON writes longest.
    for letter in ["\u{1}", "\"", "\\", "局"] {
        let long = || Some(letter.repeat(2000));
        let mut large = record(1, &letter.repeat(2000));
        large.actor.groups = vec![letter.repeat(2000); 100];
        (large.actor.on_behalf_of, large.department, large.role) = (long(), long(), long());
        (large.source, large.request, large.zone, large.order) = (long(), long(), long(), long());
        large.object = Object::new(letter.repeat(2000), letter.repeat(2000)).within(letter.repeat(2000));
        large.object.uid = long();
        large.result = Outcome::failed(letter.repeat(2000));
        large.before = Some(Content::of(json!({"a": "x".repeat(4080)})));
        large.after = Some(Content::of(json!({"a": "x".repeat(40_000)})));
        let (mut chain, mut text) = (Chain::after(writer(), &Sha256, 0, Digest::default()), Vec::new());
        chain.open(&mut text, at(0)).unwrap();
        chain.append(&mut text, large).unwrap();
        assert!(text.len() < MOST_BYTES, "{}", text.len());
        assert!(verify(&[text], chain.head().unwrap()).is_sound());
    }
}
