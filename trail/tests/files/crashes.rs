//! Whatever a crash or a full disk leaves, the chain goes on and nothing acknowledged is touched.

use std::fs::OpenOptions;

use jiyun_trail::store::{
    StoreError,
    journal::{Journal, Known},
};
use proptest::{prelude::*, sample::Index};

use super::support::{BadDisk, Trail, record, writer};

fn cut(path: &std::path::Path, length: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_crash_at_any_byte_of_a_batch_leaves_a_sound_chain(
        before in 0..4_i64, batch in 1..4_i64, small in any::<bool>(), which in any::<Index>(), filling in any::<bool>(),
    ) {
        let mut trail = if small { Trail::small_segments() } else { Trail::new() };
        if before > 0 {
            trail.append(0..before);
        }
        let acknowledged = trail.segments().last().map_or(0, |segment| std::fs::metadata(&segment.path).unwrap().len());
        // The batch reached the files up to some byte; its head was never written.
        let (mut journal, _) = trail.open();
        journal.append((0..batch).map(record).collect()).unwrap();
        let segments = trail.segments();
        let last = segments.last().unwrap();
        let length = std::fs::metadata(&last.path).unwrap().len();
        let from = if small || before == 0 { 0 } else { acknowledged };
        let end = from + which.index(usize::try_from(length - from).unwrap()) as u64;
        cut(&last.path, end);
        if filling && before > 0 {
            // After a power failure the rest may be there as zeros.
            cut(&last.path, length);
        }
        drop(journal);

        let gaps = trail.append([100, 101]);
        prop_assert_eq!(gaps, []);
        let report = trail.verify();
        prop_assert!(report.is_sound(), "{:?}", report);
        prop_assert!(report.looked.records >= u64::try_from(before).unwrap() + 2);
    }

    #[test]
    fn a_disk_that_is_full_at_any_byte_costs_nothing_that_was_acknowledged(
        batches in proptest::collection::vec(1..4_i64, 1..5), room in 0..6000_usize, small in any::<bool>(),
    ) {
        let mut trail = if small { Trail::small_segments() } else { Trail::new() };
        let disk = BadDisk::with_room(room);
        let opened = Journal::open(trail.path(), &writer("api-0"), disk, trail.shape, &trail.known);
        let (mut journal, _) = opened.unwrap();
        let mut acknowledged = 0;
        for batch in batches {
            match journal.append((0..batch).map(record).collect()) {
                Ok(first) => {
                    acknowledged = first + u64::try_from(batch).unwrap() - 1;
                    trail.known.head = journal.head().cloned();
                }
                Err(error) => {
                    let is_full = matches!(&error, StoreError::File { what: "written", .. });
                    prop_assert!(is_full, "{}", error);
                    break;
                }
            }
        }
        drop(journal);
        trail.known.synced = Some(acknowledged);
        let gaps = trail.append([100]);
        prop_assert_eq!(gaps, []);
        let report = trail.verify();
        prop_assert!(report.is_sound(), "{:?}", report);
        prop_assert_eq!(report.looked.records, acknowledged + 1);
    }
}

#[test]
fn what_may_be_only_in_memory_is_cut_before_the_chain_goes_on() {
    let mut trail = Trail::new();
    let disk = BadDisk::with_syncs(1);
    let (mut journal, _) = Journal::open(trail.path(), &writer("api-0"), disk, trail.shape, &trail.known).unwrap();
    journal.append(vec![record(0)]).unwrap();
    trail.known.head = journal.head().cloned();
    journal.append(vec![record(1)]).unwrap_err();
    trail.known.synced = Some(1);
    let (journal, gaps) = trail.open();
    assert_eq!((journal.sequence(), gaps.len()), (1, 0));
    trail.assert_sound();
}

#[test]
fn whole_records_that_were_not_acknowledged_are_kept_and_caught_up() {
    let mut trail = Trail::new();
    trail.append(0..2);
    let (mut journal, _) = trail.open();
    journal.append(vec![record(2)]).unwrap();
    drop(journal);
    let (journal, gaps) = trail.open();
    assert_eq!((journal.sequence(), journal.head().unwrap().sequence, gaps.len()), (3, 3, 0));
    trail.assert_sound();
}

#[test]
fn without_a_head_only_a_line_that_is_not_whole_is_cut() {
    let mut trail = Trail::new();
    trail.append(0..3);
    let path = trail.segments()[0].path.clone();
    let text = std::fs::read_to_string(&path).unwrap();
    trail.known = Known::default();
    std::fs::write(&path, &text[..text.len() - 1]).unwrap();
    assert_eq!(trail.open().0.sequence(), 2);
    // A damaged line with whole ones behind it may have been acknowledged: nobody but a person may touch it.
    std::fs::write(&path, text.replacen("web-1", "web-9", 1)).unwrap();
    let opened = Journal::open(trail.path(), &writer("api-0"), BadDisk::default(), trail.shape, &trail.known);
    let error = opened.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { line: 3, .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap().len(), text.len());
}
