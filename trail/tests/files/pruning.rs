//! Segments go when they are old enough, and what is left still proves itself.

use jiyun_trail::{
    core::verify::Fault,
    store::{limits::Retention, prune},
};

use super::support::{Trail, at, writer};

const DAY: i64 = 24 * 60 * 60;

/// One segment a day for five days.
fn week() -> Trail {
    let mut trail = Trail::new();
    for day in 0..5 {
        trail.append([day * DAY, day * DAY + 1]);
    }
    assert_eq!(trail.segments().len(), 5);
    trail
}

#[test]
fn nothing_goes_before_180_days_and_then_only_what_is_older() {
    let mut trail = week();
    let due = |second| prune::due(trail.path(), &writer("api-0"), Retention::default(), at(second)).unwrap();
    assert_eq!(due(179 * DAY), None);
    let mark = due(182 * DAY).unwrap();
    assert_eq!((mark.sequence, mark.until), (4, at(DAY + 1)));
    assert_eq!(due(400 * DAY).unwrap().sequence, 8, "the last segment stays");

    trail.known.pruned = Some(mark.clone());
    prune::delete(trail.path(), &writer("api-0"), &mark).unwrap();
    assert_eq!(trail.segments()[0].first, 5);
    assert_eq!(trail.append([6 * DAY]), [], "what was pruned is not missed");
    let report = trail.verify_with(trail.known.head.clone(), Some(mark.clone()), at(182 * DAY));
    assert!(report.is_sound(), "{report:?}");
    let report = trail.verify_with(trail.known.head.clone(), Some(mark), at(20 * DAY));
    assert_eq!(report.findings[0].fault, Fault::PrunedEarly { until: at(DAY + 1) });
    let report = trail.verify_with(trail.known.head.clone(), None, at(182 * DAY));
    assert_eq!(report.findings[0].fault, Fault::BeginningMissing { first: 5 });
}

#[test]
fn pruning_that_was_broken_off_is_no_gap_and_is_finished_later() {
    let mut trail = week();
    let mark = prune::due(trail.path(), &writer("api-0"), Retention::default(), at(184 * DAY)).unwrap().unwrap();
    assert_eq!(mark.sequence, 8);
    trail.known.pruned = Some(mark.clone());
    for left in [5, 4, 3] {
        assert_eq!(trail.segments().len(), left);
        assert_eq!(trail.open().1, []);
        let report = trail.verify_with(trail.known.head.clone(), Some(mark.clone()), at(184 * DAY));
        assert!(report.is_sound(), "{report:?}");
        std::fs::remove_file(&trail.segments()[0].path).unwrap();
    }
    prune::delete(trail.path(), &writer("api-0"), &mark).unwrap();
    assert_eq!(trail.segments().len(), 1);
}
