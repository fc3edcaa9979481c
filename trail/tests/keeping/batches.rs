//! Acknowledged means written, durable, and in the head.

use jiyun_trail::heads::Heads;

use super::support::{Kept, record, writer};

#[tokio::test]
async fn an_acknowledged_record_is_in_the_file_and_in_the_head() {
    let mut kept = Kept::new();
    let (trail, _task) = kept.start().await;
    for n in 1..=3 {
        assert_eq!(trail.append(record(n)).await.unwrap(), n);
        let head = kept.heads.read(&writer()).await.unwrap().head.unwrap();
        assert_eq!(head.sequence, n);
        let report = kept.verify().await;
        assert!(report.is_sound() && report.looked.head == Some(head), "{report:?}");
    }
    assert_eq!(kept.figure("jiyun_trail_records_total"), 3);
}

#[tokio::test]
async fn many_callers_share_one_wait_for_the_disk() {
    let mut kept = Kept::new();
    let (trail, _task) = kept.start().await;
    kept.disk.hold(true);
    let before = kept.disk.syncs();
    let append = |n| {
        let trail = trail.clone();
        tokio::spawn(async move { trail.append(record(n)).await.unwrap() })
    };
    let mut tasks: Vec<_> = (0..100).map(append).collect();
    // Each has put its record into the line, and the first is at the disk.
    while kept.disk.syncs() == before {
        tokio::task::yield_now().await;
    }
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    kept.disk.hold(false);
    let mut numbers = Vec::new();
    for task in tasks.drain(..) {
        numbers.push(task.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=100).collect::<Vec<_>>());
    let syncs = kept.disk.syncs() - before;
    assert!(syncs <= 3, "100 records took {syncs} waits");
    assert!(kept.verify().await.is_sound());
}

#[tokio::test]
async fn a_restart_goes_on_where_it_was() {
    let mut kept = Kept::new();
    kept.live(3).await;
    kept.live(2).await;
    let report = kept.verify().await;
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.looked.records, report.looked.segments), (5, 1));
    assert_eq!(kept.figure("jiyun_trail_gaps"), 0);
}

#[tokio::test]
async fn everything_taken_is_written_before_the_task_ends() {
    let mut kept = Kept::new();
    let (trail, task) = kept.start().await;
    let appending: Vec<_> = (0..10)
        .map(|n| {
            let trail = trail.clone();
            tokio::spawn(async move { trail.append(record(n)).await })
        })
        .collect();
    drop(trail);
    for append in appending {
        append.await.unwrap().unwrap();
    }
    task.await.unwrap();
    assert_eq!(kept.verify().await.looked.records, 10);
}
