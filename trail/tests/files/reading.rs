//! Reading back: filters, pages, several writers, and what is damaged.

use std::collections::BTreeMap;

use jiyun_trail::{
    core::{action::Action, record::Record, verify::Report},
    store::{
        check::{self, Expected},
        disk::RealDisk,
        journal::{Journal, Known, Shape},
        query::Query,
        rows::{page, rows},
    },
};

use super::support::{Trail, at, record, writer};

/// Two writers, whose records lie between each other's; every third record is of another department and action.
fn two_writers() -> Trail {
    let trail = Trail::small_segments();
    for (name, odd) in [("api-0", 0), ("controller-0", 1)] {
        let shape = Shape { segment_bytes: 1000, ..Shape::default() };
        let (mut journal, _) = Journal::open(trail.path(), &writer(name), RealDisk, shape, &Known::default()).unwrap();
        for n in 0..20 {
            journal.append(vec![some(2 * n + odd)]).unwrap();
        }
    }
    trail
}

fn some(second: i64) -> Record {
    let mut record = record(second);
    if second % 3 == 0 {
        record.department = Some("tax".to_owned());
        record.action = Action::Grant;
    }
    record
}

fn seconds(trail: &Trail, query: Query) -> Vec<i64> {
    rows(trail.path(), query).unwrap().map(|row| row.unwrap().record.at.duration_since(at(0)).as_secs()).collect()
}

#[test]
fn all_writers_are_one_stream_in_the_order_of_time() {
    let trail = two_writers();
    assert_eq!(seconds(&trail, Query::default()), (0..40).collect::<Vec<_>>());
}

#[test]
fn a_department_sees_its_own_rows_and_no_others() {
    let trail = two_writers();
    let query = Query { department: Some("tax".to_owned()), ..Query::default() };
    assert_eq!(seconds(&trail, query), (0..40).filter(|n| n % 3 == 0).collect::<Vec<_>>());
    let query = Query { department: Some("water".to_owned()), ..Query::default() };
    assert!(seconds(&trail, query).is_empty());
}

#[test]
fn times_and_actions_narrow_what_is_read() {
    let trail = two_writers();
    let query = Query { from: Some(at(10)), until: Some(at(20)), ..Query::default() };
    assert_eq!(seconds(&trail, query.clone()), (10..20).collect::<Vec<_>>());
    let query = Query { actions: vec![Action::Grant], ..query };
    assert_eq!(seconds(&trail, query), [12, 15, 18]);
}

#[test]
fn pages_follow_one_another_without_loss_or_doubling() {
    let trail = two_writers();
    let mut query = Query { department: Some("finance".to_owned()), ..Query::default() };
    let mut read = Vec::new();
    loop {
        let page = page(trail.path(), query.clone(), 7).unwrap();
        assert!(page.rows.len() <= 7);
        read.extend(page.rows.iter().map(|row| row.record.at));
        let Some(next) = page.next else { break };
        // As it travels to a browser and back.
        query.after = next.to_string().parse().unwrap();
    }
    assert_eq!(read, (0..40).filter(|n| n % 3 != 0).map(at).collect::<Vec<_>>());
}

#[test]
fn a_damaged_line_is_counted_and_the_others_are_read() {
    let mut trail = Trail::new();
    trail.append(0..5);
    let path = trail.segments()[0].path.clone();
    let text = std::fs::read_to_string(&path).unwrap().replacen("\"sequence\":3", "\"sequence\":x", 1);
    std::fs::write(&path, text + "{\"sequence\":6,\"rec").unwrap();
    let page = page(trail.path(), Query::default(), 10).unwrap();
    assert_eq!((page.rows.len(), page.damaged), (4, 1));
}

#[test]
fn an_export_is_verified_without_the_folder_and_misses_what_was_taken_out() {
    let trail = two_writers();
    let mut copy = Vec::new();
    let mut expected = BTreeMap::new();
    for name in ["api-0", "controller-0"] {
        let folder = jiyun_trail::store::folder::Folder::of(trail.path(), &writer(name));
        let segments = folder.segments().unwrap();
        let report = check::segments(&writer(name), &segments, Expected::default(), at(0), &mut copy).unwrap();
        let heads = report.looked.head.into_iter().collect();
        expected.insert(writer(name), Expected { heads, pruned: None });
    }
    let file = trail.path().join("export.jsonl");
    std::fs::write(&file, &copy).unwrap();
    let reports = check::exported(&file, expected.clone(), at(0)).unwrap();
    assert!(reports.len() == 2 && reports.iter().all(Report::is_sound), "{reports:?}");
    assert_eq!(reports[1].looked.records, 20);

    let half = String::from_utf8(copy).unwrap();
    let (first, _) =
        half.split_once("{\"segment\":{\"format\":1,\"algorithm\":\"SHA-256\",\"writer\":\"controller").unwrap();
    std::fs::write(&file, first).unwrap();
    let reports = check::exported(&file, expected, at(0)).unwrap();
    assert!(reports[0].is_sound() && !reports[1].is_sound(), "a writer that is missing altogether is told");
}
