//! A trail that cannot be written stops changes at once, and goes on by itself.

use jiyun_trail::{
    Unwritable,
    heads::{HeadError, Heads, Marks},
    store::{StoreError, query::Query, rows::page},
};

use super::support::{Kept, record, writer};

#[tokio::test]
async fn a_full_disk_refuses_every_record_until_there_is_room_and_reading_goes_on() {
    let mut kept = Kept::new();
    let (trail, _task) = kept.start().await;
    trail.append(record(1)).await.unwrap();
    kept.disk.full(true);
    let error = trail.append(record(2)).await.unwrap_err();
    assert!(matches!(&error, Unwritable::Files(StoreError::File { what: "written", .. })), "{error}");
    assert!(!trail.is_writable());
    assert_eq!(kept.figure("jiyun_trail_unwritable"), 1);
    for n in 3..6 {
        trail.append(record(n)).await.unwrap_err();
    }
    let page = page(kept.folder.path(), Query::default(), 10).unwrap();
    assert_eq!(page.rows.len(), 1, "reads go on");

    kept.disk.full(false);
    trail.writable().await.unwrap();
    assert_eq!(trail.append(record(6)).await.unwrap(), 2, "what was refused is not in the chain");
    assert_eq!(kept.figure("jiyun_trail_unwritable"), 0);
    let report = kept.verify().await;
    assert!(report.is_sound(), "{report:?}");
}

#[tokio::test]
async fn a_disk_that_is_full_at_the_start_is_tried_again() {
    let mut kept = Kept::new();
    kept.disk.full(true);
    let (trail, _task) = kept.begin();
    let error = trail.append(record(1)).await.unwrap_err();
    assert!(matches!(error, Unwritable::Opening | Unwritable::Files(_)), "{error}");
    kept.disk.full(false);
    trail.writable().await.unwrap();
    assert_eq!(trail.append(record(1)).await.unwrap(), 1);
}

#[tokio::test]
async fn a_head_that_cannot_be_kept_refuses_too_and_is_caught_up() {
    let mut kept = Kept::new();
    let (trail, _task) = kept.start().await;
    trail.append(record(1)).await.unwrap();
    kept.heads.fail(true);
    let error = trail.append(record(2)).await.unwrap_err();
    assert!(matches!(error, Unwritable::Head(HeadError::Failed { .. })), "{error}");
    kept.heads.fail(false);
    trail.writable().await.unwrap();
    // It reached the disk: the trail keeps that it was tried.
    assert_eq!(trail.append(record(3)).await.unwrap(), 3);
    let report = kept.verify().await;
    assert!(report.is_sound() && report.looked.records == 3, "{report:?}");
    assert_eq!(kept.figure("jiyun_trail_gaps"), 0);
}

#[tokio::test]
async fn a_second_process_of_the_same_name_cannot_write_before_the_first_has_ended() {
    let mut kept = Kept::new();
    let (first, task) = kept.start().await;
    let (second, _other) = kept.begin();
    let error = loop {
        match second.append(record(1)).await.unwrap_err() {
            Unwritable::Opening => tokio::task::yield_now().await,
            error => break error,
        }
    };
    assert!(matches!(error, Unwritable::Files(StoreError::Locked { .. })), "{error}");
    first.append(record(1)).await.unwrap();
    drop(first);
    task.await.unwrap();
    second.writable().await.unwrap();
    assert_eq!(second.append(record(2)).await.unwrap(), 2);
}

#[tokio::test]
async fn a_head_that_another_process_moved_is_noticed_with_the_next_record() {
    let mut kept = Kept::new();
    let (trail, _task) = kept.start().await;
    trail.append(record(1)).await.unwrap();
    let marks = kept.heads.read(&writer()).await.unwrap();
    kept.heads.set(&writer(), Marks { revision: marks.revision + 1, ..marks });
    let error = trail.append(record(2)).await.unwrap_err();
    assert!(matches!(error, Unwritable::Head(HeadError::Moved { .. })), "{error}");
}

#[tokio::test]
async fn a_head_never_goes_back() {
    let mut kept = Kept::new();
    kept.live(3).await;
    let marks = kept.heads.read(&writer()).await.unwrap();
    let mut head = marks.head.clone().unwrap();
    head.sequence -= 1;
    let error = kept.heads.advance(&writer(), &marks, &head).await.unwrap_err();
    assert!(matches!(error, HeadError::Backwards { from: 3, to: 2 }), "{error}");
}
