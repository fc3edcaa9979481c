//! What was acknowledged and is gone is an alarm; the chain goes on behind it and the hole stays to be seen.

use std::fs;

use jiyun_trail::{
    core::verify::Fault,
    store::{gap::Gap, journal::Known},
};

use super::support::{Trail, at};

fn faults(trail: &Trail) -> Vec<Fault> {
    trail.verify().findings.into_iter().map(|finding| finding.fault).collect()
}

#[test]
fn records_cut_off_at_the_end_are_told_and_the_chain_goes_on_behind_the_head() {
    let mut trail = Trail::new();
    trail.append(0..5);
    let path = trail.segments()[0].path.clone();
    let text = fs::read_to_string(&path).unwrap();
    let kept: String = text.split_inclusive('\n').take(4).collect();
    fs::write(&path, &kept).unwrap();

    assert_eq!(trail.append([5]), [Gap::Lost { from: 4, to: 5 }]);
    assert_eq!(trail.segments()[1].first, 6);
    assert_eq!(fs::read_to_string(&path).unwrap(), kept, "the evidence is not touched");
    assert_eq!(faults(&trail), [Fault::SegmentMissing { from: 4, to: 5 }]);
    // The next start knows of it still.
    assert_eq!(trail.append([6]), [Gap::Broken { first: 6 }]);
}

#[test]
fn a_folder_that_is_empty_though_records_were_acknowledged_is_a_gap() {
    let mut trail = Trail::new();
    trail.append(0..5);
    fs::remove_file(&trail.segments()[0].path).unwrap();
    assert_eq!(trail.append([5]), [Gap::Lost { from: 1, to: 5 }]);
    assert_eq!(faults(&trail), [Fault::BeginningMissing { first: 6 }]);
}

#[test]
fn an_acknowledged_record_that_is_damaged_is_a_gap_and_is_not_cut() {
    let mut trail = Trail::new();
    trail.append(0..5);
    let path = trail.segments()[0].path.clone();
    let damaged = fs::read_to_string(&path).unwrap().replacen("web-3", "web-8", 1);
    fs::write(&path, &damaged).unwrap();
    assert_eq!(trail.append([5]), [Gap::Lost { from: 4, to: 5 }]);
    assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
    assert_eq!(faults(&trail)[0], Fault::Changed { sequence: Some(4) });
}

#[test]
fn a_chain_that_was_written_anew_is_a_gap() {
    let mut trail = Trail::new();
    trail.append(0..3);
    let mut other = Trail::new();
    other.append(10..13);
    fs::copy(&other.segments()[0].path, &trail.segments()[0].path).unwrap();
    assert_eq!(faults(&trail), [Fault::Rewritten { sequence: 3 }]);
    assert_eq!(trail.append([5]), [Gap::Rewritten { sequence: 3 }]);
    assert_eq!(trail.segments()[1].first, 4);
}

#[test]
fn a_segment_that_is_missing_between_others_is_told_at_the_start() {
    let mut trail = Trail::small_segments();
    for n in 0..4 {
        trail.append([n]);
    }
    fs::remove_file(&trail.segments()[1].path).unwrap();
    assert_eq!(trail.append([5]), [Gap::Broken { first: 3 }]);
    assert_eq!(faults(&trail), [Fault::SegmentMissing { from: 2, to: 2 }]);
}

#[test]
fn a_head_that_was_put_back_is_told() {
    let mut trail = Trail::new();
    trail.append(0..1);
    let old = trail.known.clone();
    for n in 0..2 {
        trail.append(n * 200..(n + 1) * 200);
    }
    trail.known = old;
    assert_eq!(trail.open().1, [Gap::HeadBehind { head: 1, last: 401 }]);
    trail.known = Known::default();
    assert_eq!(trail.open().1, [Gap::HeadBehind { head: 0, last: 401 }]);
    let findings = trail.verify_with(None, None, at(0)).findings;
    assert_eq!(findings.iter().map(|finding| &finding.fault).collect::<Vec<_>>(), [&Fault::NoHead]);
}
