//! Segments begin and end where they should, and one process writes them.

use jiyun_trail::{
    core::{
        hash::Sm3,
        line::{Line, Said},
    },
    store::{StoreError, folder::Folder, journal::Shape, lock::Lock},
};

use super::support::{Trail, writer};

#[test]
fn a_restart_goes_on_in_the_same_segment() {
    let mut trail = Trail::new();
    assert_eq!(trail.append(0..3), []);
    assert_eq!(trail.append(3..5), []);
    assert_eq!(trail.segments().len(), 1);
    assert_eq!(trail.verify().looked.records, 5);
    trail.assert_sound();
}

#[test]
fn a_segment_that_is_large_enough_is_closed_and_the_next_named_by_its_first_record() {
    let mut trail = Trail::small_segments();
    for n in 0..3 {
        trail.append([2 * n, 2 * n + 1]);
    }
    assert_eq!(trail.segments().iter().map(|segment| segment.first).collect::<Vec<_>>(), [1, 3, 5]);
    let names: Vec<_> = trail.segments().into_iter().map(|segment| segment.path).collect();
    assert!(names[1].ends_with("api-0/00000000000000000003.jsonl"), "{names:?}");
    trail.assert_sound();
}

#[test]
fn a_segment_ends_with_the_day() {
    const MIDNIGHT: i64 = 24 * 60 * 60;
    let mut trail = Trail::new();
    let (mut journal, _) = trail.open();
    journal.append(vec![super::support::record(MIDNIGHT - 1)]).unwrap();
    journal.append(vec![super::support::record(MIDNIGHT)]).unwrap();
    // A record that comes late does not open a day of the past.
    journal.append(vec![super::support::record(MIDNIGHT - 1)]).unwrap();
    trail.known.head = journal.head().cloned();
    assert_eq!(trail.segments().iter().map(|segment| segment.first).collect::<Vec<_>>(), [1, 2]);
    trail.assert_sound();
}

#[test]
fn another_hash_begins_with_another_segment_and_the_chain_goes_on() {
    let mut trail = Trail::new();
    trail.append(0..2);
    trail.shape = Shape { algorithm: &Sm3, ..Shape::default() };
    trail.append(2..4);
    let second = std::fs::read(&trail.segments()[1].path).unwrap();
    let header = Line::parse(second.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
    assert!(matches!(header.said, Said::Header(header) if header.algorithm == "SM3" && header.first == 3));
    trail.append(4..6);
    trail.assert_sound();
    assert_eq!((trail.verify().looked.records, trail.segments().len()), (6, 2));
}

#[test]
fn two_processes_cannot_write_one_chain() {
    let trail = Trail::new();
    let folder = Folder::of(trail.path(), &writer("api-0"));
    let first = Lock::take(&folder, &writer("api-0")).unwrap();
    let error = Lock::take(&folder, &writer("api-0")).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    drop(first);
    Lock::take(&folder, &writer("api-0")).unwrap();
}
