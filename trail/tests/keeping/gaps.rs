//! A gap is an alarm, is written into the chain, and does not stop the work.

use std::fs;

use jiyun_trail::{
    core::{action::Action, outcome::Outcome, verify::Fault},
    store::{query::Query, rows::rows},
};

use super::support::{Kept, record};

#[tokio::test]
async fn records_that_are_lost_raise_the_alarm_and_are_named_in_the_chain() {
    let mut kept = Kept::new();
    kept.live(5).await;
    let path = kept.only_segment();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.split_inclusive('\n').take(3).collect::<String>()).unwrap();

    let (trail, _task) = kept.start().await;
    assert_eq!(kept.figure("jiyun_trail_gaps"), 1);
    assert_eq!(trail.append(record(7)).await.unwrap(), 7, "record 6 is the trail's own");
    let query = Query { actions: vec![Action::TrailGap], ..Query::default() };
    let own: Vec<_> = rows(kept.folder.path(), query).unwrap().map(Result::unwrap).collect();
    let told = Outcome::failed("records 3 to 5 were acknowledged and are lost");
    assert_eq!((own.len(), own[0].sequence, &own[0].record.result), (1, 6, &told));
    let findings = kept.verify().await.findings;
    assert_eq!(findings[0].fault, Fault::SegmentMissing { from: 3, to: 5 });
}

#[tokio::test]
async fn a_gap_stays_an_alarm_over_restarts_and_is_recorded_once() {
    let mut kept = Kept::new();
    kept.live(5).await;
    let path = kept.only_segment();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.split_inclusive('\n').take(3).collect::<String>()).unwrap();
    kept.live(0).await;
    kept.live(0).await;
    assert_eq!(kept.figure("jiyun_trail_gaps"), 1);
    let query = Query { actions: vec![Action::TrailGap], ..Query::default() };
    assert_eq!(rows(kept.folder.path(), query).unwrap().count(), 1);
}
